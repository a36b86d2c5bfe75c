package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime/pprof"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"drydock/bench/consensus"
	"drydock/bench/floor"
	"drydock/bench/report"
	"drydock/node/ui"
)

// consensusOptions are the flags of bench consensus.
type consensusOptions struct {
	works, storages, links  []string
	members, depths, values []int
	rounds, trials          int
	round, warm             time.Duration
	heartbeat, election     time.Duration
	dir, peer, profile      string
	seed                    uint64
	quick, json, failover   bool
	out                     outputs
}

const consensusLong = `Measure a node's log without HTTP: what a cluster inside of this process commits a
second, and what a command costs in CPU, allocations, frames and syncs.

Work is core (consensus alone, one thread, a batch at a time), apply (the same with
the replicated state behind it), write and read (whole members, asked by proposers
that each wait for their answer; reads are linearizable). A row is the median over
the rounds, with the least and the most in brackets. Rounds are interleaved in
random order. Failover cuts the leader off and stops it, and times the next
acknowledged write.

With --peer the same writes go through the program of another library, which is
built by
  go build -C bench/consensus/peer -o raftpeer .
and whose rounds are interleaved with ours.

Exit codes: 0 measured, 2 wrong call, 4 a cluster failed or a figure was refused,
130 interrupted (what was measured until then is printed).`

func newConsensus(env *ui.Env) *cobra.Command {
	o := &consensusOptions{}
	c := &cobra.Command{
		Use:   "consensus",
		Short: "Commands a second through the log, and what one costs",
		Long:  consensusLong,
		Example: `  drydock bench consensus --quick
  drydock bench consensus --work write --members 3 --storage disk --depth 512
  drydock bench consensus --work write --storage disk --depth 512 --peer bench/consensus/peer/raftpeer
  drydock bench consensus --work core,apply --depth 64 --value 256 --json
  drydock bench consensus --failover --trials 30`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if o.quick {
				o.hurry(c.Flags().Changed)
			}
			s := &session{env: env, name: "bench consensus", parts: []*part{o.part(env, c.Flags())}, out: &o.out, json: o.json, quick: o.quick, dir: o.folder()}
			return s.run(ctx)
		},
	}
	o.addFlags(c.Flags())
	o.out.addFlags(c.Flags())
	c.Flags().BoolVar(&o.json, "json", false, "write one JSON line a row, and nothing else, to stdout")
	return c
}

func (o *consensusOptions) addFlags(f *pflag.FlagSet) {
	f.StringSliceVar(&o.works, "work", []string{"core", "apply", "write", "read"}, "core, apply, write, read")
	f.IntSliceVar(&o.members, "members", []int{1, 3, 5}, "members of a cluster")
	f.StringSliceVar(&o.storages, "storage", []string{"memory", "disk"}, "where members keep their files: memory, disk")
	f.StringSliceVar(&o.links, "links", []string{"process", "tcp"}, "how members reach each other: process, tcp")
	f.IntSliceVar(&o.depths, "depth", []int{1, 16, 64, 512}, "proposers, or the size of a batch")
	f.IntSliceVar(&o.values, "value", []int{64, 256, 4096}, "bytes of a value")
	f.IntVar(&o.rounds, "rounds", 3, "rounds of each case")
	f.DurationVar(&o.round, "round", time.Second, "how long a round is measured")
	f.DurationVar(&o.warm, "warm", 300*time.Millisecond, "what is thrown away at the start of a round")
	f.DurationVar(&o.heartbeat, "heartbeat", 50*time.Millisecond, "a leader's heartbeat")
	f.DurationVar(&o.election, "election", 250*time.Millisecond, "how long without a leader until an election")
	f.StringVar(&o.dir, "dir", "", "folder for the files of members on the disk (default: the system's for temporary files)")
	f.StringVar(&o.peer, "peer", "", "program of another library, to compare writes with")
	f.StringVar(&o.profile, "cpuprofile", "", "write where this process's CPU time went into a file, for `go tool pprof`")
	f.Uint64Var(&o.seed, "seed", 1, "decides the order within rounds and the moments of failovers")
	f.BoolVar(&o.failover, "failover", false, "measure failover alone")
	f.IntVar(&o.trials, "trials", 30, "failovers of each cluster; 0 for none")
	f.BoolVar(&o.quick, "quick", false, "a minute's look: 3 members, a few depths, one round, 3 failovers")
}

