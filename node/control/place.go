package control

import (
	"time"

	"drydock/node/fleet"
	"drydock/node/scheduler"
	"drydock/node/unit"
)

// record is what is remembered of a unit beside the state: only units with
// something under way have one.
type record struct {
	// flying says that a proposal about its place is under way.
	flying bool
	// renew has its machine take its present text, again its start tried once more,
	// if it is still placed by that Gen.
	renew bool
	again uint64
	// replacing is the text that the scheduler has as a new version that waits for
	// its turn.
	replacing unit.Hash
	// why says why it left the machine that it was on.
	why string
	// failed is the Gen of a placement that was seen to fail and hasn't run since;
	// retryAt is when it is tried again, 0 if it isn't.
	failed  uint64
	retryAt time.Duration
	// settled are the machines where a global unit's new text has run for long
	// enough, with the Gen.
	settled map[string]uint64
	// refusals counts those in a row, to ask ever more slowly.
	refusals int
}

// record returns what is remembered of a unit, to be added to.
func (c *Control) record(name string) *record {
	r := c.records[name]
	if r == nil {
		r = &record{}
		c.records[name] = r
	}
	return r
}

// forgetRecord drops a record that says nothing any more.
func (c *Control) forgetRecord(name string, r *record) {
	if r != nil && !r.flying && !r.renew && r.again == 0 && r.failed == 0 && r.retryAt == 0 &&
		r.replacing == (unit.Hash{}) && len(r.settled) == 0 && r.refusals == 0 && r.why == "" {
		delete(c.records, name)
	}
}

// mark has a unit's place compared with the scheduler's.
func (c *Control) mark(name string) { c.dirty.add(name) }

// followUnit tells the scheduler of a unit as the state has it.
func (c *Control) followUnit(name string) {
	u, ok := c.store.Unit(name)
	if !ok {
		c.sched.RemoveUnit(name)
		delete(c.records, name)
		c.busy = true
		return
	}
	c.mark(name)
	c.busy = true
	told := scheduler.Unit{Name: name, Active: schedulable(&u), Needs: c.store.Requirements(name, u.Hash)}
	r := c.records[name]
	if !told.Active || u.Global || len(u.Places) == 0 || u.Places[0].Hash == u.Hash {
		if r != nil {
			r.replacing, r.renew = unit.Hash{}, false
		}
		c.sched.SetUnit(told)
		if u.Desired == fleet.Loaded && !u.Global && len(u.Places) > 0 {
			c.examine(name, u.Places[0].Machine)
		}
		return
	}
	// An earlier text is placed. Where it runs it is replaced when its turn comes.
	r = c.record(name)
	if r.replacing == u.Hash {
		return
	}
	r.replacing = u.Hash
	if u.Desired == fleet.Launched {
		c.sched.Replace(told)
		return
	}
	r.renew = true
	c.sched.SetUnit(told)
}

// place has the scheduler decide, and proposes what it decided.
func (c *Control) place() {
	c.unlooked = false
	if c.busy {
		c.moves, c.busy = c.sched.Append(c.moves[:0], maxDecisions)
		for i := range c.moves {
			c.decided(&c.moves[i])
		}
		for _, m := range c.sched.GlobalMoves() {
			c.decided(&m)
		}
	}
	for left := maxCompared; len(c.dirty.list) > 0 && c.flights.placing < maxPlacing; {
		if left <= 0 {
			c.unlooked = true
			return
		}
		if !c.proposeMoves(&left) {
			return
		}
	}
}

// decided takes a move of the scheduler's. What it comes to is seen when the unit's
// place is compared; the move itself has the reason.
func (c *Control) decided(m *scheduler.Move) {
	c.mark(m.Unit)
	switch {
	case m.From == "":
	case m.From == m.To:
		c.record(m.Unit).renew = true
	default:
		c.record(m.Unit).why = m.Why
	}
}

// proposeMoves proposes moves of the units that are dirty, as many as go into one
// command, and looks at left units at most, which it counts down. It returns false if
// there is nothing more to look at.
func (c *Control) proposeMoves(left *int) bool {
	p := &fleet.Place{Term: c.term, Moves: make([]fleet.Move, 0, min(len(c.dirty.list), maxMoves))}
	f := &flight{kind: placing, command: &fleet.Command{Place: p}}
	for ; len(p.Moves) < maxMoves && *left > 0; *left-- {
		name, ok := c.dirty.take()
		if !ok {
			break
		}
		before := len(p.Moves)
		p.Moves = c.compare(p.Moves, name)
		for range len(p.Moves) - before {
			f.units = append(f.units, name)
		}
		if len(p.Moves) > before {
			c.record(name).flying = true
		}
	}
	if len(p.Moves) == 0 {
		return len(c.dirty.list) > 0
	}
	c.flights.placing++
	c.count.Moves += uint64(len(p.Moves))
	c.queueFlight(f)
	return true
}

// compare adds the moves that bring a unit from where the state has it to where the
// scheduler wants it.
func (c *Control) compare(moves []fleet.Move, name string) []fleet.Move {
	u, ok := c.store.Unit(name)
	r := c.records[name]
	if !ok || r != nil && r.flying {
		return moves // a flight's end marks it again
	}
	if u.Global {
		return c.compareGlobal(moves, &u, r)
	}
	var from fleet.Placement
	if len(u.Places) > 0 {
		from = u.Places[0]
	}
	to := c.sched.Where(name)
	renew := r != nil && (r.renew && from.Hash != u.Hash || r.again != 0 && r.again == from.Gen)
	if to == from.Machine && !renew {
		if r != nil {
			c.arrived(&u, r)
		}
		return moves
	}
	m := fleet.Move{Unit: name, Changed: u.Changed, From: from.Machine, To: to}
	if to == "" && from.Machine == "" {
		return moves
	}
	if from.Machine != "" && r != nil {
		m.Why = clip(r.why, fleet.MaxValueBytes)
	}
	if to != "" {
		s := c.table.byID[to]
		if s == nil || s.closing {
			return moves // what becomes of the machine marks it again
		}
		m.Session = s.number
	}
	return append(moves, m)
}

// arrived is called of a unit that is where the scheduler wants it.
func (c *Control) arrived(u *fleet.Unit, r *record) {
	r.renew, r.again, r.why, r.refusals = false, 0, "", 0
	if len(u.Places) > 0 && u.Places[0].Hash == u.Hash {
		r.replacing = unit.Hash{}
		// What the scheduler believes to be on its way may run already.
		c.examine(u.Name, u.Places[0].Machine)
	}
	c.forgetRecord(u.Name, r)
}

// placed takes the end of a placing; out is nil if nobody knows what it came to.
func (c *Control) placed(f *flight, out *fleet.Outcome, refusal error) {
	c.flights.placing--
	for _, name := range f.units {
		c.mark(name)
		if r := c.records[name]; r != nil {
			r.flying = false
		}
	}
	if out == nil || refusal != nil {
		return
	}
	for _, no := range out.Refused {
		c.count.RefusedMoves++
		if no.Index < len(f.units) {
			c.refused(f.units[no.Index])
		}
	}
}

// refused is called of a unit whose move had no effect. The state had gone on, and
// what has changed there decides anew; if that doesn't help, it is tried ever more
// slowly.
func (c *Control) refused(name string) {
	r := c.record(name)
	if r.refusals++; r.refusals <= 3 {
		return
	}
	r.flying = true
	c.timers.add(timer{at: c.now + min(50*time.Millisecond<<min(r.refusals, 8), 5*time.Second), kind: askAgain, unit: name})
}
