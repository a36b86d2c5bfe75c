package kv

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// small are options for tests: everything, and each for a moment.
func small(t *testing.T, systems ...System) Options {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what processes take")
	}
	return Options{
		Systems: systems, Dir: t.TempDir(), Members: []int{1}, Works: []string{"put"}, Conns: []int{4}, OpenConns: 4,
		ValueBytes: 64, Keys: 20, Pairs: 2, Warmup: 10 * time.Millisecond, Duration: 60 * time.Millisecond, Seed: 1,
		probing: 100 * time.Millisecond, settling: 50 * time.Millisecond,
		Timers: []Timers{{Heartbeat: 10 * time.Millisecond, Election: 100 * time.Millisecond}},
	}
}

func TestRunAllWork(t *testing.T) {
	o := small(t, fakeSystem("a"), fakeSystem("b"))
	o.MemoryDir, o.Works, o.Conns, o.Pairs = t.TempDir(), nil, []int{1, 3}, 1
	for _, w := range Workloads() {
		o.Works = append(o.Works, w.Name)
	}
	o.Loads, o.OpenWorks, o.Floor = []float64{0.5}, []string{"get"}, time.Millisecond
	var said []string
	o.Progress = func(s string) { said = append(said, s) }
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	// Six kinds of work with one connection, watch with none less than two, all
	// seven with three, the open loop's, and the one in memory.
	if len(r.Cells) != 6+7+1+1 || r.Floor == nil {
		t.Fatalf("%d cells, floor %v", len(r.Cells), r.Floor)
	}
	for _, c := range r.Cells {
		if len(c.Samples) != 2 || len(c.Failures) > 0 || c.Ratios["serverCPU"].Pairs != 1 {
			t.Errorf("%s: %d samples, failures %v, %+v", c.Cell, len(c.Samples), c.Failures, c.Ratios["serverCPU"])
		}
		for _, s := range c.Samples {
			if s.Ops == 0 || s.Rate <= 0 || s.ServerCPU <= 0 || s.ClientCPU <= 0 || s.P50 <= 0 || s.P99 < s.P50 || s.Max < s.P99 {
				t.Errorf("%s: %+v", c.Cell, s)
			}
		}
	}
	if open := r.Cells[13]; open.Load != 0.5 || open.Asked <= 0 || open.Work != "get" {
		t.Errorf("the open loop's cell: %+v", open.Cell)
	}
	if !r.Cells[14].Memory {
		t.Errorf("no cell in memory: %s", r.Cells[14].Cell)
	}
	if !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, "round 30 of 30, ") }) {
		t.Errorf("progress: %q", said)
	}
	for _, dir := range []string{o.Dir, o.MemoryDir} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

// TestSlowerIsSeen: a system that waits 3ms with each answer is found out.
func TestSlowerIsSeen(t *testing.T) {
	o := small(t, fakeSystem("quick"), fakeSystem("slow", "--delay=3ms"))
	o.Works, o.Pairs, o.Keys = []string{"get"}, 6, 5
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	c := r.Cells[0]
	quick, slow := c.Summaries["quick"], c.Summaries["slow"]
	if slow.P50 < 3000 || quick.P50 >= slow.P50 || quick.Rate <= slow.Rate {
		t.Errorf("quick %+v\nslow %+v", quick, slow)
	}
}

func TestRoundsThatFail(t *testing.T) {
	o := small(t, fakeSystem("a", "--fail-every=30"))
	o.Pairs, o.Keys = 1, 5 // so that the keys are written before the first failure
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	c := r.Cells[0]
	if len(c.Samples) != 0 || len(c.Failures) != attempts || !strings.Contains(c.Failures[0].Reason, "as told") {
		t.Errorf("%d samples, %v", len(c.Samples), c.Failures)
	}
}

