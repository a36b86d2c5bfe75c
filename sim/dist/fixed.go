package dist

import (
	"math/big"
	"math/bits"
	"math/rand/v2"
)

// Fixed-point numbers are Q32: the value times 2^32. Results beyond 64 bits
// saturate; delays are cut to Max in any case.
const (
	one = 32 // bits behind the point
	// ln2 is the natural logarithm of 2, and log2e its inverse, in Q32.
	ln2   = 2977044472
	log2e = 6196328019
)

// roots[i] is 2^(2^-(i+1)) in Q63: the factors of which 2^x is made, one for
// every bit of x behind the point.
var roots = makeRoots()

func makeRoots() [one]uint64 {
	var table [one]uint64
	r := new(big.Int).Lsh(big.NewInt(1), 64) // 2 in Q63
	for i := range table {
		// sqrt(r in Q63) in Q63 is the integer root of r << 63.
		r.Sqrt(r.Lsh(r, 63))
		table[i] = r.Uint64()
	}
	return table
}

// mulHigh returns a*b / 2^64: for a random a, a number below b. Its bias is at
// most b / 2^64, and unlike a rejection loop it takes one draw, always.
func mulHigh(a, b uint64) uint64 {
	hi, _ := bits.Mul64(a, b)
	return hi
}

// mulShift returns a*b >> shift, saturated; shift is 1 to 63.
func mulShift(a, b uint64, shift uint) uint64 {
	hi, lo := bits.Mul64(a, b)
	if hi>>shift != 0 {
		return ^uint64(0)
	}
	return hi<<(64-shift) | lo>>shift
}

// negLog2 returns -log2(n / 2^64) in Q32, 0 to 64; zero counts as one. Bit by
// bit: squaring a number doubles its logarithm, and if the square is 2 or more
// the next bit is set and the square is halved.
func negLog2(n uint64) uint64 {
	n = max(n, 1)
	zeros := uint(bits.LeadingZeros64(n))
	m := n << zeros // in [1, 2), Q63
	var log uint64
	for range one {
		hi, lo := bits.Mul64(m, m) // in [1, 4); hi is Q62
		log <<= 1
		if hi>>63 != 0 {
			log |= 1
			m = hi
		} else {
			m = hi<<1 | lo>>63
		}
	}
	return uint64(zeros+1)<<one - log
}

// scaleExp2 returns x * 2^exponent, exponent in Q32, saturated.
func scaleExp2(x uint64, exponent int64) uint64 {
	whole := exponent >> one // rounds down, so the fraction is never negative
	fraction := uint64(exponent) & (1<<one - 1)
	m := uint64(1) << 63 // 1 in Q63
	for i, root := range roots {
		if fraction>>(one-1-i)&1 != 0 {
			m = mulShift(m, root, 63)
		}
	}
	switch {
	case whole < -63:
		return 0
	case whole < 0:
		return mulShift(x, m, 63) >> uint(-whole)
	}
	y := mulShift(x, m, 63)
	if y != 0 && bits.Len64(y)+int(whole) > 64 {
		return ^uint64(0)
	}
	return y << uint(whole)
}

// normalDraws is how many random numbers normal takes.
const normalDraws = 12

// normal draws from a normal distribution with mean 0 and deviation 1, in Q32:
// the sum of 48 uniform draws of 16 bits, whose variance is one twelfth each and
// 4 together. Its tail is a little thin: it ends at 12 deviations, and one in a
// thousand lies beyond 3.07 deviations, where the true one has 3.09.
func normal(r *rand.Rand) int64 {
	const mean = 4 * normalDraws * (1<<16 - 1) / 2
	var sum int64
	for range normalDraws {
		n := r.Uint64()
		sum += int64(n&0xffff) + int64(n>>16&0xffff) + int64(n>>32&0xffff) + int64(n>>48)
	}
	// Of 16-bit units, 1<<17 make a deviation of 2.
	return (sum - mean) << (one - 17)
}

func magnitude(z int64) uint64 {
	if z < 0 {
		return uint64(-z)
	}
	return uint64(z)
}
