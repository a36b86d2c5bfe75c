package agent

import (
	"fmt"
	"slices"

	"drydock/node/fleet"
)

// reconcile begins the operations that the machine needs, those that end something
// first.
func (a *Agent) reconcile() {
	for _, l := range a.units {
		if l.retry != 0 && a.now >= l.retryAt && l.retryAt != 0 {
			l.retryAt, a.stale = 0, true
		}
	}
	if !a.stale {
		return
	}
	a.stale = false
	a.orders.missing = a.orders.missing[:0]
	a.sweep()
	for _, wave := range [...][]OpKind{{Kill, Stop, Unload}, {Load}, {Start, Restart}} {
		for _, l := range a.units {
			if kind, why := a.decide(l); slices.Contains(wave, kind) && !l.heldBack(kind, a.now) {
				a.begin(l, kind, why)
			}
		}
	}
	a.report.look = true
}

// sweep lets go of units of which nothing is left and nothing is wanted.
func (a *Agent) sweep() {
	a.units = slices.DeleteFunc(a.units, func(l *local) bool {
		if !l.absent() || l.order != nil {
			return false
		}
		if l.gen > 0 && a.session.id != 0 {
			a.gone(l.name, l.gen)
		}
		a.keep(false)
		return true
	})
}

// decide says which operation a unit needs now, 0 for none, and why. It is asked
// several times in a step, and has no effect but notes on the unit.
func (a *Agent) decide(l *local) (OpKind, string) {
	_, _, dead := a.fenced()
	switch {
	case l.kill != nil:
		return 0, ""
	case l.doomed && l.touched && !dead:
		return Kill, "the lease had run out over it"
	case dead && !l.global() && l.touched:
		return Kill, a.fenceWhy()
	case l.cut != nil || l.op != nil && !l.op.starting():
		return 0, ""
	}
	kind, why := a.next(l)
	if l.op != nil && kind != Stop && kind != Unload {
		return 0, "" // only an end overtakes a start
	}
	return kind, why
}

// next says what comes after what is under way.
func (a *Agent) next(l *local) (OpKind, string) {
	if why := a.dropWhy(l); why != "" {
		return a.drop(l, why)
	}
	if l.unsure {
		return Load, "to take it over"
	}
	if l.ending && l.op == nil && !l.quiet() {
		return Stop, "its end was begun"
	}
	if _, stop, _ := a.fenced(); stop && !l.global() {
		if l.quiet() {
			return 0, ""
		}
		return Stop, a.fenceWhy()
	}
	if l.order == nil || !a.orders.known {
		return 0, ""
	}
	return a.fulfil(l)
}

// dropWhy says why the machine is to have nothing of a unit; empty if it may.
func (a *Agent) dropWhy(l *local) string {
	switch {
	case l.unsure && l.file == nil:
		return "nobody knows what it is"
	case !l.global() && a.session.id == 0:
		return "the session is over"
	case a.leave && (!l.global() || a.clear()):
		return "the machine leaves"
	case a.orders.known && l.order == nil:
		return "it is not ordered here"
	}
	return ""
}

// drop says what is next on the way to nothing: an end in good order, if there is
// time, and then a kill, which says that nothing is left.
func (a *Agent) drop(l *local, why string) (OpKind, string) {
	switch {
	case l.unsure && l.file == nil && l.touched:
		return Kill, why
	case l.unsure && l.file != nil && l.touched:
		return Load, "to end it: " + why
	case l.held && !(l.retry == Unload && l.touched):
		return Unload, why
	case l.touched:
		return Kill, why
	case l.held:
		return Unload, why
	}
	return 0, ""
}

// fulfil says what is next on the way to what is ordered.
func (a *Agent) fulfil(l *local) (OpKind, string) {
	o := l.order
	if !l.loaded || l.hash != o.Hash {
		file := a.file(l)
		bad := l.bad != nil && l.bad.hash == o.Hash
		switch {
		case file == nil && !bad:
			return 0, "" // until its text has come
		case !l.quiet():
			return Stop, "it gets another text"
		case file == nil || bad && l.bad.final:
			return 0, ""
		}
		return Load, "it is ordered"
	}
	if o.Desired != fleet.Launched {
		l.waits = ""
		if l.begun && !l.quiet() {
			return Stop, "it is to be loaded only"
		}
		if l.begun {
			l.begun, l.launched = false, false
			a.keep(true)
		}
		return 0, ""
	}
	return a.launch(l)
}

// launch says how a unit that is to be launched gets there.
func (a *Agent) launch(l *local) (OpKind, string) {
	o := l.order
	again, anew := o.Kick > l.kick, o.Gen > l.startGen
	switch {
	case l.begun && !again && !anew:
		return 0, ""
	case l.begun && !again && l.running():
		l.startGen = o.Gen // it was placed where it runs
		a.keep(false)
		return 0, ""
	case again && l.op != nil:
		return Stop, fmt.Sprintf("a restart is wished (revision %d)", o.Kick)
	case l.status.Active == "deactivating":
		return 0, "" // until it is down
	}
	if l.waits = a.waitsFor(l); l.waits != "" {
		return 0, ""
	}
	switch {
	case l.begun && again && !l.quiet():
		return Restart, fmt.Sprintf("a restart is wished (revision %d)", o.Kick)
	case !l.begun && l.startGen >= o.Gen && !again:
		return Start, "it had been ended, and is ordered still"
	}
	return Start, fmt.Sprintf("it is ordered (revision %d)", o.Gen)
}

