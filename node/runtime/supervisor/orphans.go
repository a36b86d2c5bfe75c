package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"drydock/node/runtime/lease"
)

// KillOrphans kills all that is left of the units whose records are in dir, but
// for those that spare returns true for, without any help from the supervisor that
// has started them: it may be dead, or hang. It is what a machine's guard does when
// a lease has passed. It returns when nothing is left, with nil, or when the
// context ends, with an error that names those left. A spare of nil spares nobody.
//
// Records stay: a supervisor that comes back finds that their processes are gone.
func KillOrphans(ctx context.Context, dir string, spare func(unit string) bool) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		left, err := killRecorded(dir, spare)
		if err == nil && len(left) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%w; still running: %s", ctx.Err(), strings.Join(left, ", ")), err)
		case <-time.After(pause):
		}
	}
}

// Recorded returns the units whose records are in dir, sorted: those that a
// supervisor has started and not seen the end of.
func Recorded(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutPrefix(e.Name(), "unit-"); ok {
			names = append(names, name)
		}
	}
	return names, err
}

// orphan is a unit that is to be killed.
type orphan struct {
	name  string
	group group
}

// killRecorded kills once, and returns the units that had processes. A record that
// can't be read keeps nobody else's from being killed.
func killRecorded(dir string, spare func(unit string) bool) (left []string, err error) {
	orphans, err := readOrphans(dir, spare)
	errs := []error{err}
	// First what is known, of all of them: a careful look at one takes time, and
	// time is what a lease that has passed has none of.
	for _, o := range orphans {
		o.group.strike()
	}
	groups := make([]*processGroup, 0, len(orphans))
	for _, o := range orphans {
		if g, ok := o.group.(*processGroup); ok {
			groups = append(groups, g)
			continue
		}
		if pids, err := o.group.pids(); err != nil || len(pids) > 0 {
			left = append(left, o.name)
			errs = append(errs, err, o.group.signal(syscall.SIGKILL))
		}
	}
	found, err := membersOfAll(groups)
	errs = append(errs, err)
	for _, o := range orphans {
		if g, ok := o.group.(*processGroup); ok && len(found[g]) > 0 {
			left = append(left, o.name)
			for _, pid := range found[g] {
				_ = syscall.Kill(pid, syscall.SIGKILL) // gone already, or seen again by the next look
			}
		}
	}
	return left, errors.Join(errs...)
}

// readOrphans reads the records of units that aren't spared.
func readOrphans(dir string, spare func(unit string) bool) (orphans []orphan, err error) {
	names, err := Recorded(dir)
	errs := []error{err}
	for _, name := range names {
		if spare != nil && spare(name) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, "unit-"+name))
		if errors.Is(err, os.ErrNotExist) {
			continue // it has ended meanwhile
		}
		var rec record
		if err == nil {
			err = json.Unmarshal(text, &rec)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		orphans = append(orphans, orphan{name, rec.group()})
	}
	return orphans, errors.Join(errs...)
}

// membersOfAll finds the processes of many groups in one look at all that run.
func membersOfAll(groups []*processGroup) (map[*processGroup][]int, error) {
	leaders, marks := make(map[int]*processGroup), make(map[string]*processGroup)
	for _, g := range groups {
		for _, pid := range g.leaders {
			leaders[pid] = g
		}
		if g.mark != "" {
			marks[g.mark] = g
		}
	}
	found := make(map[*processGroup][]int)
	if len(groups) == 0 {
		return found, nil
	}
	return found, eachProcess(func(pid, pgrp int, invocation func() string) {
		g := leaders[pgrp]
		if g == nil && len(marks) > 0 {
			g = marks[invocation()]
		}
		if g != nil {
			found[g] = append(found[g], pid)
		}
	})
}

// group is the group that a record tells of: an empty one if the system was booted
// since, for what has the same numbers now is somebody else's.
func (rec *record) group() group {
	if boot, err := lease.BootID(); err == nil && rec.Boot != "" && rec.Boot != boot {
		return &processGroup{}
	}
	if len(rec.Group.Dirs) > 0 {
		return &controlGroup{dirs: rec.Group.Dirs}
	}
	g := &processGroup{leaders: rec.Group.Leaders, starts: make(map[int]uint64), mark: rec.Group.Mark}
	for i, started := range rec.Group.Starts[:min(len(rec.Group.Starts), len(g.leaders))] {
		if started != 0 {
			g.starts[g.leaders[i]] = started
		}
	}
	return g
}
