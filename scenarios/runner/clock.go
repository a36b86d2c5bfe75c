package runner

import (
	"math"
	"time"

	"drydock/chaos"
	"drydock/scenarios/checker/keyspace"
	"drydock/sim/history"
)

// Clocks that no fault has touched are taken to be this right.
const (
	clockShare = 0.01
	clockSlack = 50 * time.Millisecond
)

// bootLead is for how long after its start a member may be ahead that went by
// a wrong calendar: until it applies what another leader has stamped.
const bootLead = 5 * time.Second

// clockBound says how far cluster time may have been ahead: by the clocks that
// were struck. A monotonic clock counts while it is wrong. The calendar is asked
// at a member's start only, about the time since its last entry was stamped;
// either end may be wrong by any fault until then.
func clockBound(strikes []chaos.Strike, restarts []history.Restart, end time.Duration) keyspace.ClockBound {
	b := keyspace.ClockBound{Share: clockShare, Slack: clockSlack}
	for _, s := range strikes {
		until := s.End
		if until == 0 {
			until = end
		}
		mono, wall := skewOf(s, until)
		if mono != (keyspace.Skew{}) {
			b.Skews = append(b.Skews, mono)
		}
		for _, r := range restarts {
			if at := time.Duration(r.Time); wall != 0 && at >= s.At {
				b.Skews = append(b.Skews, keyspace.Skew{From: at, To: at + bootLead, Jump: wall})
			}
		}
	}
	return b
}

// skewOf is what a fault does to monotonic clocks, and how far calendars may be
// wrong by it.
func skewOf(s chaos.Strike, until time.Duration) (mono keyspace.Skew, wall time.Duration) {
	switch p := s.Fault.Params.(type) {
	case *chaos.ClockRate:
		off := math.Abs(p.Rate - 1)
		if p.Clock != chaos.ClockWall {
			mono = keyspace.Skew{From: s.At, To: until, Fast: off}
		}
		if p.Clock != chaos.ClockMono {
			wall = time.Duration(off * float64(until-s.At))
		}
	case *chaos.ClockJump:
		if p.Clock != chaos.ClockWall {
			mono = keyspace.Skew{From: s.At, To: s.At, Jump: p.By}
		}
		if p.Clock != chaos.ClockMono {
			wall = p.By
		}
	}
	return mono, wall
}
