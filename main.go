// Command drydock runs clusters of nodes in worlds of its own making and proves what
// came of it. This package only assembles the program: each folder brings its
// commands.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	benchcmd "drydock/bench/cmd"
	nodecmd "drydock/node/cmd"
	"drydock/node/machine/guard"
	"drydock/node/runtime/supervisor"
	"drydock/node/ui"
	"drydock/scenarios/cmd"
	"drydock/scenarios/runner"
	"drydock/scenarios/simworld"
	labcmd "drydock/vmlab/cmd"
	"drydock/vmlab/foothold"
	"drydock/vmlab/labworld"
	"drydock/vmlab/netns"
	"drydock/vmlab/work"
)

func main() {
	// A unit's process or the machine's guard, before anything else is set up.
	if supervisor.Become() || guard.Become() {
		return
	}
	// What units of scenarios run in labs.
	if code, became := work.Become(); became {
		os.Exit(code)
	}
	// A lab's place on its own network.
	if foothold.Become() {
		return
	}
	// A lab's machine.
	if code, became := netns.Become(); became {
		os.Exit(code)
	}
	env := ui.OSEnv()
	os.Exit(run(env, worlds(env)...))
}

// run is the whole program but for the process around it; it returns the exit
// code.
func run(env *ui.Env, worlds ...runner.World) int {
	root := &cobra.Command{
		Use:           "drydock",
		Short:         "Run cluster nodes, and the dock that tests them to destruction",
		Example:       "  drydock node\n  drydock etcdctl set /message Hello\n  drydock run leader-crash",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetArgs(nodecmd.Arguments(env))
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.PersistentFlags().StringVar(&env.Color, "color", env.Color, "auto, always or never")
	root.AddCommand(cmd.Commands(env, worlds...)...)
	root.AddCommand(benchcmd.Commands(env, worlds[0])...)
	root.AddCommand(labcmd.Commands(env)...)
	root.AddCommand(nodecmd.Node(env))
	root.AddCommand(nodecmd.Etcdctl(env), nodecmd.Fleetctl(env), nodecmd.Version(env))
	err := root.ExecuteContext(context.Background())
	if err != nil && err.Error() != "" {
		fmt.Fprintln(env.Stderr, err)
	}
	return ui.Code(err)
}

// worlds are the places where scenarios can run; the first is the default.
func worlds(env *ui.Env) []runner.World {
	return []runner.World{simworld.New(), labworld.New("lab", labcmd.Drivers(), env.Executable)}
}
