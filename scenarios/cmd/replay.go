package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/scenarios"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/sim/tape"
)

// replayOptions are the flags of replay.
type replayOptions struct {
	world   string
	runs    string
	from    time.Duration
	until   time.Duration
	log     string
	node    string
	json    bool
	timeout time.Duration
}

func newReplay(env *ui.Env, worlds []runner.World) *cobra.Command {
	var o replayOptions
	c := &cobra.Command{
		Use:   "replay NAME@SEED|DIR|FILE",
		Short: "Run a failing run again and say whether it is the same",
		Long: `Run a failing run again: the newest recording of that name and seed, the one in
a directory, or a scenario file with the seed that it names or that was recorded
for it. The trace is compared with the recorded one; where they differ first is
named by time, event, node and kind. The last events before the violation and
the smallest wrong history follow.

--until stops it, and judges nothing. --log debug prints what happened: the steps
of nodes, messages in words, disk jobs, roles, requests and answers; --log info
leaves out steps, messages and jobs. --node and --from narrow it.

Exit status: as of run; 1 also if the same program took another course.`,
		Example: `  drydock replay leader-crash@217
  drydock replay --until 5.2s --log debug --node n3 leader-crash@217
  drydock replay .drydock/runs/20261122-1/leader-crash@217`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return inJSON(env, o.json, replayFunc(c.Context(), env, worlds, &o, args[0]))
		},
	}
	f := c.Flags()
	f.StringVar(&o.world, "world", firstWorld(worlds), "where to run: "+worldNames(worlds))
	f.StringVar(&o.runs, "recordings", runner.RunsDir, "where recordings are looked up")
	f.DurationVar(&o.until, "until", 0, "stop at this time of the run, and judge nothing")
	f.StringVar(&o.log, "log", "", "print what happened: info or debug")
	f.StringVar(&o.node, "node", "", "log this member or client alone")
	f.DurationVar(&o.from, "from", 0, "log from this time on")
	f.BoolVar(&o.json, "json", false, "write the report as one JSON line, and nothing else, to stdout")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "real time that it may take")
	return c
}

// subject is what a reference names: a scenario and a seed, and the recording
// that it can be compared with, if there is one.
type subject struct {
	scenario *scenario.Scenario
	seed     uint64
	rec      *runner.Recording
	// ref is how people name it.
	ref string
}

// find looks up what a reference names.
func find(runs, ref string) (*subject, error) {
	info, err := os.Stat(ref)
	switch {
	case err == nil && info.IsDir():
		return ofRecording(runner.Open(ref))
	case err == nil && filepath.Base(ref) == "run.json":
		return ofRecording(runner.Open(filepath.Dir(ref)))
	case err == nil:
		return ofFile(runs, ref)
	}
	rec, err := runner.Find(runs, ref)
	if err == nil {
		return ofRecording(rec, nil)
	}
	if !errors.Is(err, runner.ErrNoRecording) {
		return nil, ui.Exit(ui.Usage, err)
	}
	name, number, _ := strings.Cut(ref, "@")
	text, ok := scenarios.Find(name)
	seed, wrong := strconv.ParseUint(number, 10, 64)
	if !ok || wrong != nil {
		hint := "`drydock run` records the runs that fail"
		if near := ui.Nearest(ref, runner.Recordings(runs)); near != "" {
			hint = fmt.Sprintf("did you mean `%s`?", near)
		}
		return nil, ui.Usagef("%s is neither a file nor a recording\nhint: %s", ref, hint)
	}
	s, err := scenario.Parse(name, text)
	if err != nil {
		return nil, ui.Exit(ui.Usage, err)
	}
	return &subject{scenario: s, seed: seed, ref: ref}, nil
}

func ofRecording(rec *runner.Recording, err error) (*subject, error) {
	if err != nil {
		return nil, ui.Exit(ui.Usage, err)
	}
	return &subject{
		scenario: rec.Scenario, seed: rec.Report.Seed, rec: rec,
		ref: strings.TrimPrefix(rec.Report.Replay, "drydock replay "),
	}, nil
}

