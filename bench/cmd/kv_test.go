package cmd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"drydock/node/ui"
)

// runKV runs the command as a shell would and returns its exit code and streams.
func runKV(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env := &ui.Env{Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" }, Executable: filepath.Join(t.TempDir(), "none")}
	c := newKV(env)
	c.SetArgs(args)
	c.SetOut(&out)
	c.SetErr(&errs)
	c.SilenceUsage, c.SilenceErrors = true, true
	err := c.ExecuteContext(t.Context())
	if err != nil {
		errs.WriteString(err.Error())
	}
	return ui.Code(err), out.String(), errs.String()
}

func TestKVUsage(t *testing.T) {
	// Without a program of its own every call ends before anything runs.
	for _, tt := range []struct {
		args string
		want string
	}{
		{"--members 0", "--members: 0, want 1 to 9"},
		{"--conns 1,99999", "--conns: 99999, want"},
		{"--load 120", "--load: 120, want 1 to 100"},
		{"--pairs 0", "--pairs: 0"},
		{"--keys -1", "--keys: -1"},
		{"--kills -1", "--kills: -1"},
		{"--value 0", "--value: 0"},
		{"--duration 1ms", "--duration"},
		{"--warmup -1s", "--warmup"},
		{"--work putt", "did you mean put?"},
		{"--work zebra", "want some of put, get, linear-get"},
		{"--open-work watch", "--open-work: watch"},
		{"--memory-dir /no/such/place", "--memory-dir"},
		{"--dir /no/such/place", "--dir"},
		{"--drydock ./no/such/program", "--drydock"},
		{"stray", "unknown command"},
		{"--what", "unknown flag"},
	} {
		code, out, err := runKV(t, strings.Fields(tt.args)...)
		if code != ui.Usage || !strings.Contains(err, tt.want) || out != "" {
			t.Errorf("%s: exit %d, %q, stdout %q; want exit %d with %q", tt.args, code, err, out, ui.Usage, tt.want)
		}
	}
}

// TestKVAgainst: what the other system is, is told by its name or path.
func TestKVAgainst(t *testing.T) {
	script := filepath.Join(t.TempDir(), "drydock")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho drydock 9\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ against, path, want string }{
		{"zookeeper", "", "want etcd, or the path"},
		{"./no/such/program", "", "--against"},
		{"etcd", t.TempDir(), "etcd isn't on PATH"},
	} {
		if tt.path != "" {
			t.Setenv("PATH", tt.path)
		}
		code, _, err := runKV(t, "--drydock", script, "--against", tt.against)
		if code != ui.Usage || !strings.Contains(err, tt.want) {
			t.Errorf("%s: exit %d, %q; want exit %d with %q", tt.against, code, err, ui.Usage, tt.want)
		}
	}
}

func TestKVHelp(t *testing.T) {
	code, out, _ := runKV(t, "--help")
	for _, want := range []string{"drydock bench kv --against etcd", "linear-get (", "--quick", "--json"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit %d, no %q in %q", code, want, out)
		}
	}
}

// TestKVQuick: what was asked for by a flag is not hurried.
func TestKVQuick(t *testing.T) {
	o := &kvOptions{}
	f := pflag.NewFlagSet("kv", pflag.ContinueOnError)
	o.addFlags(f)
	if err := f.Parse([]string{"--pairs", "9"}); err != nil {
		t.Fatal(err)
	}
	o.hurry(f.Changed)
	if o.pairs != 9 || o.kills >= 30 || len(o.works) >= len(workNames()) {
		t.Errorf("%+v", o)
	}
}
