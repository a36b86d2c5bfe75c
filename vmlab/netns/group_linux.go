package netns

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// groupsName is the control group that all labs' are below.
const groupsName = "drydock-labs"

// hierarchies are where this host's control groups are mounted.
type hierarchies struct {
	// unified is version 2's; old are version 1's by controller.
	unified string
	old     map[string]string
}

// errNoGroups is what a host without version 2 of control groups gives.
var errNoGroups = errors.New("no control groups of version 2 are mounted")

// findHierarchies reads where control groups are.
func findHierarchies() (*hierarchies, error) {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	h := &hierarchies{old: map[string]string{}}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		switch f[2] {
		case "cgroup2":
			h.unified = f[1]
		case "cgroup":
			for _, option := range strings.Split(f[3], ",") {
				if option == "memory" || option == "cpu" {
					h.old[option] = f[1]
				}
			}
		}
	}
	if h.unified == "" {
		return nil, errNoGroups
	}
	return h, nil
}

// group is a machine's control group: one directory of version 2, and of version 1
// those of the controllers that bound it.
type group struct {
	unified string
	old     []string
}

// labGroup is the name of a lab's group below groupsName.
func labGroup(lab, key string) string { return lab + "-" + key }

// make makes the group of a machine with its bounds, which are 0 for none.
func (h *hierarchies) make(lab, machine string, memory int64, cpus float64) (*group, error) {
	g := &group{unified: filepath.Join(h.unified, groupsName, lab, machine)}
	if err := os.MkdirAll(g.unified, 0o755); err != nil {
		return nil, err
	}
	if memory > 0 {
		if err := h.bound(g, lab, machine, "memory", "memory.max", "memory.limit_in_bytes", fmt.Sprint(memory), fmt.Sprint(memory)); err != nil {
			return g, err
		}
	}
	if cpus > 0 {
		quota := int64(cpus * 100000)
		if err := h.bound(g, lab, machine, "cpu", "cpu.max", "cpu.cfs_quota_us", fmt.Sprintf("%d 100000", quota), fmt.Sprint(quota)); err != nil {
			return g, err
		}
	}
	return g, nil
}

// bound bounds a group by a controller of whichever version has it.
func (h *hierarchies) bound(g *group, lab, machine, controller, file, oldFile, value, oldValue string) error {
	if root := h.old[controller]; root != "" {
		dir := filepath.Join(root, groupsName, lab, machine)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if !slices.Contains(g.old, dir) {
			g.old = append(g.old, dir)
		}
		return os.WriteFile(filepath.Join(dir, oldFile), []byte(oldValue), 0)
	}
	for _, dir := range []string{h.unified, filepath.Join(h.unified, groupsName), filepath.Join(h.unified, groupsName, lab)} {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0); err != nil {
			return fmt.Errorf("the host's control groups have no %s controller: %w", controller, err)
		}
	}
	return os.WriteFile(filepath.Join(g.unified, file), []byte(value), 0)
}

// dirs are all directories of the group.
func (g *group) dirs() []string { return append([]string{g.unified}, g.old...) }

// enter moves a process into the group.
func (g *group) enter(pid int) error {
	for _, dir := range g.dirs() {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
			return err
		}
	}
	return nil
}

// freeze stops all processes of the group, or lets them go on, and returns when
// that is so.
func (g *group) freeze(stop bool) error { return freeze(g.unified, stop) }

func freeze(dir string, stop bool) error {
	value := "0"
	if stop {
		value = "1"
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup.freeze"), []byte(value), 0); err != nil {
		return err
	}
	want := []byte("frozen " + value)
	return await(2*time.Second, fmt.Errorf("%s: not %s in time", dir, want), func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "cgroup.events"))
		return err != nil || bytes.Contains(text, want)
	})
}

// kill ends all processes of the group at one instant, and returns when they are
// gone.
func (g *group) kill() error { return killGroup(g.unified) }

func killGroup(dir string) error {
	err := os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
	if errors.Is(err, fs.ErrNotExist) {
		if _, gone := os.Stat(dir); errors.Is(gone, fs.ErrNotExist) {
			return nil
		}
	}
	if err != nil {
		return err
	}
	return await(5*time.Second, fmt.Errorf("%s: processes outlive SIGKILL", dir), func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "cgroup.events"))
		return err != nil || bytes.Contains(text, []byte("populated 0"))
	})
}

// pids are the processes of the group and of those below it.
func (g *group) pids() []int {
	var list []int
	_ = filepath.WalkDir(g.unified, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // what has gone has no processes
		}
		text, _ := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		for _, word := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
				list = append(list, pid)
			}
		}
		return nil
	})
	return list
}

// remove removes the group and all below it; nothing may run there any more.
func (g *group) remove() error {
	var errs []error
	for _, dir := range g.dirs() {
		errs = append(errs, removeTree(dir))
	}
	return errors.Join(errs...)
}

// removeTree removes a control group and those below it, the deepest first. The
// kernel may need a moment after the last process.
func removeTree(dir string) error {
	var dirs []string
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	slices.Reverse(dirs)
	for _, one := range dirs {
		err := await(2*time.Second, nil, func() bool {
			err := os.Remove(one)
			return err == nil || !errors.Is(err, syscall.EBUSY)
		})
		if err == nil {
			continue
		}
		if _, err := os.Stat(one); err == nil {
			return fmt.Errorf("%s: processes are left in it", one)
		}
	}
	return nil
}

// reap kills what is left in a lab's groups and removes them. It says what it has
// found.
func (h *hierarchies) reap(lab string) (found []string, err error) {
	dir := filepath.Join(h.unified, groupsName, lab)
	machines, readErr := os.ReadDir(dir)
	if readErr == nil {
		for _, m := range machines {
			if !m.IsDir() {
				continue
			}
			g := &group{unified: filepath.Join(dir, m.Name())}
			if n := len(g.pids()); n > 0 {
				found = append(found, fmt.Sprintf("%d processes of %s", n, m.Name()))
			}
			// A frozen process dies when it goes on.
			err = errors.Join(err, g.freeze(false), g.kill())
		}
	}
	for _, root := range h.roots() {
		dir := filepath.Join(root, groupsName, lab)
		if _, statErr := os.Stat(dir); statErr != nil {
			continue
		}
		found = append(found, "the control group "+dir)
		err = errors.Join(err, removeTree(dir))
		_ = os.Remove(filepath.Join(root, groupsName)) // other labs have it
	}
	return found, err
}

// roots are all hierarchies, each once.
func (h *hierarchies) roots() []string {
	list := []string{h.unified}
	for _, controller := range []string{"memory", "cpu"} {
		if dir := h.old[controller]; dir != "" && !slices.Contains(list, dir) {
			list = append(list, dir)
		}
	}
	return list
}

// removeLab removes a lab's directories when its machines' are gone.
func (h *hierarchies) removeLab(lab string) error {
	var errs []error
	for _, root := range h.roots() {
		if err := os.Remove(filepath.Join(root, groupsName, lab)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		_ = os.Remove(filepath.Join(root, groupsName)) // other labs have it
	}
	return errors.Join(errs...)
}

// await polls until it is so, or returns late when that takes too long; of a nil
// late, an error of its own.
func await(patience time.Duration, late error, so func() bool) error {
	if late == nil {
		late = errLate
	}
	for end := time.Now().Add(patience); ; {
		if so() {
			return nil
		}
		if time.Now().After(end) {
			return late
		}
		time.Sleep(time.Millisecond)
	}
}

var errLate = errors.New("netns: it takes too long")
