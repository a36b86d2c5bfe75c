package control

import (
	"strings"

	"drydock/node/fleet"
	"drydock/node/unit"
)

// compareGlobal adds the moves that bring a global unit to where the scheduler wants
// it. A new text of a launched one goes from machine to machine: as many at a time
// as its budget allows, one without, and the next when these run.
func (c *Control) compareGlobal(moves []fleet.Move, u *fleet.Unit, r *record) []fleet.Move {
	full := len(moves) + maxMoves // more follow when these are decided
	var old, renewed []*fleet.Placement
	want, have := c.sched.Everywhere(u.Name), u.Places
	for len(want)+len(have) > 0 && len(moves) < full {
		order := -1
		switch {
		case len(want) == 0:
			order = 1
		case len(have) > 0:
			order = strings.Compare(want[0], have[0].Machine)
		}
		switch {
		case order < 0:
			moves = c.globalMove(moves, u, "", want[0], "")
			want = want[1:]
		case order > 0:
			why := ""
			if r != nil {
				why = r.why
			}
			moves = c.globalMove(moves, u, have[0].Machine, "", why)
			have = have[1:]
		default:
			if have[0].Hash == u.Hash {
				renewed = append(renewed, &have[0])
			} else {
				old = append(old, &have[0])
			}
			want, have = want[1:], have[1:]
		}
	}
	if len(old) == 0 {
		if r != nil && len(moves) < full {
			r.replacing, r.settled, r.why, r.refusals = unit.Hash{}, nil, "", 0
			c.forgetRecord(u.Name, r)
		}
		return moves
	}
	c.record(u.Name).replacing = u.Hash
	for _, p := range old[:min(c.mayRenew(u, old, renewed), len(old), full-len(moves))] {
		moves = c.globalMove(moves, u, p.Machine, p.Machine, "")
	}
	return moves
}

// globalMove adds one machine's move, unless it is about to lose its session.
func (c *Control) globalMove(moves []fleet.Move, u *fleet.Unit, from, to, why string) []fleet.Move {
	m := fleet.Move{Unit: u.Name, Changed: u.Changed, From: from, To: to, Why: clip(why, fleet.MaxValueBytes)}
	if to != "" {
		s := c.table.byID[to]
		if s == nil || s.closing {
			return moves
		}
		m.Session = s.number
	}
	return append(moves, m)
}

// mayRenew returns on how many machines more a global unit's new text may start.
func (c *Control) mayRenew(u *fleet.Unit, old, renewed []*fleet.Placement) int {
	if u.Desired != fleet.Launched {
		return len(old)
	}
	needs := c.store.Requirements(u.Name, u.Hash)
	n, limited := needs.Budget.Of(len(old) + len(renewed))
	if !limited {
		n = 1
	}
	r := c.records[u.Name]
	for _, p := range renewed {
		st, ok := c.store.State(u.Name, p.Machine)
		if !ok || st.Gen != p.Gen || !runs(&st) || needs.Settle > 0 && r.settled[p.Machine] != p.Gen {
			n--
		}
	}
	return max(n, 0)
}

// examineGlobal takes in what a machine says of a global unit whose new text goes
// from machine to machine.
func (c *Control) examineGlobal(u *fleet.Unit, p *fleet.Placement, st *fleet.State) {
	if r := c.records[u.Name]; r == nil || r.replacing != u.Hash || p.Hash != u.Hash || !runs(st) {
		return
	}
	if wait := c.store.Requirements(u.Name, u.Hash).Settle; wait > 0 {
		c.timers.add(timer{at: c.now + wait, kind: settleGlobal, unit: u.Name, machine: p.Machine, gen: p.Gen})
		return
	}
	c.mark(u.Name)
}

// settledGlobal is called when a global unit's new text should have run for long
// enough on a machine.
func (c *Control) settledGlobal(t *timer) {
	st, ok := c.store.State(t.unit, t.machine)
	r := c.records[t.unit]
	if !ok || st.Gen != t.gen || !runs(&st) || r == nil {
		return
	}
	if r.settled == nil {
		r.settled = make(map[string]uint64)
	}
	r.settled[t.machine] = t.gen
	c.mark(t.unit)
}
