package dist

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

const q32 = 1 << 32

func TestNegLog2(t *testing.T) {
	for n, want := range map[uint64]uint64{
		0: 64 << 32, 1: 64 << 32, 2: 63 << 32, 1 << 63: 1 << 32,
	} {
		if got := negLog2(n); got != want {
			t.Errorf("-log2(%d/2^64) = %d, want %d", n, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Min(1).Draw(t, "n")
		got, want := float64(negLog2(n))/q32, 64-math.Log2(float64(n))
		if math.Abs(got-want) > 1e-9 {
			t.Fatalf("-log2(%d/2^64) = %v, want %v", n, got, want)
		}
	})
}

func TestScaleExp2(t *testing.T) {
	for _, tc := range []struct {
		x        uint64
		exponent int64
		want     uint64
	}{
		{7, 0, 7},
		{7, 3 * q32, 56},
		{7, -q32, 3},
		{7, -64 * q32, 0},
		{7, -1000 * q32, 0},
		{0, 1000 * q32, 0},
		{1, 63 * q32, 1 << 63},
		{1, 64 * q32, math.MaxUint64},
		{1 << 63, q32 / 2, 13043817825332782212}, // 2^63.5
		{1 << 63, 3 * q32 / 2, math.MaxUint64},
		{1 << 40, q32 / 2, 1554944255987}, // 2^40.5
	} {
		if got := scaleExp2(tc.x, tc.exponent); got != tc.want {
			t.Errorf("%d * 2^(%d/2^32) = %d, want %d", tc.x, tc.exponent, got, tc.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Uint64Range(1<<30, 1<<40).Draw(t, "x")
		exponent := rapid.Int64Range(-8*q32, 20*q32).Draw(t, "exponent")
		got, want := float64(scaleExp2(x, exponent)), float64(x)*math.Exp2(float64(exponent)/q32)
		if math.Abs(got-want) > 1+want*1e-9 {
			t.Fatalf("%d * 2^(%d/2^32) = %v, want %v", x, exponent, got, want)
		}
	})
}

func TestNormal(t *testing.T) {
	const n = 200_000
	r := stream(3)
	var sum, squares float64
	for range n {
		z := float64(normal(r)) / q32
		sum += z
		squares += z * z
	}
	if mean, variance := sum/n, squares/n; math.Abs(mean) > 0.01 || math.Abs(variance-1) > 0.02 {
		t.Errorf("mean %v, variance %v; want 0 and 1", mean, variance)
	}
}
