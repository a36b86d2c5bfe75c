package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"drydock/bench/kv"
	"drydock/bench/report"
	"drydock/node/ui"
)

type kvOptions struct {
	against, drydock, dir, memory string
	flags                         []string
	members, conns, loads         []int
	works, openWorks              []string
	openConns, value, keys, pairs int
	kills, stops                  int
	warmup, duration              time.Duration
	seed                          uint64
	quick, json                   bool
	floor                         time.Duration // 0: its floors are measured elsewhere
	out                           outputs
}

func newKV(env *ui.Env) *cobra.Command {
	o := &kvOptions{floor: time.Second}
	c := &cobra.Command{
		Use:   "kv",
		Short: "The node as clients see it, alone or beside etcd",
		Long: `Measure real servers on this machine through their etcd v2 API: CPU time of the
servers an operation, operations a second and latencies, in a closed loop and, at
shares of the slower system's peak, in an open one; and how long writes pause when
a leader is killed or stopped.

With --against two systems take turns in random order, and what is printed of a
measure is the median of the pairs' ratios with its 95% interval. Rates and
latencies are judged by pairs of rounds only in which other programs had less than
30% of the CPUs; CPU time holds on a busier machine. Linux only.

Work: ` + works() + `.`,
		Example: "  drydock bench kv --quick\n  drydock bench kv --against etcd\n" +
			"  drydock bench kv --against etcd --members 3 --work put,linear-get --conns 64,256 --pairs 20\n" +
			"  drydock bench kv --against etcd --work '' --kills 30 --stops 30\n" +
			"  drydock bench kv --against ./drydock-before --work put --conns 64",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if o.quick {
				o.hurry(c.Flags().Changed)
			}
			s := &session{env: env, name: "bench kv", parts: []*part{o.part(env, c.Flags())}, out: &o.out, json: o.json, quick: o.quick, dir: o.dir}
			return s.run(ctx)
		},
	}
	o.addFlags(c.Flags())
	o.out.addFlags(c.Flags())
	c.Flags().BoolVar(&o.json, "json", false, "write one JSON object, and nothing else, to stdout")
	return c
}

func (o *kvOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.against, "against", "", "the other system: etcd (on PATH, 3.4 or 3.5), or the path of a drydock program")
	f.StringVar(&o.drydock, "drydock", "", "the drydock program that is measured (default: this one)")
	f.StringArrayVar(&o.flags, "drydock-flag", nil, "a flag for the nodes of drydock, as --drydock-flag=--enable-pprof; may be repeated")
	f.StringVar(&o.dir, "dir", ".", "where data is kept meanwhile: on the disk that is meant")
	f.StringVar(&o.memory, "memory-dir", memoryDir(), "a folder in memory, for the row without a disk; empty for none")
	f.IntSliceVar(&o.members, "members", []int{3, 1}, "sizes of clusters")
	f.StringSliceVar(&o.works, "work", workNames(), "kinds of work in the closed loop; '' for none, so that leaders are killed only")
	f.IntSliceVar(&o.conns, "conns", []int{1, 16, 64, 256}, "numbers of connections in the closed loop")
	f.IntSliceVar(&o.loads, "load", []int{50, 70, 90}, "the open loop's rates, in % of the slower system's peak")
	f.StringSliceVar(&o.openWorks, "open-work", []string{"put", "linear-get"}, "kinds of work in the open loop, of those in --work")
	f.IntVar(&o.openConns, "open-conns", 256, "connections of the open loop")
	f.IntVar(&o.value, "value", 256, "size of values, in bytes")
	f.IntVar(&o.keys, "keys", 1000, "how many keys there are to read and write")
	f.IntVar(&o.pairs, "pairs", 10, "rounds of each system in each cell")
	f.IntVar(&o.kills, "kills", 30, "how many times a leader is killed, with each timers")
	f.IntVar(&o.stops, "stops", 10, "how many times a leader is stopped, with each timers")
	f.DurationVar(&o.warmup, "warmup", 500*time.Millisecond, "how long a round runs before it counts")
	f.DurationVar(&o.duration, "duration", 2*time.Second, "how long a round counts")
	f.Uint64Var(&o.seed, "seed", 1, "decides the order of rounds and which keys are asked for")
	f.BoolVar(&o.quick, "quick", false, "a minute's look: few cells, three pairs; flags that are given still hold")
}

// memoryDir is where Linux keeps files in memory, empty if it doesn't here.
func memoryDir() string {
	const shm = "/dev/shm"
	if st, err := os.Stat(shm); err != nil || !st.IsDir() {
		return ""
	}
	return shm
}

// hurry makes what was not asked for otherwise short.
func (o *kvOptions) hurry(changed func(string) bool) {
	for name, set := range map[string]func(){ // any order: each sets its own
		"members":    func() { o.members = []int{3} },
		"work":       func() { o.works = []string{"put", "get", "linear-get"} },
		"conns":      func() { o.conns = []int{64} },
		"load":       func() { o.loads = []int{70} },
		"open-work":  func() { o.openWorks = []string{"put"} },
		"memory-dir": func() { o.memory = "" },
		"pairs":      func() { o.pairs = 3 },
		"kills":      func() { o.kills = 2 },
		"stops":      func() { o.stops = 1 },
		"warmup":     func() { o.warmup = 300 * time.Millisecond },
		"duration":   func() { o.duration = time.Second },
	} {
		if !changed(name) {
			set()
		}
	}
}

func workNames() []string {
	var names []string
	for _, w := range kv.Workloads() {
		names = append(names, w.Name)
	}
	return names
}

