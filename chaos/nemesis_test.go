package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func nemesisOf(profile string) *Nemesis {
	return &Nemesis{
		Profile: profile, From: 2 * time.Second, Until: 20 * time.Second, PerMinute: 60,
		Voters: []string{"n1", "n2", "n3", "n4", "n5"}, Spares: []string{"n6"}, Mixed: true,
	}
}

func draw(n *Nemesis, seed uint64) Plan { return n.Draw(rand.New(rand.NewPCG(seed, 1))) }

// lines are a plan's steps as texts, to compare and to read.
func lines(p Plan) []string {
	var out []string
	for _, s := range p.Steps {
		out = append(out, fmt.Sprintf("%s %s %s", s.At, s.Name, s.Describe()))
	}
	return out
}

// TestNemesisPlans checks what must hold of every plan that is drawn.
func TestNemesisPlans(t *testing.T) {
	dealt := map[Kind]int{}
	for i, profile := range []string{Everything, Swarm, Everything} {
		n := nemesisOf(profile)
		n.Workers = i == 2
		for seed := range uint64(300) {
			plan := draw(n, seed)
			names, spoiled, last := map[string]bool{}, 0, n.From
			for _, s := range plan.Steps {
				kind := s.Fault.Kind()
				dealt[kind]++
				if s.At < last-time.Millisecond || s.At >= n.Until || !s.AtSet {
					t.Fatalf("%s %d: %s at %s", profile, seed, s.Name, s.At)
				}
				last = s.At
				if names[s.Name] {
					t.Fatalf("%s %d: two steps are called %s", profile, seed, s.Name)
				}
				names[s.Name] = true
				if err := Check(s.Fault); err != nil {
					t.Fatalf("%s %d: %s: %v", profile, seed, s.Describe(), err)
				}
				switch kind {
				case KindBitRot, KindLostEntry, KindMisdirectedWrite:
					spoiled++
				}
			}
			if spoiled > 2 {
				t.Errorf("%s %d spoils %d disks of five", profile, seed, spoiled)
			}
		}
	}
	for _, e := range Vocabulary() {
		// Nobody can draw the keys that a file's machines have.
		if e.Kind != KindHeal && e.Kind != KindRestart && e.Kind != KindMetadata && dealt[e.Kind] == 0 {
			t.Errorf("no plan has a %s", e.Kind)
		}
	}
}

func TestBusyPointsExist(t *testing.T) {
	for _, name := range busyPoints {
		if !slices.ContainsFunc(Points(), func(p PointInfo) bool { return p.Name == name }) {
			t.Errorf("there is no point %q", name)
		}
	}
}

// TestNemesisRates: everything keeps its rate, swarms differ.
func TestNemesisRates(t *testing.T) {
	everything, kinds := 0, map[int]bool{}
	for seed := range uint64(100) {
		everything += len(draw(nemesisOf(Everything), seed).Steps)
		seen := map[Kind]bool{}
		for _, s := range draw(nemesisOf(Swarm), seed).Steps {
			seen[s.Fault.Kind()] = true
		}
		kinds[len(seen)] = true
	}
	// 18 s at one a second, less what there is none left of.
	if mean := everything / 100; mean < 13 || mean > 19 {
		t.Errorf("everything: %d faults in the mean", mean)
	}
	if len(kinds) < 8 {
		t.Errorf("swarms have only %d different numbers of kinds", len(kinds))
	}
}

func TestNemesisRepeats(t *testing.T) {
	for _, profile := range []string{Everything, Swarm} {
		n := nemesisOf(profile)
		if diff := cmp.Diff(lines(draw(n, 7)), lines(draw(n, 7))); diff != "" {
			t.Errorf("%s: one seed, two plans:\n%s", profile, diff)
		}
		if slices.Equal(lines(draw(n, 7)), lines(draw(n, 8))) {
			t.Errorf("%s: two seeds, one plan", profile)
		}
	}
}

func TestNemesisChoice(t *testing.T) {
	kindsOf := func(n *Nemesis) []Kind {
		var out []Kind
		for seed := range uint64(20) {
			for _, s := range draw(n, seed).Steps {
				out = append(out, s.Fault.Kind())
			}
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	only := nemesisOf(Everything)
	only.Only, only.Without = []Kind{KindCrash, KindPause, KindLoss}, []Kind{KindLoss}
	only.Supports = func(k Kind) error {
		if k == KindPause {
			return fmt.Errorf("no %s here", k)
		}
		return nil
	}
	if got := kindsOf(only); !slices.Equal(got, []Kind{KindCrash}) {
		t.Errorf("drawn: %v", got)
	}
	only.Without = append(only.Without, KindCrash)
	if got := kindsOf(only); got != nil {
		t.Errorf("nothing is left, and drawn: %v", got)
	}
}

func TestDescribe(t *testing.T) {
	for _, tt := range []struct {
		step Step
		want string
	}{
		{Step{Fault: &Crash{Node: Selectors{Leader}, LoseUnsynced: true, Torn: true, RestartAfter: time.Second}}, "crash {node: leader, torn: true, restart_after: 1s}"},
		{Step{Fault: &Loss{Probability: 0.05, Links: Links{From: Selectors{"n1", "n2"}}}, For: 2 * time.Second}, "loss {probability: 5%, from: [n1, n2]} for 2s"},
		{Step{Fault: &Membership{Add: []string{"n4"}}}, "membership {add: [n4]}"},
		{Step{Fault: &Crash{Node: Selectors{Any}}}, "crash {lose_unsynced: false}"},
		{Step{Fault: &Heal{}}, "heal"},
	} {
		if got := tt.step.Describe(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
