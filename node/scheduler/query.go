package scheduler

import "slices"

// Where returns the id of the machine that a unit is placed on, empty if none.
func (s *Scheduler) Where(name string) string {
	i, ok := s.lookup(name)
	if !ok || s.unit(i).slot == none {
		return ""
	}
	return s.machines[s.unit(i).slot].id
}

// Everywhere returns the ids of the machines that a global unit runs on, sorted.
func (s *Scheduler) Everywhere(name string) []string {
	i, ok := s.lookup(name)
	if !ok || !s.unit(i).global {
		return nil
	}
	s.settle()
	var ids []string
	for pos := range s.globalOf[i].on.each {
		ids = append(ids, s.machines[s.order[pos]].id)
	}
	slices.Sort(ids)
	return ids
}

// Load returns how many units are on a machine, global ones included.
func (s *Scheduler) Load(machineID string) int {
	slot, ok := s.machineByID[machineID]
	if !ok || !s.machines[slot].up {
		return 0
	}
	return int(s.machines[slot].load)
}
