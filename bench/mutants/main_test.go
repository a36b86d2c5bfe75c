package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"drydock/node/ui"
)

func TestCommandLine(t *testing.T) {
	empty := t.TempDir()
	for _, tc := range []struct {
		args         string
		code         int
		stdout, told string
	}{
		{"--list --only=no-dedupe", ui.Held, "no-dedupe  sessions  linearizable", ""},
		{"--list --area=null", ui.Held, "null-fewer-ticks", ""},
		{"--help", ui.Held, "", "-budget"},
		{"--only=nothing", ui.Usage, "", `no mutant is called "nothing"`},
		{"--area=engine", ui.Usage, "", `no "engine"; there are: consensus`},
		{"--scenarios=gone", ui.Usage, "", `the library has no "gone"`},
		{"--budget=0s", ui.Usage, "", "more than nothing"},
		{"--jobs=many", ui.Usage, "", "invalid value"},
		{"all", ui.Usage, "", `unexpected argument "all"`},
		{"--tree=" + empty, ui.Usage, "", "not the root"},
	} {
		var stdout, stderr bytes.Buffer
		env := &ui.Env{Args: strings.Fields(tc.args), Getenv: os.Getenv, Stdout: &stdout, Stderr: &stderr, Color: "never"}
		code := runProgram(env)
		if code != tc.code || !strings.Contains(stdout.String(), tc.stdout) || !strings.Contains(stderr.String(), tc.told) {
			t.Errorf("%s: code %d, stdout %q, stderr %q", tc.args, code, stdout.String(), stderr.String())
		}
	}
}
