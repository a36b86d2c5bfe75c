package sim

import (
	"slices"
	"testing"
	"time"

	"drydock/chaos"
	"drydock/sim/history"
)

// loadedConfig adds keys that expire, locks and watches to a small run.
func loadedConfig(seed uint64) Config {
	cfg := testConfig(seed, 3)
	cfg.Nodes = cfg.Voters
	cfg.Load.Clients, cfg.Quiet = 3, true
	cfg.TTL = TTLLoad{Clients: 3, Keys: 4, Least: time.Second, Most: 2 * time.Second, Refresh: 0.4, Think: 100 * time.Millisecond}
	cfg.Lock = LockLoad{Clients: 3, Locks: 1, TTL: 2 * time.Second, Hold: 300 * time.Millisecond, Think: 50 * time.Millisecond}
	cfg.Watch = WatchLoad{
		Clients: 4, Starts: []string{StartNow, StartPast, StartFuture}, Streams: []bool{false, true},
		Back: 50, Session: 2 * time.Second, Slow: 0.2,
	}
	return cfg
}

// tally counts what a run's clients saw.
func tally(r *Result) map[string]int {
	n := map[string]int{}
	for i := range r.Ops {
		op := &r.Ops[i]
		switch {
		case op.Client[0] == 't' && op.Kind == history.Get && op.Code == 100:
			n["gone"]++
		case op.Client[0] == 't' && op.Refresh && op.Status == history.OK && op.Code == 0:
			n["refreshed"]++
		case op.Left > 0:
			n["left"]++
		}
	}
	for i := range r.Watches {
		w := &r.Watches[i]
		n["watch "+w.Why]++
		n["events"] += len(w.Events)
		if w.Resumes > 0 && len(w.Events) > 0 {
			n["resumed"]++
		}
		for _, e := range w.Events {
			n["saw "+e.Action]++
		}
	}
	n["holds"] = len(r.Holds)
	for i := range r.Holds {
		if r.Holds[i].Released {
			n["released"]++
		}
	}
	return n
}

func TestLoadsAreSeenToWork(t *testing.T) {
	r := run(t, loadedConfig(3))
	n := tally(r)
	t.Log(n)
	for what, least := range map[string]int{
		"gone": 5, "refreshed": 3, "left": 10, "events": 200, "resumed": 10, "saw expire": 5, "saw create": 1,
		"watch done": 20, "watch left": 1, "watch open": 4, "holds": 10, "released": 10,
	} {
		if n[what] < least {
			t.Errorf("%s: %d, want at least %d", what, n[what], least)
		}
	}
	checkHolds(t, r)
}

// TestLoadsUnderFaults: watchers are cut and go on, locks and keys stay right
// for their clients, and the run repeats.
func TestLoadsUnderFaults(t *testing.T) {
	cfg := loadedConfig(4)
	cfg.Lock.Queue = true
	cfg.Plan = chaos.Plan{Steps: []chaos.Step{{
		Every: &chaos.Every{Period: 1500 * time.Millisecond},
		Fault: &chaos.Crash{Node: chaos.Selectors{chaos.Leader}, LoseUnsynced: true, RestartAfter: 400 * time.Millisecond},
	}}}
	r := run(t, cfg)
	n := tally(r)
	t.Log(n)
	for what, least := range map[string]int{"gone": 3, "events": 100, "watch cut": 3, "resumed": 10, "holds": 5} {
		if n[what] < least {
			t.Errorf("%s: %d, want at least %d", what, n[what], least)
		}
	}
	checkHolds(t, r)
	if again := run(t, cfg); again.Trace != r.Trace {
		t.Errorf("one seed, two traces: %s, %s", r.Trace, again.Trace)
	}
}

// checkHolds: while clocks are right, two clients never believe at once that
// they hold a lock.
func checkHolds(t *testing.T, r *Result) {
	t.Helper()
	last := map[string]history.Hold{}
	for _, h := range r.Holds {
		if before, ok := last[h.Lock]; ok && before.Client != h.Client && (before.Ended == 0 || before.Ended > h.Acquired) {
			t.Errorf("%s: %+v overlaps %+v", h.Lock, before, h)
		}
		last[h.Lock] = h
		if h.Lost {
			t.Errorf("lost: %+v", h)
		}
	}
}

// TestHistoryGone: a watch from an index that the store no longer keeps is told
// so, and goes on from the present.
func TestHistoryGone(t *testing.T) {
	cfg := loadedConfig(5)
	cfg.TTL.Clients, cfg.Lock.Clients = 0, 0
	cfg.Load.Clients, cfg.Load.Think = 10, 5*time.Millisecond
	cfg.Watch.Starts, cfg.Watch.Back = []string{StartPast}, 3000
	r := run(t, cfg)
	n := tally(r)
	t.Log(n)
	if n["watch gone"] < 2 || n["events"] < 100 {
		t.Errorf("gone %d, events %d", n["watch gone"], n["events"])
	}
	for i := range r.Watches {
		w := &r.Watches[i]
		if w.Why == history.WatchGone && w.Code != 401 {
			t.Errorf("gone with code %d", w.Code)
		}
	}
}

// TestSlowWatchersAreCutOff: one that stops reading is hung up on once the
// connection's buffers are full, and resumes.
func TestSlowWatchersAreCutOff(t *testing.T) {
	cfg := loadedConfig(6)
	cfg.TTL.Clients, cfg.Lock.Clients = 0, 0
	cfg.Load.Clients, cfg.Load.Think = 8, 5*time.Millisecond
	cfg.Watch = WatchLoad{Clients: 4, Starts: []string{StartNow}, Streams: []bool{true}, Session: 10 * time.Second, Slow: 1}
	r := run(t, cfg)
	n := tally(r)
	t.Log(n)
	if n["watch cut"] == 0 {
		t.Error("nobody was cut off")
	}
	if !slices.ContainsFunc(r.Watches, func(w history.Watch) bool { return len(w.Events) >= maxUnread }) {
		t.Error("no session has as many events as a connection holds")
	}
}
