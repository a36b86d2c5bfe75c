package runner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"drydock/node/ui"
	"drydock/scenarios/checker"
	"drydock/sim/tape"
)

// What a replay shows.
const (
	// eventsShown are the timeline's last lines before the violation.
	eventsShown = 14
	// momentsShown are the events before the one at which two traces part.
	momentsShown = 6
	// drawnAhead begins the lines of the timeline about faults to come.
	drawnAhead = "drawn for "
)

// Replay is a run that was done again.
type Replay struct {
	*Report
	// Recorded is what it is compared with; nil if there is no recording.
	Recorded *Recording
	// Difference is where the trace leaves the recorded one, Moments what
	// happened there in this run. Nil: it is the same trace, as far as it went.
	Difference *tape.Difference
	Moments    []tape.Moment
}

// Again runs a recorded run again and compares the traces. With spec.Until it
// may end early.
func Again(ctx context.Context, w World, rec *Recording, spec Spec) *Replay {
	spec.Tape = true
	out := &Replay{Report: Run(ctx, w, spec), Recorded: rec}
	if rec == nil || out.Failed() || out.result == nil {
		return out
	}
	is := out.result.Tape
	switch {
	case rec.Report.Trace == out.Trace || rec.Report.Trace == "":
	case rec.Tape != nil && is != nil:
		out.Difference = tape.Compare(rec.Tape, is, spec.Until > 0)
	case spec.Until == 0:
		out.Difference = new(tape.Difference)
	}
	if d := out.Difference; d != nil && d.Exact() && d.From > 0 {
		first := uint64(1)
		if d.From > momentsShown {
			first = d.From - momentsShown
		}
		spec.Quiet, spec.Tape = true, false
		spec.Listen = &tape.Listener{First: first, Last: d.From, Tell: func(m tape.Moment) {
			if m.Event > 0 {
				out.Moments = append(out.Moments, m)
			}
		}}
		Run(ctx, w, spec)
	}
	return out
}

// SameFailure tells whether two reports are violated in the same way: the
// worst finding is of the same kind.
func SameFailure(a, b *Report) bool {
	return a.Verdict == checker.Violated && b.Verdict == checker.Violated && a.Failure() == b.Failure()
}

// Text writes what came of the replay; until is where it was stopped, or 0.
func (p *Replay) Text(env *ui.Env, until time.Duration) {
	end := p.Simulated
	if at, ok := p.FailedAt(); ok && until == 0 {
		end = at
	}
	same := "nothing was recorded to compare with, trace " + short(p.Trace)
	switch {
	case p.Failed():
		same = "the world " + p.World + " failed: " + p.Error
	case p.Recorded == nil || p.Recorded.Report.Trace == "":
	case p.Difference == nil && until > 0:
		same = "same trace as recorded, as far as it went"
	case p.Difference == nil:
		same = fmt.Sprintf("same trace as recorded (%s)", short(p.Trace))
	default:
		same = "not the trace that was recorded"
	}
	fmt.Fprintf(env.Stdout, "%s   %s   seed %d   replayed to %ss: %s\n", env.Paint(p.Scenario, ui.Bold), p.World, p.Seed, seconds3(end), same)
	if p.Failed() {
		return
	}
	if p.Difference != nil {
		p.difference(env)
	}
	fmt.Fprintln(env.Stdout)
	p.last(env, end)
	if until == 0 {
		p.failed(env)
	}
}

