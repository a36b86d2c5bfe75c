package kv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// errForm says that a file of the system has another form than it should.
var errForm = errors.New("kv: unexpected form")

// tick is the unit of times in /proc/stat and /proc/PID/stat.
const tick = 10 * time.Millisecond

// meter reads what servers take of the machine, and what others do.
type meter struct {
	pids []int
	disk string // the sysfs file of the disk's counters; "" if unknown
}

// reading is what a meter read at one instant. Times count from some begin.
type reading struct {
	at      time.Time
	threads map[int]time.Duration // the servers' threads by id, exact
	ticks   time.Duration         // the servers, with threads that have ended, in ticks
	self    time.Duration         // this process
	busy    time.Duration         // all CPUs, with what a hypervisor took
	stalled time.Duration         // time in which somebody waited for a CPU; 0 if unknown
	flushes int64                 // of the disk's cache; 0 if unknown
}

// read takes a reading. Only Linux has what it reads.
func (m *meter) read() (reading, error) {
	r := reading{at: time.Now(), threads: make(map[int]time.Duration)}
	for _, pid := range m.pids {
		if err := r.process(pid); err != nil {
			return r, err
		}
	}
	var own unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &own); err != nil {
		return r, fmt.Errorf("getrusage: %w", err)
	}
	r.self = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return r, err
	}
	if r.busy, err = busyTime(string(text)); err != nil {
		return r, err
	}
	if text, err := os.ReadFile("/proc/pressure/cpu"); err == nil { // not every kernel has it
		if r.stalled, err = stalledTime(string(text)); err != nil {
			return r, err
		}
	}
	if m.disk == "" {
		return r, nil
	}
	if text, err = os.ReadFile(m.disk); err != nil {
		return r, err
	}
	r.flushes, err = flushCount(string(text))
	return r, err
}

// process adds a process's times.
func (r *reading) process(pid int) error {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	tasks, err := os.ReadDir(filepath.Join(dir, "task"))
	if err != nil {
		return fmt.Errorf("a server has ended: %w", err)
	}
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		if err != nil {
			return fmt.Errorf("%w: %s/task/%s", errForm, dir, task.Name())
		}
		text, err := os.ReadFile(filepath.Join(dir, "task", task.Name(), "schedstat"))
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // a thread that ended meanwhile
		}
		if err != nil {
			return err
		}
		if r.threads[id], err = runTime(string(text)); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return err
	}
	used, err := processTicks(string(text))
	r.ticks += used
	return err
}

// taken is what happened between two readings.
type taken struct {
	elapsed, servers, self time.Duration
	// foreign is the share of all CPUs that neither the servers nor this process
	// had, pressure that of the time in which somebody waited for one.
	foreign, pressure float64
	flushes           int64
}

// since tells what happened between a reading and a later one.
func (r reading) since(before reading) taken {
	t := taken{elapsed: r.at.Sub(before.at), self: r.self - before.self, flushes: r.flushes - before.flushes}
	ended := false
	for id, was := range before.threads {
		now, there := r.threads[id]
		ended = ended || !there || now < was
		t.servers += now - was
	}
	for id, now := range r.threads {
		if _, old := before.threads[id]; !old {
			t.servers += now
		}
	}
	if ended {
		// What a thread did that has ended is in no list; only the coarser count of
		// the process has it.
		t.servers = r.ticks - before.ticks
	}
	all := t.elapsed.Seconds() * float64(runtime.NumCPU())
	t.foreign = max(0, (r.busy-before.busy-t.servers-t.self).Seconds()/all)
	t.pressure = (r.stalled - before.stalled).Seconds() / t.elapsed.Seconds()
	return t
}

// runTime reads /proc/PID/task/TID/schedstat: nanoseconds on a CPU, and two more
// (Documentation/scheduler/sched-stats.rst).
func runTime(text string) (time.Duration, error) {
	fields := strings.Fields(text)
	if len(fields) != 3 {
		return 0, fmt.Errorf("%w: schedstat %q", errForm, text)
	}
	n, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: schedstat %q", errForm, text)
	}
	return time.Duration(n), nil
}

// processTicks reads user and system time of /proc/PID/stat, fields 14 and 15
// (proc(5)). The name, in parentheses, may hold anything.
func processTicks(text string) (time.Duration, error) {
	end := strings.LastIndexByte(text, ')')
	fields := strings.Fields(text[end+1:])
	if end < 0 || len(fields) < 13 {
		return 0, fmt.Errorf("%w: stat %q", errForm, text)
	}
	user, err := strconv.ParseUint(fields[11], 10, 40)
	system, err2 := strconv.ParseUint(fields[12], 10, 40)
	if err := errors.Join(err, err2); err != nil {
		return 0, fmt.Errorf("%w: stat: %w", errForm, err)
	}
	return time.Duration(user+system) * tick, nil
}

// busyTime reads the first line of /proc/stat: user, nice, system, idle, iowait,
// irq, softirq, steal, and two that are in user already (proc(5)).
func busyTime(text string) (time.Duration, error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("%w: /proc/stat %q", errForm, line)
	}
	var sum uint64
	for i, field := range fields[1:9] {
		n, err := strconv.ParseUint(field, 10, 48)
		if err != nil {
			return 0, fmt.Errorf("%w: /proc/stat %q", errForm, line)
		}
		if idle := i == 3 || i == 4; !idle {
			sum += n
		}
	}
	return time.Duration(sum) * tick, nil
}

// stalledTime reads the total, in microseconds, of the line "some" of
// /proc/pressure/cpu.
func stalledTime(text string) (time.Duration, error) {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "some ") {
			continue
		}
		_, total, _ := strings.Cut(line, "total=")
		n, err := strconv.ParseUint(strings.TrimSpace(total), 10, 50)
		if err != nil {
			break
		}
		return time.Duration(n) * time.Microsecond, nil
	}
	return 0, fmt.Errorf("%w: /proc/pressure/cpu %q", errForm, text)
}

// flushCount reads the flush requests that a disk has completed, field 16 of its
// stat (Documentation/block/stat.rst); 0 of a kernel that doesn't count them.
func flushCount(text string) (int64, error) {
	fields := strings.Fields(text)
	if len(fields) < 11 {
		return 0, fmt.Errorf("%w: block stat %q", errForm, text)
	}
	if len(fields) < 16 {
		return 0, nil
	}
	n, err := strconv.ParseInt(fields[15], 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: block stat %q", errForm, text)
	}
	return n, nil
}

// DiskName is the name of the block device that holds a directory, "" if none does
// that the system tells of.
func DiskName(dir string) string {
	stat := diskOf(dir)
	if stat == "" {
		return ""
	}
	return filepath.Base(filepath.Dir(stat))
}
