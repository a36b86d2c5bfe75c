package supervise

import "time"

// recheck is how often a timer that waits for the calendar looks at it: the
// calendar clock may be set.
const recheck = time.Minute

// timerState is what a timer remembers.
type timerState struct {
	// started is when the timer was, fired when it last elapsed.
	started, fired time.Duration
	hasFired       bool
	// next is when it elapses next, or never.
	next time.Duration
	// seen is up to where the calendar has been read, in nanoseconds since 1970.
	seen int64
	// up and down are when its unit last became active and inactive.
	up, down       time.Duration
	wasUp, wasDown bool
	// calendar are the moments of OnCalendar.
	calendar []Calendar
}

func (m *Machine) startTimer(e *entry) {
	t := &e.timer
	t.started, t.hasFired, t.seen, t.calendar = m.now.Mono, false, m.now.Wall, nil
	for _, text := range e.def.Timer.OnCalendar {
		c, err := ParseCalendar(text)
		if err != nil {
			m.log(e, err.Error())
			continue
		}
		t.calendar = append(t.calendar, c)
	}
	m.set(e, SubWaiting)
	m.wait(e)
}

// wait sets a timer to its next moment, or ends it if there is none.
func (m *Machine) wait(e *entry) {
	t := &e.timer
	t.next = m.elapses(e)
	m.touch(e)
	switch {
	case t.next != never:
		m.set(e, SubWaiting)
		e.deadline = t.next
		if len(t.calendar) > 0 {
			e.deadline = min(t.next, m.after(recheck))
		}
	case t.hasFired && !e.def.Timer.RemainAfterElapse:
		m.set(e, SubDead)
	default:
		m.set(e, SubElapsed)
	}
}

// elapses computes a timer's next moment.
func (m *Machine) elapses(e *entry) time.Duration {
	def, t := e.def.Timer, &e.timer
	next := never
	add := func(base time.Duration, spans []time.Duration) {
		for _, span := range spans {
			if at := base + span; !t.hasFired || at > t.fired {
				next = min(next, at)
			}
		}
	}
	add(t.started, def.OnActive)
	add(m.boot, def.OnBoot)
	if t.wasUp {
		add(t.up, def.OnUnitActive)
	}
	if target := m.units[def.Unit]; t.wasDown && (target == nil || target.sub.ended()) {
		add(t.down, def.OnUnitInactive)
	}
	for _, c := range t.calendar {
		if at, ok := c.Next(time.Unix(0, t.seen).UTC()); ok {
			next = min(next, m.now.Mono+at.Sub(time.Unix(0, m.now.Wall).UTC()))
		}
	}
	return next
}

// timerDue looks at a timer whose moment may have come.
func (m *Machine) timerDue(e *entry) {
	t := &e.timer
	if e.sub != SubWaiting {
		return
	}
	if m.elapses(e) > m.now.Mono {
		m.wait(e) // the calendar was set, or it was only time to look
		return
	}
	t.fired, t.hasFired, t.next = m.now.Mono, true, never
	t.seen = max(t.seen, m.now.Wall)
	m.set(e, SubRunning)
	target := m.units[e.def.Timer.Unit]
	if target == nil || target.gone {
		m.log(e, e.def.Timer.Unit+", which the timer is to start, isn't there")
		m.fail(e, FailResources)
		m.set(e, SubFailed)
		return
	}
	if !target.sub.ended() {
		m.wait(e) // it runs already: nothing to start
		return
	}
	m.request(jobStart, e.def.Timer.Unit, 0)
	if target.job == nil {
		m.wait(e) // it can't be started now; perhaps next time
	}
}

// triggered tells a timer or a socket about the unit that it starts.
func (m *Machine) triggered(e, target *entry, n note) {
	if e.def.Socket != nil {
		m.served(e, target, n)
		return
	}
	t := &e.timer
	switch {
	case n.to.up() && !n.from.up():
		t.up, t.wasUp = m.now.Mono, true
	case n.to.ended() && !n.from.ended():
		t.down, t.wasDown = m.now.Mono, true
		if !n.from.up() && !t.wasUp || n.from.Active() == ActiveActivating {
			t.up, t.wasUp = m.now.Mono, true // a command that has run counts as having been active
		}
	default:
		return
	}
	switch e.sub {
	case SubRunning, SubWaiting, SubElapsed:
		if n.to.up() || target.sub.ended() {
			m.wait(e)
		}
	}
}
