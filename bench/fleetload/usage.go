package fleetload

import (
	"runtime"
	"time"

	"drydock/bench/consensus"
	"drydock/bench/simspeed"
)

// usage is what the process has used up to a moment, and its members have done.
type usage struct {
	at        time.Time
	cpu       time.Duration
	allocated uint64
	totals    consensus.Totals
}

func use(c *consensus.Cluster) (usage, error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	cpu, err := simspeed.ProcessCPU()
	return usage{at: time.Now(), cpu: cpu, allocated: m.TotalAlloc, totals: c.Totals()}, err
}

// cores returns how many cores were taken on average since an earlier moment.
func (u usage) cores(since usage) float64 {
	return float64(u.cpu-since.cpu) / float64(u.at.Sub(since.at))
}

// heap is what is in use after a collection, in bytes.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
