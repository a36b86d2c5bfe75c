package scenario_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"drydock/scenarios"
	"drydock/scenarios/scenario"
)

// sameRun compares what a file says, not how: lines, texts and which of two
// ways gave the time of healing are left out.
var sameRun = cmp.Options{
	cmpopts.IgnoreUnexported(scenario.Step{}), cmpopts.EquateEmpty(),
	cmpopts.IgnoreFields(scenario.Step{}, "Line"),
	cmpopts.IgnoreFields(scenario.Scenario{}, "Text", "File"),
	cmpopts.IgnoreFields(scenario.Expectation{}, "Text"),
}

// TestEncodeReadsBack writes every scenario of the library and reads it again.
func TestEncodeReadsBack(t *testing.T) {
	more := map[string]string{
		"odd": "scenario: odd\nseed: 7\nwhy: \"colons: and # signs\"\nload: {kv: {rate: 2.5, mix: {get: 1, stale-get: 3}}}\n" +
			"cluster: {members: 5, learners: 1, knobs: {election: 500ms}}\nheal_at: 20s\nsteps:\n" +
			"  - {name: first, at: 0s, partition: {cut: [n1>n2, n2>n3]}}\n" +
			"  - {every: {period: 3s, times: 2}, jitter: 1s, crash: {node: [n1, leader], lose_unsynced: false}, for: 1m30s}\n" +
			"  - {after: {event: step:first, nth: 2, node: n4}, partition: {groups: [[n1], [n2, n3]], direction: in}}\n" +
			"  - {at: 3s, loss: 2.5%}\n  - {at: 4s, heal: [loss, first]}\n",
	}
	for _, name := range scenarios.Names() {
		text, ok := scenarios.Find(name)
		if !ok {
			t.Fatal(name)
		}
		more[name] = string(text)
	}
	for name, text := range more {
		want, err := scenario.Parse(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		written := scenario.Encode(want, "Where it comes from.", "")
		got, err := scenario.Parse(name, written)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, written)
			continue
		}
		if diff := cmp.Diff(want, got, sameRun); diff != "" {
			t.Errorf("%s: %s\n%s", name, diff, written)
		}
		if diff := cmp.Diff(want.Plan(3, nil), got.Plan(3, nil)); diff != "" {
			t.Errorf("%s: another plan: %s", name, diff)
		}
		if !strings.HasPrefix(string(written), "# Where it comes from.\n#\nscenario: ") {
			t.Errorf("%s begins with\n%.80s", name, written)
		}
		if err := fitsSchema(t, written); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzEncode: whatever is accepted is written so that it is accepted again and
// says the same.
func FuzzEncode(f *testing.F) {
	for _, name := range scenarios.Names() {
		text, _ := scenarios.Find(name)
		f.Add(text)
	}
	f.Add([]byte("scenario: a\nwhy: 'yes: no'\nload: {watch: {clients: 2, start: [past]}, lock: {clients: 1, style: in-order}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		want, err := scenario.Parse("a", text)
		if err != nil {
			return
		}
		written := scenario.Encode(want)
		got, err := scenario.Parse("a", written)
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		if diff := cmp.Diff(want, got, sameRun); diff != "" {
			t.Fatalf("%s\n%s", diff, written)
		}
	})
}
