package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"drydock/node/ui"
	"drydock/scenarios/checker"
)

// campaign hunts a list of mutants with one budget.
type campaign struct {
	mutants []mutant
	// budget is the CPU time of all hunts together, jobs how many go on at once,
	// seeds how many of each scenario give a trace to compare with.
	budget time.Duration
	jobs   int
	seeds  uint64

	build func(ctx context.Context, m *mutant) (program string, cpu time.Duration, err error)
	probe probe
	// drop is told of programs that are needed no more.
	drop func(program string)
	// say is told how the work goes on, ended of each hunt's end; never two at
	// a time.
	say   func(string)
	ended func(*hunt)

	mu       sync.Mutex
	base     base
	innocent map[run]bool // whether the program as it is holds there
	program  string       // as it is
	hunts    []*hunt
	done     int
	// guilty are the runs that the program as it is violates.
	guilty []run
	// own is the CPU time that the program as it is took, and all building.
	own time.Duration
}

// run hunts all mutants. Its error is one of the world; what is wrong with a
// mutant is in its hunt.
func (c *campaign) run(ctx context.Context, library []string) error {
	c.innocent = make(map[run]bool)
	if err := c.establish(ctx, library); err != nil {
		return err
	}
	for _, m := range c.mutants {
		c.hunts = append(c.hunts, &hunt{mutant: m, compared: make(map[run]bool), plan: newPlan(m.Hints, c.base.library)})
	}
	share := c.budget / time.Duration(max(1, len(c.hunts)))
	if err := c.all(ctx, func(ctx context.Context, h *hunt) error { return c.first(ctx, h, share/2) }); err != nil {
		return err
	}
	var spent time.Duration
	open := 0
	for _, h := range c.hunts {
		spent += h.CPU
		if h.Verdict == "" {
			open++
		}
	}
	more := max(0, c.budget-spent) / time.Duration(max(1, open))
	return c.all(ctx, func(ctx context.Context, h *hunt) error { return c.second(ctx, h, h.CPU+more) })
}

// establish builds the program as it is and records its traces. Scenarios that
// it violates are left out.
func (c *campaign) establish(ctx context.Context, library []string) error {
	program, cpu, err := c.build(ctx, nil)
	if err != nil {
		return err
	}
	c.program, c.own = program, cpu
	c.base = base{traces: make(map[run]string), violates: c.violates}
	sights := make([]sighting, len(library))
	err = c.each(ctx, len(library), func(ctx context.Context, i int) (err error) {
		sights[i], err = c.probe(ctx, program, batch{library[i], 1, c.seeds})
		c.tell(fmt.Sprintf("traces of the program as it is: %s", library[i]))
		return err
	})
	if err != nil {
		return err
	}
	for i, name := range library {
		holds := sights[i].Crash == ""
		c.own += sights[i].CPU
		for _, r := range sights[i].Runs {
			at := run{name, r.Seed}
			c.base.traces[at] = r.Trace
			c.innocent[at] = r.Verdict != checker.Violated
			if r.Verdict == checker.Violated {
				holds = false
				c.guilty = append(c.guilty, at)
			}
		}
		if holds {
			c.base.library = append(c.base.library, name)
		}
	}
	if len(c.base.library) == 0 {
		return errors.New("the program as it is holds in no scenario of the library")
	}
	return nil
}

// violates says whether the program as it is violates a run, and remembers it.
func (c *campaign) violates(ctx context.Context, r run) (bool, error) {
	c.mu.Lock()
	holds, known := c.innocent[r]
	c.mu.Unlock()
	if known {
		return !holds, nil
	}
	s, err := c.probe(ctx, c.program, batch{r.Scenario, r.Seed, r.Seed})
	if err != nil {
		return false, err
	}
	holds = s.Crash == "" && len(s.Runs) == 1 && s.Runs[0].Verdict != checker.Violated
	c.mu.Lock()
	defer c.mu.Unlock()
	c.innocent[r] = holds
	c.own += s.CPU
	if !holds {
		c.guilty = append(c.guilty, r)
	}
	return !holds, nil
}

// first builds a mutant and hunts it for the first half of its share.
func (c *campaign) first(ctx context.Context, h *hunt, quota time.Duration) (err error) {
	h.program, h.Build, err = c.build(ctx, &h.mutant)
	switch {
	case errors.Is(err, errCatalogue):
		h.Verdict, h.Trouble = unfit, err.Error()
		c.finish(h)
		return nil
	case err != nil:
		return err
	}
	c.mu.Lock()
	c.own += h.Build
	c.mu.Unlock()
	if err := h.spend(ctx, c.probe, &c.base, quota); err != nil {
		return fmt.Errorf("mutant %s: %w", h.Name, err)
	}
	if h.Verdict == "" && !h.Reached && !h.Null {
		if err := h.reach(ctx, c.probe, &c.base); err != nil {
			return fmt.Errorf("mutant %s: %w", h.Name, err)
		}
	}
	if h.Verdict != "" {
		c.finish(h)
	}
	return nil
}

// fit compiles every mutant, hunts none and tells which don't fit the tree.
func (c *campaign) fit(ctx context.Context, env *ui.Env) (int, error) {
	unfits := make([]error, len(c.mutants))
	err := c.each(ctx, len(c.mutants), func(ctx context.Context, i int) error {
		program, _, err := c.build(ctx, &c.mutants[i])
		c.drop(program)
		c.tell("compiling " + c.mutants[i].Name)
		if errors.Is(err, errCatalogue) {
			unfits[i], err = err, nil
		}
		return err
	})
	if err != nil {
		return 0, ui.Exit(ui.WorldFailed, err)
	}
	if err := errors.Join(unfits...); err != nil {
		return 0, ui.Exit(ui.Usage, err)
	}
	fmt.Fprintf(env.Stdout, "%d mutants fit the tree\n", len(c.mutants))
	return ui.Held, nil
}

// second goes on with what is left.
func (c *campaign) second(ctx context.Context, h *hunt, quota time.Duration) error {
	if h.Verdict != "" {
		return nil
	}
	if err := h.spend(ctx, c.probe, &c.base, quota); err != nil {
		return fmt.Errorf("mutant %s: %w", h.Name, err)
	}
	if h.Verdict == "" {
		h.Verdict = survived
	}
	c.finish(h)
	return nil
}

// finish tells of a hunt's end.
func (c *campaign) finish(h *hunt) {
	c.drop(h.program)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done++
	c.ended(h)
	c.say(fmt.Sprintf("%d of %d mutants done", c.done, len(c.hunts)))
}

func (c *campaign) tell(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.say(text)
}

// all does work for every hunt.
func (c *campaign) all(ctx context.Context, work func(context.Context, *hunt) error) error {
	return c.each(ctx, len(c.hunts), func(ctx context.Context, i int) error { return work(ctx, c.hunts[i]) })
}

// each does work for 0 to n-1, c.jobs at a time, until the first error.
func (c *campaign) each(ctx context.Context, n int, work func(context.Context, int) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	for range max(1, c.jobs) {
		workers.Go(func() {
			for i := range next {
				if err := work(ctx, i); err != nil {
					stop(err)
				}
			}
		})
	}
feed:
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}
