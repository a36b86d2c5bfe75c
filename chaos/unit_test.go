package chaos

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// withWorkers is three members and six workers; w5 is dead, w2 and w6 run units.
func withWorkers() []Member {
	list := newFake(3).members
	for _, name := range []string{"w1", "w2", "w3", "w4", "w5", "w6"} {
		list = append(list, Member{Name: name, Worker: true, Units: true, Up: name != "w5", Busy: name == "w2" || name == "w6"})
	}
	return list
}

func TestSelectorsOfWorkers(t *testing.T) {
	tests := []struct {
		sel  Selector
		want int
		of   string
	}{
		{Worker, 1, "w1 w2 w3 w4 w6"},
		{Runner, 1, "w2 w6"},
		{Workers, 6, "w1 w2 w3 w4 w5 w6"},
		{HalfWorkers, 3, "w1 w2 w3 w4 w5 w6"},
		{"w2-w4", 3, "w2 w3 w4"},
		{"w5", 1, "w5"},
		{Any, 1, "n1 n2 n3"},
		{All, 3, "n1 n2 n3"},
		{Majority, 2, "n1 n2 n3"},
	}
	for seed := range uint64(20) {
		for _, tt := range tests {
			r := &resolver{members: withWorkers(), rng: rand.New(rand.NewPCG(seed, 0))}
			got, err := r.nodes(Selectors{tt.sel})
			if err != nil || len(got) != tt.want {
				t.Fatalf("%s: %v %v, want %d", tt.sel, got, err, tt.want)
			}
			for _, name := range got {
				if !slices.Contains(strings.Fields(tt.of), name) {
					t.Fatalf("%s chose %s", tt.sel, name)
				}
			}
		}
	}
	for text, want := range map[string]bool{"w1-w9": true, "w9-w1": false, "w1-": false, "w0": false, "w10000": true, "n1-n2": false, "w1-n2": false} {
		if got := Selector(text).Valid(); got != want {
			t.Errorf("%q valid: %v", text, got)
		}
	}
}

func TestLinksOfWorkers(t *testing.T) {
	resolve := func(p Params) (Fault, error) {
		return p.resolve(&resolver{members: withWorkers(), rng: rand.New(rand.NewPCG(1, 1))})
	}
	tests := []struct {
		p    Params
		want string
	}{
		{&Partition{Isolate: Selectors{"w3"}}, "n1>w3 n2>w3 n3>w3 w3>n1 w3>n2 w3>n3"},
		{&Partition{Isolate: Selectors{"w1", "w2"}, Direction: "out"}, "w1>n1 w1>n2 w1>n3 w2>n1 w2>n2 w2>n3"},
		{&Partition{Cut: []string{"w1>n2", "n3>w1"}}, "n3>w1 w1>n2"},
		{&Loss{Links: Links{From: Selectors{"w1"}}, Probability: 1}, "w1>n1 w1>n2 w1>n3"},
		{&Reorder{Links: Links{From: Selectors{"n1"}, To: Selectors{"w1-w2"}}, Probability: 1}, "n1>w1 n1>w2"},
	}
	for _, tt := range tests {
		f, err := resolve(tt.p)
		if err != nil || links(f) != tt.want {
			t.Errorf("%+v: %q %v, want %q", tt.p, links(f), err, tt.want)
		}
	}
	// A member that is isolated has no workers either; halves leave them alone.
	f, err := resolve(&Partition{Isolate: Selectors{"n1"}})
	if err != nil || len(f.Links) != 2*(2+6) {
		t.Errorf("an isolated member: %d links cut, %v", len(f.Links), err)
	}
	if f, err = resolve(&Partition{Shape: "halves"}); err != nil || strings.Contains(links(f), "w") {
		t.Errorf("halves: %s %v", links(f), err)
	}
	if _, err = resolve(&Loss{Links: Links{From: Selectors{"w1"}, To: Selectors{"w2"}}, Probability: 1}); !errors.Is(err, ErrNoEffect) {
		t.Errorf("links among workers: %v", err)
	}
	if _, err = resolve(&Drain{Node: Selectors{"n1"}}); !errors.Is(err, ErrNoEffect) {
		t.Errorf("a member is drained: %v", err)
	}
}

func TestMatchUnit(t *testing.T) {
	for _, tt := range []struct {
		names []string
		unit  string
		want  bool
	}{
		{nil, "a.service", true},
		{[]string{"b.service", "a.*"}, "a.service", true},
		{[]string{"web@[1-3].service"}, "web@2.service", true},
		{[]string{"web@[1-3].service"}, "web@4.service", false},
	} {
		if got := MatchUnit(tt.names, tt.unit); got != tt.want {
			t.Errorf("%v, %s: %t", tt.names, tt.unit, got)
		}
	}
}

func TestUnitChecks(t *testing.T) {
	for _, p := range []Params{
		&Units{Do: DoStop, Name: []string{"[x"}}, &UnitCrash{Unit: []string{""}}, &UnitHang{Unit: []string{"[x"}},
		&UnitFail{Unit: []string{"[x"}}, &Metadata{}, &Metadata{Set: []string{"disk"}},
	} {
		var bad *ParamError
		if err := Check(p); !errors.As(err, &bad) || bad.Hint == "" {
			t.Errorf("%+v: %v", p, err)
		}
	}
	if err := Check(&Metadata{Set: []string{"disk=", "rack=a"}}); err != nil {
		t.Error(err)
	}
}
