package supervisor

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// procStat is what the kernel says of a process.
type procStat struct {
	state byte
	pgrp  int
	// started tells apart two processes that have had one number.
	started uint64
}

func readStat(pid int) (procStat, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// The name, in parentheses, may hold anything.
	i := bytes.LastIndexByte(text, ')')
	if err != nil || i < 0 {
		return procStat{}, false
	}
	f := strings.Fields(string(text[i+1:]))
	if len(f) < 20 {
		return procStat{}, false
	}
	s := procStat{state: f[0][0]}
	s.pgrp, _ = strconv.Atoi(f[2])
	s.started, _ = strconv.ParseUint(f[19], 10, 64)
	return s, true
}

func isZombie(pid int) bool {
	s, ok := readStat(pid)
	return ok && (s.state == 'Z' || s.state == 'X')
}

// startOf returns when a process has started, in a unit of the kernel's, and false
// if there is none that runs.
func startOf(pid int) (uint64, bool) {
	s, ok := readStat(pid)
	return s.started, ok && s.state != 'Z' && s.state != 'X'
}

// membersOf returns the processes that are in one of the process groups, or whose
// environment names the invocation.
func membersOf(leaders []int, mark string) ([]int, error) {
	var found []int
	err := eachProcess(func(pid, pgrp int, invocation func() string) {
		if slices.Contains(leaders, pgrp) || mark != "" && invocation() == mark {
			found = append(found, pid)
		}
	})
	return found, err
}

// eachProcess visits all processes that run, with their process groups, and the
// invocation that their environment names.
func eachProcess(visit func(pid, pgrp int, invocation func() string)) error {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if s, ok := readStat(pid); ok && s.state != 'Z' && s.state != 'X' {
			visit(pid, s.pgrp, func() string { return invocationOf(dir) })
		}
	}
	return nil
}

// invocationOf reads what the environment of a process names, "" if that is nothing
// or isn't for this user to read.
func invocationOf(dir string) string {
	const name = "INVOCATION_ID="
	env, err := os.ReadFile(filepath.Join(dir, "environ"))
	if err != nil {
		return ""
	}
	for _, v := range bytes.Split(env, []byte{0}) {
		if value, ok := bytes.CutPrefix(v, []byte(name)); ok {
			return string(value)
		}
	}
	return ""
}

// controlParents returns the directories below which units get control groups,
// made for the purpose, none if this machine has none that may be used. The first
// is the one to count processes by.
func controlParents(name string) []string {
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err != nil {
			continue
		}
		dir := filepath.Join(root, ownGroup("0::"), name)
		if os.MkdirAll(dir, 0o755) != nil || !canEnter(dir) {
			break
		}
		return append([]string{dir}, delegate(root, dir, name)...)
	}
	var dirs []string
	for _, hierarchy := range []string{"systemd", "pids", "freezer"} {
		dir := filepath.Join("/sys/fs/cgroup", hierarchy, name)
		if _, err := os.Stat(filepath.Join("/sys/fs/cgroup", hierarchy, "cgroup.procs")); err == nil && os.MkdirAll(dir, 0o755) == nil {
			dirs = append(dirs, dir)
			break
		}
	}
	if len(dirs) == 0 {
		return nil
	}
	return append(dirs, boundsV1(dirs[0], name)...)
}

// ownGroup returns the supervisor's own group of a hierarchy.
func ownGroup(prefix string) string {
	text, _ := os.ReadFile("/proc/self/cgroup")
	for _, line := range strings.Split(string(text), "\n") {
		if path, ok := strings.CutPrefix(line, prefix); ok && !strings.Contains(path, "..") {
			return path
		}
	}
	return "/"
}

// canEnter says whether processes may be moved into a group.
func canEnter(dir string) bool {
	f, err := os.OpenFile(filepath.Join(dir, "cgroup.procs"), os.O_WRONLY, 0)
	if err != nil {
		return false
	}
	return f.Close() == nil
}

// delegate hands the controllers that bounds need down to the units' parent; where
// those are version 1's, it returns their directories.
func delegate(root, dir, name string) []string {
	for at := root; ; {
		for _, c := range []string{"+memory", "+pids", "+cpu"} {
			_ = os.WriteFile(filepath.Join(at, "cgroup.subtree_control"), []byte(c), 0) // as far as it goes
		}
		rest, _ := filepath.Rel(at, dir)
		if rest == "." || rest == "" {
			break
		}
		at = filepath.Join(at, strings.Split(rest, string(filepath.Separator))[0])
	}
	return boundsV1(dir, name)
}

// boundsV1 returns directories in those hierarchies of version 1 that bound what
// the first directory's doesn't.
func boundsV1(first, name string) []string {
	var dirs []string
	for _, controller := range []string{"memory", "pids", "cpu"} {
		root := filepath.Join("/sys/fs/cgroup", controller)
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err != nil || strings.HasPrefix(first, root+"/") {
			continue
		}
		if dir := filepath.Join(root, name); os.MkdirAll(dir, 0o755) == nil && canEnter(dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}