// hurry is --quick: it sets what was not given.
func (o *consensusOptions) hurry(changed func(string) bool) {
	set := func(flag string, apply func()) {
		if !changed(flag) {
			apply()
		}
	}
	set("members", func() { o.members = []int{3} })
	set("depth", func() { o.depths = []int{64, 512} })
	set("value", func() { o.values = []int{256} })
	set("rounds", func() { o.rounds = 1 })
	set("trials", func() { o.trials = 3 })
}

// selection checks the lists.
func (o *consensusOptions) selection() (*consensus.Selection, error) {
	s := &consensus.Selection{Members: o.members, Depths: o.depths, Values: o.values, Peer: o.peer != ""}
	var errs []error
	s.Works = words(&errs, "work", o.works, consensus.Core, consensus.Apply, consensus.Write, consensus.Read)
	s.Storages = words(&errs, "storage", o.storages, consensus.Memory, consensus.Disk)
	s.Links = words(&errs, "links", o.links, consensus.Process, consensus.TCP)
	numbers(&errs, "members", o.members, 1, 9)
	numbers(&errs, "depth", o.depths, 1, 4096)
	numbers(&errs, "value", o.values, 1, 1<<20)
	numbers(&errs, "rounds", []int{o.rounds}, 1, 1000)
	numbers(&errs, "trials", []int{o.trials}, 0, 10000)
	if len(o.depths) > 0 && len(o.values) > 0 {
		if most := slices.Max(o.depths) * slices.Max(o.values); most > maxUnderWay {
			errs = append(errs, fmt.Errorf("--depth: times --value %d bytes are under way at once, want at most %d", most, maxUnderWay))
		}
	}
	switch {
	case o.round < 10*time.Millisecond || o.warm < 0:
		errs = append(errs, fmt.Errorf("--round: %v, want at least 10ms, and --warm not below 0", o.round))
	case o.heartbeat < time.Millisecond || o.election < 2*o.heartbeat:
		errs = append(errs, fmt.Errorf("--election: %v, want at least two heartbeats of %v", o.election, o.heartbeat))
	}
	if o.peer != "" {
		if _, err := exec.LookPath(o.peer); err != nil {
			errs = append(errs, fmt.Errorf("--peer: %w; build it: go build -C bench/consensus/peer -o raftpeer", err))
		}
	}
	return s, errors.Join(errs...)
}

// maxUnderWay is half of what a member takes before it refuses more.
const maxUnderWay = 32 << 20

// words checks a list of names.
func words[T ~string](errs *[]error, flag string, list []string, known ...T) (found []T) {
	for _, w := range list {
		var names []string
		match := false
		for _, k := range known {
			names = append(names, string(k))
			match = match || string(k) == w
		}
		if !match {
			*errs = append(*errs, fmt.Errorf("--%s: %q is none of %v%s", flag, w, names, meant(w, names)))
		}
		found = append(found, T(w))
	}
	if len(list) == 0 {
		*errs = append(*errs, fmt.Errorf("--%s: nothing was named", flag))
	}
	return found
}

