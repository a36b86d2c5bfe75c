package cmd_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/scenarios/cmd"
	"drydock/scenarios/runner/faketest"
)

// codeFile is where the program under test leaves its exit code, in the
// script's directory.
const codeFile = "exit-code"

// TestMain lets the test binary be the program, with the fake world.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"drydock": func() {
		env := ui.OSEnv()
		root := &cobra.Command{Use: "drydock", SilenceUsage: true, SilenceErrors: true}
		root.SetArgs(env.Args)
		root.SetOut(env.Stdout)
		root.AddCommand(cmd.Commands(env, faketest.World{}, faketest.Lab{})...)
		err := root.ExecuteContext(context.Background())
		if err != nil && err.Error() != "" {
			fmt.Fprintln(env.Stderr, err)
		}
		file := filepath.Join(os.Getenv("WORK"), codeFile)
		if err := os.WriteFile(file, []byte(fmt.Sprint(ui.Code(err))), 0o600); err != nil {
			panic(err)
		}
	}})
}

func TestScripts(t *testing.T) {
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

// TestEveryCommandHasAnExample also wants a line of help for each.
func TestEveryCommandHasAnExample(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Example == "" || c.Short == "" {
			t.Errorf("%s: example %q, short %q", c.CommandPath(), c.Example, c.Short)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	for _, c := range cmd.Commands(ui.OSEnv(), faketest.World{}) {
		walk(c)
	}
}
