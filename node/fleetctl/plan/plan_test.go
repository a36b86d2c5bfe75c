package plan

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/node/ui"
)

var update = flag.Bool("update", false, "write the golden files")

// plan runs the command and returns what it writes to either stream, and its exit
// code.
func runPlan(t *testing.T, file, stdin string, o Options) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	env := &ui.Env{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" }}
	err := Run(env, file, o)
	if err != nil {
		errs.WriteString(err.Error() + "\n")
	}
	return out.String(), errs.String(), ui.Code(err)
}

// TestPlans runs the corpus: each file quotes a rule of fleet's, or of ours, and
// its golden file has what comes of it, in words.
func TestPlans(t *testing.T) {
	files, err := filepath.Glob("testdata/plans/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d plans (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			stdout, stderr, code := runPlan(t, file, "", Options{})
			got := strings.ReplaceAll(stdout+stderr, "\\", "/")
			if code != 0 {
				got += "exit " + string(rune('0'+code)) + "\n"
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestJSON: a line a step, with every unit of the step in exactly one place.
func TestJSON(t *testing.T) {
	files, err := filepath.Glob("testdata/plans/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		stdout, _, code := runPlan(t, file, "", Options{JSON: true})
		if code != 0 {
			continue
		}
		dec := json.NewDecoder(strings.NewReader(stdout))
		dec.DisallowUnknownFields()
		for n := 1; dec.More(); n++ {
			var o outcome
			if err := dec.Decode(&o); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if o.Step != n || o.Placed == nil || o.Global == nil || o.Unplaced == nil {
				t.Errorf("%s: line %d is %+v", file, n, o)
			}
			for _, name := range slices.Sorted(maps.Keys(o.Placed)) {
				if _, also := o.Unplaced[name]; also || o.Placed[name] == "" {
					t.Errorf("%s step %d: %s is placed on %q, and not placed", file, n, name, o.Placed[name])
				}
			}
			for _, name := range slices.Sorted(maps.Keys(o.Unplaced)) {
				if o.Unplaced[name] == "" {
					t.Errorf("%s step %d: %s isn't placed for no reason", file, n, name)
				}
			}
		}
	}
}

func TestPlanJSONLine(t *testing.T) {
	const plan = `
machines: [{id: a}]
steps:
  - start: [a.service, {name: g.service, fleet: [Global=true]}, {name: b.service, fleet: [MachineID=x]}]
`
	stdout, stderr, code := runPlan(t, "-", plan, Options{JSON: true})
	want := `{"step":1,"placed":{"a.service":"a"},"global":{"g.service":["a"]},` +
		`"unplaced":{"b.service":"no machine can run it: a: its id isn't \"x\" (MachineID)"}}` + "\n"
	if stdout != want || stderr != "" || code != 0 {
		t.Errorf("got %q, %q, %d, want %q", stdout, stderr, code, want)
	}
}

func TestExitCodes(t *testing.T) {
	for _, tc := range []struct {
		name, plan string
		options    Options
		code       int
		says       string
	}{
		{"all placed", "machines: [a]\nsteps: [{start: a.service}]", Options{Check: true}, 0, ""},
		{"unplaced", "steps: [{start: a.service}]", Options{}, 0, ""},
		{"unplaced, checked", "steps: [{start: a.service}]", Options{Check: true}, 1, "not placed: a.service"},
		{"submitted, checked", "steps: [{submit: a.service}]", Options{Check: true}, 0, ""},
		{"empty", "", Options{}, 2, "the file is empty"},
		{"no YAML", "a: [", Options{}, 2, "-:"},
		{"a list", "[]", Options{}, 2, "must be a mapping"},
		{"an alias", "machines: &m [a]\nsteps: *m", Options{}, 2, "-:1:11: machines: anchors"},
		{"twice", "machines: [a, a]", Options{}, 2, `-:1:15: machine "a" is given twice`},
		{"no name", "steps: [{start: [{}]}]", Options{}, 2, "`name` is missing"},
		{"a mapping for a word", "steps: [{stop: [{}]}]", Options{}, 2, "must be a single value"},
		{"both", "steps: [{start: [{name: a.service, fleet: [], file: x}]}]", Options{}, 2, "exclude each other"},
		{"as JSON", "steps: 7", Options{JSON: true}, 2, `{"error":"1 problems in the plan","problems":[{"file":"-","line":1,`},
	} {
		stdout, stderr, code := runPlan(t, "-", tc.plan, tc.options)
		if code != tc.code || !strings.Contains(stdout+stderr, tc.says) {
			t.Errorf("%s: exit %d, want %d; says %q, want %q", tc.name, code, tc.code, stdout+stderr, tc.says)
		}
	}
}

// FuzzPlan: any file is run or refused, in bounded time, and never crashes.
func FuzzPlan(f *testing.F) {
	files, err := filepath.Glob("testdata/plans/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parse("plan", text, func(string) ([]byte, error) { return nil, os.ErrNotExist })
		if err != nil {
			if err.Error() == "" {
				t.Error("refused for no reason")
			}
			return
		}
		c := newCluster(p.machines)
		for i, s := range p.steps {
			o := c.run(i+1, s)
			again := c.run(i+1, step{})
			if diff := cmp.Diff(o.Placed, again.Placed); diff != "" {
				t.Errorf("nothing happened, and units moved:\n%s", diff)
			}
		}
	})
}
