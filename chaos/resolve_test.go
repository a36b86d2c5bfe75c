package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func links(f Fault) string {
	words := make([]string, len(f.Links))
	for i, l := range f.Links {
		words[i] = l.From + ">" + l.To
	}
	return strings.Join(words, " ")
}

func TestPartitionShapes(t *testing.T) {
	tests := []struct {
		p    Partition
		want string
	}{
		{Partition{Isolate: Selectors{"n1"}}, "n1>n2 n1>n3 n2>n1 n3>n1"},
		{Partition{Isolate: Selectors{"n1"}, Direction: "in"}, "n2>n1 n3>n1"},
		{Partition{Isolate: Selectors{"n1"}, Direction: "out"}, "n1>n2 n1>n3"},
		{Partition{Groups: []Selectors{{"n1", "n2"}}}, "n1>n3 n2>n3 n3>n1 n3>n2"},
		{Partition{Groups: []Selectors{{"n1"}, {"n2"}, {"n3"}}, Direction: "out"}, "n1>n2 n1>n3"},
		{Partition{Bridge: Selectors{"n2"}}, "n1>n3 n3>n1"},
	}
	for _, tt := range tests {
		r := &resolver{members: newFake(3).members, rng: rand.New(rand.NewPCG(1, 1))}
		f, err := tt.p.resolve(r)
		if err != nil || links(f) != tt.want {
			t.Errorf("%+v: %q %v, want %q", tt.p, links(f), err, tt.want)
		}
	}
}

// TestShapesProperties checks what every random shape promises at any size.
func TestShapesProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(3, 9).Draw(t, "n")
		r := &resolver{members: newFake(n).members, rng: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))}
		shape := rapid.SampledFrom([]string{"halves", "bridge", "ring", "isolate"}).Draw(t, "shape")
		f, err := (&Partition{Shape: shape}).resolve(r)
		if err != nil {
			t.Fatal(err)
		}
		open := func(a, b string) bool { return a != b && !slices.Contains(f.Links, Link{a, b}) }
		for _, a := range r.inside() {
			reached := 0
			for _, b := range r.inside() {
				if open(a, b) != open(b, a) {
					t.Fatalf("%s: %s-%s is cut one way", shape, a, b)
				}
				if open(a, b) {
					reached++
				}
			}
			switch {
			case shape == "ring" && reached != min(2, n-1):
				t.Fatalf("ring of %d: %s reaches %d", n, a, reached)
			case shape == "bridge" && slices.Contains(f.Nodes, a) && reached != n-1:
				t.Fatalf("bridge %s reaches %d of %d", a, reached, n-1)
			case shape == "isolate" && slices.Contains(f.Nodes, a) && reached != 0:
				t.Fatalf("isolated %s reaches %d", a, reached)
			case shape == "halves" && reached != n/2 && reached != n-n/2-2:
				t.Fatalf("halves of %d: %s reaches %d", n, a, reached)
			}
		}
	})
}

func TestSelectors(t *testing.T) {
	f := newFake(5)
	f.members[1].Up = false
	f.members[2].Paused = true
	f.members[4].Outside = true
	tests := []struct {
		sel  Selector
		want int
		not  []string
	}{
		{Leader, 1, []string{"n2", "n3", "n4"}},
		{Follower, 1, []string{"n1", "n2", "n3", "n5"}},
		{Any, 1, []string{"n2", "n3", "n5"}},
		{All, 4, []string{"n5"}},
		{Majority, 3, []string{"n5"}},
		{Minority, 1, []string{"n5"}},
		{Same, 1, []string{"n1", "n2", "n3", "n5"}},
		{"n5", 1, []string{"n1"}},
	}
	for seed := range uint64(20) {
		for _, tt := range tests {
			r := &resolver{members: f.members, rng: rand.New(rand.NewPCG(seed, 0)), last: []string{"n4"}}
			got, err := r.nodes(Selectors{tt.sel})
			if err != nil || len(got) != tt.want {
				t.Fatalf("%s: %v %v, want %d", tt.sel, got, err, tt.want)
			}
			for _, name := range tt.not {
				if slices.Contains(got, name) {
					t.Fatalf("%s chose %s", tt.sel, name)
				}
			}
		}
	}
}

func TestSelectorNames(t *testing.T) {
	for text, want := range map[string]bool{"n1": true, "n12": true, "n0": false, "n": false, "n1x": false, "leader": true, "lead": false, "": false} {
		if got := Selector(text).Valid(); got != want {
			t.Errorf("%q valid: %v", text, got)
		}
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		p    Params
		want string
	}{
		{&Partition{Isolate: Selectors{"n1"}, Bridge: Selectors{"n2"}}, "exclude one another"},
		{&Partition{Shape: "ring", Isolate: Selectors{"n1"}}, "contradicts"},
		{&Partition{Shape: "groups"}, "needs the groups"},
		{&Partition{Shape: "ring", Direction: "in"}, "no direction"},
		{&Membership{}, "names no node"},
		{&Membership{Add: []string{"leader"}}, "not a node's name"},
		{&Loss{}, "more than 0"},
		{&Reorder{Probability: 1.5}, "at most 100%"},
		{&Loss{Probability: 1}, ""},
		{&Partition{Isolate: Selectors{Leader}, Direction: "out"}, ""},
		{&Membership{Remove: []string{"n4"}}, ""},
	}
	for _, tt := range tests {
		err := Check(tt.p)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.p, err, tt.want)
		}
	}
}

func TestVocabularyIsComplete(t *testing.T) {
	for _, e := range Vocabulary() {
		if got := e.New().Kind(); got != e.Kind {
			t.Errorf("%s: New makes %s", e.Kind, got)
		}
		if e.Does == "" || e.Undo == "" || !strings.Contains(e.Example, string(e.Kind)+":") {
			t.Errorf("%s is not documented: %s", e.Kind, fmt.Sprint(e.Does, e.Undo, e.Example))
		}
	}
}
