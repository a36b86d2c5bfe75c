package runner

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"drydock/node/ui"
	"drydock/scenarios/checker"
)

// rowsShown bounds the table of seeds that did not hold.
const rowsShown = 40

// Line writes a run as one line.
func (r *Report) Line(env *ui.Env, width int) {
	word, style := fmt.Sprintf("%-8s", r.Verdict), ui.Green
	switch r.Verdict {
	case checker.Violated:
		word, style = "VIOLATED", ui.Red
	case checker.Unknown:
		style = ui.Yellow
	}
	what := ""
	switch f := r.Worst(); {
	case r.Failed():
		what = r.Error
	case f != nil:
		what = f.Expect + ": " + f.Measured
	case r.Trace == "":
		what = fmt.Sprintf("%d operations, %s, all of it in %s", r.Acknowledged, seconds1(r.Simulated), seconds(r.Took))
	default:
		what = fmt.Sprintf("%d operations, %s simulated in %s%s   trace %s", r.Acknowledged,
			seconds1(r.Simulated), seconds(r.Took), factor(r.Simulated, r.Took), short(r.Trace))
	}
	fmt.Fprintf(env.Stdout, "%s   %-*s   %s\n", env.Paint(word, style), width, r.Scenario, what)
}

// Text writes what a batch came to: the seeds that did not hold, sums, faults,
// the evidence of the first violation and how to repeat it.
func (t *Tally) Text(env *ui.Env, seeds int) {
	bad := slices.DeleteFunc(slices.Clone(t.Reports), func(r *Report) bool { return r.Verdict == checker.Held })
	slices.SortStableFunc(bad, func(a, b *Report) int { return rank(a) - rank(b) })
	if len(bad) > 0 && seeds > 1 {
		t.rows(env, bad)
	}
	shown := seeds > 1 && len(bad) > 0
	if len(bad) > 0 && bad[0].Verdict == checker.Violated {
		bad[0].Evidence(env)
		shown = true
	}
	if shown {
		fmt.Fprintln(env.Stdout)
	}
	line := fmt.Sprintf("%s   %s simulated in %s", t.counts(bad), hours(t.Simulated), seconds1(t.Took))
	if t.here {
		line = fmt.Sprintf("%s   %s, all of it in %s", t.counts(bad), hours(t.Simulated), hours(t.Took))
	}
	if t.Repeated > 0 {
		line += fmt.Sprintf("   %d ran twice", t.Repeated)
	}
	fmt.Fprintln(env.Stdout, line)
	t.injected(env)
	if t.For > 0 && (t.Interrupted || t.Violated > 0 && t.Took < t.For) {
		fmt.Fprintf(env.Stdout, "stopped    after %d runs and %s of %s\n", t.Done, seconds1(t.Took), t.For)
	} else if t.Interrupted {
		fmt.Fprintf(env.Stdout, "interrupted after %d of %d runs\n", t.Done, t.Total)
	} else if t.Done < t.Total {
		fmt.Fprintf(env.Stdout, "stopped    at the first violation, after %d of %d runs; --keep-going runs them all\n", t.Done, t.Total)
	}
	if len(bad) == 0 {
		return
	}
	if dir := bad[0].Recording; dir != "" {
		fmt.Fprintf(env.Stdout, "recorded   %s in %s\n", checker.Count(t.Recorded, "run"), filepath.Dir(dir))
		fmt.Fprintf(env.Stdout, "smaller    %s\n", bad[0].Smaller())
	}
	if bad[0].Kept != "" {
		fmt.Fprintf(env.Stdout, "kept       logs and data in %s\n", bad[0].Kept)
	}
	fmt.Fprintln(env.Stdout, bad[0].again(11))
}

// rank orders reports by how bad they are.
func rank(r *Report) int {
	switch {
	case r.Verdict == checker.Violated:
		return 0
	case r.Failed():
		return 1
	}
	return 2
}

