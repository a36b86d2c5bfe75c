package fabric

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/chaos"
)

func TestFaultsAsRules(t *testing.T) {
	links := []chaos.Link{{From: "n1", To: "n2"}, {From: "n2", To: "n1"}}
	pairs := []Pair{{From: "n1", To: "n2"}, {From: "n2", To: "n1"}}
	for _, c := range []struct {
		params chaos.Params
		want   Effect
	}{
		{&chaos.Partition{}, Effect{Cut: true}},
		{&chaos.Delay{Latency: time.Second, Jitter: 2}, Effect{Delay: time.Second, Jitter: 2}},
		{&chaos.Loss{Probability: 0.1}, Effect{Loss: 0.1}},
		{&chaos.Duplicate{Probability: 0.2}, Effect{Duplicate: 0.2}},
		{&chaos.Reorder{Probability: 0.3, Window: 4}, Effect{Reorder: 0.3, Window: 4}},
	} {
		if err := Supports(c.params.Kind()); err != nil {
			t.Error(err)
		}
		got, err := RulesOf(chaos.Fault{Kind: c.params.Kind(), Params: c.params, Links: links, Text: "as said"})
		if err != nil {
			t.Errorf("%s: %v", c.params.Kind(), err)
			continue
		}
		if diff := cmp.Diff([]Rule{{Name: "as said", Pairs: pairs, Effect: c.want}}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.params.Kind(), diff)
		}
	}
}

func TestFlapsAsRules(t *testing.T) {
	for direction, want := range map[string][]Pair{
		"both": {{From: "n1"}, {To: "n1"}}, "out": {{From: "n1"}}, "in": {{To: "n1"}},
	} {
		p := &chaos.Flap{Up: 2, Down: 3, Direction: direction}
		got, err := RulesOf(chaos.Fault{Kind: chaos.KindFlap, Params: p, Nodes: []string{"n1", "n2"}})
		if err != nil || len(got) != 2 {
			t.Fatalf("%v, %v", got, err)
		}
		if diff := cmp.Diff(Rule{Pairs: want, Effect: Effect{Up: 2, Down: 3}}, got[0]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", direction, diff)
		}
	}
}

func TestOtherFaultsAreRefused(t *testing.T) {
	if _, err := RulesOf(chaos.Fault{Kind: chaos.KindCrash, Params: &chaos.Crash{}}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a crash: %v", err)
	}
	if _, err := RulesOf(chaos.Fault{Kind: chaos.KindPartition, Params: &chaos.Partition{}}); !errors.Is(err, chaos.ErrNoEffect) {
		t.Errorf("no links: %v", err)
	}
	loss := chaos.Fault{Kind: chaos.KindLoss, Params: &chaos.Loss{Probability: 2}, Links: []chaos.Link{{From: "a", To: "b"}}}
	if _, err := RulesOf(loss); !errors.Is(err, ErrRule) {
		t.Errorf("a loss of twice all: %v", err)
	}
}
