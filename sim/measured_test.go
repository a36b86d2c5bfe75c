package sim

import (
	"testing"
	"time"

	"drydock/node"
	"drydock/sim/disk"
	"drydock/sim/dist"
)

// TestFollowersTicks may be late as in a process, unless something waits for them, and
// only where a lab's times are given.
func TestFollowersTicks(t *testing.T) {
	const due, slack = 300 * time.Millisecond, 45 * time.Millisecond
	for name, tc := range map[string]struct {
		measured *Measured
		role     node.Role
		prompt   bool
		want     time.Duration
	}{
		"follower":            {&Measured{}, node.Role{Lead: 7}, false, due + slack},
		"something waits":     {&Measured{}, node.Role{Lead: 7}, true, due},
		"leader":              {&Measured{}, node.Role{Lead: 7, Leader: true}, false, due},
		"nobody leads":        {&Measured{}, node.Role{}, false, due},
		"no lab was measured": {nil, node.Role{Lead: 7}, false, due},
	} {
		cfg := testConfig(1, 3)
		cfg.Measured = tc.measured
		w, err := newWorld(cfg)
		if err != nil {
			t.Fatal(err)
		}
		m := w.machines[0]
		m.role = tc.role
		m.setTimer(due, tc.prompt)
		if m.wanted != tc.want || m.due != due {
			t.Errorf("%s: ticked at %v, wanted at %v; want %v", name, m.wanted, m.due, tc.want)
		}
		m.setTimer(due+time.Millisecond, true)
		if m.wanted != min(tc.want, due+time.Millisecond) {
			t.Errorf("%s: ticked at %v, though something waits from %v on", name, m.wanted, due+time.Millisecond)
		}
		w.close()
	}
}

// TestMeasuredTimes take the place of all assumptions that they are about.
func TestMeasuredTimes(t *testing.T) {
	constant := func(d time.Duration) dist.Dist { return dist.Must(dist.Spec{Kind: dist.Constant, Mean: d}) }
	cfg := testConfig(1, 3)
	cfg.Net = Delays{Least: time.Millisecond}
	cfg.Measured = &Measured{Link: constant(2), Request: constant(3), Fsync: constant(5), Start: constant(7), Boot: constant(11)}
	w, err := newWorld(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	m := w.machines[0]
	c := w.clients[0]
	other := w.machines[1]
	other.crash(disk.CrashOptions{LoseUnsynced: true})
	for name, pair := range map[string][2]time.Duration{
		"link, on top of what the net adds": {w.net.usual.Delay.Sample(c.rng), time.Millisecond + 2},
		"request":                           {c.delay.Sample(c.rng), 3},
		"sync":                              {m.times.syncTime(), 5},
		"start":                             {m.startTime(), 7},
		"boot":                              {other.startTime(), 11},
		"a client's rest":                   {cfg.retryRest(9), 20 * time.Millisecond},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %v, want %v", name, pair[0], pair[1])
		}
	}
}
