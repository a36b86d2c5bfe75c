package control

import (
	"drydock/node/fleet"
	"drydock/node/link"
)

// report has a machine's report logged, once, and noted if it was already.
func (c *Control) report(machine string, s *session, r *fleet.Report) {
	if !c.live(machine, s, r.Session) {
		return
	}
	m, ok := c.store.Machine(machine)
	switch {
	case !ok || r.Machine != machine:
		return
	case r.Seq <= m.Reported:
		c.note(s, m.Reported)
		return
	case s.reporting || r.Seq <= s.reported:
		return // one at a time: what isn't noted is told again
	}
	command := &fleet.Command{Report: r}
	if command.Check() != nil {
		c.count.Refused++
		return
	}
	s.reported, s.reporting = r.Seq, true
	c.count.Reports++
	c.queueFlight(&flight{kind: reporting, session: s, seq: r.Seq, command: command})
}

// noted takes the end of a report.
func (c *Control) noted(f *flight) {
	f.session.reporting = false
	m, ok := c.store.Machine(f.session.machine)
	if !ok || f.session.gone || m.Session != f.session.number {
		return
	}
	if m.Reported < f.seq {
		f.session.reported = m.Reported // it was refused: a repeated one is tried anew
		return
	}
	c.note(f.session, m.Reported)
}

func (c *Control) note(s *session, seq uint64) {
	c.send(s.machine, &link.Frame{Noted: &link.Noted{Session: s.number, Seq: seq}})
}
