package main

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"
)

// sample is the answer; its names are those of bench consensus.
type sample struct {
	Seconds    float64 `json:"seconds"`
	Operations int64   `json:"operations"`
	Rate       float64 `json:"rate"`
	CPU        float64 `json:"cpuMicros"`
	Allocs     float64 `json:"allocs"`
	Bytes      float64 `json:"allocBytes"`
	Syncs      float64 `json:"syncs"`
	P50        float64 `json:"p50Micros"`
	P99        float64 `json:"p99Micros"`
	P999       float64 `json:"p999Micros"`
}

// numKeys is how many keys the proposers go round, maxBuffered how many latencies
// one of them keeps to itself.
const (
	numKeys     = 1000
	maxBuffered = 256
)

// keyPaths are the keys, made once: they are no part of what is measured.
var keyPaths = func() (list [numKeys]string) {
	for i := range list {
		list[i] = fmt.Sprintf("/bench/%d", i)
	}
	return list
}()

// load is the proposers and what they have seen.
type load struct {
	o                 *options
	lead              *raft.Raft
	count             atomic.Int64
	measuring, ending atomic.Bool

	mu        sync.Mutex
	latencies *hdrhistogram.Histogram
	err       error
}

func measure(o *options) (s sample, err error) {
	c, err := startCluster(o)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	lead, err := c.leader()
	if err != nil {
		return s, err
	}
	l := &load{o: o, lead: lead, latencies: hdrhistogram.New(int64(time.Microsecond), int64(time.Minute), 3)}
	var proposers sync.WaitGroup
	for i := range o.depth {
		proposers.Go(func() { l.propose(i) })
	}
	<-time.After(o.warm)
	l.measuring.Store(true)
	n, syncs := l.count.Load(), c.syncs.Load()
	from, err := readUsage()
	if err != nil {
		return s, err
	}
	<-time.After(o.round)
	n, syncs = l.count.Load()-n, c.syncs.Load()-syncs
	to, err := readUsage()
	if err != nil {
		return s, err
	}
	l.ending.Store(true)
	proposers.Wait()
	if l.err != nil {
		return s, l.err
	}
	if n == 0 {
		return s, errors.New("nothing was committed")
	}
	s = sample{Operations: n, Seconds: to.at.Sub(from.at).Seconds(), Syncs: float64(syncs) / float64(n)}
	s.Rate = float64(n) / s.Seconds
	s.CPU = float64((to.cpu - from.cpu).Microseconds()) / float64(n)
	s.Allocs = float64(to.allocs-from.allocs) / float64(n)
	s.Bytes = float64(to.bytes-from.bytes) / float64(n)
	s.P50, s.P99, s.P999 = l.quantile(50), l.quantile(99), l.quantile(99.9)
	return s, nil
}

// propose is one proposer's life.
func (l *load) propose(which int) {
	value := "\x00" + strings.Repeat("v", l.o.value)
	buffer := make([]time.Duration, 0, maxBuffered)
	for i := which; !l.ending.Load(); i += l.o.depth {
		began, measured := time.Now(), l.measuring.Load()
		command := []byte(keyPaths[i%numKeys] + value)
		if err := l.lead.Apply(command, time.Minute).Error(); err != nil {
			l.fail(err)
			break
		}
		l.count.Add(1)
		if !measured {
			continue
		}
		if buffer = append(buffer, time.Since(began)); len(buffer) == maxBuffered {
			l.record(buffer)
			buffer = buffer[:0]
		}
	}
	l.record(buffer)
}

func (l *load) fail(err error) {
	l.ending.Store(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
	}
}

func (l *load) record(list []time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range list {
		_ = l.latencies.RecordValue(int64(min(max(d, time.Microsecond), time.Minute)))
	}
}

func (l *load) quantile(q float64) float64 {
	return float64(l.latencies.ValueAtQuantile(q)) / float64(time.Microsecond)
}

// usage is what the process has used up to a moment.
type usage struct {
	at            time.Time
	cpu           time.Duration
	allocs, bytes uint64
}

func readUsage() (usage, error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return usage{}, fmt.Errorf("getrusage: %w", err)
	}
	cpu := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	return usage{at: time.Now(), cpu: cpu, allocs: m.Mallocs, bytes: m.TotalAlloc}, nil
}
