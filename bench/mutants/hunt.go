package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"drydock/scenarios/checker"
)

// maxSeeds bounds the seeds of one call, and with it by how much a hunt exceeds
// its budget.
const maxSeeds = 8

// plan chooses what a hunt tries next: the hinted scenarios, then the others,
// again and again, each time with more seeds that were not tried yet.
type plan struct {
	order []string
	at    int
	next  map[string]uint64 // first seed not tried yet
	size  map[string]uint64 // how many come next
}

// newPlan starts with a few seeds of each hinted scenario and one of each other.
func newPlan(hints, library []string) *plan {
	p := &plan{next: make(map[string]uint64), size: make(map[string]uint64)}
	for _, name := range hints {
		if slices.Contains(library, name) && p.size[name] == 0 {
			p.order, p.size[name] = append(p.order, name), 3
		}
	}
	for _, name := range library {
		if p.size[name] == 0 {
			p.order, p.size[name] = append(p.order, name), 1
		}
	}
	for _, name := range p.order {
		p.next[name] = 1
	}
	return p
}

// step returns the next batch.
func (p *plan) step() batch {
	name := p.order[p.at]
	p.at = (p.at + 1) % len(p.order)
	b := batch{Scenario: name, From: p.next[name], To: p.next[name] + p.size[name] - 1}
	p.next[name] = b.To + 1
	p.size[name] = min(2*p.size[name], maxSeeds)
	return b
}

// run names a run of the library.
type run struct {
	Scenario string
	Seed     uint64
}

// The ends of a hunt.
const (
	killed    = "killed"
	survived  = "survived"
	unreached = "unreached"
	unfit     = "unfit" // not to be applied or compiled
)

// kill is the violation that ended a hunt.
type kill struct {
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	// Check is the expectation or promise that was violated.
	Check    string `json:"check"`
	Measured string `json:"measured"`
}

// hunt is what became of one mutant so far.
type hunt struct {
	mutant
	// Verdict is empty while the hunt goes on.
	Verdict string `json:"verdict"`
	Kill    *kill  `json:"kill,omitempty"`
	// Reached says that some trace differed from the one of the program as it
	// is.
	Reached bool `json:"reached"`
	Runs    int  `json:"runs"`
	// CPU is what the hunt cost, Build what building did.
	CPU   time.Duration `json:"cpu"`
	Build time.Duration `json:"build"`
	// Unknown counts runs without a verdict; Trouble says why the first was.
	Unknown int    `json:"unknown,omitempty"`
	Trouble string `json:"trouble,omitempty"`

	program  string
	plan     *plan
	compared map[run]bool
}

// base is the program as it is: what it does in the runs of the library.
type base struct {
	library []string
	traces  map[run]string
	// violates says whether it violates a run itself, which it must not.
	violates func(ctx context.Context, r run) (bool, error)
}

// spend hunts until the mutant is killed or the hunt has cost quota since its
// beginning.
func (h *hunt) spend(ctx context.Context, p probe, b *base, quota time.Duration) error {
	for h.Verdict == "" && h.CPU < quota {
		if err := h.try(ctx, p, b, h.plan.step()); err != nil {
			return err
		}
	}
	return nil
}

// reach compares what is left of the known traces until one differs; if none
// does, the hunt is over.
func (h *hunt) reach(ctx context.Context, p probe, b *base) error {
	for _, name := range b.library {
		for seed := uint64(1); b.traces[run{name, seed}] != ""; seed++ {
			if h.Verdict != "" || h.Reached {
				return nil
			}
			if h.compared[run{name, seed}] {
				continue
			}
			if err := h.try(ctx, p, b, batch{name, seed, seed}); err != nil {
				return err
			}
		}
	}
	if h.Verdict == "" && !h.Reached {
		h.Verdict = unreached
	}
	return nil
}

// try runs one batch and takes in what it shows.
func (h *hunt) try(ctx context.Context, p probe, b *base, which batch) error {
	s, err := p(ctx, h.program, which)
	h.CPU += s.CPU
	if err != nil {
		return err
	}
	if s.Crash != "" {
		h.Runs++
		return h.accuse(ctx, b, kill{which.Scenario, which.From, promiseNoPanic, s.Crash})
	}
	for i := range s.Runs {
		r := &s.Runs[i]
		h.Runs++
		at := run{which.Scenario, r.Seed}
		if want := b.traces[at]; want != "" && r.Trace != "" {
			h.compared[at] = true
			h.Reached = h.Reached || r.Trace != want
		}
		worst := r.Worst()
		switch {
		case r.Verdict == checker.Violated && worst != nil:
			check, _, _ := strings.Cut(worst.Expect, ":")
			err := h.accuse(ctx, b, kill{which.Scenario, r.Seed, check, worst.Measured})
			if err == nil && h.Verdict == "" && r.Seed < which.To {
				// The batch ended here, for nothing: go on behind it.
				return h.try(ctx, p, b, batch{which.Scenario, r.Seed + 1, which.To})
			}
			if err != nil {
				return err
			}
		case r.Verdict == checker.Unknown:
			h.Unknown++
			if h.Trouble == "" && worst != nil {
				h.Trouble = worst.Expect + ": " + worst.Measured
			} else if h.Trouble == "" {
				h.Trouble = r.Error
			}
		}
		if h.Verdict != "" {
			return nil
		}
	}
	return nil
}

// accuse ends the hunt with a kill, unless the program as it is does the same.
func (h *hunt) accuse(ctx context.Context, b *base, k kill) error {
	same, err := b.violates(ctx, run{k.Scenario, k.Seed})
	if err != nil || same {
		return err
	}
	h.Verdict, h.Kill, h.Reached = killed, &k, true
	return nil
}
