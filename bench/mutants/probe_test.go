package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drydock/scenarios/checker"
)

// script writes a program of the shell that stands for drydock.
func script(t *testing.T, body string) string {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no shell")
	}
	name := filepath.Join(t.TempDir(), "drydock")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+body), 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestProbe(t *testing.T) {
	const held = `{"scenario":"pause","seed":1,"verdict":"held","trace":"aa"}`
	for _, tc := range []struct {
		name, body string
		runs       int
		crash, err string
	}{
		{"held", "echo '" + held + "'\n", 1, "", ""},
		{"violated", "echo '" + held + "'\necho '" + strings.Replace(held, "held", "violated", 1) + "'\nexit 1\n", 2, "", ""},
		{"a bad call", "echo 'no such file' >&2\nexit 2\n", 0, "", "no such file"},
		{"a panic", "echo 'goroutine' >&2\necho 'panic: lost' >&2\nexit 2\n", 0, "panic: lost", ""},
		{"nonsense", "echo held\n", 0, "", "invalid character"},
		{"silence", "exit 3\n", 0, "", "no report"},
	} {
		s, err := probeIn(t.TempDir())(t.Context(), script(t, tc.body), batch{"pause", 1, 2})
		if len(s.Runs) != tc.runs || s.Crash != tc.crash || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %d runs, crash %q, error %v", tc.name, len(s.Runs), s.Crash, err)
		}
	}
	s, err := probeIn(t.TempDir())(t.Context(), script(t, `[ "$*" = "run --json --quiet --jobs=1 --timeout=1m0s --seeds=3-5 scenarios/pause.yaml" ] || exit 2
echo '{"verdict":"held"}'
`), batch{"pause", 3, 5})
	if err != nil || len(s.Runs) != 1 || s.Runs[0].Verdict != checker.Held {
		t.Errorf("the call is not as it should be: %v", err)
	}
}

func TestProbeIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := probeIn(t.TempDir())(ctx, script(t, "sleep 60 & wait\n"), batch{"pause", 1, 1})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 20*time.Second {
		t.Errorf("error %v after %s", err, time.Since(began))
	}
}

// TestTree: a copy holds the sources and not what builds leave behind, and only
// a mutant's own files are replaced.
func TestTree(t *testing.T) {
	from := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module drydock\n\ngo 1.26\n", "main.go": "package main\n\nfunc main() { println(say) }\n",
		"say.go": "package main\n\nconst say = \"well\"\n", ".git/x": "x", "bin/y": "y", ".drydock/z": "z", "a/b.yaml": "b",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(from, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(from, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tr, err := newTree(from, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{".git/x": false, "bin/y": false, ".drydock/z": false, "a/b.yaml": true} {
		if _, err := tr.read(name); (err == nil) != want {
			t.Errorf("%s: %v, want copied %t", name, err, want)
		}
	}
	for _, tc := range []struct {
		text string
		fits bool
	}{{"ill", true}, {"\"", false}, {"gone", false}} {
		m := &mutant{Name: "m", Edits: []edit{{"say.go", "well", tc.text}}}
		if tc.text == "gone" {
			m.Edits[0].Old = "nowhere"
		}
		program, _, err := tr.build(t.Context(), m)
		if tc.fits != (err == nil) || err != nil && !errors.Is(err, errCatalogue) {
			t.Fatalf("%q: %v", tc.text, err)
		}
		if err != nil {
			continue
		}
		out, err := exec.Command(program).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != tc.text {
			t.Errorf("the mutant says %q, %v", out, err)
		}
		tr.remove(program)
	}
	if text, err := tr.read("say.go"); err != nil || !strings.Contains(text, "well") {
		t.Errorf("the copy was changed: %q, %v", text, err)
	}
}