// rows writes the table of the seeds that did not hold.
func (t *Tally) rows(env *ui.Env, bad []*Report) {
	table := ui.NewTable(env.Stdout)
	table.Row("seed", "scenario", "verdict", "at", "what")
	for i, r := range bad {
		if i == rowsShown {
			break
		}
		at, what := "-", r.Error
		if f := r.Worst(); f != nil {
			what = f.Expect + ": " + f.Measured
			if f.At > 0 {
				at = seconds3(f.At) + "s"
			}
		}
		verdict := string(r.Verdict)
		if r.Verdict == checker.Violated {
			verdict = "VIOLATED"
		} else if r.Failed() {
			verdict = "failed"
		}
		table.Row(fmt.Sprint(r.Seed), r.Scenario, verdict, at, what)
	}
	table.Flush()
	if len(bad) > rowsShown {
		fmt.Fprintf(env.Stdout, "… and %d more\n", len(bad)-rowsShown)
	}
}

func (t *Tally) counts(bad []*Report) string {
	parts := []string{fmt.Sprintf("%d held", t.Held)}
	if t.Violated > 0 {
		var kinds []string
		for _, r := range bad {
			if f := r.Worst(); f != nil && r.Verdict == checker.Violated && !slices.Contains(kinds, f.Expect) {
				kinds = append(kinds, f.Expect)
			}
		}
		parts = append(parts, fmt.Sprintf("%d violated (%s)", t.Violated, checker.Count(len(kinds), "kind")))
	}
	if t.Unknown > 0 {
		parts = append(parts, fmt.Sprintf("%d unknown", t.Unknown))
	}
	if t.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", t.Failed))
	}
	return strings.Join(parts, ", ")
}

// injected writes how often each kind of fault took effect, and which never
// did.
func (t *Tally) injected(env *ui.Env) {
	var did, never []string
	for _, n := range t.Injected() {
		if n.Effective > 0 {
			did = append(did, fmt.Sprintf("%s %d", n.Kind, n.Effective))
		} else {
			never = append(never, string(n.Kind))
		}
	}
	if len(did)+len(never) == 0 {
		return
	}
	line := "injected   " + strings.Join(did, "  ")
	if len(never) > 0 {
		line += "   never: " + strings.Join(never, ", ")
	}
	fmt.Fprintln(env.Stdout, line)
}

// Progress is the batch as one line: done, verdicts, speed, time left.
func (t *Tally) Progress() string {
	line := fmt.Sprintf("%d/%d  held %d  violated %d", t.Done, t.Total, t.Held, t.Violated)
	if t.For > 0 {
		line = fmt.Sprintf("%d runs  held %d  violated %d", t.Done, t.Held, t.Violated)
	}
	if t.Unknown+t.Failed > 0 {
		line += fmt.Sprintf("  unknown %d", t.Unknown+t.Failed)
	}
	left := time.Duration(0)
	switch {
	case t.For > 0:
		left = max(0, t.For-t.Took)
	case t.Done > 0:
		left = t.Took / time.Duration(t.Done) * time.Duration(t.Total-t.Done)
	}
	return fmt.Sprintf("%s   %s runs/s   %s left", line, ui.Rate(t.Done, t.Took), left.Round(time.Second))
}

// Code is the exit code of a batch.
func (t *Tally) Code() int {
	switch {
	case t.Interrupted:
		return ui.Interrupted
	case t.Violated > 0:
		return ui.Violated
	case t.Failed > 0:
		return ui.WorldFailed
	case t.Unknown > 0:
		return ui.Unknown
	}
	return ui.Held
}

// Code is the exit code of a single run.
func (r *Report) Code() int {
	switch {
	case r.Verdict == checker.Violated:
		return ui.Violated
	case r.Failed():
		return ui.WorldFailed
	case r.Verdict == checker.Unknown:
		return ui.Unknown
	}
	return ui.Held
}

// hours writes a long time in the unit that suits it.
func hours(d time.Duration) string {
	switch {
	case d >= time.Hour:
		return fmt.Sprintf("%.1fh", d.Hours())
	case d >= 10*time.Minute:
		return fmt.Sprintf("%.0fmin", d.Minutes())
	}
	return seconds1(d)
}
