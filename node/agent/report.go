package agent

import (
	"slices"
	"time"

	"drydock/node/fleet"
	"drydock/node/link"
)

const (
	// gather is how long a change waits for company.
	gather = 25 * time.Millisecond
	// A machine whose units go up and down all the time reports every steady, after
	// burst reports without such a pause. What is gone doesn't wait: others do.
	steady = 250 * time.Millisecond
	burst  = 8
	// repeatFirst and repeatMost are how soon a report is repeated that isn't noted.
	repeatFirst = 300 * time.Millisecond
	repeatMost  = time.Second
	// maxStates bounds the units of one report, each way, and maxBytes about what they
	// take.
	maxStates = 1000
	maxBytes  = 1 << 20
)

// report is what is to be told of units, one report at a time.
type report struct {
	// look says that states may have changed since they were compared.
	look bool
	// flushAt is when what has changed is told; Never if nothing has.
	flushAt time.Duration
	dirty   bool
	// due is when the last report would have been sent, had all kept the pause.
	due time.Duration
	// gone are units to be told gone, in order.
	gone []fleet.Gone
	// seq is the last report's; out is that one until it is noted, to be repeated at
	// repeatAt, after pause.
	seq      uint64
	out      *fleet.Report
	repeatAt time.Duration
	pause    time.Duration
}

// beginReports forgets what was told in another session: all is told anew.
func (a *Agent) beginReports() {
	a.report = report{look: true, seq: a.report.seq, due: a.report.due}
	for _, l := range a.units {
		l.said, l.dirty = fleet.State{}, false
	}
}

// gone notes that nothing is left of a unit.
func (a *Agent) gone(name string, gen uint64) {
	r := &a.report
	for i := range r.gone {
		if r.gone[i].Unit == name {
			r.gone[i].Gen = max(r.gone[i].Gen, gen)
			return
		}
	}
	r.gone = append(r.gone, fleet.Gone{Unit: name, Gen: gen})
	a.changed()
	r.flushAt = min(r.flushAt, a.now+gather)
}

// changed has a report sent soon.
func (a *Agent) changed() {
	if r := &a.report; !r.dirty {
		r.dirty, r.flushAt = true, max(a.now+gather, r.due-burst*steady)
	}
}

// flush tells what has changed, or tells it again.
func (a *Agent) flush() {
	r := &a.report
	if !a.session.welcomed || !a.orders.known {
		return
	}
	if r.look {
		r.look = false
		for _, l := range a.units {
			if s, ok := l.state(); ok && s != l.said {
				l.dirty = true
				a.changed()
			}
		}
	}
	switch {
	case r.out != nil && a.now >= r.repeatAt:
		r.pause = min(2*r.pause, repeatMost)
	case r.out == nil && r.dirty && a.now >= r.flushAt:
		a.compose()
		r.pause = repeatFirst
	default:
		return
	}
	if r.out != nil {
		r.repeatAt = a.now + r.pause
		a.send(link.Frame{Report: &link.Report{Report: *r.out}})
	}
}

// compose makes a report of what isn't told yet.
func (a *Agent) compose() {
	r := &a.report
	r.dirty = false
	p := &fleet.Report{Machine: a.cfg.Machine.ID, Session: a.session.id}
	bytes := 0
	for _, l := range a.units {
		if !l.dirty {
			continue
		}
		if len(p.States) == maxStates || bytes > maxBytes {
			a.changed()
			break
		}
		l.dirty = false
		if s, ok := l.state(); ok && s != l.said {
			l.said = s
			p.States = append(p.States, s)
			bytes += len(s.Unit) + len(s.Why) + 64
		}
	}
	n := min(len(r.gone), maxStates)
	p.Gone, r.gone = slices.Clip(r.gone[:n]), r.gone[n:]
	if len(r.gone) > 0 {
		a.changed()
	}
	if len(p.States)+len(p.Gone) == 0 {
		return
	}
	r.seq++
	r.due = max(r.due, a.now) + steady
	p.Seq = a.lives<<32 | r.seq
	r.out = p
}

// noted takes the leader's word that a report is applied.
func (a *Agent) noted(n *link.Noted) {
	r := &a.report
	if n.Session == a.session.id && r.out != nil && n.Seq >= r.out.Seq {
		r.out = nil
	}
}

// nextReport is when flush has something to do.
func (a *Agent) nextReport() time.Duration {
	r := &a.report
	switch {
	case !a.session.welcomed || !a.orders.known:
		return Never
	case r.out != nil:
		return r.repeatAt
	case r.dirty:
		return r.flushAt
	}
	return Never
}
