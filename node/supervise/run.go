package supervise

import "fmt"

// run does what a job wants done next, and says whether anything came of it.
func (m *Machine) run(e *entry) bool {
	switch e.job.kind {
	case jobStart:
		return m.runStart(e)
	case jobReload:
		return m.runReload(e)
	}
	return m.runStop(e)
}

func (m *Machine) runStart(e *entry) bool {
	switch {
	case e.job.running:
		return false
	case e.sub.up():
		m.finish(e, JobDone, "")
		return true
	case e.sub == SubAutoRestart && e.restartDue:
	case e.sub == SubAutoRestart, e.sub.Active() == ActiveDeactivating:
		return false // it waits for the restart that is coming, or for the end
	case !e.sub.ended():
		e.job.running = true
		return true
	}
	for _, name := range e.def.BindsTo {
		if other, ok := m.units[name]; ok && other.sub.ended() && other.job == nil && contains(e.links.earlier, name) {
			m.finish(e, JobDependency, fmt.Sprintf("%s, which it is bound to, is not active", name))
			return true
		}
	}
	e.job.running = true
	if e.restartDue {
		e.restarts++
	} else {
		e.restarts = 0
	}
	e.restartDue = false
	if !m.mayStart(e) {
		e.result = FailStarts
		m.log(e, "Start request repeated too quickly.")
		m.set(e, SubStart) // so that it is seen to fail even if it had failed before
		m.set(e, SubFailed)
		return true
	}
	m.start(e)
	return true
}

func contains(sorted []string, name string) bool {
	for _, s := range sorted {
		if s == name {
			return true
		}
	}
	return false
}

func (m *Machine) runStop(e *entry) bool {
	switch {
	case e.job.running:
		return false
	case e.sub.ended():
		if e.job.kind == jobRestart {
			e.job.kind = jobStart
			m.touch(e)
		} else {
			m.finish(e, JobDone, "")
			m.mayForget(e)
		}
		return true
	}
	e.job.running = true
	m.stop(e)
	return true
}

func (m *Machine) runReload(e *entry) bool {
	switch {
	case e.job.running || e.sub == SubReload:
		return false
	case e.sub.Active() == ActiveActivating:
		return false
	case e.sub != SubRunning && e.sub != SubExited:
		m.finish(e, JobFailed, fmt.Sprintf("unit %s is not active, it can't be reloaded", e.def.Name))
		return true
	case e.def.Service == nil || len(e.def.Service.Reload) == 0:
		m.finish(e, JobFailed, fmt.Sprintf("unit %s has no ExecReload=", e.def.Name))
		return true
	}
	e.job.running = true
	e.reloaded = Success
	m.control(e, SubReload, e.def.Service.Reload, e.def.Service.TimeoutStart)
	return true
}

// start brings a unit up that is down.
func (m *Machine) start(e *entry) {
	e.result, e.exit, e.text = Success, nil, ""
	e.stopping, e.halted, e.overdue = false, false, never
	m.touch(e)
	switch {
	case e.def.Service != nil:
		m.startService(e)
	case e.def.Timer != nil:
		m.startTimer(e)
	case e.def.Socket != nil:
		m.startSocket(e)
	default:
		m.set(e, SubActive)
	}
}

// stop takes a unit down that is up, or on its way.
func (m *Machine) stop(e *entry) {
	e.stopping, e.restartDue = true, false
	switch {
	case e.def.Service != nil:
		m.stopService(e)
	case e.def.Timer != nil:
		e.timer.next = never
		m.set(e, SubDead)
	case e.def.Socket != nil:
		m.do(Unlisten{Unit: e.def.Name})
		m.set(e, SubDead)
	default:
		m.set(e, SubDead)
	}
}

// halt kills a unit.
func (m *Machine) halt(name string) {
	e, ok := m.units[name]
	if !ok {
		return
	}
	if e.job != nil && e.job.kind != jobStop {
		m.finish(e, JobCanceled, "the unit was killed")
		m.disappoint(e)
	}
	e.stopping, e.halted, e.restartDue = true, true, false
	switch {
	case e.sub == SubAutoRestart:
		m.set(e, SubDead)
	case e.def.Service != nil && !e.sub.ended():
		m.signal(e, SubFinalSigkill, Success)
	case e.def.Service != nil && e.populated:
		// Processes that its KillMode has left behind.
		m.do(SendSignal{Unit: name, Signal: SIGKILL})
	case !e.sub.ended():
		m.stop(e)
	}
}

// notice lets a change of a unit's state have its consequences for others.
func (m *Machine) notice(n note) {
	e := n.e
	m.progress(e, n)
	down := n.to.ended() && !n.from.ended()
	if down {
		for _, name := range e.links.bound {
			if other := m.units[name]; !other.idle() {
				m.request(jobStop, name, 0)
			}
		}
	}
	if n.to == SubFailed && e.sub == SubFailed {
		for _, name := range e.def.OnFailure {
			if _, ok := m.units[name]; ok {
				m.request(jobStart, name, 0)
			}
		}
	}
	if e.def.Service != nil {
		for _, name := range e.links.triggers {
			m.triggered(m.units[name], e, n)
		}
	}
	m.mayForget(e)
}

// progress ends a job that has got what it wanted, or won't.
func (m *Machine) progress(e *entry, n note) {
	j := e.job
	if j == nil || !j.running {
		return
	}
	switch j.kind {
	case jobStart:
		switch {
		case n.to.up(), n.to == SubDead && e.result == Success:
			m.finish(e, JobDone, "")
		case n.to.ended():
			m.finish(e, JobFailed, m.whyFailed(e))
		}
	case jobStop:
		if n.to.ended() {
			m.finish(e, JobDone, "")
		}
	case jobRestart:
		if n.to.ended() {
			j.kind, j.running = jobStart, false
			m.touch(e)
		}
	case jobReload:
		switch {
		case n.from != SubReload:
		case e.reloaded == Success && n.to.up():
			m.finish(e, JobDone, "")
		default:
			m.finish(e, JobFailed, fmt.Sprintf("the reload of %s failed: %s", e.def.Name, e.reloaded))
		}
	}
}

// whyFailed says in words why a unit has failed.
func (m *Machine) whyFailed(e *entry) string {
	why := fmt.Sprintf("unit %s failed: %s", e.def.Name, e.result)
	switch {
	case e.result == FailStarts:
		return fmt.Sprintf("%s (started %d times within %v)", why, e.def.StartLimitBurst, e.def.StartLimitInterval)
	case e.exit != nil && e.exit.Why != "":
		return why + ": " + e.exit.Why
	case e.exit != nil:
		return fmt.Sprintf("%s (%s)", why, e.exit)
	}
	return why
}

// mayForget forgets a unit whose time has come.
func (m *Machine) mayForget(e *entry) {
	if e.gone && e.sub.ended() && e.job == nil && m.units[e.def.Name] == e {
		m.forget(e)
	}
}
