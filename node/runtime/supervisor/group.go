package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"drydock/node/unit"
)

// group is the processes of one unit: those that were spawned for it and all that
// came of them.
type group interface {
	// enter are the files to which a process writes its id to be in the group.
	enter() []string
	// joined tells of a process that was spawned, which leads a process group.
	joined(pid int)
	// pids are the processes, zombies left out.
	pids() ([]int, error)
	// signal sends a signal to all of them.
	signal(sig syscall.Signal) error
	// strike kills what is at hand of them, at once and without a second look.
	strike()
	// remove cleans up after the last one.
	remove() error
	// record is what it takes to find the group again.
	record() groupRecord
}

// groupRecord is a group in a unit's record on disk.
type groupRecord struct {
	// Dirs are control groups, the first one holds the processes for sure.
	Dirs []string `json:"dirs,omitempty"`
	// Leaders are process groups, Starts when their leaders have started, and Mark is
	// the invocation that their environment names.
	Leaders []int    `json:"leaders,omitempty"`
	Starts  []uint64 `json:"starts,omitempty"`
	Mark    string   `json:"mark,omitempty"`
}

// controlGroup is a group that the kernel keeps: nothing leaves it.
type controlGroup struct {
	dirs []string
}

// newControlGroup makes a unit's control group below each of the parents, with
// the bounds that the unit asks for.
func newControlGroup(parents []string, name string, c *unit.Context) (*controlGroup, error) {
	g := &controlGroup{}
	for _, parent := range parents {
		dir := filepath.Join(parent, name)
		// The parent, too: who cleans up behind an earlier life may have removed it.
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		g.dirs = append(g.dirs, dir)
	}
	for _, bound := range bounds(c) {
		if err := g.set(bound.files, bound.value); err != nil {
			return nil, fmt.Errorf("%s: %w", bound.option, err)
		}
	}
	return g, nil
}

// Join moves this process to a control group of its own beside those of the units of
// the supervisor with these Options.Groups, so that whoever ends the supervisor with
// its group doesn't end this. On a machine without control groups it does nothing.
// Leave moves it out again and removes what is empty of the supervisor's groups: it is
// for the last process that a supervisor has left behind.
func Join(groups, name string) (leave func() error, err error) {
	parents := controlParents(groups)
	if len(parents) == 0 {
		return func() error { return nil }, nil
	}
	enter := func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0)
	}
	dir := filepath.Join(parents[0], name)
	if err = os.Mkdir(dir, 0o755); err == nil || errors.Is(err, fs.ErrExist) {
		err = enter(dir)
	}
	return func() error {
		err := enter(filepath.Dir(parents[0]))
		sweep(parents)
		for _, parent := range parents {
			_ = os.Remove(parent) // busy: it has units
		}
		return err
	}, err
}

// sweep removes the control groups of units that have no process left; the kernel
// keeps the others.
func sweep(parents []string) {
	for _, parent := range parents {
		units, err := os.ReadDir(parent)
		if err != nil {
			continue
		}
		for _, unit := range units {
			if unit.IsDir() {
				g := &controlGroup{dirs: []string{filepath.Join(parent, unit.Name())}}
				_ = g.remove() // busy: it has processes
			}
		}
	}
}

// bound is a value for the first of some files that is there: those of version 2
// of control groups, and of version 1.
type bound struct {
	option string
	files  []string
	value  string
}

func bounds(c *unit.Context) []bound {
	var list []bound
	if c.MemoryMax > 0 {
		list = append(list, bound{"MemoryMax", []string{"memory.max", "memory.limit_in_bytes"}, fmt.Sprint(c.MemoryMax)})
	}
	if c.TasksMax > 0 {
		list = append(list, bound{"TasksMax", []string{"pids.max"}, fmt.Sprint(c.TasksMax)})
	}
	if c.CPUQuota > 0 {
		list = append(list, bound{"CPUQuota", []string{"cpu.max"}, fmt.Sprintf("%d 100000", c.CPUQuota*1000)})
		list = append(list, bound{"CPUQuota", []string{"cpu.max", "cpu.cfs_quota_us"}, fmt.Sprint(c.CPUQuota * 1000)})
	}
	return list
}

var errNoController = errors.New("the control groups of this machine can't bound it")

