package cmd

import (
	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/scenarios/runner"
)

// Commands returns the commands of this folder for the program's root. Worlds
// are the places where scenarios can run; the first is the default.
func Commands(env *ui.Env, worlds ...runner.World) []*cobra.Command {
	return []*cobra.Command{
		newRun(env, worlds),
		newWorker(env, worlds),
		newReplay(env, worlds),
		newShrink(env, worlds),
		NewCheck(),
		newScenario(env, worlds),
	}
}

// newScenario groups the commands about scenario files.
func newScenario(env *ui.Env, worlds []runner.World) *cobra.Command {
	c := &cobra.Command{
		Use:   "scenario",
		Short: "Look at, check and start scenario files",
		Example: `  drydock scenario list
  drydock scenario show leader-crash
  drydock scenario validate my-scenario.yaml`,
		Args: cobra.NoArgs,
	}
	c.AddCommand(newList(env), newShow(env), newValidate(env, worlds), newSchema(env), newFaults(env, worlds), newNew(env))
	return c
}
