package calibrate

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Spread sums up readings of one world.
type Spread struct {
	N   int           `json:"n"`
	P10 time.Duration `json:"p10"`
	P50 time.Duration `json:"p50"`
	P90 time.Duration `json:"p90"`
}

func spreadOf(values []time.Duration) Spread {
	sorted := slices.Sorted(slices.Values(values))
	return Spread{N: len(sorted), P10: quantile(sorted, 0.1), P50: quantile(sorted, 0.5), P90: quantile(sorted, 0.9)}
}

// quantile reads a share of sorted values, between two of them if need be; 0 of none.
func quantile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	at := share * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + time.Duration((at-float64(i))*float64(sorted[i+1]-sorted[i]))
}

// Ratio is how many times one world's median is the other's; Low and High enclose it
// with 95%.
type Ratio struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// resamples make an interval.
const resamples = 4000

// ratioOf compares medians; all values are above 0. The interval is the bootstrap's,
// with both sides drawn anew, and the same of the same values.
func ratioOf(measured, predicted []time.Duration) Ratio {
	median := func(list []time.Duration) float64 {
		slices.Sort(list)
		return float64(quantile(list, 0.5))
	}
	r := Ratio{Median: median(slices.Clone(measured)) / median(slices.Clone(predicted))}
	rng := rand.New(rand.NewPCG(uint64(len(measured)), uint64(len(predicted))))
	redraw := func(into, from []time.Duration) []time.Duration {
		for i := range into {
			into[i] = from[rng.IntN(len(from))]
		}
		return into
	}
	a, b := make([]time.Duration, len(measured)), make([]time.Duration, len(predicted))
	ratios := make([]float64, resamples)
	for i := range ratios {
		ratios[i] = median(redraw(a, measured)) / median(redraw(b, predicted))
	}
	slices.Sort(ratios)
	r.Low, r.High = ratios[resamples/40], ratios[resamples-1-resamples/40]
	return r
}
