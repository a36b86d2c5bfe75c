package control

import (
	"container/heap"
	"time"

	"drydock/node/fleet"
)

// retryFloor is the least pause before a failed unit is tried again: of one that is
// to move after some failures and gives no pause of its own.
const retryFloor = time.Second

// rebalanceAfter is how long after a machine's coming units are moved for balance
// alone, and between rounds of that; rebalanceMoves are those of one round.
const (
	rebalanceAfter = 5 * time.Second
	rebalanceMoves = 32
)

// runs says whether a unit does what it was started for, or has done it.
func runs(st *fleet.State) bool {
	done := st.Active == "inactive" && (st.Result == "" || st.Result == "success")
	return st.Launched && (st.Active == "active" || done)
}

// failed says whether a unit can't be loaded or has failed.
func failed(st *fleet.State) bool {
	switch st.Load {
	case "error", "bad-setting", "not-found":
		return true
	}
	return st.Active == "failed"
}

// examine takes in what a machine has said of a unit, if it is about what it was
// told last.
func (c *Control) examine(name, machine string) {
	u, ok := c.store.Unit(name)
	if !ok || u.Desired == fleet.Inactive {
		return
	}
	var p *fleet.Placement
	for i := range u.Places {
		if u.Places[i].Machine == machine {
			p = &u.Places[i]
		}
	}
	st, ok := c.store.State(name, machine)
	switch {
	case p == nil || !ok || st.Gen != p.Gen:
	case u.Global:
		c.examineGlobal(&u, p, &st)
	case u.Desired == fleet.Loaded:
		// It isn't to run: whoever waits for it to has waited enough.
		c.sched.Running(name)
		c.busy = true
	case failed(&st):
		c.hasFailed(&u, p)
	case runs(&st):
		c.hasRun(&u, p)
	}
}

// hasFailed counts a failure, once for a start, and has the unit started again if it
// asks for that.
func (c *Control) hasFailed(u *fleet.Unit, p *fleet.Placement) {
	r := c.record(u.Name)
	if r.failed == p.Gen {
		c.forgetRecord(u.Name, r)
		return
	}
	r.failed = p.Gen
	wait := c.sched.Failed(u.Name)
	c.busy = true
	needs := c.store.Requirements(u.Name, p.Hash)
	if needs.Retry == 0 && needs.MoveAfter == 0 {
		return // its own Restart decides
	}
	r.retryAt = c.now + max(wait, retryFloor)
	if needs.Retry > 0 {
		r.retryAt = c.now + wait
	}
	c.timers.add(timer{at: r.retryAt, kind: retry, unit: u.Name, gen: p.Gen})
}

// hasRun tells the scheduler of a unit that runs, when it has for its SettleSec.
func (c *Control) hasRun(u *fleet.Unit, p *fleet.Placement) {
	if r := c.records[u.Name]; r != nil {
		r.failed, r.retryAt = 0, 0
		c.forgetRecord(u.Name, r)
	}
	if wait := c.store.Requirements(u.Name, p.Hash).Settle; wait > 0 {
		c.timers.add(timer{at: c.now + wait, kind: settle, unit: u.Name, machine: p.Machine, gen: p.Gen})
		return
	}
	c.sched.Running(u.Name)
	c.busy = true
}

// timerKind is what a timer is for.
type timerKind uint8

const (
	// settle: a unit should have run for long enough; settleGlobal: a global one on
	// one machine.
	settle timerKind = iota
	settleGlobal
	// retry: a failed unit is started again.
	retry
	// letGo: a new session's orders wait no longer.
	letGo
	// askAgain: a unit whose moves were refused is compared again.
	askAgain
	// rebalance: units may be moved for balance.
	rebalance
	// orderLate: a machine has waited for orders for long enough.
	orderLate
)

// timer is something to do later. What it is about may have gone by then.
type timer struct {
	at            time.Duration
	seq           uint64 // orders those of one time
	kind          timerKind
	unit, machine string
	gen           uint64
	session       *session
}

// timers is a heap by time.
type timers struct {
	list timerHeap
	last uint64
}

func (t *timers) add(one timer) {
	t.last++
	one.seq = t.last
	heap.Push(&t.list, one)
}

// due takes the first timer that is due.
func (t *timers) due(now time.Duration) (timer, bool) {
	if len(t.list) == 0 || t.list[0].at > now {
		return timer{}, false
	}
	return heap.Pop(&t.list).(timer), true
}

type timerHeap []timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h timerHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is for package heap.
func (h *timerHeap) Push(x any) { *h = append(*h, x.(timer)) }

// Pop is for package heap.
func (h *timerHeap) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = timer{}
	*h = (*h)[:len(*h)-1]
	return last
}

// fire does what is due.
func (c *Control) fire() {
	for t, ok := c.timers.due(c.now); ok; t, ok = c.timers.due(c.now) {
		switch t.kind {
		case settle:
			st, ok := c.store.State(t.unit, t.machine)
			if ok && st.Gen == t.gen && runs(&st) {
				c.sched.Running(t.unit)
				c.busy = true
			}
		case settleGlobal:
			c.settledGlobal(&t)
		case retry:
			c.retry(&t)
		case letGo:
			t.session.held = false
		case orderLate:
			c.hasten(t.session)
		case askAgain:
			if r := c.records[t.unit]; r != nil {
				r.flying = false
			}
			c.mark(t.unit)
		case rebalance:
			c.rebalancing = false
			if n := c.sched.Rebalance(rebalanceMoves); n > 0 {
				c.busy = true
				c.joined()
			}
		}
	}
}

// retry has a unit started again that has failed and still is where it was.
func (c *Control) retry(t *timer) {
	r := c.records[t.unit]
	if r == nil || r.failed != t.gen {
		return
	}
	r.retryAt, r.again = 0, t.gen
	c.mark(t.unit)
}

// joined has units moved for balance, in a while: a machine has room for more.
func (c *Control) joined() {
	if c.taking != nil || c.rebalancing {
		return
	}
	c.rebalancing = true
	c.timers.add(timer{at: c.now + rebalanceAfter, kind: rebalance})
}
