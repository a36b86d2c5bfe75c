package scheduler

import (
	"fmt"
	"slices"
	"time"
)

// trouble is what is remembered of a unit that keeps failing.
type trouble struct {
	// failures are those in a row on the machine that it is on, delays those
	// since it last ran, wherever.
	failures, delays int
	// shuns are the machines that it has failed on too often.
	shuns []int32
}

// shuns says whether a unit stays away from a machine because it failed there.
func (s *Scheduler) shuns(i int32, m *machine) bool {
	return s.unit(i).trouble && slices.Contains(s.troubleOf[i].shuns, s.order[m.pos])
}

// forgive forgets that a unit has failed.
func (s *Scheduler) forgive(i int32) {
	if r := s.unit(i); r.trouble {
		r.trouble = false
		delete(s.troubleOf, i)
	}
}

// Failed tells that a placed unit has failed, and returns how long to wait before
// it is started again: its Retry, doubled with every failure up to RetryMax. After
// MoveAfter failures in a row on one machine it is placed on another, if one can
// run it; machines that it failed on are the last resort, which a change to the
// unit ends.
func (s *Scheduler) Failed(name string) (wait time.Duration) {
	s.settle()
	i, ok := s.lookup(name)
	if !ok || s.unit(i).slot == none {
		return 0
	}
	r := s.unit(i)
	if !r.trouble {
		r.trouble = true
		s.troubleOf[i] = &trouble{}
	}
	t, needs := s.troubleOf[i], s.class(r).needs
	wait = backOff(needs.Retry, needs.RetryMax, t.delays)
	t.failures++
	t.delays++
	if needs.MoveAfter == 0 || t.failures < needs.MoveAfter {
		return wait
	}
	if !slices.Contains(t.shuns, r.slot) {
		t.shuns = append(t.shuns, r.slot)
	}
	why := fmt.Sprintf("failed %d times on %s", t.failures, s.machines[r.slot].id)
	if !s.shift(i, -1, why) && len(t.shuns) > 1 {
		// It has failed on every machine that can run it: any may do again.
		t.shuns = []int32{r.slot}
		s.shift(i, -1, why)
	}
	t.failures = 0
	return wait
}

// backOff returns the n-th delay.
func backOff(first, most time.Duration, n int) time.Duration {
	d := first
	for ; n > 0 && d > 0 && (most == 0 || d < most) && d < time.Hour; n-- {
		d *= 2
	}
	if most > 0 {
		d = min(d, most)
	}
	return d
}
