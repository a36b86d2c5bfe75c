package supervise

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"drydock/node/unit"
)

// startService begins a life of a service.
func (m *Machine) startService(e *entry) {
	if !m.control(e, SubStartPre, e.def.Service.Pre, e.def.Service.TimeoutStart) {
		m.launch(e)
	}
}

// control runs the first of a list of commands in a state, and says whether
// there is one.
func (m *Machine) control(e *entry, sub Sub, list []unit.Command, timeout time.Duration) bool {
	if len(list) == 0 {
		return false
	}
	m.set(e, sub)
	e.pending = list[1:]
	m.spawn(e, RoleControl, list[0])
	m.arm(e, timeout)
	return true
}

// launch runs the service itself.
func (m *Machine) launch(e *entry) {
	s := e.def.Service
	if len(s.Start) == 0 {
		m.startPost(e)
		return
	}
	switch s.Type {
	case unit.Simple:
		m.spawn(e, RoleMain, s.Start[0])
		m.startPost(e)
	case unit.Forking:
		m.set(e, SubStart)
		e.pending = nil
		m.spawn(e, RoleControl, s.Start[0])
		m.arm(e, s.TimeoutStart)
	default:
		m.set(e, SubStart)
		e.pending = s.Start[1:]
		m.spawn(e, RoleMain, s.Start[0])
		m.arm(e, s.TimeoutStart)
	}
}

// spawn has a process run.
func (m *Machine) spawn(e *entry, role Role, cmd unit.Command) {
	s := e.def.Service
	m.lastProc++
	id := m.lastProc
	m.procs[id] = e
	e.populated = true
	a := Spawn{
		Unit: e.def.Name, Proc: id, Role: role, Command: cmd, Context: &s.Context, Main: e.main,
		Notify: s.NotifyAccess == unit.AccessAll || s.NotifyAccess == unit.AccessExec || role == RoleMain && s.NotifyAccess == unit.AccessMain,
	}
	if role == RoleMain {
		e.main, e.mainCmd = id, cmd
		a.Main, a.Watchdog = id, s.Watchdog
	} else {
		e.control, e.controlCmd = id, cmd
	}
	if role == RoleMain || s.Type == unit.Forking && e.sub == SubStart {
		a.Sockets = m.openSockets(e)
	}
	if e.sub == SubStop || e.sub == SubStopPost {
		a.Env = e.obituary()
	}
	m.touch(e)
	m.do(a)
}

// obituary holds the variables that tell the commands of a stop what happened.
func (e *entry) obituary() []string {
	env := []string{"SERVICE_RESULT=" + string(e.result)}
	if e.exit == nil || e.exit.Unknown {
		return env
	}
	code, status := "exited", fmt.Sprint(e.exit.Code)
	if e.exit.Signal != "" {
		code, status = "killed", strings.TrimPrefix(string(e.exit.Signal), "SIG")
	}
	if e.exit.Core {
		code = "dumped"
	}
	return append(env, "EXIT_CODE="+code, "EXIT_STATUS="+status)
}

// startPost runs the commands that follow the start.
func (m *Machine) startPost(e *entry) {
	if s := e.def.Service; !m.control(e, SubStartPost, s.Post, s.TimeoutStart) {
		m.settled(e, Success)
	}
}

// settled decides what a service is that has started, or lost its process.
func (m *Machine) settled(e *entry, f Result) {
	s := e.def.Service
	m.fail(e, f)
	switch {
	case e.result != Success:
		m.signal(e, SubStopSigterm, Success)
	case e.main != 0 || e.loose && e.populated:
		m.set(e, SubRunning)
		if e.overdue == never {
			e.overdue = m.after(s.RuntimeMax)
		}
		e.deadline = e.overdue
		if s.Watchdog > 0 && e.patience == never {
			e.patience = m.after(s.Watchdog)
		}
	case s.RemainAfterExit:
		m.set(e, SubExited)
	default:
		m.stopCommands(e, Success)
	}
}

