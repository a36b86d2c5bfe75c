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
	all, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, p := range all {
		if p.Proc.P_stat != zombie && slices.Contains(leaders, int(p.Eproc.Pgid)) {
			found = append(found, int(p.Proc.P_pid))
		}
	}
	return found, nil
}

// controlParents returns none: this system has no control groups.
func controlParents(string) []string { return nil }
