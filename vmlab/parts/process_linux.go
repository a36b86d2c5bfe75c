package parts

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTicks is how many of the kernel's ticks a second has, on every system that
// Linux runs on.
const clockTicks = 100

// Usage is what memory a process has to itself, and what it has computed.
func Usage(pid int) (memory int64, cpu time.Duration) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	if text, err := os.ReadFile(filepath.Join(dir, "smaps_rollup")); err == nil {
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
				kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
				memory = kib << 10
			}
		}
	}
	if f := stat(pid); len(f) > 12 {
		user, _ := strconv.ParseInt(f[11], 10, 64)
		system, _ := strconv.ParseInt(f[12], 10, 64)
		cpu = time.Duration(user+system) * time.Second / clockTicks
	}
	return memory, cpu
}

// stat are the fields of a process's stat after its name.
func stat(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

// Started is when a process has started, in clock ticks; 0 if there is none.
func Started(pid int) uint64 {
	f := stat(pid)
	if len(f) < 20 {
		return 0
	}
	at, _ := strconv.ParseUint(f[19], 10, 64)
	return at
}

// Stopped says whether a process was stopped by a signal.
func Stopped(pid int) bool {
	f := stat(pid)
	return len(f) > 0 && f[0] == "T"
}
