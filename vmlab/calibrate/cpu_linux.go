package calibrate

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of times in /proc.
const clockTick = 10 * time.Millisecond

// foreignTime is for how long CPUs have worked since the system began for others than
// this process and its descendants.
func foreignTime() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	return time.Duration(busyTicks(string(text))-ownTicks(os.Getpid())) * clockTick
}

// busyTicks is what /proc/stat's first line has of work: all but idle, waiting for a
// disk, and guests, which are counted as work already. The time that a hypervisor
// took is work of others.
func busyTicks(text string) int64 {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	var sum int64
	for i, word := range fields {
		if i == 0 || i == 4 || i == 5 || i > 8 {
			continue
		}
		n, _ := strconv.ParseInt(word, 10, 64) // 0, as what isn't told, if it is none
		sum += n
	}
	return sum
}

// ownTicks is what a process and all that descend from it have worked, those that
// have ended and were waited for among them.
func ownTicks(root int) int64 {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	ticks, children := map[int]int64{}, map[int][]int{}
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + d.Name() + "/stat")
		if err != nil {
			continue // it has ended since
		}
		parent, worked := processTicks(string(text))
		ticks[pid] = worked
		children[parent] = append(children[parent], pid)
	}
	sum := int64(0)
	for list := []int{root}; len(list) > 0; list = list[1:] {
		sum += ticks[list[0]]
		list = append(list, children[list[0]]...)
	}
	return sum
}

// processTicks reads a process's parent and what it has worked, with its children
// that were waited for, from its stat file.
func processTicks(text string) (parent int, ticks int64) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // its name may have any character
	const parentAt, userAt = 1, 11
	if len(fields) < userAt+4 {
		return 0, 0
	}
	parent, _ = strconv.Atoi(fields[parentAt])
	for _, word := range fields[userAt : userAt+4] {
		n, _ := strconv.ParseInt(word, 10, 64) // 0, as what isn't told, if it is none
		ticks += n
	}
	return parent, ticks
}