// waitsFor says why a unit can't be started now; empty if it can.
func (a *Agent) waitsFor(l *local) string {
	hold, _, _ := a.fenced()
	switch {
	case !a.session.welcomed || !l.global() && hold:
		return "waits for the leader's word that the machine's session lives"
	}
	return a.room(l)
}

// begin has an operation carried out.
func (a *Agent) begin(l *local, kind OpKind, why string) {
	a.lastOp++
	o := &op{id: a.lastOp, kind: kind, by: Never}
	a.ops[o.id] = l
	out := Op{ID: o.id, Kind: kind, Unit: l.name, By: Never}
	if kind == Kill {
		l.kill, l.doomed = o, false
	} else {
		l.op, l.cut = o, l.op
	}
	switch kind {
	case Load:
		if !l.unsure {
			l.file = a.file(l)
			l.text, l.hash, l.req = l.file.Text(), l.order.Hash, l.file.Fleet()
		}
		l.held, l.loaded, out.File = true, false, l.file
		a.keep(true)
	case Start, Restart:
		if !l.global() && !a.lease.terms.keep {
			o.by = a.lease.killAt()
			out.By = o.by
		}
		l.begun, l.launched, l.ending, l.touched = true, false, false, true
		l.startGen, l.kick, l.failure = l.order.Gen, l.order.Kick, ""
		a.keep(true)
	default:
		l.begun, l.launched, l.ending = false, false, true
		a.keep(true)
	}
	out.Global = l.global()
	a.out.Ops = append(a.out.Ops, out)
	a.tell(l.name, kind.String()+": "+why)
}

// reported takes what the runtime says of a unit. Others than ours don't matter.
func (a *Agent) reported(s Status) {
	if l := a.unit(s.Unit); l != nil && l.status != s {
		was := l.moving()
		l.set(s)
		a.stale = true
		if was != l.moving() {
			a.keep(false)
		}
	}
}

// ended takes the end of an operation.
func (a *Agent) ended(e Ended) {
	l, ok := a.ops[e.Op]
	if !ok {
		return
	}
	delete(a.ops, e.Op)
	a.stale = true
	a.keep(false)
	if l.kill != nil && l.kill.id == e.Op {
		l.kill = nil
		l.set(e.Status)
		if e.Result != "done" {
			l.backOff(Kill, a.now)
			a.tell(l.name, fmt.Sprintf("kill: %s: %s", e.Result, e.Reason))
		} else if l.op == nil && l.cut == nil {
			l.touched = l.moving()
			l.ending = l.touched
		} // else what is under way may have begun something since
		return
	}
	if l.cut != nil && l.cut.id == e.Op {
		l.cut = nil
		l.set(e.Status)
		return
	}
	o := l.op
	l.op = nil
	l.set(e.Status)
	if e.Result == "done" {
		if l.retry == o.kind {
			l.retry, l.retryAt, l.tries = 0, 0, 0
		}
	} else {
		a.tell(l.name, fmt.Sprintf("%s: %s: %s", o.kind, e.Result, e.Reason))
	}
	switch o.kind {
	case Load:
		a.loaded(l, e)
	case Start, Restart:
		a.launched(l, o, e)
	case Unload:
		if e.Result == "done" {
			l.held, l.loaded, l.unsure = false, false, false
			l.status = Status{Unit: l.name}
		} else {
			l.backOff(Unload, a.now)
		}
	default:
		l.ending = e.Result != "done" && l.moving()
		if e.Result != "done" {
			l.backOff(o.kind, a.now)
		}
	}
}

// loaded takes the end of a load.
func (a *Agent) loaded(l *local, e Ended) {
	switch {
	case e.Result == "done":
		l.loaded, l.bad = true, nil
		if l.unsure && l.begun && !l.launched {
			// The earlier life ended between asking for the start and hearing of it.
			l.launched = l.running()
			l.begun = l.launched
		}
		if l.unsure && l.revive && l.status.Result != "start-limit-hit" {
			l.begun, l.launched = false, false // it ended while nobody looked
		}
		l.unsure, l.revive = false, false
		l.ending = l.ending && l.moving()
	case l.unsure && e.Result == "invalid":
		l.file = nil // it can't be taken over
	case l.unsure:
		l.backOff(Load, a.now)
	default:
		l.bad = &problem{hash: l.hash, why: e.Reason, final: e.Result == "invalid"}
		if !l.bad.final {
			l.backOff(Load, a.now)
		}
	}
}

// launched takes the end of a start.
func (a *Agent) launched(l *local, o *op, e Ended) {
	if !l.begun {
		return // it was stopped or killed meanwhile
	}
	if e.Result == "canceled" && (a.now >= o.by || l.kill != nil) {
		l.begun = false // it came too late to be done at all
		return
	}
	l.launched = true
	if e.Result != "done" {
		l.failure = e.Reason
	}
}
