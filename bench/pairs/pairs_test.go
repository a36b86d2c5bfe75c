package pairs

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		readings []float64
		want     float64
	}{
		{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5},
	} {
		before := slices.Clone(tt.readings)
		if got := Median(tt.readings); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.readings, got, tt.want)
		}
		if diff := cmp.Diff(before, tt.readings); diff != "" {
			t.Errorf("the readings were changed: %s", diff)
		}
	}
}

// binomialAtLeast is the chance of at least k of n that each have the chance p.
func binomialAtLeast(n, k int, p float64) float64 {
	sum := 0.0
	for i := k; i <= n; i++ {
		choose := 1.0
		for j := range i {
			choose = choose * float64(n-j) / float64(j+1)
		}
		sum += choose * math.Pow(p, float64(i)) * math.Pow(1-p, float64(n-i))
	}
	return sum
}

// TestIntervalIsTheExactOne: of an odd number of readings the bootstrap median's
// distribution is known: it is at most the k-th of n if more than half of n draws
// are, each with the chance k/n.
func TestIntervalIsTheExactOne(t *testing.T) {
	for _, n := range []int{7, 11, 13, 19} {
		readings := make([]float64, n)
		for i := range readings {
			readings[i] = float64(i + 1)
		}
		want := 0
		for k := 1; want == 0; k++ {
			if binomialAtLeast(n, n/2+1, float64(k)/float64(n)) > tail {
				want = k
			}
		}
		low, high := interval(readings, 1)
		if low != float64(want) || high != float64(n+1-want) {
			t.Errorf("%d readings: %v to %v, want %d to %d", n, low, high, want, n+1-want)
		}
	}
}

func TestCompare(t *testing.T) {
	ones := func(n int, v float64) []float64 { return slices.Repeat([]float64{v}, n) }
	for _, tt := range []struct {
		name       string
		one, other []float64
		want       Ratio
	}{
		{"half", ones(10, 2), ones(10, 4), Ratio{0.5, 0.5, 0.5, 10, Less}},
		{"twice", ones(6, 4), ones(6, 2), Ratio{2, 2, 2, 6, More}},
		{"equal", ones(6, 4), ones(6, 4), Ratio{1, 1, 1, 6, Same}},
		{"too few", ones(5, 4), ones(5, 2), Ratio{2, 2, 2, 5, Undecided}},
		{"none", nil, nil, Ratio{Verdict: Undecided}},
		// Pairs, not medians: the machine slowed down threefold half way, and
		// each pair says the same.
		{"drift", []float64{1, 1, 1, 3, 3, 3}, []float64{2, 2, 2, 6, 6, 6}, Ratio{0.5, 0.5, 0.5, 6, Less}},
	} {
		got, err := Compare(tt.one, tt.other, 1)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", tt.name, err, diff)
		}
	}
	noisy, err := Compare([]float64{0.5, 0.6, 2, 1.9, 0.8, 1.3, 1.1, 0.9}, ones(8, 1), 1)
	if err != nil || noisy.Verdict != Same || noisy.Low >= 1 || noisy.High <= 1 {
		t.Errorf("noise: %+v, %v", noisy, err)
	}
}

func TestCompareRefuses(t *testing.T) {
	for _, tt := range [][2][]float64{
		{{1}, {1, 2}}, {{0}, {1}}, {{1}, {-1}}, {{math.NaN()}, {1}}, {{1}, {math.Inf(1)}},
	} {
		if r, err := Compare(tt[0], tt[1], 1); !errors.Is(err, ErrUnpaired) {
			t.Errorf("%v: %+v, %v", tt, r, err)
		}
	}
}

func TestCompareProperties(t *testing.T) {
	reading := rapid.Float64Range(0.01, 1000)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "n")
		one := rapid.SliceOfN(reading, n, n).Draw(t, "one")
		other := rapid.SliceOfN(reading, n, n).Draw(t, "other")
		a, err := Compare(one, other, 3)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := Compare(one, other, 3)
		if a != b {
			t.Fatalf("the same readings: %+v, %+v", a, b)
		}
		if a.Low > a.Median || a.Median > a.High {
			t.Fatalf("the median is outside: %+v", a)
		}
	})
}

// TestApart: readings that aren't taken in turns are drawn on both sides.
func TestApart(t *testing.T) {
	old := []float64{10, 11, 12, 13, 14, 15, 16}
	half := make([]float64, len(old))
	for i, v := range old {
		half[len(old)-1-i] = v / 2 // in another order, which says nothing here
	}
	for _, tt := range []struct {
		name       string
		one, other []float64
		want       Verdict
		median     float64
	}{
		{"half", half, old, Less, 0.5},
		{"twice", old, half, More, 2},
		{"same", old, old, Same, 1},
		{"few", half[:3], old, Undecided, 15. / 2 / 13},
		{"none", nil, old, Undecided, 0},
	} {
		r, err := Apart(tt.one, tt.other, 1)
		if err != nil || r.Verdict != tt.want || math.Abs(r.Median-tt.median) > 1e-9 {
			t.Errorf("%s: %+v, %v; want %s with %v", tt.name, r, err, tt.want, tt.median)
		}
		if r.Pairs > 0 && (r.Low > r.Median || r.High < r.Median) {
			t.Errorf("%s: the interval leaves out the median: %+v", tt.name, r)
		}
		again, _ := Apart(tt.one, tt.other, 1)
		if again != r {
			t.Errorf("%s: %+v, then %+v", tt.name, r, again)
		}
	}
	if _, err := Apart([]float64{1}, []float64{0}, 1); !errors.Is(err, ErrUnpaired) {
		t.Errorf("nothing can be compared with 0: %v", err)
	}
}
