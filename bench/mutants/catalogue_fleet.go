package main

// fleetMutants break what keeps units running, once each, where they may, and what
// the cluster says of them.
var fleetMutants = []mutant{
	{
		Name: "lease-not-awaited", Area: areaFleet, Checker: "units-once",
		Fault: "a leader gives a machine up after two beats, and its units to others",
		Hints: []string{"worker-partition", "half-partition"},
		Edits: []edit{{"node/control/session.go", "c.now-s.heard >= c.lease;", "c.now-s.heard >= 2*c.cfg.Beat;"}},
	},
	{
		Name: "agent-never-fences", Area: areaFleet, Checker: "units-once",
		Fault: "an agent that is cut off goes on, and has told its guard to rest",
		Hints: []string{"worker-partition", "half-partition"},
		Edits: []edit{
			{"node/agent/lease.go", "return a.now >= a.lease.holdAt(), a.now >= a.lease.graceAt(), a.now >= a.lease.killAt()", "return false, false, false"},
			{"node/agent/lease.go", "next := Lease{Deadline: a.lease.deadline}", "next := Lease{Rests: true}"},
		},
	},
	{
		Name: "fencing-left-to-the-guard", Area: areaFleet, Checker: "restarts-have-causes",
		Fault: "an agent that is cut off ends nothing by itself",
		Hints: []string{"worker-partition"},
		Edits: []edit{{"node/agent/lease.go", "return a.now >= a.lease.holdAt(), a.now >= a.lease.graceAt(), a.now >= a.lease.killAt()", "return a.now >= a.lease.holdAt(), false, false"}},
	},
	{
		Name: "fenced-at-first-failure", Area: areaFleet, Checker: "restarts-have-causes",
		Fault: "an agent ends its units as soon as its member can't be reached",
		Hints: []string{"no-leader-briefly", "scheduling-failover"},
		Edits: []edit{{"node/agent/agent.go", "\tcase Unreachable:\n", "\tcase Unreachable:\n\t\ta.lease.deadline, a.stale = min(a.lease.deadline, a.now), true\n"}},
	},
	{
		Name: "takeover-forgets", Area: areaFleet, Checker: "restarts-have-causes",
		Fault: "a new leader's scheduler is not told where units are",
		Hints: []string{"no-leader-briefly", "scheduling-failover"},
		Edits: []edit{{"node/control/takeover.go", "c.store.Requirements(name, stands)}, on...)", "c.store.Requirements(name, stands)})"}},
	},
	{
		Name: "decided-on-a-stale-view", Area: areaFleet, Checker: "units-once",
		Fault: "a leader that was deposed goes on deciding by what it knew, and what it decides counts in any term",
		Hints: []string{"leader-cut-off", "no-leader-briefly", "capacity-race"},
		Edits: []edit{
			{"node/fleet.go", "if c.Leads() && (!leads || c.Term() != term || n.fleet.store", "if c.Leads() && (n.fleet.store"},
			{"node/fleet/apply.go", "if term != s.env.Term {", "if term > s.env.Term {"},
		},
	},
	{
		Name: "beat-not-retried", Area: areaFleet, Checker: "machines-heard",
		Fault: "a machine beats again only once its last beat was acknowledged",
		Hints: []string{"lossy-workers"},
		Edits: []edit{{"node/agent/session.go", "if a.now >= a.lease.beatAt {", "if a.now >= a.lease.beatAt && len(a.lease.sent) == 0 {"}},
	},
	{
		Name: "conflicts-one-way", Area: areaFleet, Checker: "units-running",
		Fault: "the scheduler doesn't ask whether what runs on a machine is in conflict with what comes",
		Hints: []string{"conflicts-moving"},
		Edits: []edit{{"node/scheduler/pick.go", "\t\tq.without(&p.conflicting.set)\n", ""}},
	},
	{
		Name: "capacity-after-the-decision", Area: areaFleet, Checker: "restarts-have-causes",
		Fault: "what a unit takes of its machine counts only when the decisions are handed on",
		Hints: []string{"capacity-race"},
		Edits: []edit{
			{"node/scheduler/record.go", "\tactive bool\n", "\tactive bool\n\towed   bool\n"},
			{"node/scheduler/solve.go", "\ts.put(i, slot)\n\ts.yieldGlobals(i, slot)\n\ts.kick(i)\n", "\ts.put(i, slot)\n\tif d := s.class(r).demand; d != nil {\n\t\td.take(&s.machines[slot], +1)\n\t\tr.owed = true\n\t}\n\ts.yieldGlobals(i, slot)\n\ts.kick(i)\n"},
			{"node/scheduler/solve.go", "\t\tr.told = 0\n", "\t\tr.told = 0\n\t\tif r.owed && r.slot != none {\n\t\t\ts.class(r).demand.take(&s.machines[r.slot], -1)\n\t\t}\n\t\tr.owed = false\n"},
			{"node/scheduler/unit.go", "\ts.mention(c, m.pos, (*tally).dec)\n\tif c.demand != nil {", "\ts.mention(c, m.pos, (*tally).dec)\n\tif c.demand != nil && !r.owed {"},
		},
	},
	{
		Name: "older-orders-taken", Area: areaFleet, Checker: "units-once",
		Fault: "a machine takes orders that come late for the present ones",
		Hints: []string{"reordered-orders"},
		Edits: []edit{{"node/agent/orders.go", " || s.known && o.Version <= s.have || o.Version < s.floor || o.Version < s.version {", " {"}},
	},
	{
		Name: "reports-without-generation", Area: areaFleet, Checker: "units-once",
		Fault: "what a machine says of an earlier placement counts for the present one",
		Hints: []string{"bounced-units", "reordered-orders"},
		Edits: []edit{
			{"node/fleet/report.go", "if e.unit.Places[i].Gen != told.Gen {", "if e.unit.Places[i].Gen < told.Gen {"},
			{"node/fleet/report.go", "e.unit.Leaving[i].Gen <= told.Gen {\n\t\ts.cutLeaving", "e.unit.Leaving[i].Gen > 0 {\n\t\ts.cutLeaving"},
			{"node/fleet/report.go", "case r.Seq <= h.machine.Reported:", "case r.Seq == 0:"},
		},
	},
	{
		Name: "acknowledged-without-a-quorum", Area: areaFleet, Checker: "units-once",
		Fault: "a leader acknowledges beats though it no longer leads",
		Hints: []string{"leader-with-workers", "leader-cut-off"},
		Edits: []edit{{"node/control/round.go", "\tc.out.Round = r.number\n", "\tdefer c.Confirmed(c.now, r.number)\n"}},
	},
	{
		Name: "leaving-not-awaited", Area: areaFleet, Checker: "units-once",
		Fault: "a unit is ordered on its new machine while the former one may still run it",
		Hints: []string{"drain", "conflicts-moving"},
		Edits: []edit{{"node/fleet/read.go", "if e.blocked(machine) {", "if e.blocked(machine) && machine == \"\" {"}},
	},
}
