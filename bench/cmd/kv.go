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

	"drydock/bench/kv"
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
}

func newKV(env *ui.Env) *cobra.Command {
	o := &kvOptions{}
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
				o.hurry(c)
			}
			return kvFunc(ctx, env, o)
		},
	}
	o.addFlags(c)
	return c
}

func (o *kvOptions) addFlags(c *cobra.Command) {
	f := c.Flags()
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
	f.BoolVar(&o.json, "json", false, "write one JSON object, and nothing else, to stdout")
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
func (o *kvOptions) hurry(c *cobra.Command) {
	for name, set := range map[string]func(){
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
		if !c.Flags().Changed(name) {
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

func kvFunc(ctx context.Context, env *ui.Env, o *kvOptions) error {
	if runtime.GOOS != "linux" {
		return ui.Usagef("bench kv needs Linux, which alone tells what each thread of a server takes; this is %s", runtime.GOOS)
	}
	options, err := o.options(ctx, env)
	if err != nil {
		return ui.Exit(ui.Usage, err)
	}
	progress := ui.NewProgress(env, o.json, time.Now)
	options.Progress = progress.Update
	report, err := kv.Run(ctx, options)
	progress.Clear()
	interrupted := ctx.Err() != nil
	if err == nil || len(report.Cells) > 0 {
		if err := o.print(env, report); err != nil {
			return ui.Exit(ui.WorldFailed, err)
		}
	}
	switch {
	case interrupted:
		return ui.Exit(ui.Interrupted, errors.New("interrupted; what is printed is of the rounds until then"))
	case err != nil:
		return ui.Exit(ui.WorldFailed, fmt.Errorf("bench kv: %w", err))
	}
	return nil
}

func (o *kvOptions) print(env *ui.Env, r *kv.Report) error {
	if !o.json {
		kv.Write(env, r)
		return nil
	}
	return json.NewEncoder(env.Stdout).Encode(r)
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
		Warmup: o.warmup, Duration: o.duration, Kills: o.kills, Stops: o.stops, Floor: time.Second, Seed: o.seed,
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
