package agent

import (
	"time"

	"drydock/node/fleet"
	"drydock/node/link"
	"drydock/node/unit"
)

// local is a unit as this machine has it.
type local struct {
	name string
	// order is the present one, nil if the unit isn't ordered; gen is the greatest that
	// any order had.
	order *link.Order
	gen   uint64
	// held says that the runtime may know the unit, loaded that it does, by file, whose
	// text and hash are beside it. Unsure is a unit of which an earlier life may have
	// left anything: nothing is known until the runtime has taken it over.
	held, loaded, unsure bool
	file                 *unit.Unit
	text                 string
	hash                 unit.Hash
	req                  unit.Requirements
	status               Status
	// touched says that something may run: it was begun, or seen, since the last kill.
	// Doomed says that the lease has run out over it, so that it must be killed.
	touched, doomed bool
	// begun says that a start was asked for, and nothing since to the contrary, for the
	// placement startGen and the wish kick; launched that it was carried out.
	begun, launched bool
	startGen, kick  uint64
	// ending says that a stop was asked for, and that it hasn't ended well yet.
	ending bool
	// revive says that the unit ran in an earlier life, and is to be started again if it
	// has ended since: its own Restart= was lost with that life.
	revive bool
	// op is under way; cut is a start that op has overtaken, kill overtakes both.
	op, cut, kill *op
	// bad is why the ordered text isn't loaded, failure why the last start was none,
	// waits what a start waits for.
	bad     *problem
	failure string
	waits   string
	// retry holds back the kind of operation that failed last, until retryAt.
	retry   OpKind
	retryAt time.Duration
	tries   int
	// said is what was last reported, dirty that it isn't so any more.
	said  fleet.State
	dirty bool
}

// op is an operation under way.
type op struct {
	id   uint64
	kind OpKind
	by   time.Duration
}

// starting says whether it is on the way to bring the unit up.
func (o *op) starting() bool { return o != nil && (o.kind == Start || o.kind == Restart) }

// problem is why a text can't be loaded.
type problem struct {
	hash unit.Hash
	why  string
	// final says that trying again would not help.
	final bool
}

// global says whether the unit may run without a lease. What isn't known isn't global.
func (l *local) global() bool { return l.req.Global }

// quiet says whether nothing of the unit runs, nor will by itself.
func (l *local) quiet() bool {
	if l.unsure || l.kill != nil || l.cut != nil || l.op != nil && l.op.kind != Load {
		return false
	}
	return !l.moving()
}

// moving says whether the runtime has the unit run, or on its way up or down.
func (l *local) moving() bool {
	switch l.status.Active {
	case "", "inactive", "failed":
		return false
	}
	return true
}

// running says whether the unit runs or comes up.
func (l *local) running() bool { return l.moving() && l.status.Active != "deactivating" }

// absent says whether nothing is left of the unit.
func (l *local) absent() bool {
	return !l.held && !l.touched && l.op == nil && l.cut == nil && l.kill == nil
}

// set takes what the runtime says.
func (l *local) set(s Status) {
	l.status = s
	l.revive = l.revive && !l.moving()
	if l.moving() {
		l.touched = true
	}
	if l.begun && l.op != nil && l.op.kind == Start && l.running() {
		l.launched = true
	}
	if s.Load == "not-found" && l.loaded && l.op == nil {
		l.loaded = false // somebody else has made the runtime forget it
	}
}

// backOff holds back operations of the kind that has just failed.
func (l *local) backOff(kind OpKind, now time.Duration) {
	if l.retry != kind {
		l.retry, l.tries = kind, 0
	}
	first, most := time.Second, time.Minute
	if kind == Kill {
		first, most = 200*time.Millisecond, time.Second
	}
	l.retryAt = now + min(most, first<<min(l.tries, 10))
	l.tries++
}

// heldBack says whether an operation must wait because the last one failed.
func (l *local) heldBack(kind OpKind, now time.Duration) bool {
	return l.retry == kind && now < l.retryAt
}

// nextTry is when an operation that failed may be tried again.
func (l *local) nextTry(now time.Duration) time.Duration {
	if l.retry == 0 || now >= l.retryAt {
		return Never
	}
	return l.retryAt
}

// state is what is to be reported of the unit; false if there is nothing to say yet.
func (l *local) state() (fleet.State, bool) {
	o := l.order
	if o == nil {
		return fleet.State{}, false
	}
	s := fleet.State{
		Unit: l.name, Gen: o.Gen, Hash: l.hash, Load: "loaded", Active: l.status.Active, Sub: l.status.Sub,
		Result: l.status.Result, Why: l.status.Why, Launched: l.launched && l.startGen >= o.Gen && l.kick >= o.Kick,
	}
	if s.Active == "" {
		s.Active, s.Sub = "inactive", "dead"
	}
	switch {
	case l.bad != nil && l.bad.hash == o.Hash:
		s.Load, s.Why = "error", l.bad.why
		if s.Result == "" || s.Result == "success" {
			s.Result = "resources" // systemd's word for a unit that could not be set up
		}
	case !l.loaded:
		return fleet.State{}, false
	case l.waits != "":
		s.Why = l.waits
	case l.failure != "" && s.Why == "":
		s.Why = l.failure
	}
	s.Load, s.Active = clip(s.Load, link.MaxWordBytes), clip(s.Active, link.MaxWordBytes)
	s.Sub, s.Result = clip(s.Sub, link.MaxWordBytes), clip(s.Result, link.MaxWordBytes)
	s.Why = clip(s.Why, link.MaxWhyBytes)
	return s, true
}

// clip cuts what would be too long for a frame.
func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
