package chaos

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fake is a target and a host with a clock of its own.
type fake struct {
	members []Member
	now     time.Duration
	queue   []timer
	seq     int
	seed    uint64
	streams map[string]*rand.Rand
	log     []string
	faults  []Fault
	refuse  map[Kind]error
}

type timer struct {
	at  time.Duration
	seq int
	fn  func()
}

func newFake(n int) *fake {
	f := &fake{streams: map[string]*rand.Rand{}, refuse: map[Kind]error{}, seed: 1}
	for i := 1; i <= n; i++ {
		f.members = append(f.members, Member{Name: fmt.Sprintf("n%d", i), Up: true, Voter: true, Leader: i == 1})
	}
	return f
}

func (f *fake) Supports(Kind) error { return nil }
func (f *fake) Members() []Member   { return slices.Clone(f.members) }

func (f *fake) member(name string) *Member {
	for i := range f.members {
		if f.members[i].Name == name {
			return &f.members[i]
		}
	}
	panic("no member " + name)
}

func (f *fake) Inject(fault Fault) (func(), string, error) {
	if err := f.refuse[fault.Kind]; err != nil {
		return nil, "", err
	}
	f.faults = append(f.faults, fault)
	switch fault.Kind {
	case KindCrash, KindPowerLoss:
		for _, name := range fault.Nodes {
			f.member(name).Up, f.member(name).Leader = false, false
		}
		return nil, "2 records lost", nil
	case KindRestart:
		for _, name := range fault.Nodes {
			f.member(name).Up = true
		}
		return nil, "", nil
	case KindPause:
		m := f.member(fault.Nodes[0])
		m.Paused = true
		return func() { m.Paused = false }, "", nil
	}
	return func() {}, "", nil
}

func (f *fake) After(d time.Duration, fn func()) {
	f.seq++
	f.queue = append(f.queue, timer{f.now + d, f.seq, fn})
}

func (f *fake) Rand(name string) *rand.Rand {
	if f.streams[name] == nil {
		h := fnv.New64a()
		_, _ = h.Write([]byte(name))
		f.streams[name] = rand.New(rand.NewPCG(f.seed, h.Sum64()))
	}
	return f.streams[name]
}

func (f *fake) Note(_, text string) {
	f.log = append(f.log, fmt.Sprintf("%s %s", f.now, text))
}

func (f *fake) run(until time.Duration) {
	for {
		slices.SortFunc(f.queue, func(a, b timer) int {
			if a.at != b.at {
				return int(a.at - b.at)
			}
			return a.seq - b.seq
		})
		if len(f.queue) == 0 || f.queue[0].at > until {
			f.now = until
			return
		}
		next := f.queue[0]
		f.queue = f.queue[1:]
		f.now = next.at
		next.fn()
	}
}

func at(d time.Duration, p Params) Step {
	return Step{At: d, AtSet: true, Fault: p}
}

