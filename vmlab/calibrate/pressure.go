package calibrate

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// Pressure is how much others were in the way for a time.
type Pressure struct {
	// Foreign is the share of all CPUs' time that others had than this process and
	// what descends from it, the hypervisor's other guests among them; 0 where the
	// system doesn't tell.
	Foreign float64 `json:"foreign"`
	// Late is by how much a sleep was longest too long.
	Late time.Duration `json:"late"`
}

// What a trial may have of each and still be calm. A timer that is late by half of a
// heartbeat is another timer.
const (
	calmForeign = 0.2
	calmLate    = 25 * time.Millisecond
)

// Calm says that what was measured meanwhile is the lab's alone.
func (p Pressure) Calm() bool { return p.Foreign <= calmForeign && p.Late <= calmLate }

// How often a sleep is tried, and after how many of them the CPUs are looked at.
const (
	sleepFor  = 10 * time.Millisecond
	lookAfter = 10
)

// PressureWatch follows the machine's pressure.
type PressureWatch struct {
	mu      sync.Mutex
	naps    []nap
	looks   []look
	stop    chan struct{}
	stopped sync.WaitGroup
}

// nap is a sleep that ended at a time, and by how much too late.
type nap struct {
	at   time.Time
	late time.Duration
}

// look is how long CPUs had been at work at a time since the system began, and for
// whom else.
type look struct {
	at      time.Time
	foreign time.Duration
}

// WatchPressure begins to watch. Stop ends it.
func WatchPressure() *PressureWatch {
	w := &PressureWatch{stop: make(chan struct{})}
	w.stopped.Go(w.watch)
	return w
}

// Stop ends the watch; what was seen stays.
func (w *PressureWatch) Stop() {
	close(w.stop)
	w.stopped.Wait()
}

func (w *PressureWatch) watch() {
	for i := 0; ; i++ {
		if i%lookAfter == 0 {
			l := look{at: time.Now(), foreign: foreignTime()}
			w.mu.Lock()
			w.looks = append(w.looks, l)
			w.mu.Unlock()
		}
		asleep := time.Now()
		timer := time.NewTimer(sleepFor)
		select {
		case <-w.stop:
			timer.Stop()
			return
		case <-timer.C:
		}
		n := nap{at: time.Now()}
		n.late = max(0, n.at.Sub(asleep)-sleepFor)
		w.mu.Lock()
		w.naps = append(w.naps, n)
		w.mu.Unlock()
	}
}

// Between is the pressure from one instant to another.
func (w *PressureWatch) Between(from, to time.Time) Pressure {
	w.mu.Lock()
	defer w.mu.Unlock()
	var p Pressure
	i, _ := slices.BinarySearchFunc(w.naps, from, func(n nap, t time.Time) int { return n.at.Compare(t) })
	for ; i < len(w.naps) && !w.naps[i].at.Add(-w.naps[i].late-sleepFor).After(to); i++ {
		p.Late = max(p.Late, w.naps[i].late)
	}
	first, _ := slices.BinarySearchFunc(w.looks, from, func(l look, t time.Time) int { return l.at.Compare(t) })
	first = max(0, first-1)
	last, _ := slices.BinarySearchFunc(w.looks, to, func(l look, t time.Time) int { return l.at.Compare(t) })
	if last = min(last, len(w.looks)-1); last > first {
		a, b := w.looks[first], w.looks[last]
		p.Foreign = min(1, max(0, float64(b.foreign-a.foreign)/float64(b.at.Sub(a.at))/float64(runtime.NumCPU())))
	}
	return p
}

// Host describes the machine that this runs on, in a line.
func Host() string {
	words := []string{runtime.GOOS}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		words = append(words, strings.TrimSpace(string(text)))
	}
	return strings.Join(words, " ") + fmt.Sprintf(", %d cores", runtime.NumCPU())
}
