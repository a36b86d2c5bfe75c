package simworld_test

import (
	"testing"
	"time"

	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/scenarios/simworld"
	"drydock/sim/history"
)

const profiled = `
scenario: profiled
cluster: {members: 3}
load:
  kv: {clients: 4, keys: 4, think: 5ms, mix: {put: 1}}
steps:
  - {at: 2s, crash: {node: leader, lose_unsynced: false, restart_after: 500ms}}
duration: 5s
settle: 1500ms
`

// spread is a spread without a spread.
func spread(d time.Duration) scenario.Spread {
	return scenario.SpreadOf([]time.Duration{d})
}

func profile(link, request, fsync, start time.Duration) *scenario.Profile {
	return &scenario.Profile{
		Version: scenario.ProfileVersion, Driver: "netns", Machines: 3, File: "p.yaml",
		Link: spread(link), Request: spread(request), Fsync: spread(fsync), Start: spread(start), Boot: spread(2 * start),
	}
}

func runProfiled(t *testing.T, p *scenario.Profile) *runner.Result {
	t.Helper()
	s, err := scenario.Parse("profiled.yaml", []byte(profiled))
	if err != nil {
		t.Fatal(err)
	}
	s.Profile = p
	res, err := simworld.New().Run(t.Context(), runner.Spec{Scenario: s, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// least is the shortest time that an acknowledged write took.
func least(res *runner.Result) time.Duration {
	best := time.Hour
	for _, op := range res.Ops {
		if op.Status == history.OK {
			best = min(best, time.Duration(op.Return-op.Call))
		}
	}
	return best
}

// TestAProfileDecidesARun: the same one the same trace, another another; and what it
// says of each part is seen by clients.
func TestAProfileDecidesARun(t *testing.T) {
	quick := func() *scenario.Profile {
		return profile(50*time.Microsecond, 50*time.Microsecond, 100*time.Microsecond, 30*time.Millisecond)
	}
	none, one, again := runProfiled(t, nil), runProfiled(t, quick()), runProfiled(t, quick())
	if one.Trace != again.Trace {
		t.Errorf("the same profile, two traces: %s and %s", one.Trace, again.Trace)
	}
	if none.Trace == one.Trace {
		t.Error("the profile changes nothing")
	}
	for name, change := range map[string]func(*scenario.Profile){
		"link":    func(p *scenario.Profile) { p.Link = spread(20 * time.Millisecond) },
		"request": func(p *scenario.Profile) { p.Request = spread(20 * time.Millisecond) },
		"fsync":   func(p *scenario.Profile) { p.Fsync = spread(20 * time.Millisecond) },
	} {
		p := quick()
		change(p)
		if slow, fast := least(runProfiled(t, p)), least(one); slow < fast+20*time.Millisecond {
			t.Errorf("%s takes 20 ms more, the quickest write took %v, with it %v", name, fast, slow)
		}
	}
	p := quick()
	p.Start = spread(700 * time.Millisecond)
	late := runProfiled(t, p)
	if len(one.Restarts) != 1 || len(late.Restarts) != 1 || late.Restarts[0].Time-one.Restarts[0].Time < int64(600*time.Millisecond) {
		t.Errorf("a start of 700 ms, but the member is back at %+v, before at %+v", late.Restarts, one.Restarts)
	}
}
