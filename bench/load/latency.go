package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Range and precision of latencies: a microsecond to a minute, three digits.
const (
	lowestLatency  = 1 // µs
	highestLatency = 60_000_000
	latencyDigits  = 3
)

// Latency is a distribution of latencies.
type Latency struct {
	h *hdrhistogram.Histogram
}

// NewLatency returns an empty distribution.
func NewLatency() *Latency {
	return &Latency{h: hdrhistogram.New(lowestLatency, highestLatency, latencyDigits)}
}

// Record adds a latency; one above a minute counts as a minute.
func (l *Latency) Record(d time.Duration) {
	// Rounded up: nothing takes no time.
	us := (int64(d) + int64(time.Microsecond) - 1) / int64(time.Microsecond)
	_ = l.h.RecordValue(min(max(us, lowestLatency), highestLatency)) // in range by now
}

// Add adds all that another distribution holds.
func (l *Latency) Add(other *Latency) { l.h.Merge(other.h) }

// Count is how many latencies there are.
func (l *Latency) Count() int64 { return l.h.TotalCount() }

// At returns the latency that the given share (0.5 is the median) does not exceed;
// 0 of an empty distribution.
func (l *Latency) At(share float64) time.Duration {
	if l.h.TotalCount() == 0 {
		return 0
	}
	return time.Duration(l.h.ValueAtQuantile(100*share)) * time.Microsecond
}

// Max returns the longest.
func (l *Latency) Max() time.Duration {
	return time.Duration(l.h.Max()) * time.Microsecond
}
