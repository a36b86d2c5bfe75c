package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"drydock/node/ui"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
)

// driverVariable is the variable that chooses a driver where no flag does.
const driverVariable = "DRYDOCK_DRIVER"

// where is the world that the call names. The variable says nothing of worlds that no
// driver makes.
func (o *runOptions) where(worlds []runner.World) (runner.World, error) {
	w, err := runner.FindWorld(worlds, o.world, "")
	if err != nil {
		return nil, ui.Exit(ui.Usage, err)
	}
	if _, driven := w.(runner.Driven); driven || o.driverNamed {
		if w, err = runner.FindWorld(worlds, o.world, o.driver); err != nil {
			return nil, ui.Exit(ui.Usage, err)
		}
	}
	if o.traceHash && !runner.Repeats(w) {
		return nil, ui.Usagef("--trace-hash: a run in the world %s has no trace", w.Name())
	}
	return w, nil
}

// here makes the runs of a batch in this process, where they take the machine for
// themselves; nil where workers do.
func (o *runOptions) here(w runner.World) func(context.Context, *scenario.Scenario, uint64) *runner.Report {
	if runner.Repeats(w) {
		return nil
	}
	return func(ctx context.Context, s *scenario.Scenario, seed uint64) *runner.Report {
		return runner.Run(ctx, w, runner.Spec{Scenario: s, Seed: seed, Keep: o.keep(w)})
	}
}

// driverNames lists the drivers of all worlds.
func driverNames(worlds []runner.World) string {
	var names []string
	for _, w := range worlds {
		if d, ok := w.(runner.Driven); ok {
			names = append(names, d.Drivers()...)
		}
	}
	return strings.Join(names, ", ")
}

// drivenWorld is the world that --driver means, where the call names none.
func drivenWorld(worlds []runner.World, usual string) string {
	at := slices.IndexFunc(worlds, func(w runner.World) bool { _, ok := w.(runner.Driven); return ok })
	if at < 0 {
		return usual
	}
	return worlds[at].Name()
}

// unrepeatable says why a run of a world can't be made again.
func unrepeatable(w runner.World) error {
	return ui.Exit(ui.Usage, errors.New("a run in the world "+w.Name()+" can't be repeated: the machine takes part in it, and no seed decides that"))
}

// keep is where a world leaves what is worth looking at after a failure.
func (o *runOptions) keep(w runner.World) string {
	if runner.Repeats(w) || o.runs == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(o.runs), "failed")
}

// tellSkipped names the files that are left out.
func (o *runOptions) tellSkipped(env *ui.Env, skipped []string) {
	if o.quiet || o.json {
		return
	}
	for _, why := range skipped {
		fmt.Fprintf(env.Stderr, "skipped    %s\n", why)
	}
}
