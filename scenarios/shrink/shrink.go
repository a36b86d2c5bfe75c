package shrink

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"drydock/chaos"
	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
)

// leastAcked is the least number of acknowledged operations of a candidate,
// unless the run that is shrunk had fewer: with less, a run of it proves nothing
// once the fault is mended.
const leastAcked = 20

// otherSeeds is with how many further seeds a candidate is tried where the
// first one doesn't fail.
const otherSeeds = 4

// Shrinker is one search.
type Shrinker struct {
	// Try runs a scenario. It is called by several goroutines, Jobs at a time.
	Try  func(ctx context.Context, s *scenario.Scenario, seed uint64) *runner.Report
	Jobs int
	// OnTry, if set, is told of every run that has ended, one at a time.
	OnTry func(p Progress)

	way   string
	least int
	best  *Result
	mu    sync.Mutex
	tries int
	known map[string]bool // candidates that were tried in vain
}

// Result is a scenario that fails, with the seed.
type Result struct {
	Scenario *scenario.Scenario
	Seed     uint64
	Report   *runner.Report
	// Tries is how many runs it took, Complete whether the search had an end of
	// its own.
	Tries    int
	Complete bool
}

// Progress is where a search is.
type Progress struct {
	Tries int
	Best  *Result
}

// String is the progress in a line.
func (p Progress) String() string {
	return fmt.Sprintf("%d runs   %s", p.Tries, Size(p.Best.Scenario))
}

// Size says how large a scenario is.
func Size(s *scenario.Scenario) string {
	kv := s.Load.KV
	drawn := ""
	if Drawn(s) {
		drawn = " and " + s.Nemesis.Profile
	}
	return fmt.Sprintf("%d steps%s, %.3gs, %d members, %d clients, %d keys", len(s.Steps), drawn, s.Duration.Seconds(), s.Cluster.Members, kv.Clients, kv.Keys)
}

// Drawn says whether faults of s are drawn by a nemesis, rather than written.
func Drawn(s *scenario.Scenario) bool {
	return s.Nemesis.Profile != "" && !slices.Equal(s.Nemesis.Only, nothingDrawn)
}

// candidate is a scenario to try with a seed.
type candidate struct {
	s    *scenario.Scenario
	seed uint64
}

// Run shrinks the run of s with seed that failed as report says; strikes are the
// faults of that run. It returns nil if the run can't be made to fail again.
func (k *Shrinker) Run(ctx context.Context, s *scenario.Scenario, seed uint64, report *runner.Report, strikes []chaos.Strike, drawn []chaos.Step) *Result {
	k.way, k.known = report.Failure(), map[string]bool{}
	k.least = min(leastAcked, report.Acknowledged)
	k.best = &Result{Scenario: s, Seed: seed, Report: report}
	if k.way == "" || !k.begin(ctx, strikes, drawn) {
		return nil
	}
	for _, pass := range k.passes() {
		if ctx.Err() == nil {
			pass(ctx)
		}
	}
	k.best.Tries, k.best.Complete = k.tries, ctx.Err() == nil
	return k.best
}

// edit makes a candidate out of the best scenario so far; nil if the change
// makes none.
func (k *Shrinker) edit(change func(s *scenario.Scenario)) *scenario.Scenario {
	s := reread(k.best.Scenario)
	if s == nil {
		return nil
	}
	change(s)
	tidy(s)
	return reread(s)
}

// reread writes a scenario and reads it: what comes back is a copy, and valid.
func reread(s *scenario.Scenario) *scenario.Scenario {
	again, err := scenario.Parse(s.File, scenario.Encode(s))
	if err != nil {
		return nil
	}
	again.Profile = s.Profile
	return again
}

// tidy leaves out steps that would strike after healing, and keeps healing
// within the run.
func tidy(s *scenario.Scenario) {
	s.HealAt = min(s.HealAt, s.Duration-100*time.Millisecond)
	s.Rest = min(s.Rest, (s.Duration-s.HealAt)/2)
	var steps []scenario.Step
	for _, step := range s.Steps {
		if step.After != nil || step.Every != nil && step.Every.From < s.HealAt || step.Every == nil && step.At < s.HealAt {
			steps = append(steps, step)
		}
	}
	s.Steps = steps
}

// accept takes the first of the candidates that fails in the same way as the
// best so far. The order decides, not the speed; those behind the first are
// given up.
func (k *Shrinker) accept(ctx context.Context, list []candidate) bool {
	var fresh []candidate
	for _, c := range list {
		if c.s == nil || k.known[key(c)] {
			continue
		}
		fresh = append(fresh, c)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	found, at := (*runner.Report)(nil), len(fresh)
	var next int
	var workers sync.WaitGroup
	for range max(1, min(k.Jobs, len(fresh))) {
		workers.Go(func() {
			for {
				k.mu.Lock()
				i := next
				next++
				over := i >= at || ctx.Err() != nil
				k.mu.Unlock()
				if over {
					return
				}
				r := k.Try(ctx, fresh[i].s, fresh[i].seed)
				k.mu.Lock()
				if k.fails(r) {
					if i < at {
						found, at = r, i
					}
				} else if ctx.Err() == nil {
					k.known[key(fresh[i])] = true
				}
				k.tries++
				if k.OnTry != nil {
					k.OnTry(Progress{Tries: k.tries, Best: k.best})
				}
				k.mu.Unlock()
			}
		})
	}
	workers.Wait()
	if found == nil {
		return false
	}
	k.best = &Result{Scenario: fresh[at].s, Seed: fresh[at].seed, Report: found}
	return true
}

func key(c candidate) string { return fmt.Sprint(c.seed, "\n", string(c.s.Text)) }

// fails tells whether a run fails as the first one did, and still means
// something.
func (k *Shrinker) fails(r *runner.Report) bool {
	if r.Failed() || r.Verdict != checker.Violated || r.Fails(k.way) == nil || r.Acknowledged < k.least {
		return false
	}
	for _, o := range r.Faults {
		if o.Effective > 0 {
			return true
		}
	}
	return len(r.Faults) == 0
}

// same makes candidates with the seed that fails now.
func (k *Shrinker) same(list ...*scenario.Scenario) []candidate {
	return k.seeded(0, list)
}

// seeded makes candidates with the seed that fails now and then with more
// others; all candidates come with one seed before the next.
func (k *Shrinker) seeded(more int, list []*scenario.Scenario) []candidate {
	var out []candidate
	for i := range more + 1 {
		for _, s := range list {
			out = append(out, candidate{s, k.best.Seed + uint64(i)})
		}
	}
	return out
}

// try is accept for one change with the present seed.
func (k *Shrinker) try(ctx context.Context, more int, changes ...func(s *scenario.Scenario)) bool {
	var list []*scenario.Scenario
	for _, change := range changes {
		list = append(list, k.edit(change))
	}
	return k.accept(ctx, k.seeded(more, list))
}
