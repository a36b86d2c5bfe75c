package labworld

import (
	"time"

	"drydock/sim/history"
	"drydock/vmlab/work"
)

// life is one process of a unit: what it has written itself, and what else is known of
// its end. Times are of package lease's clock.
type life struct {
	machine, unit, hash string
	seen                work.Seen
	// power says that the machine lost its power as it ended, struck that a fault killed
	// it, guarded that its machine's guard was killing.
	power, struck, guarded bool
	// cut, reborn and awake are as in history.Ran.
	cut, reborn, awake bool
}

// ran makes a record of a process: base is when the run began, until when it ended.
// It returns false if the process did nothing before that.
func (l *life) ran(base, until time.Duration) (history.Ran, bool) {
	s := l.seen
	if s.Began == 0 || s.Began > until {
		return history.Ran{}, false
	}
	since := func(at time.Duration) int64 { return int64(max(at-base, 1)) }
	r := history.Ran{Machine: l.machine, Unit: l.unit, Hash: l.hash, Begin: since(s.Began)}
	if s.Told != 0 && s.Told <= until {
		r.Told = since(s.Told)
	}
	// A killed process is known to have run at its last beat, and no longer: who says
	// that it met another one has to prove it.
	end := s.Beat
	if s.Exits != 0 {
		end = s.Exits
	}
	if s.Gone == 0 || end > until {
		return r, true
	}
	r.End = max(since(end), r.Begin+1)
	r.Why, r.Cut, r.Reborn, r.Awake = l.why(), l.cut, l.reborn, l.awake
	return r, true
}

// why is the cause of a process's end, as history.Ran has it.
func (l *life) why() string {
	s := l.seen
	switch {
	case l.power && s.Exits == 0:
		return "cut"
	case s.Told != 0 && l.guarded && s.Exits == 0:
		return "guarded"
	case s.Told != 0:
		return "stopped"
	case s.Exits != 0:
		return "exited"
	case l.struck:
		return "struck"
	case l.guarded:
		return "guarded"
	}
	return "killed"
}