func (g *controlGroup) set(files []string, value string) error {
	for _, dir := range g.dirs {
		for _, file := range files {
			name := filepath.Join(dir, file)
			if _, err := os.Stat(name); err == nil {
				return os.WriteFile(name, []byte(value), 0)
			}
		}
	}
	return errNoController
}

func (g *controlGroup) enter() []string {
	var files []string
	for _, dir := range g.dirs {
		files = append(files, filepath.Join(dir, "cgroup.procs"))
	}
	return files
}

func (g *controlGroup) joined(int) {}

// pids looks into groups below, too: a unit may make some of its own.
func (g *controlGroup) pids() ([]int, error) {
	var found []int
	err := filepath.WalkDir(g.dirs[0], func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return ignoreGone(err)
		}
		text, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 && !isZombie(pid) {
				found = append(found, pid)
			}
		}
		return ignoreGone(err)
	})
	return found, ignoreGone(err)
}

// ignoreGone takes an error about what has gone for none.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// signal repeats until it has met nobody new: who forks while it is signalled
// might leave somebody out.
func (g *controlGroup) signal(sig syscall.Signal) error {
	if sig == syscall.SIGKILL && os.WriteFile(filepath.Join(g.dirs[0], "cgroup.kill"), []byte("1"), 0) == nil {
		return nil
	}
	return signalAll(g, sig)
}

func (g *controlGroup) strike() {
	if os.WriteFile(filepath.Join(g.dirs[0], "cgroup.kill"), []byte("1"), 0) == nil {
		return
	}
	_ = filepath.WalkDir(g.dirs[0], func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		text, _ := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		return nil
	})
}

// signalAll signals each process of a group once.
func signalAll(g group, sig syscall.Signal) error {
	var met []int
	for range 16 {
		pids, err := g.pids()
		if err != nil {
			return err
		}
		fresh := false
		for _, pid := range pids {
			if slices.Contains(met, pid) {
				continue
			}
			fresh = true
			met = append(met, pid)
			if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
		if !fresh {
			return nil
		}
	}
	return nil
}

func (g *controlGroup) remove() error {
	for _, dir := range g.dirs {
		var below []string
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				below = append(below, path)
			}
			return nil
		})
		for _, path := range slices.Backward(below) {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

func (g *controlGroup) record() groupRecord { return groupRecord{Dirs: g.dirs} }

// processGroup is a group for machines without control groups: the process groups
// of what was spawned, and every process whose environment names the invocation.
// A process that leaves the one and wipes the other is lost.
type processGroup struct {
	leaders []int
	starts  map[int]uint64 // of those leaders of which it is known
	mark    string
}

func (g *processGroup) enter() []string { return nil }

func (g *processGroup) joined(pid int) {
	g.leaders = append(g.leaders, pid)
	if started, ok := startOf(pid); ok {
		if g.starts == nil {
			g.starts = make(map[int]uint64)
		}
		g.starts[pid] = started
	}
}

// prune lets go of groups that have ended. The number of one may be another's by now,
// which then has another leader: no process gets a number that a group still has.
func (g *processGroup) prune() {
	g.leaders = slices.DeleteFunc(g.leaders, func(pid int) bool {
		if errors.Is(syscall.Kill(-pid, 0), syscall.ESRCH) {
			return true
		}
		then, known := g.starts[pid]
		now, runs := startOf(pid)
		return known && runs && now != then
	})
}

func (g *processGroup) pids() ([]int, error) {
	g.prune()
	return membersOf(g.leaders, g.mark)
}

func (g *processGroup) signal(sig syscall.Signal) error {
	g.prune()
	for _, pid := range g.leaders {
		// One that is gone is none of ours to complain of.
		if err := syscall.Kill(-pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) && !errors.Is(err, syscall.EPERM) {
			return err
		}
	}
	pids, err := membersOf(nil, g.mark)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if pgid, err := syscall.Getpgid(pid); err != nil || !slices.Contains(g.leaders, pgid) {
			_ = syscall.Kill(pid, sig)
		}
	}
	return nil
}

func (g *processGroup) strike() {
	g.prune()
	for _, pid := range g.leaders {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
	}
}

func (g *processGroup) remove() error { return nil }

func (g *processGroup) record() groupRecord {
	r := groupRecord{Leaders: g.leaders, Mark: g.mark}
	for _, pid := range g.leaders {
		r.Starts = append(r.Starts, g.starts[pid])
	}
	return r
}
