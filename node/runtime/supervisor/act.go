package supervisor

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"syscall"
	"time"

	"drydock/node/runtime"
	"drydock/node/supervise"
	"drydock/node/unit"
)

// sourceSelf marks the lines of a journal that the supervisor itself writes.
const sourceSelf = "supervisor"

// act carries out one action.
func (s *Supervisor) act(a supervise.Action) {
	switch a := a.(type) {
	case supervise.Spawn:
		s.spawn(a)
	case supervise.SendSignal:
		s.signal(a)
	case supervise.Adopt:
		s.adopt(a)
	case supervise.Listen:
		s.listen(a)
	case supervise.Poll:
		if r := s.units[a.Unit]; r != nil && r.listeners != nil {
			r.listeners.watch(s.incoming(r))
		}
	case supervise.Unlisten:
		if r := s.units[a.Unit]; r != nil && r.listeners != nil {
			r.listeners.close()
			r.listeners = nil
		}
	case supervise.Report:
		s.report(a.Status)
	case supervise.Done:
		if done := s.answers[a.Token]; done != nil {
			delete(s.answers, a.Token)
			done(runtime.Outcome{Result: string(a.Result), Reason: a.Reason})
		}
	case supervise.Log:
		s.say(a.Unit, a.Text)
	}
}

// say writes a line of the supervisor's own into a unit's journal.
func (s *Supervisor) say(name, text string) {
	if r := s.units[name]; r != nil {
		r.journal.add(sourceSelf, text)
	}
}

// number is a signal's on this machine.
func number(sig unit.Signal) syscall.Signal { return syscall.Signal(sig.Number()) }

// signal sends one of the rules' signals. One that asks a process to end is
// followed by SIGCONT: stopped, it could not.
func (s *Supervisor) signal(a supervise.SendSignal) {
	r := s.units[a.Unit]
	if r == nil || r.group == nil {
		return
	}
	signals := []syscall.Signal{number(a.Signal)}
	if a.Signal != supervise.SIGKILL {
		signals = append(signals, syscall.SIGCONT)
	}
	for _, sig := range signals {
		var err error
		if a.Proc == 0 {
			err = errors.Join(r.group.signal(sig), s.signalBecoming(r, sig))
		} else if p := s.procs[a.Proc]; p != nil && p.pid > 0 {
			err = p.signal(sig)
		}
		if err != nil && !errors.Is(err, syscall.ESRCH) {
			s.say(a.Unit, fmt.Sprintf("%s could not be sent: %v", a.Signal, err))
		}
	}
	s.watchGroups()
}

// signalBecoming reaches processes on their way into the unit's group.
func (s *Supervisor) signalBecoming(r *running, sig syscall.Signal) error {
	var errs []error
	for _, p := range s.procs {
		if p.unit == r && p.becoming {
			errs = append(errs, p.signal(sig))
		}
	}
	return errors.Join(errs...)
}

// report tells callers what a unit is, and cleans up after one that is down.
func (s *Supervisor) report(status supervise.Status) {
	r := s.units[status.Name]
	if r == nil {
		return
	}
	r.mainID = status.Main
	state := runtime.State{
		Name: status.Name, Description: status.Description, Load: status.Load,
		Active: string(status.Active), Sub: string(status.Sub), Result: string(status.Result), Text: status.Text,
		Hash: r.hash, Restarts: status.Restarts, Job: status.Job, Since: s.origin.Add(status.Since),
	}
	if status.Exit != nil {
		state.Exit = status.Exit.String()
	}
	if p := s.procs[status.Main]; p != nil {
		state.MainPID = p.pid
	}
	forgotten := status.Load != "loaded"
	if forgotten {
		r.closeFiles()
		r.dropGroup()
		s.forget(r)
		delete(s.units, status.Name)
	} else {
		s.save(r)
	}
	s.mu.Lock()
	if forgotten {
		delete(s.states, status.Name)
		delete(s.journals, status.Name)
	} else {
		s.states[status.Name] = state
	}
	s.mu.Unlock()
	if s.opt.Report != nil {
		s.opt.Report(state)
	}
}

// List implements runtime.Runtime.
func (s *Supervisor) List() []runtime.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []runtime.State
	for _, name := range sortedKeys(s.states) {
		list = append(list, s.states[name])
	}
	return list
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// How often groups without a process that is waited for are looked at: soon after
// something has happened, then less and less often.
const (
	pollSoonest = 5 * time.Millisecond
	pollLatest  = 250 * time.Millisecond
)

// watchGroups has groups looked at soon.
func (s *Supervisor) watchGroups() {
	s.polling, s.lookAt = pollSoonest, time.Now().Add(pollSoonest)
}

// look sees whether anything that nobody waits for has ended.
func (s *Supervisor) look() {
	if s.polling == 0 {
		return
	}
	waiting := false
	for _, name := range sortedKeys(s.units) {
		r := s.units[name]
		if r.seeking != nil {
			waiting = !s.seek(r) || waiting
		}
		for _, p := range slices.Clone(r.adopted) {
			if !p.runs() {
				s.exited(p, p.reap())
			}
		}
		switch {
		case r.group == nil || s.units[name] != r || s.tracked(r):
		case s.empty(r):
			s.step(supervise.Emptied{Unit: name})
			if !s.tracked(r) {
				r.dropGroup()
				s.save(r)
			}
		default:
			waiting = true
		}
		waiting = waiting || len(r.adopted) > 0
	}
	if waiting {
		s.polling = min(s.polling*2, pollLatest)
	} else {
		s.polling = 0
	}
}

// tracked says whether some process of the unit will tell of its own end.
func (s *Supervisor) tracked(r *running) bool {
	for _, p := range s.procs {
		if p.unit == r && p.pid > 0 {
			return true
		}
	}
	return false
}

// empty says whether a unit has no process left.
func (s *Supervisor) empty(r *running) bool {
	if r.group == nil {
		return true
	}
	pids, err := r.group.pids()
	if err != nil {
		s.say(r.name, fmt.Sprintf("its processes can't be listed: %v", err))
		return false
	}
	return len(pids) == 0
}

// exited tells the machine of a process's end.
func (s *Supervisor) exited(p *process, exit supervise.Exit) {
	r := p.unit
	delete(s.procs, p.id)
	r.adopted = slices.DeleteFunc(r.adopted, func(q *process) bool { return q == p })
	// One that is tracked counts, though it may not have entered the group yet.
	empty := !s.tracked(r) && s.empty(r)
	s.step(supervise.Exited{Proc: p.id, Exit: exit, Empty: empty})
	if empty && !s.tracked(r) && s.empty(r) {
		r.dropGroup()
		s.save(r)
	} else {
		s.watchGroups()
	}
}