func meant(w string, names []string) string {
	if near := ui.Nearest(w, names); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// numbers checks a list of sizes.
func numbers(errs *[]error, flag string, list []int, least, most int) {
	for _, n := range list {
		if n < least || n > most {
			*errs = append(*errs, fmt.Errorf("--%s: %d, want %d to %d", flag, n, least, most))
		}
	}
	if len(list) == 0 {
		*errs = append(*errs, fmt.Errorf("--%s: nothing was named", flag))
	}
}

// part is bench consensus.
func (o *consensusOptions) part(env *ui.Env, flags *pflag.FlagSet) *part {
	r := &consensusReport{env: env, o: o}
	var selected *consensus.Selection
	return &part{
		kind: report.KindConsensus, flags: flags, selects: []string{"work", "members", "storage", "links", "depth", "value", "seed"},
		check: func(context.Context) (err error) {
			selected, err = o.selection()
			return err
		},
		attach: func(f *report.File, flags report.Flags) {
			f.Consensus = &report.Consensus{Flags: flags, Rows: []consensus.Row{}}
		},
		run: func(ctx context.Context, f *report.File) error {
			r.floor = f.Floor
			err := r.measure(ctx, selected)
			for _, row := range r.rows {
				if len(row.Rounds) > 0 {
					f.Consensus.Rows = append(f.Consensus.Rows, row)
				}
			}
			f.Floor, f.Consensus.Failovers = r.floor, r.failovers
			return err
		},
		text: func() {
			if r.floor != nil {
				r.printText()
			}
		},
		lines: func() error {
			if r.floor == nil {
				return nil
			}
			return r.printJSON()
		},
	}
}

// floorTime is how long each part of the floor is measured.
const floorTime = 200 * time.Millisecond

// folder is where members on the disk have their files.
func (o *consensusOptions) folder() string {
	if o.dir == "" {
		return os.TempDir()
	}
	return o.dir
}

// profileCPU begins to write a profile, if a file is named; stop ends it.
func profileCPU(name string) (stop func(), err error) {
	if name == "" {
		return func() {}, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("--cpuprofile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("--cpuprofile: %w", err), f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}

// measure fills the report.
func (r *consensusReport) measure(ctx context.Context, s *consensus.Selection) error {
	o, progress := r.o, ui.NewProgress(r.env, r.o.json, time.Now)
	defer progress.Clear()
	if r.floor == nil {
		f, err := floor.Measure(ctx, o.folder(), floorTime)
		if err != nil {
			return fmt.Errorf("floor: %w", err)
		}
		r.floor = &f
	}
	run := &consensus.Run{
		Cases: s.Cases(), Rounds: o.rounds, Dir: o.folder(), PeerProgram: o.peer, Seed: o.seed,
		Times:  consensus.Times{Warm: o.warm, Round: o.round},
		Timers: consensus.Timers{Heartbeat: o.heartbeat, Election: o.election},
		Progress: func(done, all int, c consensus.Case) {
			progress.Update(fmt.Sprintf("%d of %d: %s", done+1, all, c))
		},
	}
	stop, err := profileCPU(o.profile)
	if err != nil {
		return err
	}
	defer stop()
	if !o.failover {
		if r.rows, err = run.Measure(ctx); err != nil {
			return err
		}
	}
	if o.trials == 0 {
		return nil
	}
	for _, c := range s.Clusters() {
		for _, ending := range []consensus.Ending{consensus.Crash, consensus.Handover} {
			f, err := run.Failover(ctx, c, ending, o.trials, func(trial int) {
				progress.Update(fmt.Sprintf("%s %d of %d, %d members, %s, %s", ending, trial+1, o.trials, c.Members, c.Storage, c.Links))
			})
			if len(f.Gaps) > 0 {
				r.failovers = append(r.failovers, f)
			}
			if err != nil {
				return fmt.Errorf("%s, %d members, %s, %s: %w", ending, c.Members, c.Storage, c.Links, err)
			}
		}
	}
	return nil
}

// consensusReport is what is printed.
type consensusReport struct {
	env       *ui.Env
	o         *consensusOptions
	floor     *floor.Floor // nil before it is measured
	rows      []consensus.Row
	failovers []consensus.Failovers
}

func (r *consensusReport) printJSON() error {
	e := json.NewEncoder(r.env.Stdout)
	if err := e.Encode(map[string]*floor.Floor{"floor": r.floor}); err != nil {
		return err
	}
	for i := range r.rows {
		if len(r.rows[i].Rounds) == 0 {
			continue
		}
		if err := e.Encode(&r.rows[i]); err != nil {
			return err
		}
	}
	for i := range r.failovers {
		if err := e.Encode(&r.failovers[i]); err != nil {
			return err
		}
	}
	return nil
}
