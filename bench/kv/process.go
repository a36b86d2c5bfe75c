package kv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// stopPatience is how long a server may take to end when asked to.
const stopPatience = 15 * time.Second

// starter starts processes from one thread that lives as long as they should: on
// Linux a child is told of the end of the thread that made it, not of the process.
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

func (s *starter) start(cmd *exec.Cmd) error {
	done := make(chan error)
	s.work <- func() { done <- cmd.Start() }
	return <-done
}

func (s *starter) close() { close(s.work) }

// process is a server's process, which may be started again. Its methods are for
// one goroutine.
type process struct {
	path, log string
	args      []string

	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended; nil before the first start
}

func (p *process) start(s *starter) error {
	if p.running() {
		return nil
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := exec.Command(p.path, p.args...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr, cmd.Env = log, log, ownGroup(), plainEnv(os.Environ())
	if err := s.start(cmd); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", p.path, err), log.Close())
	}
	exited := make(chan struct{})
	p.cmd, p.exited = cmd, exited
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		_ = log.Close()
		close(exited)
	}()
	return nil
}

// plainEnv leaves a server what it needs to run: neither settings of the garbage
// collector nor options by environment may tell two systems apart.
func plainEnv(env []string) []string {
	var plain []string
	for _, v := range env {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "PATH", "HOME", "TMPDIR", "LANG":
			plain = append(plain, v)
		}
	}
	return plain
}

func (p *process) running() bool {
	if p.exited == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// kill ends the process at once; it returns when that is done.
func (p *process) kill() {
	if p.running() {
		_ = p.cmd.Process.Signal(syscall.SIGKILL) // ended meanwhile: as well
		<-p.exited
	}
}

// stop asks the process to end, and insists after a while, which is an error.
func (p *process) stop() error {
	if !p.running() {
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
		return nil
	case <-time.After(stopPatience):
		p.kill()
		return fmt.Errorf("%s did not stop within %v: %s", p.path, stopPatience, lastLines(p.log))
	}
}

// lastLines returns the end of a log.
func lastLines(path string) string {
	const most = 20
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
