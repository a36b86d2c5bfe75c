package calibrate

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"go.uber.org/goleak"

	"drydock/chaos"
	"drydock/node/ui"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// comparison is one with a bit of everything.
func comparison() *Comparison {
	sim := lived(Outage, nil, 300*ms, 310*ms, 320*ms, 330*ms, 340*ms, 350*ms, 360*ms)
	lab := append(lived(Outage, quiet, 300*ms, 320*ms, 330*ms, 350*ms, 360*ms, 340*ms), lived(Outage, busy, 900*ms)...)
	c := &Comparison{
		Schema: Schema, Scenario: "write-outage", File: "write-outage.yaml", Driver: "netns", Host: "linux 6.18, 2 cores",
		Profile: "profile.yaml", Made: "2026-11-22T18:30:00Z", Pressure: 0.3, Began: time.Date(2026, 11, 22, 19, 0, 0, 0, time.UTC),
		Took: 95*time.Second + 356*time.Microsecond, Trials: 6, Within: 0.25, SimRuns: 3, LabRuns: 1,
	}
	for _, m := range measures[:2] {
		one := measure(m.name, sim, lab, 0.25)
		one.Says = m.says
		c.Measures = append(c.Measures, one)
	}
	return c
}

// TestWhatIsShown compares texts and the page with what was looked at.
func TestWhatIsShown(t *testing.T) {
	times := func(from time.Duration) scenario.Spread { return spread([]time.Duration{from, 2 * from, 3 * from}) }
	m := &Measurement{
		Profile: &scenario.Profile{Link: times(30 * time.Microsecond), Request: times(80 * time.Microsecond), Fsync: times(100 * time.Microsecond), Start: times(40 * ms), Boot: times(50 * ms), Pressure: 0.4},
		Links:   []Place{place("core-01 → core-02", []time.Duration{41 * time.Microsecond})}, Halves: true,
	}
	datadriven.RunTest(t, filepath.Join("testdata", "shown.txt"), func(t *testing.T, d *datadriven.TestData) string {
		var b bytes.Buffer
		switch d.Cmd {
		case "measurement":
			m.Text(&b)
		case "comparison":
			comparison().Text(&ui.Env{Stdout: &b, Color: "never"})
		case "page":
			if err := comparison().HTML(&b); err != nil {
				t.Fatal(err)
			}
			_, body, _ := strings.Cut(b.String(), "<body>")
			return body
		}
		return b.String()
	})
}

// TestThePageNeedsNothing else: it has no script, and nothing from elsewhere.
func TestThePageNeedsNothing(t *testing.T) {
	c := comparison()
	c.Scenario = `<script>alert(1)</script>`
	var b bytes.Buffer
	if err := c.HTML(&b); err != nil {
		t.Fatal(err)
	}
	for _, never := range []string{"<script", "http:", "https:", "url("} {
		if strings.Contains(b.String(), never) {
			t.Errorf("the page has %q", never)
		}
	}
}

// world is a made-up one.
type world struct {
	results []*runner.Result
	at      int
	// last, if there is one, is called when so many have run.
	last func()
	runs int
}

func (*world) Name() string              { return "made-up" }
func (*world) Supports(chaos.Kind) error { return nil }
func (w *world) Run(ctx context.Context, _ runner.Spec) (*runner.Result, error) {
	if w.last != nil && w.at == w.runs {
		w.last()
		return nil, ctx.Err()
	}
	w.at++
	return w.results[(w.at-1)%len(w.results)], nil
}

