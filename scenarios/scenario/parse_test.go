package scenario_test

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v4"

	"drydock/chaos"
	"drydock/scenarios"
	"drydock/scenarios/scenario"
)

var update = flag.Bool("update", false, "rewrite the published schema")

// TestErrors runs testdata/errors.txt: each case is a file and everything that
// is said about it.
func TestErrors(t *testing.T) {
	datadriven.RunTest(t, "testdata/errors.txt", func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd != "parse" {
			t.Fatalf("unknown command %q", d.Cmd)
		}
		s, err := scenario.Parse("bad.yaml", []byte(d.Input))
		if err != nil {
			return err.Error()
		}
		return "ok: " + s.Name
	})
}

func TestSchemaIsPublished(t *testing.T) {
	want, err := scenario.SchemaJSON()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("../schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(scenarios.Schema), string(want)); diff != "" {
		t.Errorf("scenarios/schema.json is not what the types say (rewrite it with -update):\n%s", diff)
	}
}

// fitsSchema validates a YAML text by the published schema.
func fitsSchema(t *testing.T, text []byte) error {
	t.Helper()
	resolved, err := scenario.Schema().Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := yaml.Load(text, &doc); err != nil {
		return err
	}
	return resolved.Validate(doc)
}

func TestLibrary(t *testing.T) {
	names := scenarios.Names()
	if len(names) < 25 || names[len(names)-1] != "example" {
		t.Fatalf("library: %q", names)
	}
	for _, name := range names {
		text, ok := scenarios.Find(name)
		if !ok {
			t.Fatalf("%s is listed and not found", name)
		}
		s, err := scenario.Parse(name+".yaml", text)
		if err != nil {
			t.Errorf("%s:\n%s", name, err)
			continue
		}
		if s.Name != name || s.Why == "" || len(s.Steps) == 0 && s.Nemesis.Profile == "" {
			t.Errorf("%s: name %q, why %q, %d steps", name, s.Name, s.Why, len(s.Steps))
		}
		if err := fitsSchema(t, text); err != nil {
			t.Errorf("%s by the schema: %v", name, err)
		}
	}
	if _, ok := scenarios.Find("../library"); ok {
		t.Error("a path was found as a name")
	}
}

// TestSchemaRefuses shows that the schema says no where the parser does.
func TestSchemaRefuses(t *testing.T) {
	for _, text := range []string{
		"{}", "scenario: x\nmembres: 3", "scenario: x\nduration: -3s",
		"scenario: x\nsteps: [{at: 3s, crahs: leader}]", "scenario: x\nsteps: [{crash: leader}]",
		"scenario: x\nsteps: [{at: 1s, after: campaign, crash: any}]", "scenario: x\nexpect: [linear]",
		"scenario: x\ncluster: {members: 99}",
	} {
		if err := fitsSchema(t, []byte(text)); err == nil {
			t.Errorf("the schema accepts %q", text)
		}
		if _, err := scenario.Parse("f", []byte(text)); err == nil {
			t.Errorf("the parser accepts %q", text)
		}
	}
}

// TestExampleShowsEveryKey keeps the canonical file complete.
func TestExampleShowsEveryKey(t *testing.T) {
	text, _ := scenarios.Find("example")
	for _, key := range scenario.Keys() {
		if !strings.Contains(string(text), key+":") && !strings.Contains(string(text), "`"+key) {
			t.Errorf("example.yaml doesn't show %q", key)
		}
	}
	for _, e := range scenario.Expectations() {
		if !strings.Contains(string(text), e.Kind) {
			t.Errorf("example.yaml doesn't show the expectation %q", e.Kind)
		}
	}
}

// TestExampleShowsDefaults pins that the defaults that the example states are
// those of a file that states nothing.
func TestExampleShowsDefaults(t *testing.T) {
	text, _ := scenarios.Find("example")
	example, err := scenario.Parse("example", text)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := scenario.Parse("bare", []byte("scenario: bare"))
	if err != nil {
		t.Fatal(err)
	}
	// What the example shows of units is not the default, which is none.
	example.Cluster.Workers, example.Cluster.Machines, example.Load.Units = 0, nil, nil
	if diff := cmp.Diff(bare.Cluster, example.Cluster, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(bare.Network, example.Network); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(bare.Disk, example.Disk); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(bare.Load, example.Load); diff != "" {
		t.Error(diff)
	}
	if bare.Duration != example.Duration || bare.HealAt != example.HealAt {
		t.Errorf("duration %s healed at %s, by the example %s and %s", bare.Duration, bare.HealAt, example.Duration, example.HealAt)
	}
	if len(bare.Expect) != 10 || bare.Expect[9].Text != "live-after-heal: 10s" {
		t.Errorf("default expectations: %v", bare.Expect)
	}
}

func TestPlan(t *testing.T) {
	_, err := scenario.Parse("f", []byte(`
scenario: plan
cluster: {members: 3, learners: 1}
steps:
  - at: 0s
    crash:
  - after: vote-granted
    partition: {isolate: [n1, n2], for: 2s}
  - every: 3s
    loss: 5
  - at: 5s
    membership: {add: n6}
`))
	if err == nil || !strings.Contains(err.Error(), "`5%`?") {
		t.Fatalf("a chance of 5: %v", err)
	}
	s, err := scenario.Parse("f", []byte(`
scenario: plan
cluster: {members: 3, learners: 1}
steps:
  - at: 0s
    crash:
  - after: vote-granted
    partition: {isolate: [n1, n2], for: 2s}
  - every: 3s
    loss: 5%
  - at: 5s
    membership: {add: n6}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := chaos.Plan{Steps: []chaos.Step{
		{AtSet: true, Fault: &chaos.Crash{Node: chaos.Selectors{chaos.Any}, LoseUnsynced: true}},
		{
			After: &chaos.After{Event: "vote-granted", Node: chaos.Selectors{chaos.All}, Nth: 1, Times: 1},
			For:   2 * time.Second, Fault: &chaos.Partition{Isolate: chaos.Selectors{"n1", "n2"}, Direction: "both"},
		},
		{Every: &chaos.Every{Period: 3 * time.Second}, Fault: &chaos.Loss{
			Probability: 0.05, Links: chaos.Links{From: chaos.Selectors{chaos.All}, To: chaos.Selectors{chaos.All}},
		}},
		{At: 5 * time.Second, AtSet: true, Fault: &chaos.Membership{Add: []string{"n6"}}},
	}}
	if diff := cmp.Diff(want, s.Plan(0, nil)); diff != "" {
		t.Error(diff)
	}
	if got := strings.Join(s.Nodes(), " "); got != "n1 n2 n3 n4 n5 n6" {
		t.Errorf("nodes %s", got)
	}
	if got := s.Learners(); len(got) != 1 || got[0] != "n4" {
		t.Errorf("learners %s", got)
	}
}

// FuzzParse looks for panics, and for accepted files that the rest of the
// program could not carry out.
func FuzzParse(f *testing.F) {
	for _, name := range scenarios.Names() {
		text, _ := scenarios.Find(name)
		f.Add(string(text))
	}
	f.Add("scenario: x\nsteps:\n- at: 1s\n  crash: [n1, leader]\n")
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := scenario.Parse("f", []byte(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Errorf("an error without its file: %q", err)
			}
			return
		}
		if s.HealAt <= 0 || s.HealAt >= s.Duration || len(s.Nodes()) > 18 || len(s.Expect) == 0 {
			t.Errorf("accepted: %+v", s)
		}
		for _, step := range s.Plan(0, nil).Steps {
			if step.Fault == nil {
				t.Errorf("a step without fault: %+v", step)
			}
		}
	})
}
