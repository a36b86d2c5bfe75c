package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"drydock/bench/kv"
	"drydock/bench/pairs"
	"drydock/node/ui"
)

func plainEnv(out *bytes.Buffer) *ui.Env {
	return &ui.Env{Stdout: out, Stderr: out, Getenv: func(string) string { return "" }, Width: 80}
}

// TestRoundTrip: nothing is lost in a file but the distributions, which are summed up.
func TestRoundTrip(t *testing.T) {
	f := sampleFile(1)
	var b bytes.Buffer
	if err := f.Encode(&b); err != nil {
		t.Fatal(err)
	}
	back, err := Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f, back, cmpopts.IgnoreUnexported(kv.Sample{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-written +read)\n%s", diff)
	}
	if diff := cmp.Diff(f.Figures(), back.Figures()); diff != "" {
		t.Errorf("figures (-written +read)\n%s", diff)
	}
	if diff := cmp.Diff(Kinds, back.Has()); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "unexpected end",
		"{":                                "unexpected end",
		"[]":                               "cannot unmarshal",
		"{}":                               "no schema",
		`{"schema":99}`:                    "its schema is 99",
		`{"schema":1,"kv":{}}`:             "kv has no report",
		`{"schema":1,"began":"yesterday"}`: "yesterday",
	} {
		if _, err := Decode(strings.NewReader(text)); !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// FuzzDecode: what is read can be compared, summed up and drawn, or is refused.
func FuzzDecode(f *testing.F) {
	// Small ones: a whole file is decoded and drawn by other tests, and takes its time.
	f.Add(`{"schema":1,"machine":{"cpu":"x"},"floor":{"sync":{"p50":117,"rate":8000},"answers":{"serverCPU":6}},"broken":{"kv":"no"}}`)
	f.Add(`{"schema":1,"kv":{"report":{"systems":[{"name":"a"}],"cells":[{"members":3,"work":"put","conns":64,"load":0.5,"samples":[{"system":"a","rate":1e308,"p50":3}]}]}}}`)
	f.Add(`{"schema":1,"kv":{"report":{"systems":[{"name":"a"},{"name":"b"}],"cells":[{"samples":[{}]}]}}}`)
	f.Add(`{"schema":1,"consensus":{"rows":[{}]},"scheduler":{"rows":[{}],"replays":[{}],"durable":{}},"sim":{"rows":[{}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Decode(strings.NewReader(text))
		if err != nil {
			return
		}
		var out bytes.Buffer
		file.WriteSummary(plainEnv(&out))
		c, err := Compare(file, file, true)
		if err != nil {
			return // readings of 0 or below
		}
		c.Write(plainEnv(&out), true)
		if err := HTML(&out, file, c); err != nil {
			t.Error(err)
		}
	})
}

// TestCompare: what is a fifth dearer is worse, and figures of the other system are
// controls.
func TestCompare(t *testing.T) {
	c, err := Compare(sampleFile(1.2), sampleFile(1), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, all := range []bool{false, true} {
		var out bytes.Buffer
		c.Write(plainEnv(&out), all)
		golden(t, map[bool]string{false: "changed.txt", true: "all.txt"}[all], out.String())
	}
	text, err := json.Marshal(c)
	if err != nil || !bytes.Contains(text, []byte(`"outcome":"worse"`)) {
		t.Errorf("%v, %.300s", err, text)
	}
	if len(c.Drift()) > 0 {
		t.Errorf("controls that were left alone have changed: %+v", c.Drift()[0])
	}
	list := c.Regressions(5)
	if len(list) == 0 || slices.ContainsFunc(list, func(ch Change) bool { return ch.System == "etcd" || ch.Outcome != Worse }) {
		t.Errorf("%d regressions: %+v", len(list), list)
	}
	if list := c.Regressions(50); len(list) > 0 {
		t.Errorf("%d regressions by more than a half: %+v", len(list), list[0])
	}
}

func TestCompareSame(t *testing.T) {
	c, err := Compare(smallFile(1), smallFile(1), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, ch := range c.Changes {
		if ch.Outcome == Better || ch.Outcome == Worse {
			t.Errorf("%s, %s, %s: %s", ch.Case, ch.System, ch.Measure, ch.Outcome)
		}
	}
	if c.OnlyNew+c.OnlyOld > 0 || len(c.Regressions(0)) > 0 {
		t.Errorf("%+v", c)
	}
	if faster, err := Compare(smallFile(0.5), smallFile(1), false); err != nil || len(faster.Regressions(0)) > 0 {
		t.Errorf("what got better is a regression: %v, %+v", err, faster.Regressions(0)[:1])
	}
}

// smallFile is a sample with few figures.
func smallFile(cost float64) *File {
	f := sampleFile(cost)
	f.KV.Report.Cells = append(f.KV.Report.Cells[:2], f.KV.Report.Cells[len(f.KV.Report.Cells)-1])
	f.Consensus.Rows = f.Consensus.Rows[:2]
	return f
}

// TestCompareRefuses: what differs in machine, settings or rate is not judged, unless
// that is asked for; then it is marked, and no regression.
func TestCompareRefuses(t *testing.T) {
	old := smallFile(1)
	elsewhere := smallFile(2)
	elsewhere.Machine.CPU, elsewhere.Machine.Cores = "Another", 4
	otherwise := smallFile(2)
	otherwise.KV.Settings["value"] = "4096"
	for _, tt := range []struct {
		name string
		now  *File
		want Outcome
		kind string // only figures of it are refused; "" of all
	}{{"machine", elsewhere, OtherPlace, ""}, {"settings", otherwise, OtherWork, KindKV}} {
		c, err := Compare(tt.now, old, false)
		if err != nil {
			t.Fatal(err)
		}
		refused := 0
		for _, ch := range c.Changes {
			if is, want := ch.Outcome == tt.want, tt.kind == "" || ch.Kind == tt.kind; is != want {
				t.Fatalf("%s: %s, %s: %s", tt.name, ch.Kind, ch.Case, ch.Outcome)
			} else if is {
				refused++
			}
		}
		if refused == 0 {
			t.Errorf("%s: nothing was refused", tt.name)
		}
		marked, err := Compare(tt.now, old, true)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		marked.Write(plainEnv(&out), false)
		if tt.kind == "" && len(marked.Regressions(0)) > 0 || !strings.Contains(out.String(), "worse !") || !strings.Contains(out.String(), "! ") {
			t.Errorf("%s:\n%s", tt.name, out.String())
		}
	}
	faster := smallFile(1)
	for i := range faster.KV.Report.Cells {
		faster.KV.Report.Cells[i].Asked *= 2
	}
	c, err := Compare(faster, old, false)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, ch := range c.Changes {
		if ch.Outcome == OtherRate {
			n++
		}
	}
	if n == 0 {
		t.Error("latencies at twice the rate are judged")
	}
}

// TestCompareDrift: the other system's figures say whether the machine is the same.
func TestCompareDrift(t *testing.T) {
	now := smallFile(1)
	for i := range now.KV.Report.Cells {
		for k := range now.KV.Report.Cells[i].Samples {
			now.KV.Report.Cells[i].Samples[k].ServerCPU *= 1.5
		}
	}
	c, err := Compare(now, smallFile(1), false)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c.Write(plainEnv(&out), false)
	if len(c.Drift()) == 0 || !strings.Contains(out.String(), "the machine is not as it was") {
		t.Errorf("%d controls drifted:\n%s", len(c.Drift()), out.String())
	}
	for _, ch := range c.Changes {
		if ch.System == "drydock/etcd" && ch.Measure == "server CPU" && ch.Outcome != Same {
			t.Errorf("what fell on both shows in their ratio: %+v", ch)
		}
	}
}

func TestFewRoundsDecideNothing(t *testing.T) {
	f := smallFile(2)
	for i := range f.Consensus.Rows {
		f.Consensus.Rows[i].Rounds = f.Consensus.Rows[i].Rounds[:pairs.Least-1]
	}
	c, err := Compare(f, smallFile(1), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, ch := range c.Changes {
		if ch.Kind == KindConsensus && ch.System == "drydock" && ch.Measure == "CPU" && ch.Outcome != Undecided {
			t.Errorf("%s: %s of %d rounds", ch.Case, ch.Outcome, ch.Ratio.Pairs)
		}
	}
}

func TestSummary(t *testing.T) {
	var out bytes.Buffer
	sampleFile(1).WriteSummary(plainEnv(&out))
	golden(t, "summary.txt", out.String())
	out.Reset()
	(&File{}).WriteSummary(plainEnv(&out))
	if out.Len() > 0 {
		t.Errorf("of nothing: %s", out.String())
	}
}

func TestMachine(t *testing.T) {
	m := ThisMachine("")
	if m.Cores < 1 || m.OS == "" || m.Go == "" || m.Differs(m) != nil {
		t.Errorf("%+v", m)
	}
	const stall = "some avg10=48.06 avg60=28.65 avg300=16.22 total=17320901900\nfull avg10=9.00 avg60=0.00 avg300=0.00 total=0\n"
	if average(stall, "avg10") != 48.06 || average(stall, "avg300") != 16.22 || average("", "avg10") != 0 || average("some avg10=x", "avg10") != 0 {
		t.Error("pressure is misread")
	}
	if named("processor : 0\nmodel name\t: A CPU: fine\n", "model name") != "A CPU: fine" {
		t.Error("a name with a colon is misread")
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{0: "0", -1: "?", 0.01234: "0.0123", 1.234: "1.23", 12.34: "12.3", 123.4: "123", 123456: "123456"} {
		if got := Short(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
}