// TestComparingGoesOnUntilThereAreEnough, of each world, and ends where there is
// nothing to compare.
func TestComparingGoesOnUntilThereAreEnough(t *testing.T) {
	one := &runner.Result{Simulated: 4 * time.Second, Began: time.Now().Add(-time.Hour)}
	one.Ops = append(steady(0, 2*time.Second), steady(2300*ms, 4*time.Second)...)
	one.Faults = append(one.Faults, crash(2*time.Second, "n1"))
	sim, lab := &world{results: []*runner.Result{one}}, &world{results: []*runner.Result{one}}
	o := Comparing{
		Scenario: &scenario.Scenario{Name: "s"}, Profile: &scenario.Profile{Driver: "netns"}, Sim: sim, Lab: lab, Trials: 7, Within: 0.25,
	}
	c, err := Compare(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if c.LabRuns != 7 || c.SimRuns != 7*simTimes || c.Verdict() != Agrees {
		t.Errorf("%d runs in the lab, %d in the simulator, %s", c.LabRuns, c.SimRuns, c.Verdict())
	}
	o.Lab = &world{results: []*runner.Result{{Simulated: time.Second}}}
	if _, err := Compare(t.Context(), o); !errors.Is(err, ErrNoTrial) {
		t.Errorf("nothing to compare: %v", err)
	}
	o.Lab = &world{results: []*runner.Result{{Broken: []string{"n1: panic"}}}}
	if _, err := Compare(t.Context(), o); err == nil || !strings.Contains(err.Error(), "panic") {
		t.Errorf("a node broke: %v", err)
	}
}

// TestInterruptedComparisons say what was found so far.
func TestInterruptedComparisons(t *testing.T) {
	one := &runner.Result{Simulated: 4 * time.Second, Began: time.Now().Add(-time.Hour)}
	one.Ops = append(steady(0, 2*time.Second), steady(2300*ms, 4*time.Second)...)
	one.Faults = append(one.Faults, crash(2*time.Second, "n1"))
	for _, runs := range []int{0, 3} {
		ctx, cancel := context.WithCancel(t.Context())
		c, err := Compare(ctx, Comparing{
			Scenario: &scenario.Scenario{Name: "s"}, Profile: &scenario.Profile{Driver: "netns"}, Trials: 7, Within: 0.25,
			Sim: &world{results: []*runner.Result{one}}, Lab: &world{results: []*runner.Result{one}, last: cancel, runs: runs},
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted after %d runs: %v", runs, err)
		}
		if (c != nil) != (runs > 0) || c != nil && c.LabRuns != runs {
			t.Errorf("interrupted after %d runs: %+v", runs, c)
		}
	}
}

// TestPressureIsThatOfItsTime alone.
func TestPressureIsThatOfItsTime(t *testing.T) {
	t0 := time.Now()
	at := func(d time.Duration) time.Time { return t0.Add(d) }
	w := &PressureWatch{}
	for i := range 100 {
		n := nap{at: at(time.Duration(i) * 10 * ms)}
		if i == 50 {
			n.late = 30 * ms
		}
		w.naps = append(w.naps, n)
	}
	for i := range 10 {
		w.looks = append(w.looks, look{at: at(time.Duration(i) * 100 * ms), foreign: time.Duration(max(0, i-5)) * 200 * ms})
	}
	if p := w.Between(at(0), at(400*ms)); p.Foreign != 0 || p.Late != 0 {
		t.Errorf("before: %+v", p)
	}
	if p := w.Between(at(400*ms), at(520*ms)); p.Late != 30*ms || p.Calm() {
		t.Errorf("a late sleep: %+v", p)
	}
	if p := w.Between(at(600*ms), at(850*ms)); p.Foreign == 0 || p.Late != 0 {
		t.Errorf("others at work: %+v", p)
	}
	if p := w.Between(at(-time.Hour), at(-time.Minute)); p != (Pressure{}) {
		t.Errorf("never: %+v", p)
	}
}

// TestAWatchSeesSomething: it naps and ends.
func TestAWatchSeesSomething(t *testing.T) {
	w := WatchPressure()
	for deadline := time.Now().Add(10 * time.Second); ; {
		w.mu.Lock()
		n := len(w.naps)
		w.mu.Unlock()
		if n >= 3 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it never naps")
		}
		if err := pause(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	w.Stop()
	if _, err := os.Stat("/proc/stat"); err == nil && len(w.looks) == 0 {
		t.Error("it has not looked")
	}
}

// TestTooFewMachinesAreRefused: what can't be measured is refused before anything is made.
func TestTooFewMachinesAreRefused(t *testing.T) {
	for _, n := range []int{0, 1, 10} {
		if _, err := Measure(t.Context(), Options{Nodes: n}); err == nil {
			t.Errorf("%d machines", n)
		}
	}
}
