package supervisor

import (
	"slices"

	"golang.org/x/sys/unix"
)

const zombie = 5 // SZOMB

func isZombie(pid int) bool {
	p, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	return err == nil && p.Proc.P_stat == zombie
}

// startOf returns when a process has started, in microseconds, and false if there
// is none that runs.
func startOf(pid int) (uint64, bool) {
	p, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || p.Proc.P_stat == zombie {
		return 0, false
	}
	return uint64(p.Proc.P_starttime.Sec)*1e6 + uint64(p.Proc.P_starttime.Usec), true
}

// membersOf returns the processes that are in one of the process groups. The
// environment of others can't be read here.
func membersOf(leaders []int, _ string) ([]int, error) {
	var found []int
	err := eachProcess(func(pid, pgrp int, _ func() string) {
		if slices.Contains(leaders, pgrp) {
			found = append(found, pid)
		}
	})
	return found, err
}

// eachProcess visits all processes that run, with their process groups. What invocation
// they are of isn't known here.
func eachProcess(visit func(pid, pgrp int, invocation func() string)) error {
	all, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return err
	}
	for _, p := range all {
		if p.Proc.P_stat != zombie {
			visit(int(p.Proc.P_pid), int(p.Eproc.Pgid), func() string { return "" })
		}
	}
	return nil
}

// controlParents returns none: this system has no control groups.
func controlParents(string) []string { return nil }
