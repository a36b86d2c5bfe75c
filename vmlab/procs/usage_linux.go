package procs

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process has taken of the machine.
type Usage struct {
	// CPU is the time it has run, in user mode and in the system.
	CPU time.Duration
	// ResidentBytes is the memory that it holds in RAM.
	ResidentBytes int64
}

// ticksPerSecond is the unit of times under /proc, which Linux keeps for programs
// whatever it counts in itself.
const ticksPerSecond = 100

// UsageOf reads a process's usage.
func UsageOf(pid int) (Usage, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, err
	}
	// The name, in parentheses, may hold anything; fields after it are numbered
	// from 3 (proc(5)).
	_, after, ok := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if !ok || len(fields) < 22 {
		return Usage{}, fmt.Errorf("procs: /proc/%d/stat has another form: %q", pid, text)
	}
	var n [3]int64
	var errs []error
	for i, field := range []int{14, 15, 24} {
		n[i], err = strconv.ParseInt(fields[field-3], 10, 64)
		errs = append(errs, err)
	}
	return Usage{
		CPU:           time.Duration(n[0]+n[1]) * (time.Second / ticksPerSecond),
		ResidentBytes: n[2] * int64(os.Getpagesize()),
	}, errors.Join(errs...)
}
