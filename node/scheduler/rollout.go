package scheduler

import (
	"slices"
	"strconv"

	"drydock/node/unit"
)

// Replace tells of a new version of a unit that runs. Unlike SetUnit it waits for
// the unit's Budget, or, without one, until no other unit of its group is down: so
// a group is replaced one after the other. When the unit's turn comes, Solve
// returns a move from its machine to the same, or to another that the new version
// needs; Running then makes way for the next.
func (s *Scheduler) Replace(u Unit) {
	i, ok := s.lookup(u.Name)
	if !ok || s.unit(i).slot == none || !u.Active {
		s.SetUnit(u)
		return
	}
	k := slices.IndexFunc(s.rollout, func(o Unit) bool { return o.Name == u.Name })
	if k >= 0 {
		s.rollout[k] = u
		return
	}
	s.rollout = append(s.rollout, u)
}

// roll replaces the first unit whose turn has come.
func (s *Scheduler) roll() bool {
	for k, u := range s.rollout {
		i, ok := s.lookup(u.Name)
		if ok && s.unit(i).slot != none && !s.mayRoll(i, u) {
			continue
		}
		s.rollout = slices.Delete(s.rollout, k, k+1)
		if !ok || !s.unit(i).active {
			return true // stopped or destroyed meanwhile
		}
		s.SetUnit(u)
		if r := s.unit(i); r.slot != none {
			note := s.told(i)
			note.replaced, note.why = true, "a new version"
			if s.machines[r.slot].closed {
				s.recheck(i) // it was to go, and waited for this
			}
			s.rolling = append(s.rolling, i)
			s.unsettle(i)
		}
		return true
	}
	return false
}

// overtake gives a unit that has lost its place its new version, if one waits: what
// starts elsewhere is the new one, and must suit the machine. It returns true if the
// unit is thereby to be placed anew.
func (s *Scheduler) overtake(i int32) bool {
	k := s.rollsOut(i)
	if k < 0 {
		return false
	}
	u := s.rollout[k]
	s.rollout = slices.Delete(s.rollout, k, k+1)
	s.SetUnit(u)
	return s.unit(i).queued
}

// rollsOut returns the position of a unit among those that wait to be replaced, or
// -1.
func (s *Scheduler) rollsOut(i int32) int {
	if len(s.rollout) == 0 {
		return -1
	}
	return slices.IndexFunc(s.rollout, func(u Unit) bool { return u.Name == s.name(i) })
}

// mayRoll says whether a unit's turn has come.
func (s *Scheduler) mayRoll(i int32, u Unit) bool {
	if s.class(s.unit(i)).group != nil {
		return s.mayDisturb(i)
	}
	s.rolling = slices.DeleteFunc(s.rolling, func(o int32) bool { return !s.unit(o).settling })
	return !slices.ContainsFunc(s.rolling, func(o int32) bool { return s.kin(o, i) })
}

// counted says whether an instance's name is one that Instances gives.
func counted(instance string) bool {
	n, err := strconv.Atoi(instance)
	return err == nil && n > 0 && strconv.Itoa(n) == instance
}

// kin says whether two units are of one template.
func (s *Scheduler) kin(a, b int32) bool {
	return templateOf(s.name(a)) == templateOf(s.name(b))
}

func templateOf(name string) string {
	if before, after := around(name); before != "" {
		return before + after
	}
	return name
}

// Instances returns what has to be started and destroyed for a template to have n
// instances, named 1 to n, given the instances that there are. Instances with
// other names are a user's, and stay.
func Instances(template unit.Name, n int, are []unit.Name) (startThese, destroyThese []unit.Name, err error) {
	var want []unit.Name
	for k := 1; k <= n; k++ {
		name, err := template.With(strconv.Itoa(k))
		if err != nil {
			return nil, nil, err
		}
		want = append(want, name)
		if !slices.Contains(are, name) {
			startThese = append(startThese, name)
		}
	}
	for _, name := range are {
		of, ok := name.Template()
		if ok && of == template && counted(name.Instance()) && !slices.Contains(want, name) {
			destroyThese = append(destroyThese, name)
		}
	}
	return startThese, destroyThese, nil
}
