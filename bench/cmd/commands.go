// Package cmd holds the benchmark commands of the drydock program.
package cmd

import (
	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/scenarios/runner"
)

// Commands returns the command bench with its parts. World is what bench sim
// measures.
func Commands(env *ui.Env, world runner.World) []*cobra.Command {
	bench := &cobra.Command{
		Use:     "bench",
		Short:   "Measure",
		Example: "  drydock bench all --quick\n  drydock bench sim --quick\n  drydock bench consensus --quick\n  drydock bench kv --quick --against etcd\n  drydock bench scheduler --quick",
	}
	bench.AddCommand(newAll(env, world), newShow(env), newSim(env, world), newConsensus(env), newKV(env), newScheduler(env))
	return []*cobra.Command{bench}
}
