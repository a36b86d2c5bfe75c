package consensus

import "time"

// pace decides when a leader puts the next batch into the log. A batch costs much
// the same whatever it holds: a sync at each member, frames, and whom they wake. So
// a leader waits until what it proposed is applied, and then for those to ask again
// who were just answered; meanwhile the next batch fills up.
type pace struct {
	flights  []flight // proposed by this leader and not applied, oldest first
	commands int      // in flights and fresh
	fresh    flight   // proposed, and not given out by raft yet
	since    time.Duration
	gather   gathering
}

// flight is a batch under way.
type flight struct {
	index    uint64 // of its last entry
	commands int
	// urgent says that others wait for it than clients of this member.
	urgent bool
	begun  time.Duration
}

const (
	// patience bounds how long a batch keeps others waiting: where a round takes
	// longer, by the disk or by the network, batches overlap.
	patience = 4 * time.Millisecond
	// few are not worth waiting for, and don't wait: a lone client is answered as
	// fast as can be.
	few = 8
)

// mayPropose says whether the next batch is to begin. Beside batches under way it
// may if those are small: if what waits is twice as much, so that a small batch does
// not hold up a large one, or if all is so little that it costs less than the wait.
func (c *Core) mayPropose() bool {
	if c.batchesInFlight() >= max(1, c.cfg.MaxAppends/2) {
		return false
	}
	p, waiting := &c.pace, c.waitingCommands()
	if p.idle() {
		return p.gather.complete(waiting, c.now, gatherCommands)
	}
	return waiting >= 2*p.commands || waiting+p.commands <= few || c.now-p.since >= patience
}

// idle says that nothing is under way.
func (p *pace) idle() bool { return len(p.flights) == 0 && p.commands == 0 }

// waitingCommands counts what the next batch could hold.
func (c *Core) waitingCommands() int {
	n := c.props.waiting
	for i := range c.props.incoming {
		n += len(c.props.incoming[i].seqs)
	}
	return n
}

// proposed notes that raft has taken a batch.
func (p *pace) proposed(commands int, urgent bool, now time.Duration) {
	p.fresh.commands += commands
	p.fresh.urgent = p.fresh.urgent || urgent
	p.commands += commands
	p.since = now
}

// tookOff notes the entries that raft gave out, up to index. Those that were not
// proposed by proposeBatch, such as a change of membership, are urgent.
func (p *pace) tookOff(index uint64) {
	p.fresh.urgent = p.fresh.urgent || p.fresh.commands == 0
	p.fresh.index, p.fresh.begun = index, p.since
	p.flights = append(p.flights, p.fresh)
	p.fresh = flight{}
}

// landed notes what is applied, and how many commands wait at that time.
func (p *pace) landed(applied uint64, waiting int, now time.Duration) {
	n, done := 0, 0
	for n < len(p.flights) && p.flights[n].index <= applied {
		done += p.flights[n].commands
		n++
	}
	if n > 0 {
		p.gather.saw(done+waiting, now-p.flights[n-1].begun)
		p.flights = append(p.flights[:0], p.flights[n:]...)
		p.commands -= done
	}
}

// urgent says whether somebody waits at another member for what is under way.
func (p *pace) urgent() bool {
	for i := range p.flights {
		if p.flights[i].urgent {
			return true
		}
	}
	return len(p.flights) == 0
}

// reset forgets what was under way: another leads, or this member does anew.
func (p *pace) reset() { *p = pace{flights: p.flights[:0]} }

// gathering waits for those who usually ask together: the answers of one round
// let most of its clients ask again, within a moment.
type gathering struct {
	usual int           // how many were seen of late
	round time.Duration // how long rounds take of late
	until time.Duration // when the wait ends; zero if there is none
}

// For how long clients who ask again are waited for at most. Nor does the wait take
// longer than the round itself: where rounds are quick, clients who come at times of
// their own choosing would only be late by it, and no lone client waits.
const (
	gatherCommands = 2 * time.Millisecond
	gatherReads    = time.Millisecond
)

// saw notes how many clients a round had, and left waiting, and how long it took.
func (g *gathering) saw(clients int, took time.Duration) {
	g.usual = max(clients, g.usual-g.usual/8)
	g.round += (min(took, patience) - g.round) / 4
}

// complete says whether to wait no longer: seven of eight are there, or they don't
// come.
func (g *gathering) complete(waiting int, now, most time.Duration) bool {
	most = min(most, g.round)
	switch {
	case g.usual <= few || waiting >= g.usual-g.usual/8 || most <= 0:
	case g.until == 0:
		g.until = now + most
		return false
	case now < g.until:
		return false
	}
	g.until = 0
	return true
}

// Due returns when Ready may have something to do even if nothing happens until
// then. It is never now or before.
func (c *Core) Due() (at time.Duration, ok bool) {
	sooner := func(t time.Duration) {
		if t > c.now && (!ok || t < at) {
			at, ok = t, true
		}
	}
	sooner(c.pace.gather.until)
	sooner(c.reads.gather.until)
	if c.IsLeader() && !c.pace.idle() && c.props.waiting+len(c.props.incoming) > 0 {
		sooner(c.pace.since + patience)
	}
	if len(c.held.messages) > 0 {
		sooner(c.held.since + holdFor)
	}
	return at, ok
}
