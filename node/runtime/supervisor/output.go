package supervisor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"drydock/node/supervise"
)

// output carries what a unit writes to its journal. Where there is a directory it
// is a named pipe, which the unit's processes hold open at both ends: they don't
// die of it when the supervisor does, and its next life reads on.
type output struct {
	read, write *os.File
	done        chan struct{}
}

// openOutput opens a unit's output, or the one that it has.
func (s *Supervisor) openOutput(r *running) (*output, error) {
	if r.output != nil {
		return r.output, nil
	}
	o := &output{done: make(chan struct{})}
	var err error
	if s.opt.Dir == "" {
		o.read, o.write, err = os.Pipe()
	} else {
		err = o.openNamed(s.path("output", r.name))
	}
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	source := r.name
	if r.context != nil && r.context.SyslogIdentifier != "" {
		source = r.context.SyslogIdentifier
	}
	go func() {
		defer close(o.done)
		r.journal.copy(o.read, source)
		_ = o.read.Close()
	}()
	r.output = o
	return o, nil
}

func (o *output) openNamed(name string) error {
	if err := syscall.Mkfifo(name, 0o600); err != nil && !os.IsExist(err) {
		return &os.PathError{Op: "mkfifo", Path: name, Err: err}
	}
	var err error
	if o.read, err = os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0); err != nil {
		return err
	}
	if o.write, err = os.OpenFile(name, os.O_RDWR, 0); err != nil {
		_ = o.read.Close()
	}
	return err
}

// finish lets the reader end when it has read all that the unit's processes have
// written, and they have ended.
func (o *output) finish() { _ = o.write.Close() }

// abandon ends the reader now.
func (o *output) abandon() {
	_ = o.read.Close()
	<-o.done
}

// streams connects a process's standard streams, and returns the files to close
// when it has them.
func (s *Supervisor) streams(r *running, cmd *exec.Cmd, a supervise.Spawn) ([]*os.File, error) {
	var opened []*os.File
	open := func(what string, input bool) (*os.File, error) {
		kind, path, _ := strings.Cut(what, ":")
		flags := os.O_WRONLY | os.O_CREATE
		switch kind {
		case "journal":
			o, err := s.openOutput(r)
			if err != nil {
				return nil, err
			}
			return o.write, nil
		case "append":
			flags |= os.O_APPEND
		case "truncate":
			flags |= os.O_TRUNC
		case "file":
		default:
			return nil, nil // what is left open by os/exec is the null device
		}
		if input {
			flags = os.O_RDONLY
		}
		f, err := os.OpenFile(filepath.Clean(path), flags, 0o644)
		if err == nil {
			opened = append(opened, f)
		}
		return f, err
	}
	in, err := open(a.Context.StandardInput, true)
	if err != nil {
		return opened, &stepError{supervise.ExitStdin, fmt.Errorf("StandardInput: %w", err)}
	}
	out, err := open(a.Context.StandardOutput, false)
	if err != nil {
		return opened, &stepError{supervise.ExitStdout, fmt.Errorf("StandardOutput: %w", err)}
	}
	errs := out
	if what := a.Context.StandardError; what != "inherit" && what != "" {
		if errs, err = open(what, false); err != nil {
			return opened, &stepError{supervise.ExitStdout, fmt.Errorf("StandardError: %w", err)}
		}
	}
	// An interface with a nil pointer in it would be taken for a file.
	if in != nil {
		cmd.Stdin = in
	}
	if out != nil {
		cmd.Stdout = out
	}
	if errs != nil {
		cmd.Stderr = errs
	}
	return opened, nil
}
