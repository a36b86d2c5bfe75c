package labworld

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/node/runtime/lease"
	"drydock/scenarios/checker"
	"drydock/scenarios/checker/fleet"
	"drydock/sim/history"
	"drydock/vmlab/work"
)

// base is when runs begin in these tests, on the machine's clock.
const base = 100 * time.Second

func s(seconds float64) time.Duration { return base + time.Duration(seconds*float64(time.Second)) }

func ns(seconds float64) int64 { return int64(seconds * float64(time.Second)) }

func TestRanOfAProcess(t *testing.T) {
	one := func(seen work.Seen) life { return life{machine: "w1", unit: "a.service", hash: "h", seen: seen} }
	tests := []struct {
		name string
		life life
		want history.Ran // without machine, unit and hash; nothing at all: no record
	}{
		{"never began", one(work.Seen{}), history.Ran{}},
		{"never began, and is gone", one(work.Seen{Gone: s(3)}), history.Ran{}},
		{"began after the end", one(work.Seen{Began: s(11), Beat: s(11)}), history.Ran{}},
		{"runs on", one(work.Seen{Began: s(1), Beat: s(10)}), history.Ran{Begin: ns(1)}},
		{"killed by nobody knows whom", one(work.Seen{Began: s(1), Beat: s(2), Gone: s(5)}), history.Ran{Begin: ns(1), End: ns(2), Why: "killed"}},
		{"killed at once", one(work.Seen{Began: s(1), Beat: s(1), Gone: s(5)}), history.Ran{Begin: ns(1), End: ns(1) + 1, Why: "killed"}},
		{"stopped", one(work.Seen{Began: s(1), Beat: s(2), Told: s(1.5), Exits: s(2), Gone: s(2.1)}), history.Ran{Begin: ns(1), Told: ns(1.5), End: ns(2), Why: "stopped"}},
		{"stopped, and killed since it took long", one(work.Seen{Began: s(1), Beat: s(3), Told: s(1.5), Gone: s(3.1)}), history.Ran{Begin: ns(1), Told: ns(1.5), End: ns(3), Why: "stopped"}},
		{"by itself", one(work.Seen{Began: s(1), Beat: s(2), Exits: s(2), Gone: s(2.1)}), history.Ran{Begin: ns(1), End: ns(2), Why: "exited"}},
		{"ended after the end of the run", one(work.Seen{Began: s(1), Beat: s(12), Told: s(11), Exits: s(12), Gone: s(12.1)}), history.Ran{Begin: ns(1)}},
		{"power", life{seen: work.Seen{Began: s(1), Beat: s(2), Told: s(1.9), Gone: s(2.1)}, power: true, cut: true}, history.Ran{Begin: ns(1), Told: ns(1.9), End: ns(2), Why: "cut", Cut: true}},
		{"ended before the power went", life{seen: work.Seen{Began: s(1), Beat: s(2), Exits: s(2), Gone: s(2.1)}, power: true}, history.Ran{Begin: ns(1), End: ns(2), Why: "exited"}},
		{"struck", life{seen: work.Seen{Began: s(1), Beat: s(2), Gone: s(2.1)}, struck: true, awake: true}, history.Ran{Begin: ns(1), End: ns(2), Why: "struck", Awake: true}},
		{"guarded", life{seen: work.Seen{Began: s(1), Beat: s(2), Gone: s(2.1)}, guarded: true, reborn: true}, history.Ran{Begin: ns(1), End: ns(2), Why: "guarded", Reborn: true}},
		{"told, and guarded", life{seen: work.Seen{Began: s(1), Beat: s(2), Told: s(1.5), Gone: s(2.1)}, guarded: true}, history.Ran{Begin: ns(1), Told: ns(1.5), End: ns(2), Why: "guarded"}},
	}
	for _, tc := range tests {
		got, began := tc.life.ran(base, s(10))
		if began != (tc.want.Begin != 0) {
			t.Errorf("%s: a record: %v", tc.name, began)
		}
		tc.want.Machine, tc.want.Unit, tc.want.Hash = got.Machine, got.Unit, got.Hash
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tc.name, diff)
		}
	}
}

