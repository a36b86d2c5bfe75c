package scheduler

// trouble is what is remembered of a unit that keeps failing.
type trouble struct {
	// shuns are the machines it isn't placed on again.
	shuns map[int32]struct{}
}

// shuns says whether a unit stays away from a machine because it failed there.
func (s *Scheduler) shuns(i int32, m *machine) bool {
	t := s.units[i].trouble
	if t == nil {
		return false
	}
	_, shuns := t.shuns[s.order[m.pos]]
	return shuns
}
