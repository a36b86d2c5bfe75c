package systemd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"drydock/node/runtime"
	"drydock/node/unit"
)

// A change of a unit file waits for company until none has come for a moment, but
// not longer than the limit, before systemd reads them: that takes it a tenth of a
// second or more, whether one has changed or a hundred.
const (
	gather      = 10 * time.Millisecond
	gatherLimit = 10
)

func (s *Systemd) file(name string) string { return filepath.Join(s.opt.Dir, name) }

// adopt finds the units that an earlier life has left.
func (s *Systemd) adopt() error {
	files, err := unitFiles(s.opt.Dir)
	if err != nil {
		return err
	}
	for _, name := range files {
		text, err := os.ReadFile(s.file(name))
		if err != nil {
			return err
		}
		// A file that isn't a unit's after all is the agent's to replace or unload.
		u, err := unit.Parse(name, text)
		e := &entry{name: name}
		if err == nil {
			e.hash, e.install = u.Hash(), u.Section("Install") != nil
		}
		s.units[name] = e
	}
	return nil
}

// unitFiles returns the names of the unit files in a directory.
func unitFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Load implements runtime.Runtime. It returns when the file is written and
// linked; what systemd makes of it the reported state says.
func (s *Systemd) Load(u *unit.Unit) error {
	if err := s.Check(u); err != nil {
		return err
	}
	name := u.Name().String()
	s.mu.Lock()
	e := s.units[name]
	switch {
	case s.closed:
		s.mu.Unlock()
		return runtime.ErrClosed
	case e != nil && e.unloading:
		s.mu.Unlock()
		return fmt.Errorf("%s is being unloaded", name)
	case e != nil && e.hash == u.Hash() && e.state.Load == "loaded":
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.ctx, callLimit)
	defer cancel()
	l, err := s.connected(ctx)
	if err == nil {
		err = s.write(ctx, l, u, e)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	s.mu.Lock()
	if e == nil {
		e = &entry{name: name, state: runtime.State{
			Description: u.Description(), Load: "loaded", Active: "inactive", Sub: "dead", Result: "success",
		}}
		s.units[name] = e
	}
	e.hash, e.install = u.Hash(), u.Section("Install") != nil
	s.written++
	s.unread[name] = true
	s.mu.Unlock()
	wake(s.wakeReload)
	return nil
}

// write puts a unit's file where systemd finds it. before is what was loaded.
func (s *Systemd) write(ctx context.Context, l *link, u *unit.Unit, before *entry) error {
	name := u.Name().String()
	if before == nil {
		if err := s.mayHave(ctx, l, name); err != nil {
			return err
		}
	}
	if err := renameio.WriteFile(s.file(name), []byte(u.Text()), 0o644); err != nil {
		return err
	}
	if before != nil && before.install {
		// What it was enabled for may be other units than now.
		if _, err := l.conn.DisableUnitFilesContext(ctx, []string{name}, true); err != nil {
			return fmt.Errorf("disabling it: %w", err)
		}
	}
	_, err := l.conn.LinkUnitFilesContext(ctx, []string{s.file(name)}, true, true)
	if err == nil && u.Section("Install") != nil {
		_, _, err = l.conn.EnableUnitFilesContext(ctx, []string{s.file(name)}, true, true)
	}
	if err != nil {
		return errors.Join(err, os.Remove(s.file(name)))
	}
	return nil
}

// mayHave makes sure that a unit of this name isn't the machine's, or another
// node's.
func (s *Systemd) mayHave(ctx context.Context, l *link, name string) error {
	p, err := l.conn.GetUnitPropertyContext(ctx, name, "FragmentPath")
	if err != nil {
		return err
	}
	path, _ := p.Value.Value().(string)
	if path == "" {
		return nil
	}
	if target, err := os.Readlink(path); err == nil {
		path = target
	}
	if filepath.Dir(path) == filepath.Clean(s.opt.Dir) {
		return nil
	}
	return fmt.Errorf("%w, at %s", ErrTaken, path)
}

// removeFile takes a unit that has ended from systemd and from the directory.
func (s *Systemd) removeFile(ctx context.Context, l *link, e *entry) error {
	if _, err := l.conn.DisableUnitFilesContext(ctx, []string{e.name}, true); err != nil {
		return fmt.Errorf("disabling it: %w", err)
	}
	// One that hasn't failed has nothing to reset.
	_ = l.conn.ResetFailedUnitContext(ctx, e.name)
	if err := os.Remove(s.file(e.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.mu.Lock()
	s.written++
	s.mu.Unlock()
	wake(s.wakeReload)
	return nil
}

// reloader has systemd read unit files that have changed, until the runtime is
// closed.
func (s *Systemd) reloader() {
	for {
		select {
		case <-s.wakeReload:
		case <-s.ctx.Done():
			return
		}
		s.gather()
		if err := s.reload(); err != nil && s.ctx.Err() == nil {
			wake(s.wakeReload)
			select {
			case <-time.After(retryFirst):
			case <-s.ctx.Done():
			}
		}
	}
}

// gather waits until no unit file has changed for a while.
func (s *Systemd) gather() {
	before := uint64(0)
	for range gatherLimit {
		s.mu.Lock()
		written := s.written
		s.mu.Unlock()
		if written == before {
			return
		}
		before = written
		select {
		case <-time.After(gather):
		case <-s.ctx.Done():
			return
		}
	}
}

// reload has systemd read its unit files once, if any has changed.
func (s *Systemd) reload() error {
	ctx, cancel := context.WithTimeout(s.ctx, 2*callLimit)
	defer cancel()
	l, err := s.connected(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	target, changed := s.written, s.unread
	s.unread = make(map[string]bool)
	news := target > s.read
	s.mu.Unlock()
	if !news {
		return nil
	}
	err = l.conn.ReloadContext(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		maps.Copy(s.unread, changed)
		return err
	}
	s.read = target
	close(s.settled)
	s.settled = make(chan struct{})
	maps.Copy(s.stale, changed)
	wake(s.wakeRefresh)
	return nil
}

// settle waits until systemd has read all files written so far.
func (s *Systemd) settle(ctx context.Context) error {
	s.mu.Lock()
	target := s.written
	for s.read < target {
		settled := s.settled
		s.mu.Unlock()
		select {
		case <-settled:
		case <-ctx.Done():
			return fmt.Errorf("systemd doesn't read its unit files: %w", ctx.Err())
		}
		s.mu.Lock()
	}
	s.mu.Unlock()
	return nil
}