// difference says where and how the traces part.
func (p *Replay) difference(env *ui.Env) {
	d, was, now := p.Difference, p.Recorded.Build, ThisBuild()
	fmt.Fprintln(env.Stdout)
	switch {
	case d.From == 0 || d.To == 0:
		fmt.Fprintf(env.Stdout, "differs    the hashes do: %s was recorded, this is %s\n", short(p.Recorded.Report.Trace), short(p.Trace))
	case !d.Exact():
		fmt.Fprintf(env.Stdout, "differs    first between events %d and %d, after %ss\n", d.From, d.To, seconds3(d.After))
	default:
		at := d.After
		if n := len(p.Moments); n > 0 {
			at = p.Moments[n-1].At
		}
		fmt.Fprintf(env.Stdout, "differs    first at event %d, %ss: %s was recorded, now it is %s\n", d.From, seconds3(at),
			describe(p.Recorded.Tape, d.Was, p.Nodes), describe(p.result.Tape, d.Is, p.Nodes))
	}
	for _, m := range p.Moments {
		lead := "   "
		if m.Event == d.From {
			lead = "-> "
		}
		fmt.Fprintf(env.Stdout, "  %s%7d  %s\n", lead, m.Event, momentText(m))
	}
	switch {
	case was.Program != now.Program && was.Drydock != now.Drydock:
		fmt.Fprintf(env.Stdout, "because    perhaps, that drydock %s recorded it and this is %s\n", was.Drydock, now.Drydock)
	case was.Program != now.Program:
		fmt.Fprintln(env.Stdout, "because    perhaps, that another build of the program recorded it")
	default:
		fmt.Fprintln(env.Stdout, "because    the world is not deterministic: the program is the same")
	}
}

func describe(t *tape.Tape, m *tape.Mark, nodes []string) string {
	if m == nil {
		return "the end"
	}
	return t.Describe(*m, nodes)
}

func momentText(m tape.Moment) string {
	return fmt.Sprintf("%9s  %-3s %-8s  %s", micros(m.At), m.Node, m.What, m.Text)
}

// micros writes a time to the microsecond: messages are closer than a
// millisecond.
func micros(d time.Duration) string {
	return fmt.Sprintf("%d.%06d", d/time.Second, d%time.Second/time.Microsecond)
}

// WriteMoment writes one moment as a line of the log.
func WriteMoment(env *ui.Env, m tape.Moment) { fmt.Fprintln(env.Stdout, momentText(m)) }

// last writes the last events up to end.
func (p *Replay) last(env *ui.Env, end time.Duration) {
	list := slices.Clone(p.Timeline)
	list = slices.DeleteFunc(list, func(e Event) bool {
		// What a nemesis has drawn is told ahead; it is told again when it strikes.
		return e.At > end || strings.HasPrefix(e.Text, drawnAhead)
	})
	if n := len(list); n > eventsShown {
		fmt.Fprintf(env.Stdout, "  … %s before\n", checker.Count(n-eventsShown, "event"))
		list = list[n-eventsShown:]
	}
	for _, e := range list {
		fmt.Fprintf(env.Stdout, "%8s  %-3s %s\n", seconds3(e.At), e.Node, env.Paint(e.Text, markStyle(e.Mark)...))
	}
}

// failed writes the evidence, and how it compares with what was recorded.
func (p *Replay) failed(env *ui.Env) {
	p.Evidence(env)
	fmt.Fprintln(env.Stdout)
	was := p.Recorded
	switch {
	case p.Verdict == checker.Violated && (was == nil || SameFailure(was.Report, p.Report)):
		p.verdictLine(env, "")
	case p.Verdict == checker.Violated:
		p.verdictLine(env, fmt.Sprintf("   but not as recorded: that was %s", was.Report.Worst().Expect))
	case was != nil && p.Difference != nil:
		p.verdictLine(env, fmt.Sprintf("   what was recorded is gone: %s", was.Report.Worst().Expect))
	default:
		p.verdictLine(env, "")
	}
}

// verdictLine writes the verdict with a remark.
func (p *Replay) verdictLine(env *ui.Env, remark string) {
	word, style := string(p.Verdict), ui.Green
	switch p.Verdict {
	case checker.Violated:
		word, style = "VIOLATED", ui.Red
	case checker.Unknown:
		style = ui.Yellow
	}
	fmt.Fprintf(env.Stdout, "%s   %s simulated in %s   trace %s%s\n", env.Paint(word, style, ui.Bold),
		seconds1(p.Simulated), seconds(p.Took), cmp.Or(short(p.Trace), "none"), remark)
}

// Code is the exit code: that of the verdict, but a trace that differs without
// another program being the reason is a violation.
func (p *Replay) Code() int {
	if p.Difference != nil && p.Recorded.Build.Program == ThisBuild().Program {
		return ui.Violated
	}
	return p.Report.Code()
}
