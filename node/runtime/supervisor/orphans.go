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
	files, err := filepath.Glob(filepath.Join(dir, "unit-*"))
	for i, file := range files {
		files[i] = strings.TrimPrefix(filepath.Base(file), "unit-")
	}
	return files, err
}

// killRecorded kills once, and returns the units that had processes. A record that
// can't be read keeps nobody else's from being killed.
func killRecorded(dir string, spare func(unit string) bool) (left []string, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "unit-*"))
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, file := range files {
		name := strings.TrimPrefix(filepath.Base(file), "unit-")
		if spare != nil && spare(name) {
			continue
		}
		text, err := os.ReadFile(file)
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
		g := rec.group()
		pids, err := g.pids()
		if err == nil && len(pids) == 0 {
			continue
		}
		left = append(left, name)
		errs = append(errs, err, g.signal(syscall.SIGKILL))
	}
	return left, errors.Join(errs...)
}

// group is the group that a record tells of.
func (rec *record) group() group {
	if len(rec.Group.Dirs) > 0 {
		return &controlGroup{dirs: rec.Group.Dirs}
	}
	return &processGroup{leaders: rec.Group.Leaders, mark: rec.Group.Mark}
}