// spawned hears that a process runs its program.
func (m *Machine) spawned(id ProcID) {
	if e := m.procs[id]; e != nil && id == e.main && e.sub == SubStart && e.def.Service.Type == unit.Exec {
		m.startPost(e)
	}
}

// exited hears that a process has ended.
func (m *Machine) exited(ev Exited) {
	e, exit := m.procs[ev.Proc], ev.Exit
	delete(m.procs, ev.Proc)
	if e == nil {
		return
	}
	if exit.Why != "" {
		m.log(e, exit.Why)
	}
	e.populated = e.populated && !ev.Empty
	switch ev.Proc {
	case e.main:
		e.main = 0
		e.exit = &exit
		m.touch(e)
		m.mainExited(e, e.verdict(exit, e.mainCmd, e.def.Service.Type != unit.Oneshot))
	case e.control:
		e.control = 0
		m.controlExited(e, e.verdict(exit, e.controlCmd, false))
	default: // one that outlived SIGKILL for long enough to be given up
		if ev.Empty {
			m.emptied(e.def.Name)
		}
	}
}

// verdict says what an end is worth.
func (e *entry) verdict(exit Exit, cmd unit.Command, daemon bool) Result {
	s := e.def.Service
	asked := []unit.Signal{SIGHUP, SIGINT, SIGTERM, SIGPIPE}
	switch {
	case exit.Unknown, cmd.IgnoreFailure, has(s.Success, exit), e.halted:
		return Success
	case exit.Signal == "" && exit.Code == 0:
		return Success
	case exit.Signal == "" && exit.Code < 0:
		return FailResources
	case exit.Signal == "":
		return FailExitCode
	case exit.Core:
		return FailCoreDump
	case daemon && slices.Contains(asked, exit.Signal):
		return Success
	}
	return FailSignal
}

// has says whether an end is in a set.
func has(s unit.ExitSet, exit Exit) bool {
	if exit.Signal != "" {
		return slices.Contains(s.Signals, exit.Signal)
	}
	return !exit.Unknown && slices.Contains(s.Codes, exit.Code)
}

// String tells of an end as people do.
func (x Exit) String() string {
	switch {
	case x.Unknown:
		return "ended, nobody saw how"
	case x.Signal != "" && x.Core:
		return "dumped core by " + string(x.Signal)
	case x.Signal != "":
		return "killed by " + string(x.Signal)
	}
	return fmt.Sprintf("exit code %d", x.Code)
}

// mainExited goes on after the end of the main process.
func (m *Machine) mainExited(e *entry, f Result) {
	s := e.def.Service
	switch e.sub {
	case SubStart:
		switch {
		case s.Type == unit.Oneshot && f == Success && len(e.pending) > 0:
			next := e.pending[0]
			e.pending = e.pending[1:]
			m.spawn(e, RoleMain, next)
			m.arm(e, s.TimeoutStart)
		case s.Type == unit.Oneshot && f == Success:
			m.startPost(e)
		case f == Success:
			// It was to say that it is ready, and left.
			m.signal(e, SubStopSigterm, FailProtocol)
		default:
			m.signal(e, SubStopSigterm, f)
		}
	case SubRunning:
		m.settled(e, f)
	case SubReload:
		m.fail(e, f)
		if e.control == 0 {
			m.settled(e, Success) // it was reloading by its own account
		}
	case SubStopWatchdog, SubStopSigterm, SubStopSigkill:
		m.fail(e, f)
		if e.control == 0 {
			m.stopPost(e, Success)
		}
	case SubFinalSigterm, SubFinalSigkill:
		m.fail(e, f)
		m.mayDie(e)
	default:
		m.fail(e, f) // the command that runs decides, when it ends
	}
}

