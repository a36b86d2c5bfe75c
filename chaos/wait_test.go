package chaos

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// lurker is a target whose faults lie in wait until struck, or may not strike
// before a time.
type lurker struct {
	*fake
	armed  []Fault
	gone   int
	notYet time.Duration
}

func (l *lurker) Inject(f Fault) (func(), string, error) {
	if l.now < l.notYet {
		return nil, "", fmt.Errorf("%w: the only copy", ErrNotYet)
	}
	if !f.Kind.LiesInWait() {
		return l.fake.Inject(f)
	}
	l.armed = append(l.armed, f)
	return func() { l.gone++ }, "", nil
}

func TestFaultsThatLieInWait(t *testing.T) {
	l := &lurker{fake: newFake(3)}
	p := &Failpoint{At: "wal.sync", Nth: 3, Node: Selectors{"n2"}, Do: DoCrash, RestartAfter: time.Second}
	c := NewConductor(Plan{[]Step{
		{Name: "trap", At: time.Second, AtSet: true, Fault: p, For: 5 * time.Second},
		{After: &After{Event: EventStepPrefix + "trap"}, Fault: &Pause{Node: Selectors{"n3"}}},
		at(2*time.Second, &DiskError{Node: Selectors{"n1"}, On: "sync", Files: "log"}),
	}}, l, l)
	c.Start()
	l.run(3 * time.Second)
	if n := c.Outcomes()[0]; n.Fired != 1 || n.Effective != 0 || len(l.armed) != 2 {
		t.Fatalf("before it strikes: %+v, %d in wait", n, len(l.armed))
	}
	l.member("n2").Up = false
	l.armed[0].Struck("n2", "power lost", true)
	l.armed[0].Struck("n2", "once more", false)
	l.run(10 * time.Second)
	outcomes := c.Outcomes()
	if outcomes[0].Effective != 1 || outcomes[1].Effective != 1 || outcomes[2].Effective != 0 {
		t.Errorf("outcomes: %+v", outcomes)
	}
	if !l.member("n2").Up || l.gone != 1 {
		t.Errorf("n2 restarted: %t; %d disarmed", l.member("n2").Up, l.gone)
	}
	log := strings.Join(l.log, "\n")
	for _, line := range []string{
		"1s in wait: failpoint wal.sync number 3 of n2: crash",
		"3s FAULT failpoint wal.sync number 3 of n2: crash struck (power lost)",
		"4s FAULT restart n2",
		"6s end of failpoint wal.sync number 3 of n2: crash",
	} {
		if !strings.Contains(log, line) {
			t.Errorf("no line %q in\n%s", line, log)
		}
	}
	c.Heal()
	if l.gone != 2 {
		t.Errorf("healing disarmed %d of 2", l.gone)
	}
}

func TestFaultsThatMustWait(t *testing.T) {
	for _, tt := range []struct {
		notYet    time.Duration
		effective int
	}{{2 * time.Second, 1}, {time.Hour, 0}} {
		l := &lurker{fake: newFake(3), notYet: tt.notYet}
		c := NewConductor(Plan{[]Step{at(time.Second, &Pause{Node: Selectors{"n2"}})}}, l, l)
		c.Start()
		l.run(20 * time.Second)
		o := c.Outcomes()[0]
		if o.Fired != 1 || o.Effective != tt.effective || (o.Effective == 0) != strings.Contains(o.Why, "only copy") {
			t.Errorf("until %s: %+v", tt.notYet, o)
		}
	}
}

// TestKindsAreConsistent holds the words about kinds to the vocabulary.
func TestKindsAreConsistent(t *testing.T) {
	for _, e := range Vocabulary() {
		p := e.New()
		if p.Kind() != e.Kind {
			t.Errorf("%s: parameters of %s", e.Kind, p.Kind())
		}
		if e.Kind.LiesInWait() && e.Kind.Kills() {
			t.Errorf("%s: kills when it is injected, and lies in wait", e.Kind)
		}
		if !strings.Contains(e.Example, string(e.Kind)+":") {
			t.Errorf("%s: the example doesn't use it", e.Kind)
		}
	}
	for _, p := range Points() {
		if i := slices.IndexFunc(Points(), func(q PointInfo) bool { return q.Name == p.Name }); Points()[i] != p || p.Doc == "" {
			t.Errorf("point %q", p.Name)
		}
	}
}

func TestClockChecks(t *testing.T) {
	for _, tt := range []struct {
		p    Params
		good bool
	}{
		{&ClockRate{Rate: 1}, false},
		{&ClockRate{Rate: 0.5}, true},
		{&ClockJump{By: time.Second, Direction: "back", Clock: ClockBoth}, false},
		{&ClockJump{By: time.Second, Direction: "back", Clock: ClockMono}, false},
		{&ClockJump{By: time.Second, Direction: "back", Clock: ClockWall}, true},
		{&ClockJump{By: time.Second, Direction: "forward", Clock: ClockMono}, true},
	} {
		if err := Check(tt.p); (err == nil) != tt.good {
			t.Errorf("%+v: %v", tt.p, err)
		}
	}
}
