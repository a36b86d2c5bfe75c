// Package pairs compares two systems that were measured in turns. A machine that
// others use drifts, by more than what is to be told apart; two readings taken one
// after the other share most of that drift, so their ratio holds where neither
// does. What is reported is the median of the pairs' ratios, with a bootstrap
// interval of it.
//
// Invariants:
//
//   - An interval that holds 1 is no difference, whatever the median.
//   - Fewer than Least pairs decide nothing: with five, even the extremes enclose
//     the true median in only 94 of 100 cases.
//   - The same readings and seed give the same interval.
package pairs

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Least is how many pairs a verdict takes.
const Least = 6

// resamples and tail make the interval: 95 of 100, by percentiles.
const (
	resamples = 10_000
	tail      = 0.025
)

// ErrUnpaired says that readings can't be compared.
var ErrUnpaired = errors.New("pairs: readings that make no pairs")

// Verdict is what a comparison says.
type Verdict string

// The verdicts.
const (
	Less      Verdict = "less"
	More      Verdict = "more"
	Same      Verdict = "no difference"
	Undecided Verdict = "undecided"
)

// Ratio is how many times the other's reading the one's is.
type Ratio struct {
	// Median is that of the pairs' ratios; Low and High enclose it with 95%.
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	// Pairs is how many there were.
	Pairs   int     `json:"pairs"`
	Verdict Verdict `json:"verdict"`
}

// Compare compares one's readings with the other's, taken in the same order.
// Readings are above 0. No pairs are undecided, and no error.
func Compare(one, other []float64, seed uint64) (Ratio, error) {
	if len(one) != len(other) {
		return Ratio{}, fmt.Errorf("%w: %d and %d", ErrUnpaired, len(one), len(other))
	}
	if len(one) == 0 {
		return Ratio{Verdict: Undecided}, nil
	}
	ratios := make([]float64, len(one))
	for i := range one {
		if !(one[i] > 0) || !(other[i] > 0) || math.IsInf(one[i], 0) || math.IsInf(other[i], 0) {
			return Ratio{}, fmt.Errorf("%w: %v and %v", ErrUnpaired, one[i], other[i])
		}
		ratios[i] = one[i] / other[i]
	}
	r := Ratio{Median: Median(ratios), Pairs: len(ratios)}
	r.Low, r.High = interval(ratios, seed)
	r.judge()
	return r, nil
}

func (r *Ratio) judge() {
	switch {
	case r.Pairs < Least:
		r.Verdict = Undecided
	case r.High < 1:
		r.Verdict = Less
	case r.Low > 1:
		r.Verdict = More
	default:
		r.Verdict = Same
	}
}

// Apart compares readings that were not taken in turns, as those of two runs: the
// ratio of the medians, with an interval of drawing on both sides anew. It holds what
// the machine did between the two as well. Pairs is the smaller number of readings.
func Apart(one, other []float64, seed uint64) (Ratio, error) {
	if len(one) == 0 || len(other) == 0 {
		return Ratio{Verdict: Undecided}, nil
	}
	for _, v := range slices.Concat(one, other) {
		if !(v > 0) || math.IsInf(v, 0) {
			return Ratio{}, fmt.Errorf("%w: %v", ErrUnpaired, v)
		}
	}
	r := Ratio{Median: Median(one) / Median(other), Pairs: min(len(one), len(other))}
	rng := rand.New(rand.NewPCG(seed, uint64(len(one)+len(other))))
	ratios := make([]float64, resamples)
	a, b := newBag(one), newBag(other)
	for i := range ratios {
		ratios[i] = a.median(rng) / b.median(rng)
	}
	r.Low, r.High = middling(ratios)
	r.judge()
	return r, nil
}

// Median returns the middle reading, or the mean of the two in the middle; 0 of
// none.
func Median(readings []float64) float64 {
	return middle(slices.Sorted(slices.Values(readings)))
}

func middle(sorted []float64) float64 {
	n := len(sorted)
	switch {
	case n == 0:
		return 0
	case n%2 == 1:
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// interval is the bootstrap's: medians of readings drawn with replacement.
func interval(readings []float64, seed uint64) (low, high float64) {
	rng := rand.New(rand.NewPCG(seed, uint64(len(readings))))
	medians := make([]float64, resamples)
	b := newBag(readings)
	for i := range medians {
		medians[i] = b.median(rng)
	}
	return middling(medians)
}

// Interval encloses the median of readings with 95%; both ends are 0 of none.
func Interval(readings []float64, seed uint64) (low, high float64) {
	if len(readings) == 0 {
		return 0, 0
	}
	return interval(readings, seed)
}

// bag has readings that are drawn with replacement. They are sorted once; what is
// counted is how often each rank was drawn.
type bag struct {
	sorted []float64
	rank   []int // of each reading
	drawn  []int // by rank
}

func newBag(readings []float64) *bag {
	b := &bag{rank: make([]int, len(readings)), drawn: make([]int, len(readings))}
	order := make([]int, len(readings))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(readings[i], readings[j]) })
	for rank, i := range order {
		b.rank[i] = rank
		b.sorted = append(b.sorted, readings[i])
	}
	return b
}

// median is that of as many draws as there are readings.
func (b *bag) median(rng *rand.Rand) float64 {
	n := len(b.sorted)
	clear(b.drawn)
	for range n {
		b.drawn[b.rank[rng.IntN(n)]]++
	}
	// The draws in the middle, counted from 1: one, or two if n is even.
	first, second := (n+1)/2, n/2+1
	low, seen := -1, 0
	for rank, times := range b.drawn {
		seen += times
		if low < 0 && seen >= first {
			low = rank
		}
		if seen >= second {
			return (b.sorted[low] + b.sorted[rank]) / 2
		}
	}
	return 0
}

// middling sorts and returns what encloses 95 of 100.
func middling(list []float64) (low, high float64) {
	slices.Sort(list)
	at := int(tail * resamples)
	return list[at], list[resamples-1-at]
}
