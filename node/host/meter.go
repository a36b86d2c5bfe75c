package host

import (
	"sync/atomic"
	"time"

	"drydock/node"
	"drydock/node/world"
)

// Leadership is what the host has seen of who leads.
type Leadership struct {
	// Role is the node's latest view.
	Role node.Role
	// Since is when that view came to be; the start of the host if it never
	// changed.
	Since time.Time
	// Changes counts how often a leader other than the one before was seen.
	Changes uint64
	// Started is when the host started.
	Started time.Time
}

// Leadership returns who leads, since when, and how often that has changed.
func (h *Host) Leadership() Leadership { return *h.meters.lead.Load() }

// LogSyncs returns how long the syncs of the log took: what every acknowledged
// write waits for.
func (h *Host) LogSyncs() Durations { return h.meters.syncs.read() }

// Steps returns how long the node's steps took.
func (h *Host) Steps() Durations { return h.meters.steps.read() }

// meters are the host's measurements; any goroutine may read them.
type meters struct {
	lead         atomic.Pointer[Leadership]
	lastLead     world.MemberID // the reactor's goroutine only
	syncs, steps histogram
}

func (m *meters) init(start time.Time) {
	m.lead.Store(&Leadership{Since: start, Started: start})
}

// role notes a new view. It is called by the reactor's goroutine.
func (m *meters) role(r node.Role, at time.Time) {
	l := *m.lead.Load()
	if lead := r.Lead; lead != 0 && lead != m.lastLead {
		l.Changes++
		m.lastLead = lead
	}
	l.Role, l.Since = r, at
	m.lead.Store(&l)
}

// Durations is a distribution of times.
type Durations struct {
	// Upper are the upper bounds of the buckets but the last, which has none, and
	// Counts how many times fell into each bucket.
	Upper  []time.Duration
	Counts []uint64
	// Sum is all of them together.
	Sum time.Duration
}

// numBuckets is how many buckets a histogram has, the open one included.
const numBuckets = 16

// bucket returns the upper bound of a bucket: 125 µs, doubled each time.
func bucket(i int) time.Duration { return 125 * time.Microsecond << i }

// histogram counts times. The zero value is ready for use.
type histogram struct {
	counts [numBuckets]atomic.Uint64
	sum    atomic.Int64
}

func (h *histogram) observe(d time.Duration) {
	i := 0
	for i < numBuckets-1 && d > bucket(i) {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}

func (h *histogram) read() Durations {
	d := Durations{Sum: time.Duration(h.sum.Load())}
	for i := range numBuckets {
		d.Counts = append(d.Counts, h.counts[i].Load())
		if i < numBuckets-1 {
			d.Upper = append(d.Upper, bucket(i))
		}
	}
	return d
}
