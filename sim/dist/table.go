package dist

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"time"
)

// Point says that a share of all delays, in thousandths, is at most Delay.
type Point struct {
	Share Milli
	Delay time.Duration
}

// allShares is the share of all delays.
const allShares Milli = 1000

// tableBits are the bits behind the point of a drawn share: draws are finer than
// the points' shares by so much.
const tableBits = 32

// Table returns a distribution that was measured, of points in order of share:
// the first has share 0, the last 1 (a thousand thousandths), and neither shares
// nor delays fall. Between two points it is linear. Its errors match ErrSpec.
func Table(points []Point) (Dist, error) {
	if len(points) < 2 || points[0].Share != 0 || points[len(points)-1].Share != allShares {
		return Dist{}, fmt.Errorf("%w: a table goes from share 0 to share %v", ErrSpec, allShares)
	}
	for i, p := range points {
		if p.Delay < 0 || p.Delay > MaxDelay {
			return Dist{}, fmt.Errorf("%w: point %d is %v, must be 0 to %v", ErrSpec, i+1, p.Delay, MaxDelay)
		}
		if i > 0 && (p.Share <= points[i-1].Share || p.Delay < points[i-1].Delay) {
			return Dist{}, fmt.Errorf("%w: point %d, %v at share %v, comes before the one ahead of it", ErrSpec, i+1, p.Delay, p.Share)
		}
	}
	return Dist{table: append([]Point(nil), points...)}, nil
}

// fromTable draws a share and reads the table there; it takes one draw.
func (d Dist) fromTable(r *rand.Rand) time.Duration {
	at := mulHigh(r.Uint64(), uint64(allShares)<<tableBits)
	i := 1
	for i < len(d.table)-1 && at >= uint64(d.table[i].Share)<<tableBits {
		i++
	}
	low, high := d.table[i-1], d.table[i]
	into, width := at-uint64(low.Share)<<tableBits, uint64(high.Share-low.Share)<<tableBits
	hi, lo := bits.Mul64(uint64(high.Delay-low.Delay), into)
	above, _ := bits.Div64(hi, lo, width) // into < width, so it is no more than the difference
	return low.Delay + time.Duration(above)
}
