package calibrate

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drydock/scenarios/runner"
	"drydock/sim/history"
)

const ms = time.Millisecond

// put is a write that was acknowledged.
func put(call, ret time.Duration) history.Op {
	return history.Op{Kind: history.Put, Status: history.OK, Call: int64(call), Return: int64(ret)}
}

// steady are writes of 2 ms, one every 10 ms.
func steady(from, to time.Duration) []history.Op {
	var list []history.Op
	for at := from; at < to; at += 10 * ms {
		list = append(list, put(at, at+2*ms))
	}
	return list
}

func crash(at time.Duration, node string) history.Fault {
	return history.Fault{Time: int64(at), Kind: "crash", Node: node, TookLeader: true}
}

// values are the readings of one measure.
func values(list []Reading, measure string) []time.Duration {
	var out []time.Duration
	for _, r := range list {
		if r.Measure == measure {
			out = append(out, r.Value)
		}
	}
	return out
}

// TestReadingsOfARun: two leaders die; after the first an acknowledgement comes that
// was under way, and what didn't change anything counts for nothing.
func TestReadingsOfARun(t *testing.T) {
	res := &runner.Result{Simulated: 10 * time.Second}
	res.Ops = slices.Concat(steady(0, 2*time.Second), steady(2400*ms, 5*time.Second), steady(5310*ms, 9*time.Second))
	res.Ops = append(res.Ops,
		put(1999*ms, 2030*ms), // was under way
		history.Op{Kind: history.Get, Status: history.OK, Call: int64(2100 * ms), Return: int64(2110 * ms)},
		history.Op{Kind: history.CAS, Status: history.OK, Code: 101, Call: int64(2100 * ms), Return: int64(2110 * ms)},
		history.Op{Kind: history.Put, Status: history.Unknown, Call: int64(2100 * ms)},
	)
	res.Led = []history.Led{{Time: 0, Node: "n1"}, {Time: int64(2350 * ms), Node: "n2"}, {Time: int64(5300 * ms), Node: "n3"}}
	res.Faults = []history.Fault{crash(2*time.Second, "n1"), {Time: int64(3 * time.Second), Kind: "restart", Node: "n1"}, crash(5*time.Second, "n2")}
	got := readings(7, res)
	for measure, want := range map[string][]time.Duration{
		Outage:   {2402*ms - 2030*ms, 312 * ms},
		Election: {350 * ms, 300 * ms},
		Write:    {2 * ms, 2 * ms},
		Failover: nil,
	} {
		if diff := cmp.Diff(want, values(got, measure)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", measure, diff)
		}
	}
}

