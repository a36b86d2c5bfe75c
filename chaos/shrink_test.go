package chaos

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// five returns the members n1 to n5, led by n1.
func five() []Member {
	var out []Member
	for _, name := range []string{"n1", "n2", "n3", "n4", "n5"} {
		out = append(out, Member{Name: name, Up: true, Voter: true, Leader: name == "n1"})
	}
	return out
}

func resolved(t *testing.T, p Params, seed uint64) Fault {
	t.Helper()
	f, err := p.resolve(&resolver{members: five(), rng: rand.New(rand.NewPCG(seed, 1)), last: []string{"n4"}})
	if err != nil {
		t.Fatalf("%T: %v", p, err)
	}
	return f
}

// TestConcreteStrikesTheSame: what a fault is written as strikes the same nodes
// and links, whatever the draw.
func TestConcreteStrikesTheSame(t *testing.T) {
	faults := []Params{
		&Crash{Node: Selectors{Minority}, Torn: true}, &Pause{Node: Selectors{Any}}, &Transfer{To: Selectors{Follower}},
		&SlowDisk{Node: Selectors{Leader}, Latency: time.Second},
		&Partition{Shape: "halves"}, &Partition{Shape: "ring"}, &Partition{Shape: "bridge"},
		&Partition{Isolate: Selectors{Leader}}, &Partition{Isolate: Selectors{Follower}, Direction: "in"},
		&Partition{Isolate: Selectors{Follower}, Direction: "out"},
		&Partition{Groups: []Selectors{{"n1"}, {"n2", "n3"}}},
		&Flap{Node: Selectors{Follower}}, &Wipe{Node: Selectors{Any}}, &ClockRate{Node: Selectors{Minority}},
		&Delay{Latency: time.Second, Links: Links{From: Selectors{Minority}}},
		&Loss{Probability: 0.1, Links: Links{To: Selectors{Follower}}}, &Duplicate{Probability: 0.1},
	}
	for _, p := range faults {
		for seed := range uint64(20) {
			was := resolved(t, p, seed)
			written := Concrete(was)
			if err := Check(written); err != nil {
				t.Errorf("%T %+v: %v", p, written, err)
			}
			is := resolved(t, written, seed+100)
			if !slices.Equal(was.Links, is.Links) || (len(was.Links) == 0 && !slices.Equal(was.Nodes, is.Nodes)) {
				t.Errorf("%s becomes %+v, %s", was.Text, written, is.Text)
			}
		}
	}
}

func TestConcreteIsShort(t *testing.T) {
	for want, p := range map[string]Partition{
		"n2":             {Isolate: Selectors{"n2"}},
		"n1, n3|n2|n4n5": {Groups: []Selectors{{"n1", "n3"}, {"n2"}}},
		"n3>in":          {Isolate: Selectors{"n3"}, Direction: "in"},
	} {
		got, _ := Concrete(resolved(t, &p, 1)).(*Partition)
		text := got.Isolate.String()
		switch {
		case len(got.Groups) == 3:
			text = got.Groups[0].String() + "|" + got.Groups[1].String() + "|" + strings.ReplaceAll(got.Groups[2].String(), ", ", "")
		case got.Direction == "in":
			text += ">in"
		}
		if text != want {
			t.Errorf("%+v, want %s", got, want)
		}
	}
}

func TestSchedule(t *testing.T) {
	s := time.Second
	crash := Fault{Kind: KindCrash, Nodes: []string{"n2"}, Params: &Crash{Node: Selectors{Any}, Torn: true, RestartAfter: 7 * s}}
	all := Fault{Kind: KindPowerLoss, Nodes: []string{"n1", "n2"}, Params: &PowerLoss{LoseUnsynced: true}}
	restart := func(name string) Fault {
		return Fault{Kind: KindRestart, Nodes: []string{name}, Params: &Restart{Node: namesOf([]string{name})}}
	}
	pause := Fault{Kind: KindPause, Nodes: []string{"n3"}, Params: &Pause{Node: Selectors{Any}}}
	got := Schedule([]Strike{
		{At: 1 * s, Fault: crash},
		{At: 2 * s, End: 4 * s, Fault: pause},
		{At: 3 * s, Fault: restart("n2")},
		{At: 5 * s, Fault: all},
		{At: 6 * s, Fault: restart("n1")},
		{At: 7 * s, Fault: restart("n2")},
		{At: 8 * s, End: 20 * s, Fault: pause},
		{At: 9 * s, Fault: crash},
		{At: 20 * s, Fault: restart("n2")},
		{At: 21 * s, Fault: pause},
	}, 20*s)
	more := Schedule([]Strike{
		{At: 1 * s, Fault: Fault{Kind: KindWipe, Nodes: []string{"n1"}, Params: &Wipe{Node: Selectors{Any}, RestartAfter: s}}},
		{At: 2 * s, Fault: restart("n1")},
		{At: 3 * s, Fault: restart("n1")},
	}, 20*s)
	if diff := cmp.Diff([]Step{
		{At: 1 * s, AtSet: true, Fault: &Wipe{Node: Selectors{"n1"}, RestartAfter: s}},
		{At: 3 * s, AtSet: true, Fault: &Restart{Node: Selectors{"n1"}}},
	}, more); diff != "" {
		t.Error(diff)
	}
	want := []Step{
		{At: 1 * s, AtSet: true, Fault: &Crash{Node: Selectors{"n2"}, Torn: true, RestartAfter: 2 * s}},
		{At: 2 * s, AtSet: true, For: 2 * s, Fault: &Pause{Node: Selectors{"n3"}}},
		{At: 5 * s, AtSet: true, Fault: &Crash{Node: Selectors{"n1", "n2"}, LoseUnsynced: true, RestartAfter: 2 * s}},
		{At: 8 * s, AtSet: true, Fault: &Pause{Node: Selectors{"n3"}}},
		{At: 9 * s, AtSet: true, Fault: &Crash{Node: Selectors{"n2"}, Torn: true}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRename(t *testing.T) {
	p := &Partition{Isolate: Selectors{"n4", "n1", Leader}, Groups: []Selectors{{"n4"}, {"n5"}}}
	Rename(p, func(s Selector) Selector {
		if s == "n4" {
			return "n1"
		}
		return s
	})
	want := &Partition{Isolate: Selectors{"n1", Leader}, Groups: []Selectors{{"n1"}, {"n5"}}}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
}
