package calibrate

import (
	"slices"
	"time"

	"drydock/scenarios/runner"
	"drydock/sim/history"
)

// What is measured of a run, by the names that reports have.
const (
	// Outage is for how long no client had a write acknowledged after a fault took
	// the leader.
	Outage = "write outage"
	// Election is how long it took until another member led.
	Election = "new leader"
	// Failover is how long units of a machine that died were nowhere, until the last
	// of them ran elsewhere.
	Failover = "unit failover"
	// Write is how long acknowledged writes took while nothing was wrong.
	Write = "write"
)

// measures are all of them in the order in which they are shown, with what they say.
var measures = []struct{ name, says string }{
	{Outage, "from the leader's end to the first write that was acknowledged after it, as clients saw it"},
	{Election, "from the leader's end until another said that it leads"},
	{Failover, "from a machine's end until the last of its units ran on another"},
	{Write, "from a client's asking for a write until it is acknowledged, while nothing is wrong: the median of those before a fault"},
}

// Reading is one value that a run gave.
type Reading struct {
	// Measure is its name, Seed the run's, At the fault's time in the run.
	Measure string        `json:"measure"`
	Seed    uint64        `json:"seed"`
	At      time.Duration `json:"at"`
	Value   time.Duration `json:"value"`
	// Pressure is the machine's meanwhile, in a world that is real.
	Pressure *Pressure `json:"pressure,omitempty"`
}

// Calm says that nobody else was in the way.
func (r *Reading) Calm() bool { return r.Pressure == nil || r.Pressure.Calm() }

const (
	// stray is how long after a fault acknowledgements may still come of what was
	// done before it.
	stray = 100 * time.Millisecond
	// after is how long after an outage writes may still be what it has dammed up.
	after = 500 * time.Millisecond
)

// readings are what a run has to tell, faults in order of time.
func readings(seed uint64, res *runner.Result) []Reading {
	t := newTrials(res)
	var out []Reading
	for i := range t.faults {
		f := &t.faults[i]
		add := func(measure string, d time.Duration, ok bool) {
			if ok {
				out = append(out, Reading{Measure: measure, Seed: seed, At: time.Duration(f.Time), Value: d})
			}
		}
		until := t.until(i)
		if f.TookLeader && !f.NoQuorum {
			outage, ended := t.outage(f.Time, until)
			add(Outage, outage, ended)
			election, ended := t.election(f.Time, until)
			add(Election, election, ended)
		}
		failover, ended := t.failover(f, until)
		add(Failover, failover, ended)
		write, some := t.writes(i)
		add(Write, write, some)
	}
	return out
}

// trials are a run's records, as they are looked through.
type trials struct {
	res *runner.Result
	// faults are those that take something away, acks when writes were acknowledged.
	faults []history.Fault
	acks   []int64
}

func newTrials(res *runner.Result) *trials {
	t := &trials{res: res}
	for _, f := range res.Faults {
		if f.Kind != "restart" && f.Kind != "heal" {
			t.faults = append(t.faults, f)
		}
	}
	for i := range res.Ops {
		if acked(&res.Ops[i]) {
			t.acks = append(t.acks, res.Ops[i].Return)
		}
	}
	slices.Sort(t.acks)
	return t
}

// acked says that an operation was a write, and that the store has done it.
func acked(op *history.Op) bool {
	return op.Status == history.OK && op.Code == 0 && !op.Kind.Reads() && op.Kind != history.Expire
}

// until is when the next fault comes after the i-th, or the run ends.
func (t *trials) until(i int) int64 {
	until := int64(t.res.Simulated)
	for _, f := range t.faults {
		if f.Time > t.faults[i].Time {
			until = min(until, f.Time)
		}
	}
	return until
}

// outage is the longest time without an acknowledged write that begins with a fault
// or just after it; ended is false if it did not end before a time.
func (t *trials) outage(at, until int64) (longest time.Duration, ended bool) {
	before := at
	for i, _ := slices.BinarySearch(t.acks, at); i < len(t.acks) && t.acks[i] < until; i++ {
		longest = max(longest, time.Duration(t.acks[i]-before))
		before, ended = t.acks[i], true
		if before > at+int64(stray) {
			return longest, true
		}
	}
	return longest, ended && before > at+int64(stray)
}

// election is the time until somebody led anew.
func (t *trials) election(at, until int64) (time.Duration, bool) {
	for _, l := range t.res.Led {
		if l.Time > at && l.Time < until {
			return time.Duration(l.Time - at), true
		}
	}
	return 0, false
}

// failover is the time until the last unit that a fault took away ran elsewhere.
func (t *trials) failover(f *history.Fault, until int64) (slowest time.Duration, ended bool) {
	if t.res.Fleet == nil || f.Node == "" {
		return 0, false
	}
	for i := range t.res.Fleet.Runs {
		was := &t.res.Fleet.Runs[i]
		if was.Machine != f.Node || was.Begin >= f.Time || was.End != 0 && was.End < f.Time {
			continue
		}
		if u := t.res.Fleet.Unit(was.Unit); u == nil || u.Global {
			continue
		}
		next := t.elsewhere(was, f.Time)
		if next == 0 || next >= until {
			return 0, false
		}
		slowest, ended = max(slowest, time.Duration(next-f.Time)), true
	}
	return slowest, ended
}

// elsewhere is when a unit first ran on another machine after a time, 0 if never.
func (t *trials) elsewhere(was *history.Ran, at int64) int64 {
	first := int64(0)
	for i := range t.res.Fleet.Runs {
		r := &t.res.Fleet.Runs[i]
		if r.Unit == was.Unit && r.Machine != was.Machine && r.Begin > at && (first == 0 || r.Begin < first) {
			first = r.Begin
		}
	}
	return first
}

// writes is the median of the writes between the trial before and a fault, when
// nothing was wrong.
func (t *trials) writes(i int) (time.Duration, bool) {
	from, to := int64(after), t.faults[i].Time
	if i > 0 {
		was := t.faults[i-1].Time
		outage, _ := t.outage(was, to)
		from = was + int64(outage+after)
	}
	var list []time.Duration
	for k := range t.res.Ops {
		if op := &t.res.Ops[k]; op.Call >= from && op.Return <= to && acked(op) {
			list = append(list, time.Duration(op.Return-op.Call))
		}
	}
	if len(list) == 0 {
		return 0, false
	}
	slices.Sort(list)
	return list[len(list)/2], true
}
