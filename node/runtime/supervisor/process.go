package supervisor

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"drydock/node/supervise"
	"drydock/node/unit"
)

// process is one that the machine knows by a number.
type process struct {
	id   supervise.ProcID
	unit *running
	role supervise.Role
	// pid is zero until it runs, and when it has ended.
	pid     int
	started uint64
	// cmd is nil for an adopted one.
	cmd *exec.Cmd
	// becoming says that it doesn't run its program yet, and may not be in the
	// unit's group.
	becoming bool
}

// signal signals a process, unless another one has its number by now.
func (p *process) signal(sig syscall.Signal) error {
	if p.cmd != nil {
		err := p.cmd.Process.Signal(sig)
		if errors.Is(err, os.ErrProcessDone) {
			return nil
		}
		return err
	}
	if !p.runs() {
		return nil
	}
	return syscall.Kill(p.pid, sig)
}

// runs says whether an adopted process still does.
func (p *process) runs() bool {
	started, ok := startOf(p.pid)
	return ok && started == p.started
}

// reap returns how an adopted process ended, which only its parent may know.
func (p *process) reap() supervise.Exit {
	var status syscall.WaitStatus
	if pid, err := syscall.Wait4(p.pid, &status, syscall.WNOHANG, nil); err == nil && pid == p.pid {
		return exitOf(status)
	}
	return supervise.Exit{Unknown: true}
}

func exitOf(status syscall.WaitStatus) supervise.Exit {
	if status.Signaled() {
		return supervise.Exit{Signal: nameOf(status.Signal()), Core: status.CoreDump()}
	}
	return supervise.Exit{Code: status.ExitStatus()}
}

// nameOf is the inverse of number.
func nameOf(sig syscall.Signal) unit.Signal {
	for _, name := range []unit.Signal{
		"SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV",
		"SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGSYS", "SIGSTKFLT",
	} {
		if number(name) == sig {
			return name
		}
	}
	return unit.Signal(fmt.Sprintf("SIG%d", int(sig)))
}

// spawn runs a process. Whatever goes wrong is its end.
func (s *Supervisor) spawn(a supervise.Spawn) {
	r := s.units[a.Unit]
	p := &process{id: a.Proc, unit: r, role: a.Role}
	s.procs[a.Proc] = p
	if a.Role == supervise.RoleMain {
		r.mainID = a.Proc
	}
	if err := s.run(p, a); err != nil {
		code := -1
		if step, ok := errors.AsType[*stepError](err); ok {
			code = step.code
		}
		// As an input of its own: the machine is in the middle of a step.
		s.inbox.post(func() { s.exited(p, supervise.Exit{Code: code, Why: err.Error()}) })
	}
}

// run prepares a process and starts it.
func (s *Supervisor) run(p *process, a supervise.Spawn) error {
	r, c := p.unit, a.Context
	if a.Command.Privileged {
		plain := *c
		plain.User, plain.Group, plain.SupplementaryGroups = "", "", nil
		c = &plain
	}
	if err := s.openGroup(r, a.Context); err != nil {
		return &stepError{supervise.ExitCgroup, err}
	}
	who, err := resolve(c)
	if err != nil {
		return &stepError{supervise.ExitUser, err}
	}
	main := 0
	if m := s.procs[a.Main]; m != nil {
		main = m.pid
	}
	env, err := compose(a, c, who, r.invocation, main)
	if err != nil {
		return err
	}
	if a.Notify {
		if err := s.openNotify(r, who); err != nil {
			return err
		}
		env.set("NOTIFY_SOCKET", r.notify.path)
	}
	files, names, err := s.handOver(a.Sockets)
	if err != nil {
		return &stepError{supervise.ExitFDs, err}
	}
	defer closeAll(files)
	what := spec{
		Path: a.Command.Path, Args: a.Command.Argv(env.lookup), Environment: env.list(),
		Groups: r.group.enter(), UID: who.uid, GID: who.gid, Supplementary: who.groups,
		UMask: c.UMask, Nice: c.Nice, OOMScore: c.OOMScoreAdjust, Limits: c.Limits,
		Sockets: len(files), SocketNames: names, Watchdog: a.Watchdog > 0, Parent: os.Getpid(),
	}
	if s.opt.Lease != nil {
		what.Lease = s.opt.Lease(a.Unit)
	}
	what.Directory, what.DirectoryOptional = strings.CutPrefix(c.WorkingDirectory, "-")
	switch what.Directory {
	case "":
		what.Directory = "/"
	case "~":
		what.Directory = who.home
	}
	return s.exec(p, a, what, files)
}

