package runner

import (
	"fmt"
	"strings"
	"time"

	"drydock/node/ui"
	"drydock/scenarios/checker"
	"drydock/scenarios/scenario"
)

// stackLines bounds how much of a panic's stack is shown.
const stackLines = 24

// Header writes the line that says what runs.
func Header(env *ui.Env, s *scenario.Scenario, world, seeds string) {
	fmt.Fprintf(env.Stdout, "%s   %s   %s, %s, %s\n", env.Paint(s.Name, ui.Bold), world,
		checker.Count(len(s.Nodes()), "node"), checker.Count(s.Load.KV.Clients, "client"), seeds)
}

// Text writes the whole report of a single run: timeline, every expectation
// with its measured value, the verdict and, if need be, how to repeat it.
func (r *Report) Text(env *ui.Env) {
	if len(r.Timeline) > 0 {
		fmt.Fprintln(env.Stdout)
		r.timeline(env)
	}
	fmt.Fprintln(env.Stdout)
	r.findings(env)
	for _, text := range r.Unjudged {
		fmt.Fprintf(env.Stdout, "  not judged  %s\n", text)
	}
	r.idle(env)
	r.Evidence(env)
	fmt.Fprintln(env.Stdout)
	r.verdict(env)
}

// timeline writes the events with a column for each node.
func (r *Report) timeline(env *ui.Env) {
	var head strings.Builder
	for _, name := range r.Nodes {
		fmt.Fprintf(&head, "%-3s", name)
	}
	fmt.Fprintf(env.Stdout, "    time   %s  event\n", head.String())
	for _, e := range r.Timeline {
		var columns strings.Builder
		for i, name := range r.Nodes {
			state := " "
			if i < len(e.States) {
				state = e.States[i : i+1]
			}
			if pad := len(name); pad > 2 {
				state += strings.Repeat(" ", pad-2)
			}
			columns.WriteString(env.Paint(state, stateStyle(state)...) + "  ")
		}
		fmt.Fprintf(env.Stdout, "%8s   %s  %s\n", seconds3(e.At), columns.String(), env.Paint(e.Text, markStyle(e.Mark)...))
	}
}

func stateStyle(state string) []ui.Style {
	switch state[0] {
	case StateLeader:
		return []ui.Style{ui.Green, ui.Bold}
	case StateCrashed:
		return []ui.Style{ui.Red}
	case StatePaused, StateRestarting:
		return []ui.Style{ui.Yellow}
	case StateOutside:
		return []ui.Style{ui.Dim}
	}
	return nil
}

func markStyle(m Mark) []ui.Style {
	switch m {
	case MarkFault:
		return []ui.Style{ui.Yellow}
	case MarkLeader:
		return []ui.Style{ui.Green}
	case MarkBad:
		return []ui.Style{ui.Red, ui.Bold}
	}
	return nil
}

// findings writes a line for each expectation.
func (r *Report) findings(env *ui.Env) {
	width := 0
	for _, f := range r.Findings {
		width = max(width, len(f.Expect))
	}
	for _, f := range r.Findings {
		word, style := "ok", ui.Green
		switch f.Status {
		case checker.Violated:
			word, style = "VIOLATED", ui.Red
		case checker.Unknown:
			word, style = "unknown", ui.Yellow
		}
		line := fmt.Sprintf("  %s  %-*s   %s", env.Paint(fmt.Sprintf("%-8s", word), style), width, f.Expect, f.Measured)
		fmt.Fprintln(env.Stdout, strings.TrimRight(line, " "))
	}
}

// idle names the faults that never took effect.
func (r *Report) idle(env *ui.Env) {
	for _, o := range r.Faults {
		switch {
		case o.Effective > 0:
		case o.Fired == 0:
			fmt.Fprintf(env.Stdout, "  note      the fault %s never came due\n", o.Name)
		default:
			fmt.Fprintf(env.Stdout, "  note      the fault %s had no effect: %s\n", o.Name, o.Why)
		}
	}
}

// Evidence writes the details of the worst violation, if there is one.
func (r *Report) Evidence(env *ui.Env) {
	f := r.Worst()
	if f == nil || f.Violation == nil {
		return
	}
	fmt.Fprintln(env.Stdout)
	v := f.verdict
	if v.Violation == nil {
		v = checker.Verdict{Status: f.Status, Check: f.Expect, Ops: r.Operations, Violation: f.Violation}
	}
	if lines := strings.Split(v.Violation.Why, "\n"); len(lines) > stackLines {
		short := *v.Violation
		short.Why = strings.Join(lines[:stackLines], "\n  ")
		v.Violation = &short
	}
	_ = checker.Render(env.Stdout, v)
}

// verdict writes the last line, and the replay command unless all held.
func (r *Report) verdict(env *ui.Env) {
	word, style := string(r.Verdict), ui.Green
	switch r.Verdict {
	case checker.Violated:
		word, style = "VIOLATED", ui.Red
	case checker.Unknown:
		style = ui.Yellow
	}
	if r.Failed() {
		fmt.Fprintf(env.Stdout, "%s   the world %s failed: %s\n", env.Paint(word, style, ui.Bold), r.World, r.Error)
	} else if r.Trace == "" {
		fmt.Fprintf(env.Stdout, "%s   %s, all of it in %s\n", env.Paint(word, style, ui.Bold), seconds1(r.Simulated), seconds(r.Took))
	} else {
		fmt.Fprintf(env.Stdout, "%s   %s simulated in %s%s   trace %s\n", env.Paint(word, style, ui.Bold),
			seconds1(r.Simulated), seconds(r.Took), factor(r.Simulated, r.Took), short(r.Trace))
	}
	if r.Recording != "" {
		fmt.Fprintf(env.Stdout, "smaller  %s\n", r.Smaller())
	}
	if r.Kept != "" {
		fmt.Fprintf(env.Stdout, "kept     logs and data in %s\n", r.Kept)
	}
	if r.Verdict != checker.Held {
		fmt.Fprintf(env.Stdout, "%s\n", r.again(9))
	}
}

// factor is how much faster than real time a run was.
func factor(simulated, took time.Duration) string {
	if took <= 0 {
		return ""
	}
	return fmt.Sprintf(" (%.0fx)", simulated.Seconds()/took.Seconds())
}

func short(trace string) string {
	return trace[:min(8, len(trace))]
}

// seconds writes a time to the millisecond with its unit.
func seconds(d time.Duration) string {
	return fmt.Sprintf("%.3gs", d.Round(time.Millisecond).Seconds())
}

func seconds1(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

// seconds3 writes a point of time in seconds, as the timeline does.
func seconds3(d time.Duration) string {
	return fmt.Sprintf("%d.%03d", d/time.Second, d%time.Second/time.Millisecond)
}

// again is the line with the command that runs the same once more. Where no seed
// decides a run, that is another one, and the line says so.
func (r *Report) again(width int) string {
	if r.Trace == "" && r.World != "sim" {
		return fmt.Sprintf("%-*s%s   (the same scenario once more: a lab's runs differ)", width, "again", r.Replay)
	}
	return fmt.Sprintf("%-*s%s", width, "replay", r.Replay)
}
