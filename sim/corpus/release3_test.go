package corpus_test

import (
	"testing"

	"drydock/node/fleet"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/world"
)

const (
	machine1 = "11111111111111111111111111111111"
	machine2 = "22222222222222222222222222222222"

	webUnit   = "[Service]\nExecStart=/bin/web\n\n[X-Fleet]\nConflicts=web*\n"
	agentUnit = "[Service]\nExecStart=/bin/agent\n\n[X-Fleet]\nGlobal=true\n"
)

// release3 adds the fleet. The revisions that its commands name follow from their
// places: the first command has 2.
func release3() *content {
	of := func(c fleet.Command) state.Command { return state.Command{Kind: state.KindFleet, Fleet: &c} }
	put := func(name, text string, desired fleet.Desired) state.Command {
		return of(fleet.Command{Put: &fleet.Put{Name: name, Text: text, Desired: &desired}})
	}
	open := of(fleet.Command{Open: &fleet.Open{Term: 2, Machine: fleet.Machine{
		ID: machine1, Name: "one", PrimaryIP: "10.0.0.1", Version: "1.0", URLs: []string{"http://one:2379"},
		Metadata: map[string]string{"zone": "a", "disk": "ssd"}, Resources: map[string]int64{"cpu": 4000, "memory": 1 << 33}, Boot: "boot",
	}}})
	patch := of(fleet.Command{Patch: &fleet.Patch{Ops: []fleet.PatchOp{
		{Machine: machine1, Key: "zone", Value: ptr("b")}, {Machine: machine1, Key: "disk"},
	}}})
	place := of(fleet.Command{Place: &fleet.Place{Term: 2, Moves: []fleet.Move{
		{Unit: "web.service", Changed: 6, To: machine1, Session: 4},
		{Unit: "agent.service", Changed: 7, To: machine1, Session: 4},
		{Unit: "agent.service", Changed: 7, To: machine2, Session: 5},
	}}})
	report := of(fleet.Command{Report: &fleet.Report{Machine: machine1, Session: 4, Seq: 1, States: []fleet.State{
		{Unit: "web.service", Gen: 9, Load: "loaded", Active: "active", Sub: "running", Result: "success", Launched: true},
		{Unit: "agent.service", Gen: 9, Load: "loaded", Active: "failed", Sub: "failed", Result: "exit-code", Launched: true, Why: "it ended with 1"},
	}}})
	drain := of(fleet.Command{Drain: &fleet.Drain{Machine: machine1, On: true}})
	away := of(fleet.Command{Place: &fleet.Place{Term: 2, Moves: []fleet.Move{
		{Unit: "web.service", Changed: 6, From: machine1, To: machine2, Session: 5, Why: "machine is drained"},
	}}})
	gone := of(fleet.Command{Report: &fleet.Report{Machine: machine1, Session: 4, Seq: 2, Gone: []fleet.Gone{{Unit: "web.service", Gen: 9}}}})
	destroy := of(fleet.Command{Destroy: &fleet.Destroy{Name: "agent.service"}})
	end := of(fleet.Command{Close: &fleet.Close{Term: 2, Machine: machine1, Session: 4, Why: "its lease has passed"}})
	named := func(seq uint64, c state.Command) state.Command {
		c.ID, c.Low = state.ID{Member: self, Incarnation: 1, Seq: seq}, seq
		return c
	}
	return &content{
		number: 3,
		before: [][]byte{
			batchOf(1, write(keys.Command{Kind: keys.Set, Path: "/a", Value: "first"}), state.Command{
				Kind: state.KindRelease, Raise: &state.Raise{Release: state.Release3, Term: 2, Voices: []world.MemberID{1, 2, 3}},
			}),
			batchOf(3, open, of(fleet.Command{Open: &fleet.Open{Term: 2, Machine: fleet.Machine{ID: machine2}}}),
				put("web.service", webUnit, fleet.Launched), put("agent.service", agentUnit, fleet.Launched), patch),
			batchOf(8, place, report, drain, away),
		},
		after: [][]byte{batchOf(12, gone, destroy), batchOf(14, end)},
		commands: map[string]state.Command{
			"open": named(1, open), "put": named(2, of(fleet.Command{Put: &fleet.Put{Name: "a.service", Text: webUnit, Create: true, Restart: true}})),
			"patch": named(3, patch), "place": named(4, place), "report": named(5, report), "drain": named(6, drain),
			"gone": named(7, gone), "destroy": named(8, destroy), "close": named(9, end),
		},
	}
}

// TestTheFleetOfRelease3 sees that what the files tell of was really there.
func TestTheFleetOfRelease3(t *testing.T) {
	stored, last := release3().history(t)
	u, ok := stored.Fleet().Unit("web.service")
	if !ok || len(u.Places) != 1 || u.Places[0].Machine != machine2 || len(u.Leaving) != 1 || stored.Fleet().States() != 2 {
		t.Errorf("stored: %+v and %d states", u, stored.Fleet().States())
	}
	u, _ = last.Fleet().Unit("web.service")
	m, _ := last.Fleet().Machine(machine1)
	if len(u.Leaving) != 0 || last.Fleet().Units() != 1 || len(last.Fleet().Leaving("agent.service")) != 1 || m.Session != 0 || !m.Drained {
		t.Errorf("after the log: %+v, %+v", u, m)
	}
}