// TestAnOutageThatDoesNotEndIsNoReading: neither before the run does, nor before
// another fault disturbs it.
func TestAnOutageThatDoesNotEndIsNoReading(t *testing.T) {
	for name, faults := range map[string][]history.Fault{
		"the run's end": {crash(2*time.Second, "n1")},
		"another fault": {crash(2*time.Second, "n1"), {Time: int64(2300 * ms), Kind: "partition"}},
		"no majority":   {{Time: int64(2 * time.Second), Kind: "power-loss", TookLeader: true, NoQuorum: true}},
		"a follower's":  {{Time: int64(2 * time.Second), Kind: "crash", Node: "n2"}},
	} {
		res := &runner.Result{Simulated: 3 * time.Second, Faults: faults, Ops: steady(0, 2*time.Second)}
		if name != "the run's end" {
			res.Ops = append(res.Ops, steady(2500*ms, 2900*ms)...)
		}
		if got := values(readings(1, res), Outage); len(got) > 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestUnitsFailOver: the last of a machine's units counts; global ones, and those of
// other machines, don't.
func TestUnitsFailOver(t *testing.T) {
	ran := func(machine, unit string, begin, end time.Duration) history.Ran {
		return history.Ran{Machine: machine, Unit: unit, Begin: int64(begin), End: int64(end)}
	}
	res := &runner.Result{Simulated: 20 * time.Second, Faults: []history.Fault{{Time: int64(5 * time.Second), Kind: "crash", Node: "w1"}}}
	res.Fleet = &history.Fleet{
		Units: []history.FleetUnit{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "g", Global: true}},
		Runs: []history.Ran{
			ran("w1", "a", time.Second, 5*time.Second), ran("w1", "b", time.Second, 5*time.Second), ran("w1", "g", time.Second, 5*time.Second),
			ran("w2", "c", time.Second, 6*time.Second), ran("w1", "c", 500*ms, 900*ms),
			ran("w2", "a", 8*time.Second, 0), ran("w3", "b", 8500*ms, 0), ran("w3", "c", 15*time.Second, 0),
		},
	}
	if diff := cmp.Diff([]time.Duration{3500 * ms}, values(readings(1, res), Failover)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	res.Fleet.Runs = res.Fleet.Runs[:6] // b never runs again
	if got := values(readings(1, res), Failover); len(got) > 0 {
		t.Errorf("%v, though one never ran again", got)
	}
}

func TestQuantiles(t *testing.T) {
	list := []time.Duration{50, 10, 40, 20, 30}
	if got, want := spreadOf(list), (Spread{N: 5, P10: 14, P50: 30, P90: 46}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if list[0] != 50 {
		t.Error("the caller's list was sorted")
	}
	if got := spreadOf(nil); got != (Spread{}) {
		t.Errorf("of none: %+v", got)
	}
}

// TestRatios: of the same values 1, within its interval; of twice the values 2.
func TestRatios(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfN(rapid.Int64Range(1000, 1_000_000), 5, 40).Draw(t, "values")
		one, two := make([]time.Duration, len(numbers)), make([]time.Duration, len(numbers))
		for i, n := range numbers {
			one[i], two[i] = time.Duration(n), time.Duration(2*n)
		}
		same, twice := ratioOf(one, one), ratioOf(two, one)
		if same.Median != 1 || same.Low > 1 || same.High < 1 {
			t.Fatalf("of itself: %+v", same)
		}
		if twice.Median < 1.999 || twice.Median > 2.001 || twice != ratioOf(two, one) {
			t.Fatalf("of twice: %+v", twice)
		}
	})
}

// lived makes readings of a measure.
func lived(measure string, p *Pressure, times ...time.Duration) []Reading {
	var list []Reading
	for i, d := range times {
		list = append(list, Reading{Measure: measure, Seed: 1, At: time.Duration(i) * time.Second, Value: d, Pressure: p})
	}
	return list
}

var (
	quiet = &Pressure{Foreign: 0.01, Late: ms}
	busy  = &Pressure{Foreign: 0.5, Late: ms}
	late  = &Pressure{Late: 40 * ms}
)

func TestSidesAreJudgedByCalmTrials(t *testing.T) {
	sim := lived(Outage, nil, 300*ms, 310*ms, 320*ms, 330*ms, 340*ms, 350*ms, 360*ms)
	slow := lived(Outage, busy, 900*ms, 950*ms)
	slow = append(slow, lived(Outage, late, 990*ms)...)
	for _, tc := range []struct {
		name string
		lab  []Reading
		want Verdict
	}{
		{"alike", lived(Outage, quiet, 300*ms, 320*ms, 330*ms, 350*ms, 360*ms, 340*ms), Agrees},
		{"a third longer", lived(Outage, quiet, 430*ms, 440*ms, 450*ms, 440*ms, 430*ms, 450*ms), Differs},
		{"a third shorter", lived(Outage, quiet, 220*ms, 220*ms, 220*ms, 220*ms, 220*ms, 220*ms), Differs},
		{"few", lived(Outage, quiet, 300*ms, 320*ms, 330*ms), Undecided},
		{"none", nil, Undecided},
	} {
		m := measure(Outage, sim, slices.Concat(tc.lab, slow), 0.25)
		if m.Verdict != tc.want || m.Measured.N != len(tc.lab) || m.Pressed.N != 3 || m.Predicted.N != 7 {
			t.Errorf("%s: %+v, want %s", tc.name, m, tc.want)
		}
		c := &Comparison{Measures: []Side{m, {Name: Write, Verdict: Differs}}}
		if c.Verdict() != tc.want {
			t.Errorf("%s: the whole is %s", tc.name, c.Verdict())
		}
	}
	if all, calm := count(append(lived(Outage, quiet, ms, ms), slow...)); all != 5 || calm != 2 {
		t.Errorf("%d trials, %d calm", all, calm)
	}
}
