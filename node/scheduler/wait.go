package scheduler

import "slices"

// waitKey is what decides whether a machine can run a unit: units with the same
// key can all run on one, or none of them can.
type waitKey struct {
	class, profile int32
	kick           bool
	// unit is a unit's number if it is in trouble, and like no other.
	unit int32
}

func (s *Scheduler) waitKey(i int32) waitKey {
	r := s.unit(i)
	k := waitKey{r.class, r.profile, r.mayKick, none}
	if r.trouble {
		k.unit = i
	}
	return k
}

// waitGroup are units of one key for which there is no machine, the one that has
// waited longest first. Only the first is tried when something has changed.
type waitGroup struct {
	at      int32 // its number
	key     waitKey
	n       int
	members []int32
}

// await puts a unit among those that wait.
func (s *Scheduler) await(i int32) {
	r := s.unit(i)
	key := s.waitKey(i)
	g := s.waits[key]
	if g == nil {
		g = &waitGroup{key: key}
		g.at, s.freeWaitGroups = number(&s.waitGroups, g, s.freeWaitGroups)
		s.waits[key] = g
		s.waitList = append(s.waitList, g)
	}
	r.wait = g.at
	g.n++
	if len(g.members) > 0 && s.unit(g.members[0]).seq > r.seq {
		g.members = slices.Insert(g.members, 0, i)
		return
	}
	g.members = append(g.members, i)
}

// unwait takes a unit from among those that wait.
func (s *Scheduler) unwait(i int32) {
	r := s.unit(i)
	g := s.waitGroups[r.wait]
	r.wait = none
	g.n--
	if g.n == 0 {
		delete(s.waits, g.key)
		s.waitGroups[g.at] = nil
		s.freeWaitGroups = append(s.freeWaitGroups, g.at)
		s.waitList = slices.DeleteFunc(s.waitList, func(o *waitGroup) bool { return o == g })
	}
}

// first returns the unit of a group that has waited longest.
func (s *Scheduler) first(g *waitGroup) int32 {
	for s.unit(g.members[0]).wait != g.at {
		g.members = g.members[1:]
	}
	return g.members[0]
}

// wake has the first of a group tried; if it finds a place, the next follows.
func (s *Scheduler) wake(g *waitGroup) {
	i := s.first(g)
	g.members = g.members[1:]
	s.unwait(i)
	s.unit(i).woken = true
	s.enqueue(i)
}

// passOn has the next of a unit's group tried if the unit itself was to be, and now
// won't as one of them.
func (s *Scheduler) passOn(i int32) {
	if !s.unit(i).woken {
		return
	}
	s.unit(i).woken = false
	if g := s.waits[s.waitKey(i)]; g != nil {
		s.wake(g)
	}
}

// improve notes that something on a machine may let a waiting unit in.
func (s *Scheduler) improve(slot int32) {
	if m := &s.machines[slot]; len(s.waitList)+len(s.stuck) > 0 && !m.improved {
		m.improved = true
		s.improved = append(s.improved, slot)
	}
}

// improvedMax is the number of machines up to which each is looked at before a
// group is woken for them.
const improvedMax = 32

// wakeAll wakes the groups that an improved machine could run.
func (s *Scheduler) wakeAll() {
	slots, eased := s.improved, s.limitsEased
	s.improved, s.limitsEased = s.improved[:0], false
	s.unstick()
	for _, slot := range slots {
		s.machines[slot].improved = false
	}
	for _, g := range slices.Clone(s.waitList) {
		if g.n == 0 {
			continue
		}
		i := s.first(g)
		may := len(slots) > improvedMax || eased && s.classes[g.key.class].needs.SpreadLimit > 0
		for k := 0; !may && k < len(slots); k++ {
			m := &s.machines[slots[k]]
			may = m.up && (s.obstacle(i, m).kind == able || s.outranks(i))
		}
		if may {
			s.wake(g)
		}
	}
}