// controlExited goes on after the end of a command.
func (m *Machine) controlExited(e *entry, f Result) {
	if f == Success && len(e.pending) > 0 {
		switch e.sub {
		case SubStartPre, SubStartPost, SubReload, SubStop, SubStopPost:
			next := e.pending[0]
			e.pending = e.pending[1:]
			m.spawn(e, RoleControl, next)
			m.arm(e, e.patienceWith())
			return
		}
	}
	e.pending = nil
	switch e.sub {
	case SubStartPre, SubStart, SubStartPost:
		switch {
		case f != Success:
			m.signal(e, SubStopSigterm, f)
		case e.sub == SubStartPre:
			m.launch(e)
		case e.sub == SubStart:
			m.adopt(e)
		default:
			m.settled(e, Success)
		}
	case SubReload:
		e.reloaded = worse(e.reloaded, f)
		m.settled(e, Success)
	case SubStop:
		m.signal(e, SubStopSigterm, f)
	case SubStopPost:
		m.signal(e, SubFinalSigterm, f)
	case SubStopWatchdog, SubStopSigterm, SubStopSigkill:
		if e.main == 0 {
			m.stopPost(e, Success)
		}
	case SubFinalSigterm, SubFinalSigkill:
		m.mayDie(e)
	}
}

// worse keeps the first of two results that is a failure.
func worse(a, b Result) Result {
	if a != Success {
		return a
	}
	return b
}

// patienceWith is how long a command of the present state may take.
func (e *entry) patienceWith() time.Duration {
	if e.sub == SubStop || e.sub == SubStopPost {
		return e.def.Service.TimeoutStop
	}
	return e.def.Service.TimeoutStart
}

// adopt looks for the daemon that a forking service has left.
func (m *Machine) adopt(e *entry) {
	e.adopting = m.Reserve()
	m.procs[e.adopting] = e
	m.do(Adopt{Unit: e.def.Name, Proc: e.adopting, PIDFile: e.def.Service.PIDFile})
}

// adopted hears whether it was found.
func (m *Machine) adopted(id ProcID, problem string) {
	e := m.procs[id]
	if e == nil || e.adopting != id {
		return
	}
	e.adopting = 0
	switch {
	case problem == "":
		e.main, e.mainCmd = id, unit.Command{}
	case e.def.Service.PIDFile != "":
		delete(m.procs, id)
		m.log(e, problem)
	default:
		delete(m.procs, id)
		e.loose = true // the service lives as long as any of its processes
	}
	if e.sub != SubStart {
		return
	}
	if e.main == 0 && (e.def.Service.PIDFile != "" || !e.populated) {
		m.signal(e, SubStopSigterm, FailProtocol)
		return
	}
	m.startPost(e)
}

// notified hears what a service says of itself.
func (m *Machine) notified(n Notified) {
	e, ok := m.units[n.Unit]
	if !ok || e.def.Service == nil || !e.hears(n.From) {
		return
	}
	if n.Status != "" {
		e.text = n.Status
		m.touch(e)
	}
	if n.Alive && e.patience != never {
		e.patience = m.after(e.def.Service.Watchdog)
	}
	if n.Extend > 0 && e.deadline != never && e.sub != SubRunning {
		e.deadline = max(e.deadline, m.after(n.Extend))
	}
	switch {
	case n.Ready && e.sub == SubStart && e.def.Service.Type == unit.Notify:
		m.startPost(e)
	case n.Ready && e.sub == SubReload && e.control == 0:
		m.settled(e, Success)
	case n.Reloading && e.sub == SubRunning:
		m.set(e, SubReload)
	case n.Stopping && e.sub == SubRunning:
		e.patience = never
		m.set(e, SubStopSigterm) // it knows already, nobody needs to tell it
		m.arm(e, e.def.Service.TimeoutStop)
	}
}

// hears says whether a sender may speak for the unit.
func (e *entry) hears(from Sender) bool {
	switch e.def.Service.NotifyAccess {
	case unit.AccessAll:
		return true
	case unit.AccessExec:
		return from == FromMain || from == FromControl
	case unit.AccessMain:
		return from == FromMain
	}
	return false
}
