package report

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"drydock/node/ui"
)

// outcomes in the order in which they are counted.
var outcomes = []Outcome{Better, Worse, Same, Undecided, OneReading, NoneMissing, OtherRate, OtherWork, OtherPlace}

// Write prints a comparison for people. All prints every figure, else only those that
// changed and how many did not.
func (c *Comparison) Write(env *ui.Env, all bool) {
	out := env.Stdout
	fmt.Fprintf(out, "%s\n", env.Paint("what changed", ui.Bold))
	fmt.Fprintf(out, "old   %s\nnew   %s\n", c.Old, c.New)
	c.writeDifferences(out)
	fmt.Fprint(out, "ratio   new / old, of the medians, with its 95% interval; the two runs were not taken in turns, so what the machine\n"+
		"        did meanwhile shows as well: to tell two builds apart, `bench kv --against ./other`\n")
	counts := make(map[Outcome]int)
	t := ui.NewTable(out)
	var kind, name string
	for i := range c.Changes {
		ch := &c.Changes[i]
		counts[ch.Outcome]++
		if changed := ch.Outcome == Better || ch.Outcome == Worse; !all && !changed || ch.Control && !all {
			continue
		}
		if ch.Kind != kind {
			kind, name = ch.Kind, ""
			t.Flush()
			fmt.Fprintf(out, "\n%s\n", env.Paint(kind, ui.Bold))
			t.Row("case", "system", "measure", "old", "new", "ratio", "")
		}
		label := ch.Case
		if label == name {
			label = ""
		}
		name = ch.Case
		t.Row(label, ch.System, ch.Measure+" "+ch.Unit, Short(ch.Old), Short(ch.New), ch.ratio(), ch.words())
	}
	t.Flush()
	fmt.Fprint(out, "\n")
	for _, o := range outcomes {
		if counts[o] > 0 {
			fmt.Fprintf(out, "%5d %s\n", counts[o], o)
		}
	}
	if c.OnlyOld+c.OnlyNew > 0 {
		fmt.Fprintf(out, "%5d in the old file only, %d in the new one only\n", c.OnlyOld, c.OnlyNew)
	}
	if drift := c.Drift(); len(drift) > 0 {
		ch := drift[0]
		fmt.Fprintf(out, "! the machine is not as it was: %d figures of what no change of the product moves have changed, as\n"+
			"  %s of %s, %s: %s times\n", len(drift), ch.Measure, ch.System, ch.Case, Short(ch.Ratio.Median))
	}
}

// writeDifferences says in what the runs differ.
func (c *Comparison) writeDifferences(out io.Writer) {
	judged := "its figures are not judged; see --anyway"
	if c.Anyway {
		judged = "its figures are marked with !"
	}
	for _, d := range c.Machine {
		fmt.Fprintf(out, "! another machine: %s is %q, was %q; %s\n", d.What, d.New, d.Old, judged)
	}
	for _, kind := range slices.Sorted(maps.Keys(c.Settings)) {
		for _, d := range c.Settings[kind] {
			fmt.Fprintf(out, "! %s: other settings: %s is %q, was %q; %s\n", kind, d.What, d.New, d.Old, judged)
		}
	}
}

// ratio is the ratio with its interval, if it has one.
func (ch *Change) ratio() string {
	switch {
	case ch.Ratio.Median == 0:
		return "-"
	case ch.Ratio.Pairs == 0:
		return fmt.Sprintf("%.2fx", ch.Ratio.Median)
	}
	return fmt.Sprintf("%.2fx (%.2f - %.2f)", ch.Ratio.Median, ch.Ratio.Low, ch.Ratio.High)
}

func (ch *Change) words() string {
	text := string(ch.Outcome)
	if ch.Outcome == Undecided {
		text += ", " + plural(ch.Ratio.Pairs, "round")
	}
	if ch.Marked {
		text += " !"
	}
	return text
}

// Short writes a figure with about three digits.
func Short(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 0:
		return "?"
	case v < 0.1:
		return fmt.Sprintf("%.4f", v)
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}