func TestFailovers(t *testing.T) {
	o := small(t, fakeSystem("a"), fakeSystem("b"))
	o.Works, o.Kills, o.Stops = nil, 1, 1
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Failovers) != 2 || r.Failovers[0].Kind != killed || r.Failovers[1].Kind != stopped {
		t.Fatalf("%+v", r.Failovers)
	}
	for _, f := range r.Failovers {
		for _, name := range []string{"a", "b"} {
			list := f.Trials[name]
			if len(list) != 1 || list[0].Gap <= 0 || list[0].Gap > 5000 || (f.Kind == stopped) != (list[0].Before > 0) {
				t.Errorf("%s of %s: %v", f.Kind, name, list)
			}
		}
		if f.Ratio == nil || f.Ratio.Pairs != 1 || len(f.Failures) > 0 {
			t.Errorf("%+v", f)
		}
	}
}

func TestRunFails(t *testing.T) {
	missing := System{Name: "missing", path: filepath.Join(t.TempDir(), "none"), args: func(place) []string { return nil }}
	ends := System{Name: "ends", path: os.Args[0], args: func(place) []string { return []string{"fake-server", "--what"} }}
	for _, tt := range []struct {
		name string
		with func(*Options)
		want string
	}{
		{"no program", func(o *Options) { o.Systems = []System{missing} }, "no such file"},
		{"ends at once", func(o *Options) { o.Systems = []System{ends} }, "flag provided but not defined: -what"},
		{"no directory", func(o *Options) { o.Dir = filepath.Join(o.Dir, "none") }, "no such file"},
		{"no memory", func(o *Options) { o.MemoryDir = filepath.Join(o.Dir, "none"); o.Pairs = 1 }, "no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := small(t, fakeSystem("a"))
			tt.with(&o)
			if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// TestInterrupted: what there is until then is reported, and nothing goes on.
func TestInterrupted(t *testing.T) {
	o := small(t, fakeSystem("a"))
	o.Pairs = 1000
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rounds := 0
	o.Progress = func(s string) {
		if rounds++; rounds == 5 {
			cancel()
		}
	}
	r, err := Run(ctx, o)
	if !errors.Is(err, context.Canceled) || len(r.Cells) != 1 || len(r.Cells[0].Samples) == 0 || r.Cells[0].Summaries["a"].Rounds == 0 {
		t.Errorf("%+v, %v", r.Cells, err)
	}
	if left, err := os.ReadDir(o.Dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestLeaderThatIsLostFailsTheRound(t *testing.T) {
	o := small(t, fakeSystem("a"))
	s := newStarter()
	defer s.close()
	c, err := newCluster(s, o.Systems[0], o.Dir, 3, Timers{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := c.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lead, err := c.leader(t.Context()); err != nil || lead != 0 {
		t.Fatalf("leader %d, %v", lead, err)
	}
	r := round{Cell: Cell{Members: 3, Work: "put", Conns: 2}, keys: 5, value: newValue(8), duration: 300 * time.Millisecond, workers: 1, dir: o.Dir}
	time.AfterFunc(100*time.Millisecond, func() { _ = c.procs[0].cmd.Process.Signal(syscall.SIGKILL) })
	if _, err := measure(t.Context(), c, r); err == nil {
		t.Error("a round whose leader died counts")
	}
	<-c.procs[0].exited
	if err := c.start(t.Context()); err != nil {
		t.Errorf("it isn't started again: %v", err)
	}
}

func TestLongestGap(t *testing.T) {
	p := &probe{acks: []ack{{1, 10}, {2, 50}, {3, 20}, {4, 90}}}
	for _, tt := range []struct{ from, to, want time.Duration }{
		{0, 100, 40}, {0, 10, 10}, {50, 60, 10}, {20, 200, 110}, {91, 95, 4},
	} {
		if got := p.longestGap(tt.from, tt.to); got != tt.want {
			t.Errorf("from %d to %d: %d, want %d", tt.from, tt.to, got, tt.want)
		}
	}
}

func TestPlainEnv(t *testing.T) {
	got := plainEnv([]string{"PATH=/bin", "GOGC=off", "ETCD_NAME=x", "DRYDOCK_NAME=x", "HOME=/h", "GODEBUG=x"})
	if want := []string{"PATH=/bin", "HOME=/h"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
