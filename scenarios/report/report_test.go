package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/chaos"
	"drydock/scenarios/checker"
	"drydock/scenarios/checker/linear"
	"drydock/scenarios/report"
	"drydock/scenarios/runner"
	"drydock/scenarios/runner/faketest"
	"drydock/scenarios/scenario"
	"drydock/sim/history"
)

var update = flag.Bool("update", false, "rewrite the expected outputs")

// world is a fake whose result a test may change.
type world struct {
	faketest.World
	change func(*runner.Result)
}

func (w world) Run(ctx context.Context, spec runner.Spec) (*runner.Result, error) {
	r, err := w.World.Run(ctx, spec)
	if r != nil && w.change != nil {
		w.change(r)
	}
	return r, err
}

// run makes a report; a scenario named wrong with seed 3 is violated.
func run(t *testing.T, name string, seed uint64, change func(*runner.Result)) *runner.Report {
	t.Helper()
	text := fmt.Sprintf("scenario: %s\nexpect: [linearizable, min-acknowledged: 2]\nsteps: [{at: 1s, crash: leader}]\n", name)
	s, err := scenario.Parse(name+".yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	r := runner.Run(context.Background(), world{change: change}, runner.Spec{Scenario: s, Seed: seed})
	r.Took = 1500 * time.Millisecond
	if r.Trace != "" {
		r.Trace = strings.Repeat("5c", 32)
	}
	return r
}

// recording adds what a simulator would record.
func recording(r *runner.Result) {
	at := func(ms int64) int64 { return ms * int64(time.Millisecond) }
	r.Recording = history.Recording{
		States: []history.State{
			{Time: at(10), Node: "n1", Health: history.HealthUp},
			{Time: at(20), Node: "n2", Health: history.HealthUp},
			{Time: at(300), Node: "n1", Health: history.HealthUp, Leads: true, Lead: "n1", Term: 2},
			{Time: at(310), Node: "n2", Health: history.HealthUp, Lead: "n1", Term: 2},
			{Time: at(2000), Node: "n2", Health: history.HealthDown, Applied: 7},
		},
		Bands: []history.Band{
			{Time: at(1000), End: at(1800), Kind: "partition", Text: "partition {n1} | {n2 n3}"},
			{Time: at(2000), End: at(2000), Kind: "crash", Text: "crash n2", Nodes: []string{"n2"}},
		},
		Messages: []history.Message{
			{Sent: at(2300), Arrived: at(2302), From: "n1", To: "n3", Text: "App term 2 index 9 +1"},
			{Sent: at(2301), Lost: true, From: "n1", To: "n2", Text: "Heartbeat term 2"},
		},
		Jobs: []history.Job{{Begin: at(2299), End: at(2301), Node: "n1", Lane: "log", Name: "append"}, {Begin: at(2300), Node: "n2", Lane: "checkpoint", Name: "save"}},
	}
	r.Applied = []history.Applied{{Time: at(400), Node: "n1", Index: 4}, {Time: at(410), Node: "n2", Index: 4}, {Time: at(2300), Node: "n1", Index: 9}}
}

func page(t *testing.T, p *report.Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.HTML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// golden compares with testdata, or rewrites it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s, rewrite it with -update (-want +got):\n%s", name, diff)
	}
}

var blocks = regexp.MustCompile(`(?s)(<style>|<script>).*?(</style>|</script>)`)

// TestPages pins what pages say, without the style and the script.
func TestPages(t *testing.T) {
	wrong := run(t, "wrong", 3, recording)
	pages := map[string]*report.Page{
		"violated.html": report.FromRun(wrong),
		"held.html":     report.FromRun(run(t, "calm", 1, recording)),
		"unknown.html":  report.FromRun(run(t, "idle", 1, nil)),
		"failed.html":   report.FromRun(run(t, "fails", 1, nil)),
		"history.html":  historyPage(wrong.Ops()),
	}
	for name, p := range pages {
		text := page(t, p)
		golden(t, name, blocks.ReplaceAllString(text, "$1$2"))
		balanced(t, name, text)
		selfContained(t, name, text)
	}
}

func historyPage(ops []history.Op) *report.Page {
	v := linear.Check(ops, linear.Options{Model: linear.KV})
	return report.FromHistory(report.History{
		File: "h.jsonl", Model: "kv", Ops: ops, Verdict: v.Status, Checks: []checker.Verdict{v}, Repeat: "drydock check h.jsonl",
	})
}

