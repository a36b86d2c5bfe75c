package systemd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// groupFile is where the manager's control group is kept for KillUnits.
const groupFile = ".manager-group"

// recordGroup writes down where the manager's units have their control groups.
func (s *Systemd) recordGroup(_ context.Context, l *link) error {
	quoted, err := l.conn.GetManagerProperty("ControlGroup")
	if err != nil {
		return err
	}
	path, err := strconv.Unquote(quoted)
	if err != nil {
		return fmt.Errorf("the manager's control group is %s: %w", quoted, err)
	}
	return os.WriteFile(filepath.Join(s.opt.Dir, groupFile), []byte(path+"\n"), 0o644)
}

// mounts are where the hierarchy that systemd counts processes by may be.
var mounts = []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"}

// groupDir is the directory of a control group, "" if there is no such group.
func groupDir(path string) string {
	for _, mount := range mounts {
		dir := filepath.Join(mount, path)
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err == nil {
			return dir
		}
	}
	return ""
}

// findGroups returns the control groups of units below a manager's, which are in
// slices, or in slices of slices, or beside them.
func findGroups(root string, names []string) map[string][]string {
	found := make(map[string][]string)
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil // it has gone
		case !d.IsDir() || path == root:
			return nil
		}
		// systemd puts a "_" before a name that could be a file of the kernel's.
		for _, name := range []string{d.Name(), strings.TrimPrefix(d.Name(), "_")} {
			if slices.Contains(names, name) {
				found[name] = append(found[name], path)
				return fs.SkipDir
			}
		}
		if strings.HasSuffix(d.Name(), ".slice") {
			return nil
		}
		// Below another unit may be a whole system of its own.
		return fs.SkipDir
	})
	return found
}

// processes are those in a control group and in all below it.
func processes(dir string) []int {
	var pids []int
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // it has gone
		}
		text, _ := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids
}

// killGroup kills all in a control group, and says whether there was anybody.
func killGroup(dir string) (any bool, err error) {
	pids := processes(dir)
	if len(pids) == 0 {
		return false, nil
	}
	if os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0) == nil {
		return true, nil
	}
	for _, pid := range pids {
		if e := syscall.Kill(pid, syscall.SIGKILL); e != nil && !errors.Is(e, syscall.ESRCH) {
			err = errors.Join(err, fmt.Errorf("killing process %d: %w", pid, e))
		}
	}
	return true, err
}