// ofFile takes a scenario file with the seed that it names, else with that of
// the newest recording of its name. That recording is compared with only if the
// file still says the same.
func ofFile(runs, file string) (*subject, error) {
	text, err := readFile(file)
	if err != nil {
		return nil, err
	}
	s, err := scenario.Parse(file, text)
	if err != nil {
		return nil, ui.Exit(ui.Usage, err)
	}
	sub := &subject{scenario: s, seed: uint64(s.Seed), ref: file}
	name := s.Name
	if s.Seed > 0 {
		name = fmt.Sprintf("%s@%d", s.Name, s.Seed)
	}
	rec, err := runner.Find(runs, name)
	if err == nil && (s.Seed == 0 || slices.Equal(rec.Scenario.Text, text)) {
		sub.seed = rec.Report.Seed
		if slices.Equal(rec.Scenario.Text, text) {
			sub.rec = rec
		}
	}
	if sub.seed == 0 {
		return nil, ui.Usagef("%s names no seed, and nothing is recorded of %s\nhint: `drydock run --seed N %s`", file, s.Name, file)
	}
	return sub, nil
}

// replayFunc runs it again.
func replayFunc(ctx context.Context, env *ui.Env, worlds []runner.World, o *replayOptions, ref string) error {
	if !slices.Contains([]string{"", "info", "debug"}, o.log) {
		return ui.Usagef("--log takes info or debug, not %q", o.log)
	}
	if o.log == "" && (o.node != "" || o.from > 0) {
		o.log = "debug"
	}
	w, err := runner.FindWorld(worlds, o.world, "")
	if err != nil {
		return ui.Exit(ui.Usage, err)
	}
	if !runner.Repeats(w) {
		return unrepeatable(w)
	}
	sub, err := find(o.runs, ref)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	limited, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	spec := runner.Spec{Scenario: sub.scenario, Seed: sub.seed, Until: o.until}
	if o.log != "" && !o.json {
		spec.Listen = o.listener(env)
	}
	again := runner.Again(limited, w, sub.rec, spec)
	switch {
	case o.json:
		writeJSON(env, again.Report)
	default:
		if spec.Listen != nil {
			fmt.Fprintln(env.Stdout)
		}
		again.Text(env, o.until)
		if o.until == 0 {
			nextSteps(env, sub, again)
		}
	}
	switch {
	case ctx.Err() != nil:
		return ui.Exit(ui.Interrupted, nil)
	case o.until > 0 && again.Difference == nil && !again.Failed():
		return nil
	}
	return ui.Exit(again.Code(), nil)
}

// listener prints what passes the flags.
func (o *replayOptions) listener(env *ui.Env) *tape.Listener {
	detail := []string{"step", "send", "receive", "lost", "job"}
	return &tape.Listener{Node: o.node, From: o.from, Until: o.until, Tell: func(m tape.Moment) {
		if o.log == "debug" || !slices.Contains(detail, m.What) {
			runner.WriteMoment(env, m)
		}
	}}
}

// nextSteps says what can be done with a violation.
func nextSteps(env *ui.Env, sub *subject, again *runner.Replay) {
	if again.Report.Code() != ui.Violated || again.Failed() {
		return
	}
	if at, ok := again.FailedAt(); ok {
		fmt.Fprintf(env.Stdout, "closer     drydock replay --log debug --from %s --until %s %s\n",
			max(0, at-200*time.Millisecond).Round(time.Millisecond), (at + time.Millisecond).Round(time.Millisecond), sub.ref)
	}
	fmt.Fprintf(env.Stdout, "page       drydock run %s--seed %d --report %s-%d.html --recordings '' %s\n", sub.scenario.Profile.Flag(), sub.seed, sub.scenario.Name, sub.seed, sub.scenario.File)
	fmt.Fprintf(env.Stdout, "smaller    drydock shrink %s\n", sub.ref)
}
