package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	nodecmd "drydock/node/cmd"
	"drydock/node/machine/guard"
	"drydock/node/runtime/supervisor"
	"drydock/node/ui"
	"drydock/scenarios/simworld"
)

// codeFile is where the program under test leaves its exit code.
const codeFile = "exit-code"

// TestMain lets the test binary be the program, with nodes and the simulator.
func TestMain(m *testing.M) {
	// A node that the benchmark starts has processes of its own, as the program's has.
	if supervisor.Become() || guard.Become() {
		return
	}
	testscript.Main(m, map[string]func(){"drydock": func() {
		env := ui.OSEnv()
		root := &cobra.Command{Use: "drydock", SilenceUsage: true, SilenceErrors: true}
		root.SetArgs(env.Args)
		root.SetOut(env.Stdout)
		root.AddCommand(Commands(env, simworld.New())...)
		root.AddCommand(nodecmd.Node(env), nodecmd.Version(env))
		err := root.ExecuteContext(context.Background())
		if err != nil && err.Error() != "" {
			fmt.Fprintln(env.Stderr, err)
		}
		work := os.Getenv("WORK")
		if work == "" {
			return // a node that the benchmark has started
		}
		if err := os.WriteFile(filepath.Join(work, codeFile), fmt.Append(nil, ui.Code(err)), 0o600); err != nil {
			panic(err)
		}
	}})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// code N runs drydock and wants the exit code N.
			"code": wantCode,
		},
	})
}

func wantCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N arguments of drydock")
	}
	if err := ts.Exec("drydock", args[1:]...); err != nil {
		ts.Fatalf("drydock: %v", err)
	}
	if got := ts.ReadFile(filepath.Join(ts.Getenv("WORK"), codeFile)); got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}