var tag = regexp.MustCompile(`<(/?)([a-z][a-z0-9]*)[^>]*>`)

// balanced wants every element closed, in order.
func balanced(t *testing.T, name, text string) {
	t.Helper()
	text = regexp.MustCompile(`(?s)<script.*?</script>|<style>.*?</style>`).ReplaceAllString(text, "")
	void := map[string]bool{"meta": true, "link": true, "input": true, "br": true}
	var open []string
	for _, m := range tag.FindAllStringSubmatch(text, -1) {
		switch {
		case void[m[2]]:
		case m[1] == "":
			open = append(open, m[2])
		case len(open) == 0 || open[len(open)-1] != m[2]:
			t.Fatalf("%s: </%s> closes nothing: %v", name, m[2], open)
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("%s: left open: %v", name, open)
	}
}

var (
	asks = regexp.MustCompile(`(?i)https?:|\burl\(|@import|\bsrc=|\bimport\(|\bfetch\(|XMLHttpRequest|WebSocket|sendBeacon|<(iframe|object|embed|img)`)
	href = regexp.MustCompile(`href="([^"]*)"`)
)

// selfContained wants nothing that a browser would ask a server for.
func selfContained(t *testing.T, name, text string) {
	t.Helper()
	// Parts of the page's own picture have names of the form url(#name).
	if found := asks.FindString(strings.ReplaceAll(text, "url(#", "")); found != "" {
		t.Errorf("%s: has %q", name, found)
	}
	for _, m := range href.FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(m[1], "#") && m[1] != "data:," {
			t.Errorf("%s: links to %q", name, m[1])
		}
	}
}

// TestPagesEscape puts markup into every text that a run has.
func TestPagesEscape(t *testing.T) {
	const evil = `</script><script>alert(1)</script><img src=x onerror=alert(1)>`
	r := run(t, "wrong", 3, func(r *runner.Result) {
		recording(r)
		for i := range r.Ops {
			r.Ops[i].Key, r.Ops[i].Node, r.Ops[i].Client = "/"+evil, evil, evil
		}
		r.Timeline[0].Text = evil
		r.Recording.Bands[0].Text = evil
		r.Recording.Messages[0].Text = evil
	})
	r.Replay = evil
	text := page(t, report.FromRun(r))
	if strings.Contains(text, "<img") || strings.Contains(text, "<script>alert") {
		t.Error("a text of the run became markup")
	}
	if !strings.Contains(text, "alert(1)") {
		t.Error("the texts are not there at all")
	}
}

// TestPageIsBounded writes a page of a run of an hour with everything in
// excess.
func TestPageIsBounded(t *testing.T) {
	r := run(t, "wrong", 3, func(r *runner.Result) {
		recording(r)
		r.Simulated = time.Hour
		long := strings.Repeat("ab", 4000)
		last := r.Ops[len(r.Ops)-1]
		for i := range 20_000 {
			op := last
			op.ID, op.Client, op.Key = last.ID+1+i, fmt.Sprint("c", i%500), fmt.Sprint("/key/", i)
			op.Call, op.Return = int64(i)*int64(180*time.Millisecond), int64(i)*int64(180*time.Millisecond)+1e6
			op.Status, op.Error, op.Out = history.Refused, long, &long
			r.Ops = append(r.Ops, op)
			at := time.Duration(i) * 180 * time.Millisecond
			node := r.Nodes[i%len(r.Nodes)]
			r.Timeline = append(r.Timeline, runner.Event{At: at, Text: long[:200], States: "L.."})
			rec := &r.Recording
			rec.States = append(rec.States, history.State{Time: int64(at), Node: node, Health: history.HealthUp, Term: uint64(i)})
			rec.Bands = append(rec.Bands, history.Band{Time: int64(at), End: int64(at) + 1e9, Kind: "loss", Text: long})
			rec.Messages = append(rec.Messages, history.Message{Sent: int64(2300 * time.Millisecond), Arrived: int64(2301 * time.Millisecond), From: "n1", To: "n2", Text: long})
			r.Applied = append(r.Applied, history.Applied{Time: int64(at), Node: node, Index: uint64(i)})
		}
	})
	if r.Verdict != checker.Violated {
		t.Fatalf("%s: %+v", r.Verdict, r.Worst())
	}
	text := page(t, report.FromRun(r))
	t.Logf("%d bytes", len(text))
	if len(text) > 2<<20 {
		t.Errorf("%d bytes, at most 2 MB", len(text))
	}
}