// exec starts the program that becomes the process.
func (s *Supervisor) exec(p *process, a supervise.Spawn, what spec, sockets []*os.File) error {
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	specIn, specOut, err := os.Pipe()
	if err != nil {
		return err
	}
	verdictIn, verdictOut, err := os.Pipe()
	if err != nil {
		closeAll([]*os.File{specIn, specOut})
		return err
	}
	cmd := &exec.Cmd{
		Path: s.opt.Program, Args: []string{becomeName, a.Unit}, Env: []string{"GOMAXPROCS=1"}, Dir: "/",
		ExtraFiles:  append([]*os.File{specIn, verdictOut}, sockets...),
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	files, err := s.streams(p.unit, cmd, a)
	if err == nil {
		err = cmd.Start()
	}
	closeAll(append(files, specIn, verdictOut))
	if err != nil {
		closeAll([]*os.File{specOut, verdictIn})
		return err
	}
	p.cmd, p.pid, p.becoming = cmd, cmd.Process.Pid, true
	p.started, _ = startOf(p.pid)
	p.unit.group.joined(p.pid)
	// Nobody but the supervisor would find what has no record, and it may end or hang.
	refusal := s.keep(p.unit)
	go s.attend(p, text, refusal, specOut, verdictIn)
	return nil
}

// attend follows a process from its start to its end, which comes at once if it is
// refused.
func (s *Supervisor) attend(p *process, what []byte, refusal error, specOut, verdictIn *os.File) {
	err := refusal
	if err == nil {
		_, err = specOut.Write(what)
	}
	closeAll([]*os.File{specOut})
	text, readErr := io.ReadAll(verdictIn)
	closeAll([]*os.File{verdictIn})
	var fail failure
	switch {
	case len(text) > 0:
		if bad := json.Unmarshal(text, &fail); bad != nil {
			fail.Why = fmt.Sprintf("what became of its start can't be read: %v", bad)
		}
	case err == nil && readErr == nil:
		s.inbox.post(func() {
			p.becoming = false
			s.step(supervise.Spawned{Proc: p.id})
		})
	}
	_ = p.cmd.Wait() // the state says it all
	exit := supervise.Exit{Unknown: true}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok {
		exit = exitOf(status)
	}
	switch {
	case refusal != nil:
		exit = supervise.Exit{Code: -1, Why: "not run, since it could not be found again: " + refusal.Error()}
	case fail.Why != "":
		exit = supervise.Exit{Code: fail.Code, Why: fail.Why}
	}
	s.inbox.post(func() {
		p.pid, p.becoming = 0, false
		s.exited(p, exit)
	})
}

// openGroup makes sure that a unit has a group for its processes.
func (s *Supervisor) openGroup(r *running, c *unit.Context) error {
	if r.group != nil {
		return nil
	}
	var id [16]byte
	_, _ = rand.Read(id[:])
	r.invocation = hex.EncodeToString(id[:])
	if len(s.parents) == 0 {
		if c.MemoryMax > 0 || c.TasksMax > 0 || c.CPUQuota > 0 {
			r.journal.add(sourceSelf, "MemoryMax, TasksMax and CPUQuota are not enforced: this machine has no control groups for it.")
		}
		r.group = &processGroup{mark: r.invocation}
		return nil
	}
	g, err := newControlGroup(s.parents, r.name, c)
	if err != nil {
		return err
	}
	r.group = g
	return nil
}

// dropGroup forgets the group of a unit that has no process left.
func (r *running) dropGroup() {
	if r.group != nil {
		if err := r.group.remove(); err != nil {
			r.journal.add(sourceSelf, fmt.Sprintf("its control group stays: %v", err))
		}
	}
	r.group, r.seeking = nil, nil
	if r.output != nil {
		r.output.finish()
		r.output = nil
	}
	if r.notify != nil {
		r.notify.close()
		r.notify = nil
	}
}

// closeFiles closes what only this life of the supervisor can use.
func (r *running) closeFiles() {
	if r.output != nil {
		r.output.finish()
		r.output.abandon()
		r.output = nil
	}
	if r.notify != nil {
		r.notify.close()
		r.notify = nil
	}
	if r.listeners != nil {
		r.listeners.close()
		r.listeners = nil
	}
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// adopt looks for the daemon that a unit's command has left, again and again: it
// may be about to write its PIDFile. The machine's time limit ends that.
func (s *Supervisor) adopt(a supervise.Adopt) {
	r := s.units[a.Unit]
	r.seeking = &a
	s.watchGroups()
}

// seek looks for the daemon once, and says whether that is settled.
func (s *Supervisor) seek(r *running) bool {
	a := *r.seeking
	pid, err := s.findDaemon(r, a.PIDFile)
	switch {
	case err != nil && a.PIDFile != "" && !s.empty(r):
		return false
	case err != nil:
		r.seeking = nil
		s.step(supervise.Adopted{Proc: a.Proc, Err: err.Error()})
		return true
	}
	r.seeking = nil
	s.follow(&process{id: a.Proc, unit: r, role: supervise.RoleMain}, pid)
	s.step(supervise.Adopted{Proc: a.Proc})
	s.save(r)
	return true
}

// follow makes an adopted process known, whose end is seen by looking.
func (s *Supervisor) follow(p *process, pid int) {
	p.pid = pid
	p.started, _ = startOf(pid)
	s.procs[p.id] = p
	p.unit.adopted = append(p.unit.adopted, p)
	s.watchGroups()
}

func (s *Supervisor) findDaemon(r *running, pidFile string) (int, error) {
	if r.group == nil {
		return 0, errors.New("it has left no process")
	}
	pids, err := r.group.pids()
	if err != nil {
		return 0, err
	}
	if pidFile == "" {
		if len(pids) != 1 {
			return 0, fmt.Errorf("it has left %d processes, and no PIDFile= says which is the main one", len(pids))
		}
		return pids[0], nil
	}
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return 0, fmt.Errorf("PIDFile: %w", err)
	}
	pid := 0
	if _, err := fmt.Sscan(string(text), &pid); err != nil || !slices.Contains(pids, pid) {
		return 0, fmt.Errorf("PIDFile=%s names no process of the unit", pidFile)
	}
	return pid, nil
}
