package supervise

import "drydock/node/unit"

// stopService takes a service down, from whatever state it is in.
func (m *Machine) stopService(e *entry) {
	switch e.sub {
	case SubAutoRestart:
		m.set(e, SubDead)
	case SubStartPre, SubStart, SubStartPost, SubReload:
		m.signal(e, SubStopSigterm, Success)
	case SubRunning, SubExited:
		m.stopCommands(e, Success)
	}
}

// stopCommands runs ExecStop, or goes on without.
func (m *Machine) stopCommands(e *entry, f Result) {
	m.fail(e, f)
	e.patience = never
	if s := e.def.Service; !m.control(e, SubStop, s.Stop, s.TimeoutStop) {
		m.signal(e, SubStopSigterm, Success)
	}
}

// signal enters one of the states in which processes are told to end, and goes
// on to the next if there is nobody to tell.
func (m *Machine) signal(e *entry, sub Sub, f Result) {
	m.fail(e, f)
	e.patience, e.pending = never, nil
	s := e.def.Service
	if m.kill(e, sub) {
		m.set(e, sub)
		m.arm(e, s.TimeoutStop)
		return
	}
	switch sub {
	case SubStopSigterm, SubStopWatchdog:
		if s.SendSIGKILL {
			m.signal(e, SubStopSigkill, Success)
		} else {
			m.stopPost(e, Success)
		}
	case SubStopSigkill:
		m.stopPost(e, Success)
	case SubFinalSigterm:
		if s.SendSIGKILL {
			m.signal(e, SubFinalSigkill, Success)
		} else {
			m.die(e, Success)
		}
	default:
		m.die(e, Success)
	}
}

// kill sends what a state sends, and says whether anybody's end must be awaited.
func (m *Machine) kill(e *entry, sub Sub) bool {
	s := e.def.Service
	sig, final := s.KillSignal, false
	switch sub {
	case SubStopWatchdog:
		sig = SIGABRT
	case SubStopSigkill, SubFinalSigkill:
		sig, final = SIGKILL, true
	}
	if s.KillMode == unit.KillNone && !e.halted {
		return false
	}
	if e.whole(final) {
		if e.alive() {
			m.send(e, 0, sig, final)
		}
		return e.alive()
	}
	for _, id := range []ProcID{e.main, e.control} {
		if id != 0 {
			m.send(e, id, sig, final)
		}
	}
	return e.main != 0 || e.control != 0
}

// whole says whether a kill reaches all processes of the unit.
func (e *entry) whole(final bool) bool {
	mode := e.def.Service.KillMode
	return e.halted || mode == unit.KillControlGroup || mode == unit.KillMixed && final
}

func (m *Machine) send(e *entry, id ProcID, sig unit.Signal, final bool) {
	m.do(SendSignal{Unit: e.def.Name, Proc: id, Signal: sig})
	if e.def.Service.SendSIGHUP && !final {
		m.do(SendSignal{Unit: e.def.Name, Proc: id, Signal: SIGHUP})
	}
}

// stopPost runs ExecStopPost, or goes on without.
func (m *Machine) stopPost(e *entry, f Result) {
	m.fail(e, f)
	if s := e.def.Service; !m.control(e, SubStopPost, s.StopPost, s.TimeoutStop) {
		m.signal(e, SubFinalSigterm, Success)
	}
}

// mayDie ends the unit if nobody is left whose end must be awaited.
func (m *Machine) mayDie(e *entry) {
	if e.main != 0 || e.control != 0 {
		return
	}
	if !e.populated || !e.whole(true) {
		m.die(e, Success)
		return
	}
	if e.sub == SubFinalSigterm && !e.whole(false) {
		m.signal(e, SubFinalSigkill, Success) // mixed: the main process has gone, the others go now
	}
}

// die ends a life of a service, and sees to the next.
func (m *Machine) die(e *entry, f Result) {
	m.fail(e, f)
	for _, id := range []ProcID{e.main, e.control, e.adopting} {
		delete(m.procs, id) // left alone by KillMode or SendSIGKILL, or never found
	}
	e.main, e.control, e.adopting = 0, 0, 0
	e.patience, e.pending, e.loose, e.stuck = never, nil, false, false
	again := m.revives(e)
	if e.result == Success {
		m.set(e, SubDead)
	} else {
		m.set(e, SubFailed)
	}
	if again {
		// Its end was told to others; now the pause.
		m.set(e, SubAutoRestart)
		e.deadline = m.after(e.def.Service.RestartWait)
	}
}

