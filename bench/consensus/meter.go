package consensus

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"drydock/bench/simspeed"
)

// usage is what the process has used up to a moment.
type usage struct {
	at            time.Time
	cpu           time.Duration
	allocs, bytes uint64
}

func readUsage() (usage, error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	cpu, err := simspeed.ProcessCPU()
	return usage{at: time.Now(), cpu: cpu, allocs: m.Mallocs, bytes: m.TotalAlloc}, err
}

// fill computes what was used between two moments for n operations.
func (s *Sample) fill(from, to usage, n int) error {
	s.Operations, s.Seconds = n, to.at.Sub(from.at).Seconds()
	if n == 0 {
		return fmt.Errorf("nothing was committed in %.1f s", s.Seconds)
	}
	ops := float64(n)
	s.Rate = ops / s.Seconds
	s.CPU = float64((to.cpu - from.cpu).Microseconds()) / ops
	s.Allocs = float64(to.allocs-from.allocs) / ops
	s.Bytes = float64(to.bytes-from.bytes) / ops
	return nil
}

// pressureWindow is how long the pressure of a moment is watched.
const pressureWindow = 100 * time.Millisecond

// pressure returns in how much of the next moment something waits for a CPU, in
// percent; -1 where the system doesn't tell (Linux does, under /proc/pressure).
func pressure() float64 {
	before, ok := stalled()
	if !ok {
		return -1
	}
	began := time.Now()
	<-time.After(pressureWindow)
	after, _ := stalled()
	return min(100*float64(after-before)/float64(time.Since(began)), 100)
}

// stalled returns for how long, since the system started, something has waited
// for a CPU.
func stalled() (time.Duration, bool) {
	text, err := os.ReadFile("/proc/pressure/cpu")
	if err != nil {
		return 0, false
	}
	return parseStalled(string(text))
}

func parseStalled(text string) (time.Duration, bool) {
	line, _, _ := strings.Cut(text, "\n")
	_, total, found := strings.Cut(line, " total=")
	if !strings.HasPrefix(line, "some ") || !found {
		return 0, false
	}
	var micros int64
	if _, err := fmt.Sscan(total, &micros); err != nil || micros < 0 {
		return 0, false
	}
	return time.Duration(micros) * time.Microsecond, true
}
