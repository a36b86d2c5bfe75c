package lab

import (
	"drydock/vmlab/wire"
	"drydock/vmlab/wire/fabric"
)

// Links are the links between a lab's machines, as faults impair them: the switch of
// package wire, or a bridge of the kernel's.
type Links interface {
	// ImpairAll has rules hold from one instant on, all of them or none.
	ImpairAll(rules []fabric.Rule) ([]fabric.RuleID, error)
	// Heal ends rules, and returns how many of them still held.
	Heal(ids ...fabric.RuleID) (int, error)
	// Report returns the rules that hold, with how often they struck.
	Report() ([]fabric.RuleReport, error)
}

// Linked is a Ground whose machines are connected by something else than a switch of
// package wire.
type Linked interface {
	// Links are nil where nobody can impair them.
	Links() Links
}

// LinksOf are a ground's links; nil if it has none that can be impaired.
func LinksOf(g Ground) Links {
	if sw := g.Wire(); sw != nil {
		return switched{sw}
	}
	if l, ok := g.(Linked); ok {
		return l.Links()
	}
	return nil
}

// switched are the links of a switch.
type switched struct{ *wire.Switch }

// Heal implements Links.
func (s switched) Heal(ids ...fabric.RuleID) (int, error) { return s.Switch.Heal(ids...), nil }

// Report implements Links.
func (s switched) Report() ([]fabric.RuleReport, error) { return s.Switch.Report().Rules, nil }