func TestTimeline(t *testing.T) {
	crashLeader := &Crash{Node: Selectors{Leader}, RestartAfter: 2 * time.Second}
	tests := []struct {
		name  string
		steps []Step
		do    func(c *Conductor, f *fake)
		want  []string
	}{
		{
			name:  "crash and restart_after",
			steps: []Step{at(time.Second, crashLeader)},
			want:  []string{"1s FAULT crash n1 (2 records lost)", "3s FAULT restart n1"},
		},
		{
			name: "an early restart and a new crash cancel the first restart_after",
			steps: []Step{
				at(time.Second, &Crash{Node: Selectors{"n2"}, RestartAfter: 3 * time.Second}),
				at(2*time.Second, &Restart{Node: Selectors{Same}}),
				at(3*time.Second, &Crash{Node: Selectors{"n2"}}),
			},
			want: []string{"1s FAULT crash n2 (2 records lost)", "2s FAULT restart n2", "3s FAULT crash n2 (2 records lost)"},
		},
		{
			name:  "pause ends by itself",
			steps: []Step{{At: time.Second, Fault: &Pause{Node: Selectors{"n3"}}, For: 2 * time.Second}},
			want:  []string{"1s FAULT pause n3", "3s end of pause n3"},
		},
		{
			name: "a fault that changes nothing says so",
			steps: []Step{
				at(time.Second, &Crash{Node: Selectors{"n2"}}),
				at(2*time.Second, &Crash{Node: Selectors{"n2"}}),
			},
			want: []string{"1s FAULT crash n2 (2 records lost)", "2s no effect: crash#2: no effect: n2 is down already"},
		},
		{
			name:  "every, bounded by until and times",
			steps: []Step{{Every: &Every{Period: time.Second, From: 2 * time.Second, Until: 4 * time.Second}, Fault: &Transfer{To: Selectors{"n2"}}}},
			want:  []string{"2s FAULT transfer leadership to n2", "3s FAULT transfer leadership to n2"},
		},
		{
			name: "heal by a step's name leaves the others",
			steps: []Step{
				{Name: "cut", At: time.Second, Fault: &Partition{Isolate: Selectors{"n1"}}},
				at(time.Second, &Loss{Probability: 0.1}),
				at(2*time.Second, &Heal{What: []string{"cut"}}),
				at(3*time.Second, &Heal{What: []string{"cut"}}),
			},
			want: []string{
				"1s FAULT partition {n1} | {n2 n3}", "1s FAULT loss 10% on all links",
				"2s end of partition {n1} | {n2 n3}", "3s no effect: heal#2: no effect: nothing of cut lasts",
			},
		},
		{
			name: "after the second vote of n2, and after that step",
			steps: []Step{
				{Name: "first", After: &After{Event: "vote-granted", Node: Selectors{"n2"}, Nth: 2, Wait: time.Second}, Fault: &Crash{Node: Selectors{"n2"}}},
				{After: &After{Event: "step:first"}, Fault: &Crash{Node: Selectors{"n3"}}},
			},
			do: func(c *Conductor, _ *fake) {
				for _, voter := range []string{"n2", "n3", "n2", "n2"} {
					c.Event("vote-granted", voter)
				}
			},
			want: []string{"1s FAULT crash n2 (2 records lost)", "1s FAULT crash n3 (2 records lost)"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(3)
			c := NewConductor(Plan{tt.steps}, f, f)
			c.Start()
			if tt.do != nil {
				tt.do(c, f)
			}
			f.run(10 * time.Second)
			if diff := cmp.Diff(tt.want, f.log); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLeaderIsWaitedFor(t *testing.T) {
	f := newFake(3)
	f.members[0].Leader = false
	c := NewConductor(Plan{[]Step{at(time.Second, &Crash{Node: Selectors{Leader}})}}, f, f)
	c.Start()
	f.After(1500*time.Millisecond, func() { f.members[2].Leader = true })
	f.run(10 * time.Second)
	if want := []string{"1.5s FAULT crash n3 (2 records lost)"}; !slices.Equal(want, f.log) {
		t.Errorf("got %q", f.log)
	}

	f = newFake(3)
	f.members[0].Leader = false
	c = NewConductor(Plan{[]Step{at(time.Second, &Crash{Node: Selectors{Leader}})}}, f, f)
	c.Start()
	f.run(10 * time.Second)
	if o := c.Outcomes()[0]; o.Fired != 1 || o.Effective != 0 || o.Why == "" {
		t.Errorf("without a leader: %+v", o)
	}
}

func TestHealEndsEverything(t *testing.T) {
	f := newFake(5)
	f.members[4].Outside, f.members[4].Up = true, false
	c := NewConductor(Plan{[]Step{
		at(time.Second, &Pause{Node: Selectors{"n2"}}),
		at(time.Second, &Crash{Node: Selectors{"n3"}, RestartAfter: time.Minute}),
		at(time.Second, &Partition{}),
		{Every: &Every{Period: time.Second}, Fault: &Transfer{To: Selectors{"n4"}}},
		at(8*time.Second, &Crash{Node: Selectors{"n1"}}),
	}}, f, f)
	c.Start()
	f.run(3500 * time.Millisecond)
	c.Heal()
	f.run(2 * time.Minute)
	for _, m := range f.members[:4] {
		if !m.Up || m.Paused {
			t.Errorf("after healing: %+v", m)
		}
	}
	if f.members[4].Up {
		t.Error("a node outside the cluster was started")
	}
	want := []Count{{KindCrash, 1, 1}, {KindPause, 1, 1}, {KindTransfer, 3, 3}, {KindPartition, 1, 1}}
	if diff := cmp.Diff(want, c.Injected()); diff != "" {
		t.Error(diff)
	}
	if strings.Count(strings.Join(f.log, "\n"), "restart n3") != 1 {
		t.Errorf("restarted once more: %q", f.log)
	}
}

func TestPowerLossSpreadsRestarts(t *testing.T) {
	f := newFake(5)
	c := NewConductor(Plan{[]Step{at(time.Second, &PowerLoss{RestartAfter: time.Second, Jitter: time.Second})}}, f, f)
	c.Start()
	f.run(1900 * time.Millisecond)
	if len(f.faults) != 1 || len(f.faults[0].Nodes) != 5 {
		t.Fatalf("faults before the power is back: %+v", f.faults)
	}
	f.run(3 * time.Second)
	times := map[string]bool{}
	for _, line := range f.log[1:] {
		times[strings.Fields(line)[0]] = true
	}
	if len(f.faults) != 6 || len(times) != 5 {
		t.Errorf("restarts at %d different times: %q", len(times), f.log)
	}
}

// TestStreamsAreApart pins that a step's draws don't depend on other steps.
func TestStreamsAreApart(t *testing.T) {
	victim := func(steps ...Step) string {
		f := newFake(9)
		c := NewConductor(Plan{steps}, f, f)
		c.Start()
		f.run(20 * time.Second)
		return f.log[len(f.log)-1]
	}
	last := Step{Name: "last", At: 9 * time.Second, Jitter: time.Second, Fault: &Pause{Node: Selectors{Any}}}
	alone := victim(last)
	if with := victim(at(time.Second, &Loss{Probability: 0.5}), at(time.Second, &Partition{}), last); with != alone {
		t.Errorf("alone %q, beside others %q", alone, with)
	}
}
