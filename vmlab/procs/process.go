package procs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// process is a program that can be started again and again.
type process struct {
	path string
	args []string
	dir  string
	// log is the file that everything it prints is appended to.
	log string

	mu     sync.Mutex
	cmd    *exec.Cmd // nil while it does not run
	exited chan struct{}
	paused bool
}

// errNotRunning is what a signal to nobody gives.
var errNotRunning = errors.New("procs: the process does not run")

// starter starts processes from one thread that lives as long as they should: on
// Linux a child is told of the death of the thread that made it, not of the
// process.
type starter struct {
	work chan func()
}

func newStarter() *starter {
	s := &starter{work: make(chan func())}
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this
		for fn := range s.work {
			fn()
		}
	}()
	return s
}

// do runs fn on the starter's thread.
func (s *starter) do(fn func() error) error {
	done := make(chan error)
	s.work <- func() { done <- fn() }
	return <-done
}

func (s *starter) close() { close(s.work) }

// start runs the program. It does nothing if it runs already.
func (p *process) start(s *starter) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return nil
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := exec.Command(p.path, p.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = p.dir, log, log, ownGroup()
	if err := s.do(cmd.Start); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", p.path, err), log.Close())
	}
	exited := make(chan struct{})
	p.cmd, p.exited, p.paused = cmd, exited, false
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		_ = log.Close()
		p.mu.Lock()
		p.cmd, p.paused = nil, false
		p.mu.Unlock()
		close(exited)
	}()
	return nil
}

// signal sends a signal to the program.
func (p *process) signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return errNotRunning
	}
	err := p.cmd.Process.Signal(sig)
	if errors.Is(err, os.ErrProcessDone) {
		return errNotRunning
	}
	if err == nil && (sig == syscall.SIGSTOP || sig == syscall.SIGCONT) {
		p.paused = sig == syscall.SIGSTOP
	}
	return err
}

// kill ends the program at once and waits until it is gone.
func (p *process) kill() { p.end(syscall.SIGKILL) }

// end sends a signal that should end the program and returns when it has ended.
func (p *process) end(sig syscall.Signal) {
	p.mu.Lock()
	exited := p.exited
	p.mu.Unlock()
	if exited == nil {
		return
	}
	if sig != syscall.SIGKILL {
		_ = p.signal(syscall.SIGCONT) // a paused process hears nothing
	}
	_ = p.signal(sig)
	<-exited
}

// running says whether the program runs, and whether it is paused.
func (p *process) running() (up, paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil, p.paused
}

// pid returns the process's id, 0 while it does not run.
func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}