// works lists the workloads with what they do.
func works() string {
	var list []string
	for _, w := range kv.Workloads() {
		list = append(list, w.Name+" ("+w.About+")")
	}
	return strings.Join(list, ", ")
}

// part is bench kv; its options are checked, and then run.
func (o *kvOptions) part(env *ui.Env, flags *pflag.FlagSet) *part {
	var options kv.Options
	var r *kv.Report
	return &part{
		kind: report.KindKV, flags: flags, selects: []string{"members", "work", "conns", "load", "open-work", "seed"},
		check: func(ctx context.Context) (err error) {
			if runtime.GOOS != "linux" {
				return fmt.Errorf("it needs Linux, which alone tells what each thread of a server takes; this is %s", runtime.GOOS)
			}
			options, err = o.options(ctx, env)
			return err
		},
		attach: func(f *report.File, flags report.Flags) { f.KV = &report.KV{Flags: flags} },
		run: func(ctx context.Context, f *report.File) (err error) {
			progress := ui.NewProgress(env, o.json, time.Now)
			defer progress.Clear()
			options.Progress = progress.Update
			r, err = kv.Run(ctx, options)
			if r.Floor == nil {
				r.Floor = f.Floor
			}
			f.Floor, f.KV.Report = r.Floor, r
			return err
		},
		text: func() {
			if r != nil && len(r.Cells)+len(r.Failovers) > 0 {
				kv.Write(env, r)
			}
		},
		lines: func() error {
			if r == nil || len(r.Cells)+len(r.Failovers) == 0 {
				return nil
			}
			return json.NewEncoder(env.Stdout).Encode(r)
		},
	}
}

// options are the flags as the measurement takes them.
func (o *kvOptions) options(ctx context.Context, env *ui.Env) (kv.Options, error) {
	if err := o.check(); err != nil {
		return kv.Options{}, err
	}
	if o.drydock == "" {
		o.drydock = env.Executable
	}
	ours, err := kv.Drydock(ctx, "drydock", o.drydock, o.flags...)
	if err != nil {
		return kv.Options{}, fmt.Errorf("--drydock: %w", err)
	}
	systems := []kv.System{ours}
	if o.against != "" {
		other, err := o.other(ctx)
		if err != nil {
			return kv.Options{}, fmt.Errorf("--against: %w", err)
		}
		systems = append(systems, other)
	}
	var loads []float64
	for _, percent := range o.loads {
		loads = append(loads, float64(percent)/100)
	}
	return kv.Options{
		Systems: systems, Dir: o.dir, MemoryDir: o.memory, Members: o.members, Works: o.works, Conns: o.conns,
		Loads: loads, OpenWorks: o.openWorks, OpenConns: o.openConns, ValueBytes: o.value, Keys: o.keys, Pairs: o.pairs,
		Warmup: o.warmup, Duration: o.duration, Kills: o.kills, Stops: o.stops, Floor: o.floor, Seed: o.seed,
		Timers: []kv.Timers{
			{Heartbeat: 50 * time.Millisecond, Election: 250 * time.Millisecond}, // drydock's defaults
			{Heartbeat: 100 * time.Millisecond, Election: time.Second},           // etcd's
		},
	}, nil
}

// other finds the system to compare with.
func (o *kvOptions) other(ctx context.Context) (kv.System, error) {
	switch {
	case o.against == "etcd":
		return kv.Etcd(ctx)
	case strings.ContainsRune(o.against, '/'):
		return kv.Drydock(ctx, "other", o.against, o.flags...)
	}
	return kv.System{}, fmt.Errorf("%q: want etcd, or the path of a drydock program, with a slash", o.against)
}

// check looks at what flags can't know by themselves.
func (o *kvOptions) check() error {
	for _, list := range []struct {
		flag     string
		numbers  []int
		from, to int
	}{
		{"members", o.members, 1, 9},
		{"conns", o.conns, 1, 10_000},
		{"load", o.loads, 1, 100},
		{"open-conns", []int{o.openConns}, 1, 10_000},
		{"value", []int{o.value}, 1, 1 << 20},
		{"keys", []int{o.keys}, 1, 1_000_000},
		{"pairs", []int{o.pairs}, 1, 1000},
		{"kills", []int{o.kills}, 0, 1000},
		{"stops", []int{o.stops}, 0, 1000},
	} {
		for _, n := range list.numbers {
			if n < list.from || n > list.to {
				return fmt.Errorf("--%s: %d, want %d to %d", list.flag, n, list.from, list.to)
			}
		}
	}
	if o.duration < 100*time.Millisecond || o.warmup < 0 {
		return fmt.Errorf("--duration, --warmup: %v and %v, want at least 100ms and 0s", o.duration, o.warmup)
	}
	for _, name := range o.openWorks {
		if name == "watch" {
			return errors.New("--open-work: watch has no open loop: its writer waits for its watchers")
		}
	}
	for _, name := range append(o.works, o.openWorks...) {
		if err := checkWork(name); err != nil {
			return err
		}
	}
	if _, err := os.Stat(o.dir); err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	if o.memory != "" {
		if _, err := os.Stat(o.memory); err != nil {
			return fmt.Errorf("--memory-dir: %w; give another, or \"\" for none", err)
		}
	}
	return nil
}

func checkWork(name string) error {
	names := workNames()
	for _, n := range names {
		if n == name {
			return nil
		}
	}
	hint := "want some of " + strings.Join(names, ", ")
	if near := ui.Nearest(name, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	return fmt.Errorf("--work: no %q; %s", name, hint)
}
