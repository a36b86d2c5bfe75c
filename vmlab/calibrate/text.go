package calibrate

import (
	"fmt"
	"io"
	"time"

	"drydock/node/ui"
	"drydock/scenarios/scenario"
)

// Text writes what was measured of a lab.
func (m *Measurement) Text(out io.Writer) {
	t := ui.NewTable(out)
	t.Row("what", "samples", "least", "p10", "p50", "p90", "p99", "most")
	row := func(name string, s *scenario.Spread) {
		t.Row(name, fmt.Sprint(s.Samples), Short(s.Least), Short(s.P10), Short(s.P50), Short(s.P90), Short(s.P99), Short(s.Most))
	}
	p := m.Profile
	for _, part := range []struct {
		name   string
		all    *scenario.Spread
		places []Place
	}{
		{"link, beyond its delay", &p.Link, m.Links},
		{"request, one way", &p.Request, m.Members},
		{"fsync", &p.Fsync, m.Disks},
		{"start of a node", &p.Start, m.Starts},
		{"boot of a machine", &p.Boot, m.Boots},
	} {
		row(part.name, part.all)
		for i := range part.places {
			row("  "+part.places[i].Name, &part.places[i].Spread)
		}
	}
	t.Flush()
	if m.Halves {
		fmt.Fprintln(out, "The machines have clocks of their own: each way of a link is half of the time for both.")
	}
	if p.Pressure > calmForeign {
		fmt.Fprintf(out, "! others had %.0f%% of the CPUs meanwhile: these are their figures, too\n", 100*float64(p.Pressure))
	}
}

// Text writes a comparison for people.
func (c *Comparison) Text(env *ui.Env) {
	out := env.Stdout
	fmt.Fprintf(out, "%s   predicted under %s, measured on %s\n", env.Paint(c.Scenario, ui.Bold), c.Profile, c.Driver)
	fmt.Fprintf(out, "%d runs in the simulator, %d in labs, in %s\n\n", c.SimRuns, c.LabRuns, c.Took.Round(time.Second))
	t := ui.NewTable(out)
	t.Row("what", "world", "trials", "p10", "median", "p90", "measured / predicted")
	for i := range c.Measures {
		m := &c.Measures[i]
		row := func(name, world string, s *Spread, remark string) {
			if s.N > 0 {
				t.Row(name, world, fmt.Sprint(s.N), Short(s.P10), Short(s.P50), Short(s.P90), remark)
			}
		}
		row(m.Name, "sim", &m.Predicted, "")
		row("", "lab", &m.Measured, m.words())
		row("", "lab, under pressure", &m.Pressed, "not judged")
	}
	t.Flush()
	fmt.Fprintln(out)
	switch word := c.Verdict(); word {
	case Agrees:
		fmt.Fprintf(out, "%s   what was predicted came true within %.0f%%\n", env.Paint(string(word), ui.Green, ui.Bold), 100*c.Within)
	case Differs:
		fmt.Fprintf(out, "%s   the medians are more than %.0f%% apart\n", env.Paint(string(word), ui.Red, ui.Bold), 100*c.Within)
	default:
		fmt.Fprintf(out, "%s   too few calm trials: %d of them decide; others had the CPUs\n", env.Paint(string(word), ui.Yellow, ui.Bold), Least)
	}
	if c.Pressure > calmForeign {
		fmt.Fprintf(out, "! the profile was measured while others had %.0f%% of the CPUs\n", 100*c.Pressure)
	}
}

// words say what the ratio of the medians says.
func (m *Side) words() string {
	if m.Ratio == nil {
		return ""
	}
	return fmt.Sprintf("%.2f (%.2f - %.2f) %s", m.Ratio.Median, m.Ratio.Low, m.Ratio.High, m.Verdict)
}

// Short writes a time with three digits.
func Short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.3gs", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.3gms", float64(d)/float64(time.Millisecond))
	case d >= time.Microsecond:
		return fmt.Sprintf("%.3gµs", float64(d)/float64(time.Microsecond))
	}
	return d.String()
}