// TestScript has the script's syntax checked where there is something that can.
func TestScript(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node to check it")
	}
	if out, err := exec.Command(node, "--check", "page.js").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestChrome(t *testing.T) {
	r := run(t, "wrong", 3, recording)
	var b bytes.Buffer
	if err := report.Chrome(&b, r); err != nil {
		t.Fatal(err)
	}
	var file struct {
		TraceEvents []struct {
			Name, Ph, Cat, ID, S string
			TS, Dur              float64
			PID, TID             int
			Args                 map[string]any
		}
	}
	if err := json.Unmarshal(b.Bytes(), &file); err != nil {
		t.Fatal(err)
	}
	named, open, count := map[int]bool{}, map[string]int{}, map[string]int{}
	last := 0.0
	for _, e := range file.TraceEvents {
		count[e.Ph]++
		if e.Ph == "M" && e.Name == "process_name" {
			named[e.PID] = true
		}
		if e.TS < last || e.TS > 30e6 || e.Dur < 0 || !named[e.PID] {
			t.Errorf("out of place: %+v", e)
		}
		last = e.TS
		key := fmt.Sprint(e.Cat, e.ID, e.PID)
		switch e.Ph {
		case "b":
			open[key]++
		case "e":
			open[key]--
		case "s":
			open[e.ID]++
		case "f":
			open[e.ID]--
		}
	}
	for key, n := range open {
		if n != 0 {
			t.Errorf("%s begins %d times more than it ends", key, n)
		}
	}
	want := map[string]int{"C": 3, "b": 60 + 2 + 1, "e": 60 + 2 + 1, "s": 1, "f": 1}
	for ph, n := range want {
		if count[ph] != n {
			t.Errorf("%d events %q, want %d", count[ph], ph, n)
		}
	}
	if count["X"] != 5+2 || count["i"] < 5 {
		t.Errorf("%v", count)
	}
	if err := report.Chrome(&b, run(t, "fails", 1, nil)); !errors.Is(err, report.ErrNoEvidence) {
		t.Errorf("a run that failed: %v", err)
	}
}

// several are reports of every kind.
func several(t *testing.T) []*runner.Report {
	t.Helper()
	list := []*runner.Report{run(t, "wrong", 1, nil), run(t, "wrong", 3, nil), run(t, "idle", 1, nil), run(t, "fails", 1, nil)}
	list[1].Findings[0].Measured += " <&\x01|`%,:\n"
	return list
}

func TestJUnit(t *testing.T) {
	var b bytes.Buffer
	if err := report.JUnit(&b, several(t)); err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Suites   []struct {
			Name  string `xml:"name,attr"`
			Cases []struct {
				Name    string  `xml:"name,attr"`
				Failure *string `xml:"failure"`
				Error   *string `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(b.Bytes(), &file); err != nil {
		t.Fatal(err)
	}
	if file.Tests != 4 || file.Failures != 1 || file.Errors != 2 || len(file.Suites) != 3 || len(file.Suites[0].Cases) != 2 {
		t.Errorf("%+v", file)
	}
	if f := file.Suites[0].Cases[1].Failure; f == nil || !strings.Contains(*f, "replay   drydock run --seed 3 wrong.yaml") {
		t.Errorf("the failure does not say how to repeat it: %v", f)
	}
	golden(t, "junit.xml", b.String())
}

func TestGitHub(t *testing.T) {
	var notes, summary bytes.Buffer
	if err := errors.Join(report.Annotations(&notes, several(t)), report.Summary(&summary, several(t))); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(notes.String()) {
		if !strings.HasPrefix(line, "::error file=") && !strings.HasPrefix(line, "::warning file=") {
			t.Errorf("not a command: %q", line)
		}
	}
	golden(t, "annotations.txt", notes.String())
	golden(t, "summary.md", summary.String())
	var held bytes.Buffer
	if err := report.Annotations(&held, several(t)[:1]); err != nil || held.Len() > 0 {
		t.Errorf("%v, %q for a run that held", err, held.String())
	}
}

// TestSteps names a fault in every report, so that pages tell of those without
// effect.
func TestSteps(t *testing.T) {
	r := run(t, "idle", 1, func(r *runner.Result) {
		r.Outcomes = append(r.Outcomes, chaos.Outcome{Step: 1, Name: "pause#1", Kind: chaos.KindPause})
	})
	text := page(t, report.FromRun(r))
	for _, want := range []string{"had no effect: n3 is down already", "never came due"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page doesn't say %q", want)
		}
	}
}