// revives says whether a service that has ended is started again.
func (m *Machine) revives(e *entry) bool {
	s := e.def.Service
	if e.stopping || e.gone {
		return false
	}
	if e.exit != nil {
		switch {
		case has(s.RestartPrevent, *e.exit):
			return false
		case has(s.RestartForce, *e.exit):
			return true
		}
	}
	switch s.Restart {
	case unit.RestartAlways:
		return true
	case unit.RestartOnSuccess:
		return e.result == Success
	case unit.RestartOnFailure:
		return e.result != Success
	case unit.RestartOnAbnormal:
		return e.result != Success && e.result != FailExitCode
	case unit.RestartOnAbort:
		return e.result == FailSignal || e.result == FailCoreDump
	case unit.RestartOnWatchdog:
		return e.result == FailWatchdog
	}
	return false
}

// emptied hears that the unit has no process left.
func (m *Machine) emptied(name string) {
	e, ok := m.units[name]
	if !ok || e.def.Service == nil || e.main != 0 || e.control != 0 {
		return
	}
	e.populated = false
	switch e.sub {
	case SubRunning:
		m.settled(e, Success) // a daemon whose main process nobody knew
	case SubStopWatchdog, SubStopSigterm, SubStopSigkill:
		m.stopPost(e, Success)
	case SubFinalSigterm, SubFinalSigkill:
		m.mayDie(e)
	}
}

// serviceDue ends a state that has lasted too long.
func (m *Machine) serviceDue(e *entry) {
	s := e.def.Service
	switch e.sub {
	case SubStartPre, SubStart, SubStartPost:
		m.log(e, "The start timed out.")
		m.signal(e, SubStopSigterm, FailTimeout)
	case SubRunning:
		m.log(e, "The service has run for as long as it may.")
		m.stopCommands(e, FailTimeout)
	case SubReload:
		m.log(e, "The reload timed out.")
		m.send(e, e.control, SIGKILL, true)
		e.reloaded, e.pending = FailTimeout, nil
	case SubStop:
		m.log(e, "ExecStop timed out.")
		m.signal(e, SubStopSigterm, FailTimeout)
	case SubStopWatchdog, SubStopSigterm:
		m.log(e, "The stop timed out.")
		if s.SendSIGKILL {
			m.signal(e, SubStopSigkill, FailTimeout)
		} else {
			m.stopPost(e, FailTimeout)
		}
	case SubStopSigkill:
		m.log(e, "Processes are still around after SIGKILL.")
		m.stopPost(e, FailTimeout)
	case SubStopPost:
		m.log(e, "ExecStopPost timed out.")
		m.signal(e, SubFinalSigterm, FailTimeout)
	case SubFinalSigterm:
		if s.SendSIGKILL {
			m.signal(e, SubFinalSigkill, FailTimeout)
		} else {
			m.die(e, FailTimeout)
		}
	case SubFinalSigkill:
		// Whoever hears that the unit is down may start it elsewhere: it isn't,
		// for as long as something is left.
		if !e.stuck {
			m.log(e, "Processes are still around after SIGKILL. The unit is not down until they are gone.")
		}
		e.stuck = true
		m.signal(e, SubFinalSigkill, FailTimeout)
	case SubAutoRestart:
		m.revive(e)
	}
}

// revive asks for the restart of a service as anybody would.
func (m *Machine) revive(e *entry) {
	if e.job != nil && e.job.kind.stops() {
		return // it waits for its turn, and comes before any start
	}
	e.restartDue = true
	m.request(jobStart, e.def.Name, 0)
	if e.job == nil {
		e.restartDue = false
		m.log(e, "The service can't be restarted: something that it requires can't be.")
		m.fail(e, FailResources)
		m.set(e, SubFailed)
	}
}

// bite ends a service that has been silent for too long.
func (m *Machine) bite(e *entry) {
	if e.sub == SubRunning || e.sub == SubReload || e.sub == SubStartPost {
		m.log(e, "The watchdog has heard nothing for too long.")
		m.signal(e, SubStopWatchdog, FailWatchdog)
	}
}

// resume takes over a service that an earlier life of the supervisor has started.
func (m *Machine) resume(name string, main ProcID) {
	e, ok := m.units[name]
	if !ok || e.def.Service == nil || !e.sub.ended() || e.alive() {
		return
	}
	e.result, e.exit, e.stopping, e.halted = Success, nil, false, false
	e.populated, e.loose, e.overdue = true, main == 0, never
	if main != 0 {
		m.procs[main] = e
		e.main = main
	}
	m.set(e, SubRunning)
	if w := e.def.Service.Watchdog; w > 0 {
		e.patience = m.after(w)
	}
}
