package procs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"drydock/node/archive"
	"drydock/scenarios/checker"
	"drydock/scenarios/checker/cluster"
	"drydock/scenarios/checker/keyspace"
	"drydock/scenarios/checker/linear"
	"drydock/sim/history"
	"drydock/vmlab/evidence"
	"drydock/vmlab/load"
)

// RunOptions say what a run does.
type RunOptions struct {
	Options
	// Seed decides what is asked for and what is struck.
	Seed uint64
	// For is how long processes are struck (default 1 minute).
	For time.Duration
	// Clients ask for operations (default 6), Watchers watch (default 3).
	Clients, Watchers int
	// Think is a client's mean rest between operations (default 4 ms).
	Think time.Duration

	_ struct{}
}

// Result is what a run came to.
type Result struct {
	Seed uint64
	Took time.Duration
	// Answered, Refused and Unknown count operations by how they ended.
	Answered, Refused, Unknown int
	// Strikes are the faults in words, Kinds how many there were of each.
	Strikes []string
	Kinds   map[string]int
	// Verdicts are what the checkers found; Problems are what is wrong beside.
	Verdicts []checker.Verdict
	Problems []string
	// Silence is the longest time in which nobody was answered, SilentFrom when on
	// the run's clock it began.
	Silence, SilentFrom time.Duration
	// Stalled is the longest time in which this process got no turn: the machine
	// was busy with something else, and no member is to blame for that long.
	Stalled time.Duration
	// History is the operations' file, for drydock check.
	History string

	_ struct{}
}

// Times of a run's end.
const (
	settleTime = 2 * time.Second
	healTime   = 30 * time.Second
)

// Run runs a cluster under clients and kills, and judges what the clients saw.
// An error says that the run could not be carried out; a violation is in the
// result.
func Run(ctx context.Context, o RunOptions) (*Result, error) {
	setDefaults(&o)
	c, err := New(o.Options)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	r := &run{o: o, c: c, rec: load.NewRecorder(time.Now(), nil), disks: newDisks(c)}
	if err := c.StartAll(ctx); err != nil {
		return nil, err
	}
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	return r.judge()
}

// newDisks reads a cluster's logs.
func newDisks(c *Cluster) *evidence.Disks {
	var names, dirs []string
	for i := range c.Size() {
		names, dirs = append(names, c.Name(i)), append(dirs, c.DataDir(i))
	}
	return evidence.New(names, dirs)
}

