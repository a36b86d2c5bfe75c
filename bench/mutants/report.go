package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"drydock/node/ui"
)

// passScore is the share of the reached mutants that must be killed.
const passScore = 0.9

// tally counts the mutants of an area.
type tally struct {
	Area      string `json:"area"`
	Mutants   int    `json:"mutants"`
	Killed    int    `json:"killed"`
	Survived  int    `json:"survived"`
	Unreached int    `json:"unreached"`
	Unfit     int    `json:"unfit,omitempty"`
	// Median is the median CPU time of the kills.
	Median time.Duration `json:"median"`
}

func (t *tally) reached() int { return t.Killed + t.Survived }

// count makes a tally of the hunts that belong to it.
func count(area string, hunts []*hunt, belongs func(*hunt) bool) tally {
	t := tally{Area: area}
	var times []time.Duration
	for _, h := range hunts {
		if !belongs(h) {
			continue
		}
		t.Mutants++
		switch h.Verdict {
		case killed:
			t.Killed++
			times = append(times, h.CPU)
		case survived:
			t.Survived++
		case unreached:
			t.Unreached++
		case unfit:
			t.Unfit++
		}
	}
	if slices.Sort(times); len(times) > 0 {
		t.Median = times[len(times)/2]
	}
	return t
}

// result is what a campaign came to.
type result struct {
	Areas []tally `json:"areas"`
	// All counts the bugs, Null the edits that change no behaviour.
	All  tally `json:"all"`
	Null tally `json:"null"`
	// Score is the share of the reached bugs that were killed.
	Score float64 `json:"score"`
	// CPU is what the hunts cost, Own what building and the program as it is
	// did.
	CPU time.Duration `json:"cpu"`
	Own time.Duration `json:"own"`
	// Guilty are runs that the program as it is violates.
	Guilty []run `json:"guilty,omitempty"`
}

// sum adds a campaign up.
func (c *campaign) sum() result {
	r := result{
		All:  count("all", c.hunts, func(h *hunt) bool { return !h.Null }),
		Null: count(areaNull, c.hunts, func(h *hunt) bool { return h.Null }),
		Own:  c.own, Guilty: c.guilty, Score: 1,
	}
	for _, area := range areas {
		if t := count(area, c.hunts, func(h *hunt) bool { return h.Area == area }); t.Mutants > 0 {
			r.Areas = append(r.Areas, t)
		}
	}
	if r.All.reached() > 0 {
		r.Score = float64(r.All.Killed) / float64(r.All.reached())
	}
	for _, h := range c.hunts {
		r.CPU += h.CPU
	}
	return r
}

// code is the exit status.
func (r *result) code() int {
	switch {
	case r.All.Unfit+r.Null.Unfit > 0:
		return ui.Usage
	case r.Null.Killed > 0 || r.Score < passScore || len(r.Guilty) > 0:
		return ui.Violated
	}
	return ui.Held
}

func cpuSeconds(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()) }

// line tells of the end of one hunt.
func (h *hunt) line(out io.Writer, width int) {
	what := fmt.Sprintf("%d runs", h.Runs)
	switch {
	case h.Kill != nil:
		what = fmt.Sprintf("%s   %s@%d", h.Kill.Check, h.Kill.Scenario, h.Kill.Seed)
		if h.Checker != h.Kill.Check && !h.Null {
			what += "   (expected " + h.Checker + ")"
		}
	case h.Verdict == unfit:
		what = "does not fit the tree"
	case h.Unknown > 0:
		what += fmt.Sprintf(", %d of them unknown", h.Unknown)
	}
	fmt.Fprintf(out, "%-9s   %-*s   %-10s   %5s CPU s   %s\n", h.Verdict, width, h.Name, h.Area, cpuSeconds(h.CPU), what)
}

// text writes what a campaign came to.
func (r *result) text(out io.Writer, hunts []*hunt, budget time.Duration) {
	fmt.Fprintln(out)
	t := ui.NewTable(out)
	t.Row("area", "mutants", "killed", "survived", "unreached", "median CPU s to kill")
	for _, a := range append(slices.Clone(r.Areas), r.All) {
		median := "-"
		if a.Killed > 0 {
			median = cpuSeconds(a.Median)
		}
		t.Row(a.Area, fmt.Sprint(a.Mutants), fmt.Sprint(a.Killed), fmt.Sprint(a.Survived), fmt.Sprint(a.Unreached), median)
	}
	t.Flush()
	list(out, "survived: nothing noticed", hunts, func(h *hunt) bool { return h.Verdict == survived && !h.Null })
	list(out, "unreached: no trace changed", hunts, func(h *hunt) bool { return h.Verdict == unreached })
	list(out, "WRONGLY KILLED: these change no behaviour", hunts, func(h *hunt) bool { return h.Verdict == killed && h.Null })
	list(out, "UNFIT: the catalogue is older than the tree", hunts, func(h *hunt) bool { return h.Verdict == unfit })
	if len(r.Guilty) > 0 {
		fmt.Fprintf(out, "\nVIOLATED by the program as it is:\n")
		for _, g := range r.Guilty {
			fmt.Fprintf(out, "  drydock run --seed %d %s\n", g.Seed, scenarioFile(g.Scenario))
		}
	}
	fmt.Fprintf(out, "\nscore   %d of %d reached mutants killed (%.0f%%), %d of %d null ones   %s of %s CPU   %s besides, for building and comparing\n",
		r.All.Killed, r.All.reached(), 100*r.Score, r.Null.Killed, r.Null.Mutants,
		r.CPU.Round(time.Second), budget.Round(time.Second), r.Own.Round(time.Second))
}

// list writes some of the mutants with their faults.
func list(out io.Writer, title string, hunts []*hunt, which func(*hunt) bool) {
	titled := false
	for _, h := range hunts {
		if !which(h) {
			continue
		}
		if !titled {
			fmt.Fprintf(out, "\n%s\n", title)
			titled = true
		}
		fmt.Fprintf(out, "  %s (%s): %s\n", h.Name, h.Area, h.Fault)
		switch {
		case h.Kill != nil:
			fmt.Fprintf(out, "      %s: %s, %s@%d\n", h.Kill.Check, h.Kill.Measured, h.Kill.Scenario, h.Kill.Seed)
		case h.Verdict == unfit:
			fmt.Fprintf(out, "      %s\n", h.Trouble)
		case h.Verdict == survived:
			fmt.Fprintf(out, "      expected %s; %d runs, %s CPU s", h.Checker, h.Runs, cpuSeconds(h.CPU))
			if h.Unknown > 0 {
				fmt.Fprintf(out, "; %d unknown, first %s", h.Unknown, h.Trouble)
			}
			fmt.Fprintln(out)
		}
	}
}

// json writes a line for each mutant and one for all.
func (r *result) json(out io.Writer, hunts []*hunt) error {
	enc := json.NewEncoder(out)
	for _, h := range hunts {
		if err := enc.Encode(h); err != nil {
			return err
		}
	}
	return enc.Encode(r)
}
