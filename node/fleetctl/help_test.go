package fleetctl

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"drydock/node/ui"
)

func called(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	env := &ui.Env{Args: args, Getenv: func(string) string { return "" }, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
	code = run(t.Context(), env, realSystem())
	return out.String(), errs.String(), code
}

// TestHelp: every way to ask for help prints it, with all commands, and every command
// has its own, with an example that could be typed.
func TestHelp(t *testing.T) {
	want, _, _ := called(t)
	for _, args := range [][]string{{"help"}, {"--help"}, {"-h"}, {"-help"}} {
		if got, errs, code := called(t, args...); got != want || errs != "" || code != 0 {
			t.Errorf("%v: code %d, %q, %s", args, code, errs, got)
		}
	}
	s := &session{env: &ui.Env{Getenv: func(string) string { return "" }}}
	root := s.root()
	for _, c := range root.Commands() {
		if !strings.Contains(want, "\n  "+c.Name()+" ") {
			t.Errorf("%s isn't in the help:\n%s", c.Name(), want)
		}
		help, _, code := called(t, "help", c.Name())
		if own, _, _ := called(t, c.Name(), "--help"); own != help || code != 0 {
			t.Errorf("help %s: code %d, %s", c.Name(), code, help)
		}
		if c.Short == "" || c.Long == "" || !strings.Contains(help, c.Short) && !strings.Contains(help, c.Long) {
			t.Errorf("%s has no words of its own", c.Name())
		}
		for line := range strings.Lines(c.Example) {
			words := split(strings.TrimSpace(strings.SplitN(line, "|", 2)[0]))
			checkExample(t, root, words)
		}
	}
}

// checkExample tells whether the flags of an example are the command's.
func checkExample(t *testing.T, root *cobra.Command, words []string) {
	t.Helper()
	args, err := tidy(root, words[1:])
	if err != nil || words[0] != "fleetctl" {
		t.Errorf("example %v: %v", words, err)
		return
	}
	c, rest, err := root.Find(args)
	if err != nil || c == root {
		t.Errorf("example %v: %v", words, err)
		return
	}
	if err := c.ParseFlags(rest); err != nil {
		t.Errorf("example %v: %v", words, err)
	}
}