func setDefaults(o *RunOptions) {
	def(&o.For, time.Minute)
	def(&o.Clients, 6)
	def(&o.Watchers, 3)
	def(&o.Think, 4*time.Millisecond)
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// run is a Run under way.
type run struct {
	o       RunOptions
	c       *Cluster
	rec     *load.Recorder
	disks   *evidence.Disks
	nemesis *nemesis
	problem []string
	stalled time.Duration
}

// heed watches how long the machine lets this process wait, until ctx ends.
func (r *run) heed(ctx context.Context) {
	const turn = 20 * time.Millisecond
	for last := time.Now(); pause(ctx, turn) == nil; last = time.Now() {
		r.stalled = max(r.stalled, time.Since(last)-turn)
	}
}

// load runs clients while the nemesis strikes, heals, and stops everything.
func (r *run) load(ctx context.Context) error {
	clients, calm := context.WithCancel(ctx)
	defer calm()
	var group sync.WaitGroup
	group.Go(func() { r.heed(clients) })
	for i := range r.o.Clients {
		cl := load.NewClient(fmt.Sprintf("c%d", i+1), r.c, r.rec, load.Options{Seed: r.o.Seed, Think: r.o.Think})
		group.Go(func() { cl.Run(clients) })
	}
	for i := range r.o.Watchers {
		w := load.NewWatcher(fmt.Sprintf("w%d", i+1), r.c, r.rec, load.Options{Seed: r.o.Seed})
		group.Go(func() { w.Run(clients) })
	}
	r.nemesis = newNemesis(r.c, r.rec, r.disks, r.o.Seed)
	struck, over := context.WithTimeout(ctx, r.o.For)
	err := r.nemesis.run(struck)
	over()
	if err == nil {
		err = r.settle(ctx)
	}
	calm()
	group.Wait()
	if err != nil {
		return err
	}
	r.epilogue(ctx)
	for i := range r.c.Size() {
		if err := r.c.Stop(i); err != nil {
			r.problem = append(r.problem, err.Error())
		}
		if err := r.disks.Read(i); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// settle waits until every member is healthy and some load has met them so.
func (r *run) settle(ctx context.Context) error {
	ready, cancel := context.WithTimeout(ctx, healTime)
	defer cancel()
	if err := r.c.Ready(ready); err != nil {
		return fmt.Errorf("after the last fault: %w", err)
	}
	return pause(ctx, settleTime)
}

// epilogue has every member answer a write and then a read: what was promised
// before is by then known to be committed, and on the disks.
func (r *run) epilogue(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, healTime)
	defer cancel()
	for round := range 2 {
		for i := range r.c.Size() {
			cl := load.NewClient(fmt.Sprintf("end%d-%s", round+1, r.c.Name(i)), r.c, r.rec, load.Options{Seed: r.o.Seed})
			for _, kind := range []history.Kind{history.Put, history.Get} {
				if op := cl.Insist(ctx, i, kind); op.Status != history.OK {
					r.problem = append(r.problem, fmt.Sprintf("healed, %s answers no %s within %v: %s, %s",
						r.c.Name(i), kind, healTime, op.Status, op.Error))
				}
			}
			cl.Close()
		}
	}
}

// judge compares what was seen with what the disks hold.
func (r *run) judge() (*Result, error) {
	end := time.Duration(r.rec.Now())
	found, err := r.disks.Found()
	if err != nil {
		return nil, err
	}
	ops := history.Settle(r.rec.Operations(), found.Truth)
	out := &Result{Seed: r.o.Seed, Took: end, Kinds: r.nemesis.kinds, Problems: r.problem, Stalled: r.stalled}
	out.SilentFrom, out.Silence = silence(ops)
	for _, s := range r.nemesis.strikes {
		out.Strikes = append(out.Strikes, fmt.Sprintf("%9.3fs  %s", s.at.Seconds(), s.text))
	}
	count(out, ops)
	for _, text := range r.rec.Nonsense() {
		out.Problems = append(out.Problems, "an answer that makes no sense: "+text)
	}
	if n := len(found.Missing); n > 0 {
		out.Problems = append(out.Problems, fmt.Sprintf("%d committed entries are on no disk, the first at index %d", n, found.Missing[0]))
	}
	if err := r.inspect(out, found); err != nil {
		return nil, err
	}
	replay := keyspace.NewReplay(found.Truth)
	out.Verdicts = []checker.Verdict{
		linear.Check(ops, linear.Options{Model: linear.KV}),
		linear.Stale(ops, linear.StaleOptions{Monotone: true, Restarts: r.rec.Restarts()}),
		cluster.CheckAcked(ops, found.Truth),
		cluster.CheckLogs(found.Entries),
		keyspace.CheckIndexes(ops),
		keyspace.CheckWatches(replay, r.rec.Sessions(), keyspace.WatchOptions{}),
	}
	return out, r.keep(out, ops)
}

// inspect verifies the members' directories, and that states at the same entry
// are the same, and where the disks say that they should be.
func (r *run) inspect(out *Result, found *evidence.Found) error {
	digests := map[uint64]string{}
	for i := range r.c.Size() {
		report, err := archive.Inspect(r.c.DataDir(i))
		if err != nil {
			return err
		}
		name, s := r.c.Name(i), report.State
		if report.Verdict != archive.OK || s == nil {
			out.Problems = append(out.Problems, fmt.Sprintf("the directory of %s is %s: %+v", name, report.Verdict, report.Damage))
			continue
		}
		if other, known := digests[s.Index]; known && other != s.Digest {
			out.Problems = append(out.Problems, fmt.Sprintf("at entry %d, %s has the digest %s and another member %s", s.Index, name, s.Digest, other))
		}
		digests[s.Index] = s.Digest
		if s.Index == found.Commit && s.Revision != found.Revision {
			out.Problems = append(out.Problems, fmt.Sprintf("at entry %d, %s is at revision %d, by the disks it is %d", s.Index, name, s.Revision, found.Revision))
		}
	}
	return nil
}

// silence is the longest time between two answers.
func silence(ops []history.Op) (from, longest time.Duration) {
	var at []int64
	for i := range ops {
		if ops[i].Status == history.OK && !ops[i].Stale {
			at = append(at, ops[i].Return)
		}
	}
	slices.Sort(at)
	for i := 1; i < len(at); i++ {
		if d := time.Duration(at[i] - at[i-1]); d > longest {
			from, longest = time.Duration(at[i-1]), d
		}
	}
	return from, longest
}

func count(out *Result, ops []history.Op) {
	for i := range ops {
		switch ops[i].Status {
		case history.OK:
			out.Answered++
		case history.Refused:
			out.Refused++
		case history.Unknown:
			out.Unknown++
		}
	}
}

// keep writes the history beside the data.
func (r *run) keep(out *Result, ops []history.Op) error {
	out.History = filepath.Join(r.o.Dir, "history.jsonl")
	f, err := os.Create(out.History)
	if err != nil {
		return err
	}
	err = history.Encode(f, history.Header{Scenario: "procs", Seed: strconv.FormatUint(r.o.Seed, 10)}, ops)
	return errors.Join(err, f.Close())
}
