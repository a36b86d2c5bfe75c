package kv

import (
	"errors"
	"os"
	"runtime"
	"testing"
	"time"
)

const statLine = "cpu  100 10 50 9000 300 5 15 20 7 3\ncpu0 1 2\n"

func TestParsersOfTheSystem(t *testing.T) {
	tests := []struct {
		name  string
		parse func(string) (int64, error)
		good  map[string]int64
		bad   []string
	}{
		{
			"schedstat", func(s string) (int64, error) { d, err := runTime(s); return int64(d), err },
			map[string]int64{"123456 789 3\n": 123456, "0 0 0": 0},
			[]string{"", "1 2", "x 1 2", "-1 2 3", "1 2 3 4"},
		},
		{
			"pid stat", func(s string) (int64, error) { d, err := processTicks(s); return d.Milliseconds(), err },
			map[string]int64{"7 (a) b) S 1 7 7 0 -1 4 1 2 3 4 25 17 0 0": 420},
			[]string{"", "7 (a) S 1", "7 (a) S 1 7 7 0 -1 4 1 2 3 4 x 17", "7 (a) S 1 7 7 0 -1 4 1 2 3 4 5 -17"},
		},
		{
			"stat", func(s string) (int64, error) { d, err := busyTime(s); return d.Milliseconds(), err },
			map[string]int64{statLine: 2000}, // user, nice, system, irq, softirq, steal
			[]string{"", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8", "cpu 1 2 3 4 5 6 7 x"},
		},
		{
			"pressure", func(s string) (int64, error) { d, err := stalledTime(s); return d.Microseconds(), err },
			map[string]int64{"some avg10=97.07 avg60=94.23 avg300=95.23 total=832\nfull avg10=0.00 total=9\n": 832},
			[]string{"", "full avg10=0.00 total=9\n", "some avg10=1\n", "some total=-1\n"},
		},
		{
			"block stat", flushCount,
			map[string]int64{"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 503 17\n": 503, "1 2 3 4 5 6 7 8 9 10 11\n": 0},
			[]string{"", "1 2 3", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 x 17\n"},
		},
	}
	for _, tt := range tests {
		for text, want := range tt.good {
			if got, err := tt.parse(text); err != nil || got != want {
				t.Errorf("%s %q: %d, %v; want %d", tt.name, text, got, err, want)
			}
		}
		for _, text := range tt.bad {
			if got, err := tt.parse(text); !errors.Is(err, errForm) {
				t.Errorf("%s %q: %d, %v; want %v", tt.name, text, got, err, errForm)
			}
		}
	}
}

func FuzzParsersOfTheSystem(f *testing.F) {
	f.Add(statLine)
	f.Add("7 (a) b) S 1 7 7 0 -1 4 1 2 3 4 25 17 0 0")
	f.Add("some avg10=97.07 total=832\n")
	f.Fuzz(func(t *testing.T, text string) {
		for i, parse := range []func(string) (time.Duration, error){
			runTime, processTicks, busyTime, stalledTime,
			func(s string) (time.Duration, error) { n, err := flushCount(s); return time.Duration(n), err },
		} {
			if d, err := parse(text); err == nil && d < 0 || err != nil && !errors.Is(err, errForm) {
				t.Errorf("parser %d: %q: %v, %v", i, text, d, err)
			}
		}
	})
}

func TestSince(t *testing.T) {
	const s = time.Second
	begin := time.Now()
	cpus := time.Duration(runtime.NumCPU())
	before := reading{at: begin, threads: map[int]time.Duration{1: s, 2: 2 * s}, ticks: 3 * s, self: s, busy: 100 * s, stalled: s, flushes: 5}
	after := reading{
		at: begin.Add(10 * s), threads: map[int]time.Duration{1: 2 * s, 2: 2 * s, 3: s}, ticks: 5 * s, self: 2 * s,
		busy: 100*s + 3*s + cpus*5*s, stalled: 6 * s, flushes: 25,
	}
	got := after.since(before)
	want := taken{elapsed: 10 * s, servers: 2 * s, self: s, foreign: 0.5, pressure: 0.5, flushes: 20}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	// A thread that has ended took its time with it; the process's ticks have it.
	delete(after.threads, 2)
	after.ticks = 7 * s
	if got := after.since(before); got.servers != 4*s {
		t.Errorf("with a thread that ended: %v, want 4s", got.servers)
	}
}

// TestReadSeesWork: a process that is busy is seen to be, in all its threads.
func TestReadSeesWork(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what processes take")
	}
	m := meter{pids: []int{os.Getpid()}, disk: diskOf(t.TempDir())}
	before, err := m.read()
	if err != nil {
		t.Fatal(err)
	}
	var spent time.Duration
	for end := time.Now().Add(5 * time.Second); spent < 50*time.Millisecond && time.Now().Before(end); {
		now, err := m.read()
		if err != nil {
			t.Fatal(err)
		}
		spent = now.since(before).servers
	}
	if spent < 50*time.Millisecond {
		t.Errorf("5s of reading took %v of CPU", spent)
	}
	m.pids = []int{1 << 30}
	if _, err := m.read(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nobody's process: %v", err)
	}
}
