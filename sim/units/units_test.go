package units

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"drydock/node/runtime"
	"drydock/node/unit"
	"drydock/node/world"
	"drydock/sim/event"
)

// rig is a machine on a queue of its own that writes down what happens.
type rig struct {
	t     *testing.T
	queue event.Queue
	units *Units
	lines []string
	fails bool
	hangs bool
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t}
	r.units = New(Config{
		Name: "w1", ID: strings.Repeat("1", 32), Boot: strings.Repeat("2", 32), Queue: &r.queue,
		Rand: rand.New(rand.NewChaCha8([32]byte{1})),
		Now:  func() world.Instant { return world.Instant{Mono: r.queue.Now()} },
		When: func(mono time.Duration) time.Duration { return mono },
		Report: func(s runtime.State) {
			r.say("%s %s %s %s", s.Name, s.Load, s.Active, s.Sub)
		},
		Began: func(run Run) { r.say("began %s", run) },
		Ended: func(run Run, why Cause) { r.say("ended %s: %s", run, why) },
		Fails: func(string) bool { return r.fails },
		Hangs: func(string) bool { return r.hangs },
	})
	r.units.Rise(strings.Repeat("2", 32))
	return r
}

func (r *rig) say(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

// load makes a service known that runs the given words.
func (r *rig) load(name, words string, more ...string) {
	r.t.Helper()
	text := "[Service]\nExecStart=/bin/work " + words + "\n" + strings.Join(more, "\n") + "\n"
	u, err := unit.Parse(name, []byte(text))
	if err == nil {
		err = r.units.Load(u)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// said reports whether what was said holds the lines, in order.
func (r *rig) said(want ...string) {
	r.t.Helper()
	at := 0
	for _, line := range r.lines {
		if at < len(want) && line == want[at] {
			at++
		}
	}
	if at < len(want) {
		r.t.Errorf("nothing says %q in\n%s", want[at], strings.Join(r.lines, "\n"))
	}
}

func (r *rig) never(what string) {
	r.t.Helper()
	for _, line := range r.lines {
		if strings.HasPrefix(line, what) {
			r.t.Errorf("%q was said in\n%s", what, strings.Join(r.lines, "\n"))
		}
	}
}

func (r *rig) run(d time.Duration) { r.queue.RunUntil(r.queue.Now() + d) }

func TestUnitRunsAndStops(t *testing.T) {
	r := newRig(t)
	r.load("a.service", "down=50ms")
	var ends []string
	r.units.Start("a.service", func(o runtime.Outcome) { ends = append(ends, "start "+o.Result) })
	r.run(time.Second)
	r.units.Stop("a.service", func(o runtime.Outcome) { ends = append(ends, "stop "+o.Result) })
	r.run(40 * time.Millisecond)
	if !r.units.Runs("a.service") {
		t.Error("it is gone before it has ended")
	}
	r.run(time.Second)
	r.said("began a.service#1", "a.service loaded active running", "ended a.service#1: stopped")
	if got := strings.Join(ends, ", "); got != "start done, stop done" {
		t.Errorf("answers: %s", got)
	}
}

func TestRestartBeginsAnotherRun(t *testing.T) {
	r := newRig(t)
	r.load("a.service", "life=100ms code=1", "Restart=always", "RestartSec=0", "ExecStopPost=/bin/clean life=10ms")
	r.units.Start("a.service", nil)
	r.run(400 * time.Millisecond)
	r.said("began a.service#1", "ended a.service#1: exited", "began a.service#2", "ended a.service#2: exited")
}

func TestHangingUnitIsKilled(t *testing.T) {
	r := newRig(t)
	r.load("a.service", "", "TimeoutStopSec=2")
	r.units.Start("a.service", nil)
	r.run(time.Second)
	r.hangs = true
	r.units.Stop("a.service", nil)
	r.run(1900 * time.Millisecond)
	r.never("ended")
	r.run(time.Second)
	r.said("ended a.service#1: stopped")
}

func TestUnitThatFailsToStart(t *testing.T) {
	r := newRig(t)
	r.fails = true
	r.load("a.service", "")
	r.units.Start("a.service", nil)
	r.run(time.Second)
	r.said("began a.service#1", "a.service loaded failed failed")
}

func TestProcessesOutliveTheManager(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"a.service", "b.service", "c.service"} {
		r.load(name, "")
		r.units.Start(name, nil)
	}
	r.run(time.Second)
	r.units.Die()
	r.run(time.Second)
	r.never("ended")
	r.units.Guard(func(name string) bool { return name != "b.service" })
	r.run(time.Second)
	r.said("ended b.service#2: guarded")
	r.units.Rise(strings.Repeat("2", 32))
	if got := strings.Join(r.units.Present(), " "); got != "a.service c.service" {
		t.Fatalf("present: %s", got)
	}
	r.lines = nil
	r.load("a.service", "")
	r.units.Kill("c.service") // which the new manager has not been told of
	r.run(time.Second)
	r.said("a.service loaded active running", "ended c.service#3: killed")
	if s, ok := r.units.State("a.service"); !ok || s.Active != "active" || s.MainPID == 0 {
		t.Errorf("taken over as %+v", s)
	}
	r.units.Cut()
	r.said("ended a.service#1: cut")
}

func TestPausedManagerHearsLater(t *testing.T) {
	r := newRig(t)
	r.load("a.service", "", "Restart=always", "RestartSec=10ms")
	r.units.Start("a.service", nil)
	r.run(time.Second)
	r.units.Pause()
	if !r.units.Strike("a.service") {
		t.Fatal("nothing to strike")
	}
	r.run(time.Second)
	r.said("ended a.service#1: struck")
	r.never("began a.service#2")
	r.units.Resume()
	r.run(time.Second)
	r.said("began a.service#2")
}
