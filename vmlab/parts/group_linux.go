package parts

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
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

	"drydock/vmlab/lab"
)

// groupsName is the control group that all labs' are below.
const groupsName = "drydock-labs"

// Hierarchies are where this host's control groups are mounted.
type Hierarchies struct {
	// unified is version 2's; old are version 1's by controller.
	unified string
	old     map[string]string
	// all are all of version 1.
	all []string
}

// ErrNoGroups is what a host without version 2 of control groups gives.
var ErrNoGroups = errors.New("no control groups of version 2 are mounted")

// FindHierarchies reads where control groups are.
func FindHierarchies() (*Hierarchies, error) {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	h := &Hierarchies{old: map[string]string{}}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		switch f[2] {
		case "cgroup2":
			h.unified = f[1]
		case "cgroup":
			h.all = append(h.all, f[1])
			for _, option := range strings.Split(f[3], ",") {
				if option == "memory" || option == "cpu" {
					h.old[option] = f[1]
				}
			}
		}
	}
	if h.unified == "" {
		return nil, ErrNoGroups
	}
	return h, nil
}

// Group is a machine's control group: one directory of version 2, and of version 1
// those of the controllers that bound it.
type Group struct {
	unified string
	old     []string
}

// KeyOf is the name of a lab's group: it tells labs of one name in different
// directories apart.
func KeyOf(site *lab.Site) string {
	sum := sha256.Sum256([]byte(site.Dir))
	return site.Lab + "-" + hex.EncodeToString(sum[:4])
}

// Make makes the group of a machine with its bounds, which are 0 for none.
func (h *Hierarchies) Make(lab, machine string, memory int64, cpus float64) (*Group, error) {
	g := &Group{unified: filepath.Join(h.unified, groupsName, lab, machine)}
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

// Spread makes the group in all hierarchies, for machines that make groups of their
// own in them: two that share a group would share those.
func (h *Hierarchies) Spread(g *Group, lab, machine string) error {
	for _, root := range h.all {
		dir := filepath.Join(root, groupsName, lab, machine)
		if slices.Contains(g.old, dir) {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		g.old = append(g.old, dir)
		// A group of cpuset takes processes when it has been given something.
		for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
			for _, below := range []string{groupsName, filepath.Join(groupsName, lab), filepath.Join(groupsName, lab, machine)} {
				text, err := os.ReadFile(filepath.Join(root, name))
				if err != nil {
					break // it is another controller
				}
				if err := os.WriteFile(filepath.Join(root, below, name), text, 0); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// bound bounds a group by a controller of whichever version has it.
func (h *Hierarchies) bound(g *Group, lab, machine, controller, file, oldFile, value, oldValue string) error {
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

// Dirs are all directories of the group.
func (g *Group) Dirs() []string { return append([]string{g.unified}, g.old...) }

// Enter moves a process into the group.
func (g *Group) Enter(pid int) error {
	for _, dir := range g.Dirs() {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
			return err
		}
	}
	return nil
}

// Freeze stops all processes of the group, or lets them go on, and returns when
// that is so. Those that can't be stopped in time go on.
func (g *Group) Freeze(stop bool) error {
	err := freeze(g.unified, stop)
	if err != nil && stop {
		err = errors.Join(err, freeze(g.unified, false))
	}
	return err
}

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

// Kill ends all processes of the group at one instant, and returns when they are
// gone.
func (g *Group) Kill() error { return killGroup(g.unified) }

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
	return await(30*time.Second, fmt.Errorf("%s: processes outlive SIGKILL", dir), func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "cgroup.events"))
		return err != nil || bytes.Contains(text, []byte("populated 0"))
	})
}

// Pids are the processes of the group and of those below it.
func (g *Group) Pids() []int { return PidsIn(g.unified) }

// PidsIn are the processes of a control group, by its directory, and of those below
// it.
func PidsIn(dir string) []int {
	var list []int
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
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

// Remove removes the group and all below it; nothing may run there any more.
func (g *Group) Remove() error {
	var errs []error
	for _, dir := range g.Dirs() {
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

// Reap kills what is left in a lab's groups and removes them. It says what it has
// found.
func (h *Hierarchies) Reap(lab string) (found []string, err error) {
	dir := filepath.Join(h.unified, groupsName, lab)
	machines, readErr := os.ReadDir(dir)
	if readErr == nil {
		for _, m := range machines {
			if !m.IsDir() {
				continue
			}
			g := &Group{unified: filepath.Join(dir, m.Name())}
			if n := len(g.Pids()); n > 0 {
				found = append(found, fmt.Sprintf("%d processes of %s", n, m.Name()))
			}
			// A frozen process dies when it goes on.
			err = errors.Join(err, g.Freeze(false), g.Kill())
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
func (h *Hierarchies) roots() []string {
	return append([]string{h.unified}, h.all...)
}

// RemoveLab removes a lab's directories when its machines' are gone.
func (h *Hierarchies) RemoveLab(lab string) error {
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

var errLate = errors.New("it takes too long")