// TestTwoProcessesAtOnce: two that are known to have run at one time are a unit that
// runs twice; one whose last beat was before the other began is not, however late its
// end was seen.
func TestTwoProcessesAtOnce(t *testing.T) {
	for _, tc := range []struct {
		beat float64 // the first one's last, seen gone a second later
		want checker.Status
	}{{4.9, checker.Held}, {5.01, checker.Violated}} {
		record := &history.Fleet{Units: []history.FleetUnit{{Name: "a.service"}}}
		for _, l := range []life{
			{machine: "w1", unit: "a.service", seen: work.Seen{Began: s(1), Beat: s(tc.beat), Gone: s(tc.beat + 1)}},
			{machine: "w2", unit: "a.service", seen: work.Seen{Began: s(5), Beat: s(9)}},
		} {
			r, _ := l.ran(base, s(10))
			record.Runs = append(record.Runs, r)
		}
		if v := fleet.CheckOnce(record, false); v.Status != tc.want {
			t.Errorf("last beat at %vs, the other since 5s: %s %s", tc.beat, v.Status, v.Summary)
		}
	}
}

// TestWhatAMachineHears: whether it has a reason to stop its units follows from its
// lease.
func TestWhatAMachineHears(t *testing.T) {
	h := heard{lease: machineLease}
	hear := func(sent, now float64) { h.hear("w1", lease.At(s(sent)+machineLease), s(now), base) }
	h.lives(s(0), base)
	hear(0.5, 0.52)
	if h.isCut(s(0.6), s(2.3)) {
		t.Error("cut off after 1.8 s")
	}
	if !h.isCut(s(0.6), s(2.5)) {
		t.Error("not cut off after 2 s")
	}
	h.hear("w1", lease.Over, s(2.6), base)
	h.hear("w1", lease.None, s(2.6), base)
	hear(0.4, 2.65) // nothing new
	hear(2.7, 2.72)
	if !h.isCut(s(0.6), s(2.8)) || h.isCut(s(2.73), s(2.8)) {
		t.Error("it was cut off, and is no more")
	}
	hear(3, 5.5) // an answer to what it had asked long ago
	if !h.isCut(s(5.4), s(5.5)) || h.awake != s(5.5) {
		t.Error("a lease that is nearly over counts for nothing")
	}
	h.died("w1", s(6), base)
	h.lives(s(6.5), base)
	hear(6.6, 6.7)
	h.finish("w1", s(9), base)
	want := []history.FleetLoss{
		{Machine: "w1", Begin: ns(0.5), End: ns(2.72)},
		{Machine: "w1", Begin: ns(2.7), End: ns(5.5)},
		{Machine: "w1", Begin: ns(6), End: ns(6.5), Dead: true},
		{Machine: "w1", Begin: ns(3), End: ns(6.7), Dead: true},
		{Machine: "w1", Begin: ns(6.6)},
	}
	if diff := cmp.Diff(want, h.losses); diff != "" {
		t.Errorf("losses (-want +got)\n%s", diff)
	}
}

func TestGuardsLogs(t *testing.T) {
	at := func(clock string) time.Time {
		t.Helper()
		v, err := time.ParseInLocation("15:04:05", clock, time.Local)
		if err != nil {
			t.Fatal(err)
		}
		return v.AddDate(2026, 0, 0)
	}
	day := at("10:00:05").Format("2006/01/02")
	log := "garbage\n" + day + " 10:00:05.250000 the lease has passed at 3s: killing\n" + day + " 10:00:05.300000 nothing is left\n" +
		day + " 10:61:99.000000 the lease has passed at 3s: killing\n"
	for _, tc := range []struct {
		log, from, to string
		want          bool
	}{
		{log, "10:00:05", "10:00:06", true},
		{log, "10:00:06", "10:00:07", false},
		{log, "10:00:04", "10:00:05", false},
		{strings.ReplaceAll(log, day, "yesterday"), "10:00:05", "10:00:06", false},
		{"", "10:00:05", "10:00:06", false},
	} {
		if got := guarded(tc.log, at(tc.from), at(tc.to)); got != tc.want {
			t.Errorf("%q from %s to %s: %v", tc.log, tc.from, tc.to, got)
		}
	}
}

func TestHowMuchWantsToRun(t *testing.T) {
	for text, want := range map[string]int{"27.74 27.17 23.24 24/543 21000\n": 24, "0.00 0.01 0.05 1/80 7": 1, "": -1, "1 2 3": -1, "1 2 3 x/4 5": -1} {
		n, known := runnable(text)
		if !known {
			n = -1
		}
		if n != want {
			t.Errorf("%q: %d, want %d", text, n, want)
		}
	}
}
