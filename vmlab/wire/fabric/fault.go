package fabric

import (
	"errors"
	"fmt"

	"drydock/chaos"
)

// ErrUnsupported is matched by the error about a fault that is not of links.
var ErrUnsupported = errors.New("not a fault of links")

// Supports returns nil, or why rules can't do faults of a kind.
func Supports(kind chaos.Kind) error {
	switch kind {
	case chaos.KindPartition, chaos.KindDelay, chaos.KindLoss, chaos.KindDuplicate, chaos.KindReorder, chaos.KindFlap:
		return nil
	}
	return fmt.Errorf("%w: %s", ErrUnsupported, kind)
}

// RulesOf returns the rules that do what a fault says: one, but for flapping
// links, where each node's have turns of their own. A fault's names must be
// those of the machines.
func RulesOf(f chaos.Fault) ([]Rule, error) {
	r := Rule{Name: f.Text}
	switch p := f.Params.(type) {
	case *chaos.Partition:
		r.Effect.Cut = true
	case *chaos.Delay:
		r.Effect.Delay, r.Effect.Jitter = p.Latency, p.Jitter
	case *chaos.Loss:
		r.Effect.Loss = p.Probability
	case *chaos.Duplicate:
		r.Effect.Duplicate = p.Probability
	case *chaos.Reorder:
		r.Effect.Reorder, r.Effect.Window = p.Probability, p.Window
	case *chaos.Flap:
		return flaps(f, p), nil
	default:
		return nil, Supports(f.Kind)
	}
	if len(f.Links) == 0 {
		return nil, fmt.Errorf("%w: no link is concerned", chaos.ErrNoEffect)
	}
	for _, l := range f.Links {
		r.Pairs = append(r.Pairs, Pair{From: l.From, To: l.To})
	}
	if err := r.Effect.Check(); err != nil {
		return nil, err
	}
	return []Rule{r}, nil
}

func flaps(f chaos.Fault, p *chaos.Flap) []Rule {
	var rules []Rule
	for _, node := range f.Nodes {
		r := Rule{Name: f.Text, Effect: Effect{Up: p.Up, Down: p.Down}}
		if p.Direction != "in" {
			r.Pairs = append(r.Pairs, Pair{From: node})
		}
		if p.Direction != "out" {
			r.Pairs = append(r.Pairs, Pair{To: node})
		}
		rules = append(rules, r)
	}
	return rules
}
