package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// modules are what go test is run on.
var files = map[string]string{
	"go.mod":            "module example\n\ngo 1.26\n",
	"good/good_test.go": "package good\n\nimport \"testing\"\n\nfunc TestGood(t *testing.T) { t.Log(\"nobody hears this\") }\n",
	"some/some_test.go": `package some

import "testing"

func TestRoot(t *testing.T) { t.Skip("skipped: needs root: sudo make test") }
func TestMore(t *testing.T) {
	t.Run("inner", func(t *testing.T) { t.Log("first"); t.Skipf("skipped: no %s:\napt-get install it", "package") })
	t.Run("other", func(t *testing.T) { t.SkipNow() })
}
`,
	"bad/bad_test.go":  "package bad\n\nimport \"testing\"\n\nfunc TestBad(t *testing.T) { t.Error(\"it is bad\") }\nfunc TestFine(t *testing.T) { t.Log(\"hidden\") }\n",
	"panics/p_test.go": "package panics\n\nimport \"testing\"\n\nfunc TestPanic(t *testing.T) { panic(\"oh\") }\n",
	"flaky/f_test.go": `package flaky

import ("os"; "testing")

// once fails the first time that it is asked for a name.
func once(t *testing.T, name string) {
	if _, err := os.Stat(name); err != nil {
		_ = os.WriteFile(name, nil, 0o644)
		t.Error("not yet")
	}
}
func TestOnce(t *testing.T) { t.Run("inner", func(t *testing.T) { once(t, "one") }) }
func TestTwice(t *testing.T) { once(t, "two") }
func TestFine(t *testing.T) {}
`,
	"dies/d_test.go": `package dies

import ("os"; "testing")

func TestDies(t *testing.T) {
	if _, err := os.Stat("died"); err != nil {
		_ = os.WriteFile("died", nil, 0o644)
		panic("oh")
	}
}
`,
	"root_test.go": "package example\n\nimport \"testing\"\n\nfunc TestRoot(t *testing.T) {}\n",
	"ends/e_test.go": `package ends

import ("os"; "testing")

func TestFirst(t *testing.T) {
	if _, err := os.Stat("ended"); err != nil { t.Error("not yet") }
}
func TestEnds(t *testing.T) {
	if _, err := os.Stat("ended"); err != nil {
		_ = os.WriteFile("ended", nil, 0o644)
		os.Exit(3)
	}
}
`,
	"skips/s_test.go": `package skips

import ("os"; "testing")

func TestSkips(t *testing.T) {
	if _, err := os.Stat("skip"); err == nil { t.Skip("the second time") }
	_ = os.WriteFile("skip", nil, 0o644)
	t.Error("the first time")
}
`,
	"broken/broken.go":    "package broken\n\nfunc f() { nonsense }\n",
	"broken/some_test.go": "package broken\n",
}

// call runs the program in a module of the test's. May are the packages that may fail
// once.
func call(t *testing.T, may string, args ...string) (code int, out string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	t.Setenv("GOFLAGS", "-mod=mod -vet=off")
	var b, fault strings.Builder
	code = run(t.Context(), args, strings.Fields(may), &b, &fault)
	return code, b.String() + fault.String()
}

func TestSkipsAreSaid(t *testing.T) {
	code, out := call(t, "", "./good", "--", "-p", "1", "./some")
	want := `3 tests were skipped:
  needs root: sudo make test
    example/some TestRoot
  no package: apt-get install it
    example/some TestMore/inner
  no reason was given
    example/some TestMore/other
`
	at := max(strings.Index(out, "3 tests"), 0)
	if diff := cmp.Diff(want, out[at:]); diff != "" || code != 0 {
		t.Errorf("exit status %d:\n%s", code, diff)
	}
	if before := out[:at]; strings.Count(before, "\n") != 2 || !strings.Contains(before, "ok  \texample/good") {
		t.Errorf("before that:\n%s", before)
	}
}

// TestFailures: what fails is shown with what it said, and is the exit status, wherever
// it comes.
func TestFailures(t *testing.T) {
	code, out := call(t, "", "./bad", "./panics", "./broken", "--", "./nowhere", "--", "./good")
	if code == 0 || !strings.Contains(out, "ok  \texample/good") || strings.Contains(out, "hidden") {
		t.Errorf("exit status %d:\n%s", code, out)
	}
	for _, want := range []string{
		"--- FAIL: TestBad", "bad_test.go:5: it is bad", "FAIL\texample/bad",
		"panic: oh", "FAIL\texample/panics",
		"broken.go:3:12: undefined: nonsense", "FAIL\texample/broken [build failed]",
		"directory not found",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if !strings.HasSuffix(out, "no test was skipped\n") {
		t.Errorf("the end of\n%s", out)
	}
}

// TestAgain: a test of a package that may fail once is run once more, alone, and named.
func TestAgain(t *testing.T) {
	code, out := call(t, "./flaky ./dies ./broken ./bad", "-p", "1", "-timeout", "10m", "example", "example/good", "example/flaky", "--", "./good")
	for _, want := range []string{
		"--- FAIL: TestTwice", "FAIL\texample/flaky",
		"failed, and run again alone: go test -p 1 -timeout 10m -count=1 -run=^(TestOnce|TestTwice)$ example/flaky\n",
		"ok  \texample/flaky",
		"2 tests failed, and passed when they were run again, alone:\n  example/flaky TestOnce\n  example/flaky TestTwice\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if code != 0 {
		t.Errorf("exit status %d", code)
	}
}

// TestNotAgain: what has failed for good is not run again, and neither is what fails
// beside it.
func TestNotAgain(t *testing.T) {
	for what, args := range map[string][]string{
		"fails beside one that may not": {"./flaky", "./bad"},
		"panics":                        {"./dies"},
		"ends its process":              {"./ends"},
		"is not built":                  {"./flaky", "./broken"},
		"is not there":                  {"./nowhere"},
		"may not fail":                  {"./bad"},
	} {
		t.Run(what, func(t *testing.T) {
			code, out := call(t, "./flaky ./dies ./broken ./ends", args...)
			if code == 0 || strings.Contains(out, "again") {
				t.Errorf("exit status %d:\n%s", code, out)
			}
		})
	}
	if code, out := call(t, "./bad", "./bad"); code == 0 || !strings.Contains(out, "run again alone") || strings.Contains(out, "passed when") {
		t.Errorf("exit status %d:\n%s", code, out)
	}
	if code, out := call(t, "./skips", "./skips"); code == 0 || !strings.Contains(out, "it has not passed: example/skips TestSkips") {
		t.Errorf("exit status %d:\n%s", code, out)
	}
	if code, out := call(t, "", "./flaky"); code == 0 || strings.Contains(out, "again") {
		t.Errorf("exit status %d:\n%s", code, out)
	}
}

// FuzzRead: whatever go test prints, nothing is lost that is no event.
func FuzzRead(f *testing.F) {
	f.Add("go: a line of the tool's own\n{\"Action\":\"output\",\"Package\":\"p\",\"Output\":\"x\\n\"}\n")
	f.Fuzz(func(t *testing.T, text string) {
		var b strings.Builder
		s := newSummary(&b)
		if err := s.read(bufio.NewReader(strings.NewReader(text + "\nend\n"))); err != nil {
			t.Fatal(err)
		}
		s.skips()
		if !strings.Contains(b.String(), "end\n") {
			t.Fatalf("the last line is lost: %q", b.String())
		}
	})
}
