package systemd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Pauses between looks at what is to end.
const (
	lookFirst = time.Millisecond
	lookLast  = 100 * time.Millisecond
)

// halt ends a unit at once, whatever it says about stopping, and returns when
// nothing is left of it. The stop keeps systemd from starting it again.
func halt(ctx context.Context, l *link, name string) error {
	for pause := lookFirst; ; pause = min(2*pause, lookLast) {
		waits := l.queued(ctx, name)
		active, dir, err := l.occupied(ctx, name)
		if err != nil {
			return err
		}
		ended := active == "inactive" || active == "failed"
		if ended && !waits && (dir == "" || len(processes(dir)) == 0) {
			return nil
		}
		if waits || !ended && active != "deactivating" {
			if _, err := l.conn.StopUnitContext(ctx, name, mode, nil); err != nil {
				return err
			}
		}
		if err := l.kill(ctx, name, syscall.SIGKILL); err != nil {
			return err
		}
		if dir != "" {
			if _, err := killGroup(dir); err != nil {
				return err
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// queued says whether systemd has a job for a unit that it hasn't finished, such as a
// start that waits for other units: the unit is inactive then, and won't stay so.
func (l *link) queued(ctx context.Context, name string) bool {
	p, err := l.conn.GetUnitPropertyContext(ctx, name, "Job")
	if err != nil {
		return false
	}
	job, _ := p.Value.Value().([]any)
	if len(job) == 0 {
		return false
	}
	id, _ := job[0].(uint32)
	return id != 0
}

// occupied returns a unit's active state and its control group's directory.
func (l *link) occupied(ctx context.Context, name string) (active, dir string, err error) {
	p, err := l.conn.GetUnitPropertyContext(ctx, name, "ActiveState")
	if err != nil {
		return "", "", err
	}
	active, _ = p.Value.Value().(string)
	// Units of types without processes have no such property.
	if p, err := l.conn.GetUnitTypePropertyContext(ctx, name, typeOf(name), "ControlGroup"); err == nil {
		if path, _ := p.Value.Value().(string); path != "" {
			dir = groupDir(path)
		}
	}
	return active, dir, nil
}

// KillUnits kills all units whose files are in opt.Dir, but for those that spare
// returns true for, without any help from the node that has started them: it may
// be dead, or hang. It is what a machine's guard does when a lease has passed.
// systemd is told to stop them, so that it starts none again, and besides their
// control groups are killed, so that a systemd that hangs delays nothing. It
// returns when nothing is left, with nil, or when the context ends, with an error
// that names those left. A spare of nil spares nobody.
//
// Files stay: a node that comes back finds units that have ended.
func KillUnits(ctx context.Context, opt Options, spare func(unit string) bool) error {
	if opt.Address == "" {
		opt.Address = SystemAddress
	}
	files, err := unitFiles(opt.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it never ran a unit
	}
	if err != nil {
		return err
	}
	names := slices.DeleteFunc(files, func(name string) bool { return spare != nil && spare(name) })
	if len(names) == 0 {
		return nil
	}
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	halted := make(chan struct{})
	go func() {
		defer close(halted)
		haltAll(within, opt.Address, names)
	}()
	left, err := killGroups(ctx, opt.Dir, names, halted)
	cancel()
	<-halted
	if ctx.Err() != nil && len(left) > 0 {
		return errors.Join(fmt.Errorf("%w; still running: %s", ctx.Err(), strings.Join(left, ", ")), err)
	}
	return err
}

// killGroups kills by control group until nothing is left and halted is closed.
func killGroups(ctx context.Context, dir string, names []string, halted <-chan struct{}) (left []string, err error) {
	for pause := lookFirst; ; pause = min(2*pause, lookLast) {
		over := false
		select {
		case <-halted:
			over = true
		default:
		}
		left, err = killFound(dir, names)
		if over && len(left) == 0 {
			return nil, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			if !over && len(left) == 0 {
				left = names // who knows
			}
			return left, err
		}
	}
}

// killFound kills once, and returns the units that had processes.
func killFound(dir string, names []string) (left []string, err error) {
	path, err := os.ReadFile(filepath.Join(dir, groupFile))
	if err != nil {
		return nil, err
	}
	root := groupDir(strings.TrimSpace(string(path)))
	if root == "" {
		return nil, nil // the manager is gone with all it had
	}
	found := findGroups(root, names)
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(found)) {
		for _, group := range found[name] {
			some, err := killGroup(group)
			errs = append(errs, err)
			if some && !slices.Contains(left, name) {
				left = append(left, name)
			}
		}
	}
	return left, errors.Join(errs...)
}

// haltAll has systemd end units; it returns when all have ended, when there is no
// systemd, or when the context ends.
func haltAll(ctx context.Context, address string, names []string) {
	for pause := lookFirst; ctx.Err() == nil; pause = min(2*pause, lookLast) {
		l, err := connect(ctx, address)
		switch {
		case err == nil:
			names = haltEach(ctx, l, names)
			l.close()
		case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
			return // nobody is there who could start a unit again
		}
		if len(names) == 0 {
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// haltEach halts units side by side, and returns those that it could not.
func haltEach(ctx context.Context, l *link, names []string) (left []string) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, name := range names {
		all.Go(func() {
			if err := halt(ctx, l, name); err != nil {
				mu.Lock()
				defer mu.Unlock()
				left = append(left, name)
			}
		})
	}
	all.Wait()
	return left
}
