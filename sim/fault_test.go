package sim

import (
	"strings"
	"testing"
	"time"

	"drydock/chaos"
	"drydock/sim/history"
)

// step is a step of a plan at a time.
func step(at time.Duration, p chaos.Params, lasts ...time.Duration) chaos.Step {
	s := chaos.Step{At: at, AtSet: true, Fault: p}
	if len(lasts) > 0 {
		s.For = lasts[0]
	}
	return s
}

func sel(s ...chaos.Selector) chaos.Selectors { return s }

// said tells whether a line of the timeline holds all the words.
func said(r *Result, words ...string) bool {
	for _, l := range r.Timeline {
		has := true
		for _, w := range words {
			has = has && strings.Contains(l.Text, w)
		}
		if has {
			return true
		}
	}
	return false
}

// leaders counts the terms that somebody led between two times.
func leaders(r *Result, from, until time.Duration) int {
	terms := map[uint64]bool{}
	for _, l := range r.Led {
		if at := time.Duration(l.Time); at >= from && at < until {
			terms[l.Term] = true
		}
	}
	return len(terms)
}

// answered counts the answers between two times.
func answeredIn(r *Result, from, until time.Duration) int {
	n := 0
	for i := range r.Ops {
		at := time.Duration(r.Ops[i].Return)
		if r.Ops[i].Status == history.OK && at >= from && at < until {
			n++
		}
	}
	return n
}

const second = time.Second

// faultCase is a fault, and what it must do to a cluster.
type faultCase struct {
	name    string
	steps   []chaos.Step
	members int
	adjust  func(*Config)
	check   func(t *testing.T, r *Result)
}

// machineCases are the faults of processes, clocks and cables.
func machineCases() []faultCase {
	all := sel(chaos.All)
	return []faultCase{
		{
			name:  "flap",
			steps: []chaos.Step{step(3*second, &chaos.Flap{Node: sel(chaos.Leader), Direction: "both", Up: 300 * time.Millisecond, Down: 700 * time.Millisecond}, 5*second)},
			check: func(t *testing.T, r *Result) {
				if leaders(r, 3*second, 9*second) == 0 {
					t.Error("no other leader while the leader's links flapped")
				}
				if leaders(r, 11*second, 15*second) > 0 {
					t.Error("an election long after the links were mended")
				}
			},
		},
		{
			name:  "flap of a single follower takes no leader",
			steps: []chaos.Step{step(3*second, &chaos.Flap{Node: sel("n2"), Direction: "in", Up: 50 * time.Millisecond, Down: 50 * time.Millisecond}, 5*second)},
			check: func(t *testing.T, r *Result) {
				if answeredIn(r, 3*second, 8*second) < 100 {
					t.Error("the others hardly answered")
				}
			},
		},
		{
			name:  "clock-rate of a follower that hears nothing in its own time",
			steps: []chaos.Step{step(3*second, &chaos.ClockRate{Node: sel(chaos.Follower), Rate: 2, Clock: "mono"}, 5*second)},
			check: func(t *testing.T, r *Result) {
				if answeredIn(r, 3*second, 8*second) < 100 {
					t.Error("the cluster hardly answered")
				}
			},
		},
		{
			name:  "clock-rate of all",
			steps: []chaos.Step{step(3*second, &chaos.ClockRate{Node: all, Rate: 0.5, Clock: "both"}, 5*second)},
		},
		{
			name: "clock-jump",
			steps: []chaos.Step{
				step(3*second, &chaos.ClockJump{Node: sel(chaos.Leader), By: time.Hour, Direction: "back", Clock: "wall"}, 3*second),
				step(4*second, &chaos.ClockJump{Node: sel(chaos.Follower), By: 10 * second, Direction: "forward", Clock: "mono"}),
				step(5*second, &chaos.ClockJump{Node: sel(chaos.Any), By: 48 * time.Hour, Direction: "forward", Clock: "both"}),
			},
		},
		{
			name:  "slow-node",
			steps: []chaos.Step{step(3*second, &chaos.SlowNode{Node: sel(chaos.Leader), Latency: 100 * time.Millisecond}, 5*second)},
			check: func(t *testing.T, r *Result) {
				if slow, usual := answeredIn(r, 3*second, 8*second), answeredIn(r, 10*second, 15*second); leaders(r, 3*second, 8*second) == 0 && 2*slow > usual {
					t.Errorf("%d answers while the leader was slow, %d after", slow, usual)
				}
			},
		},
		{
			name:  "wipe",
			steps: []chaos.Step{step(3*second, &chaos.Wipe{Node: sel(chaos.Leader), RestartAfter: second})},
			check: wantReplaced,
		},
		{
			name:  "replace",
			steps: []chaos.Step{step(3*second, &chaos.Replace{Node: sel(chaos.Any)}), step(6*second, &chaos.Replace{Node: sel(chaos.Any)})},
			check: wantReplaced, members: 5,
		},
	}
}

// diskCases are the faults of disks.
func diskCases() []faultCase {
	all := sel(chaos.All)
	return []faultCase{
		{
			name:  "disk-stall",
			steps: []chaos.Step{step(3*second, &chaos.DiskStall{Node: sel(chaos.Leader)}, 3*second)},
			check: func(t *testing.T, r *Result) {
				if leaders(r, 3*second, 6*second) == 0 {
					t.Error("a leader whose disk hung went on to lead")
				}
			},
		},
		{
			name:  "disk-stall of all stops everything and ends",
			steps: []chaos.Step{step(3*second, &chaos.DiskStall{Node: all}, 2*second)},
			check: func(t *testing.T, r *Result) {
				if n := answeredIn(r, 3500*time.Millisecond, 5*second); n > 20 {
					t.Errorf("%d answers while all disks hung", n)
				}
			},
		},
		{
			name:  "disk-full",
			steps: []chaos.Step{step(3*second, &chaos.DiskFull{Node: sel(chaos.Leader)}, 4*second)},
			check: func(t *testing.T, r *Result) { wantStop(t, r, "no space left") },
		},
		{
			name:  "disk-error on sync of the log",
			steps: []chaos.Step{step(3*second, &chaos.DiskError{Node: sel(chaos.Leader), On: "sync", Files: "log", Nth: 3, Times: 1})},
			check: func(t *testing.T, r *Result) { wantStop(t, r, "input/output error") },
		},
		{
			name:  "disk-error on write of the log",
			steps: []chaos.Step{step(3*second, &chaos.DiskError{Node: sel(chaos.Leader), On: "write", Files: "log", Nth: 1, Times: 1})},
			check: func(t *testing.T, r *Result) { wantStop(t, r, "input/output error") },
		},
		{
			name:  "disk-error on write of the checkpoint",
			steps: []chaos.Step{step(2*second, &chaos.DiskError{Node: sel(chaos.Follower), On: "write", Files: "checkpoint", Nth: 1, Times: 1})},
			check: func(t *testing.T, r *Result) { wantStop(t, r, "checkpoint") },
		},
		{
			name:  "misdirected-write",
			steps: damagedAndKilled(&chaos.MisdirectedWrite{Node: sel("n2")}),
			check: wantReplaced, adjust: keepLog,
		},
		{
			name:  "bit-rot of the log",
			steps: damagedAndKilled(&chaos.BitRot{Node: sel("n2"), Files: "log", Bits: 3}),
			check: wantReplaced, adjust: keepLog,
		},
		{
			name:  "bit-rot of the checkpoint is met at the next one",
			steps: []chaos.Step{step(3*second, &chaos.BitRot{Node: sel("n2"), Files: "checkpoint", Bits: 1})},
			check: wantReplaced,
		},
		{
			name:  "bit-rot of the checkpoint is met at boot",
			steps: damagedAndKilled(&chaos.BitRot{Node: sel("n2"), Files: "checkpoint", Bits: 64}),
			check: wantReplaced, adjust: keepLog,
		},
		{
			name:  "lost-entry of the log",
			steps: damagedAndKilled(&chaos.LostEntry{Node: sel("n2"), Files: "log"}),
			check: wantReplaced, adjust: keepLog,
		},
		{
			name:  "lost-entry of the checkpoint",
			steps: damagedAndKilled(&chaos.LostEntry{Node: sel("n2"), Files: "checkpoint"}),
			check: wantReplaced, adjust: keepLog,
		},
		{
			name:  "lost-entry of the checkpoint is met at the next one",
			steps: []chaos.Step{step(3*second, &chaos.LostEntry{Node: sel("n2"), Files: "checkpoint"})},
			check: wantReplaced,
		},
	}
}

// TestFaults injects each fault and looks for what it must do to a cluster that
// it must not break. All members run again at the end.
func TestFaults(t *testing.T) {
	for _, tt := range append(machineCases(), diskCases()...) {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig(7, max(tt.members, 3))
			cfg.Plan.Steps = tt.steps
			if tt.adjust != nil {
				tt.adjust(&cfg)
			}
			r := run(t, cfg)
			wantEffect(t, r)
			if len(r.Running) != max(tt.members, 3) || len(r.Voters) != max(tt.members, 3) {
				t.Errorf("at the end %v run and %v vote", r.Running, r.Voters)
			}
			if tt.check != nil {
				tt.check(t, r)
			}
		})
	}
}

// keepLog lets the log have several segments and give none back.
func keepLog(c *Config) { c.Knobs.CheckpointEntries, c.Knobs.SegmentBytes = 100_000, 8<<10 }

// damagedAndKilled strikes, and kills n2 a second later, so that it must read
// its disk.
func damagedAndKilled(p chaos.Params) []chaos.Step {
	return []chaos.Step{
		step(3*second, p),
		step(6*second, &chaos.Crash{Node: sel("n2"), LoseUnsynced: true, Torn: true, RestartAfter: second}),
	}
}

func wantEffect(t *testing.T, r *Result) {
	t.Helper()
	for _, o := range r.Outcomes {
		if o.Effective == 0 {
			t.Errorf("%s had no effect: %s", o.Name, o.Why)
		}
	}
	if len(r.Missing) > 0 {
		t.Errorf("no disk showed %v", r.Missing)
	}
	if answeredIn(r, r.HealedAt+second, r.Simulated) < 50 {
		t.Error("hardly an answer after healing")
	}
}

func wantStop(t *testing.T, r *Result, why string) {
	t.Helper()
	if !said(r, "stopped itself", why) {
		t.Errorf("no node stopped itself with %q", why)
	}
	if len(r.Restarts) == 0 {
		t.Error("it was not started again")
	}
}

func wantReplaced(t *testing.T, r *Result) {
	t.Helper()
	if len(r.Rotten) > 0 && len(r.Noticed) == 0 {
		t.Errorf("nobody noticed %+v", r.Rotten)
	}
	if !said(r, "is replaced and votes") {
		t.Error("nobody was replaced")
	}
}

// TestFailpoints strikes at every point in each way.
func TestFailpoints(t *testing.T) {
	for _, p := range chaos.Points() {
		for _, do := range []string{chaos.DoCrash, chaos.DoError, chaos.DoStall} {
			if do == chaos.DoStall && p.Name != "wal.sync" && p.Name != "snapshot.install" && p.Name != chaos.PointBoot {
				continue // a stall is the same everywhere
			}
			t.Run(p.Name+" "+do, func(t *testing.T) {
				cfg := testConfig(11, 3)
				cfg.Knobs.CheckpointEntries, cfg.Knobs.CatchUpEntries = 40, 10
				cfg.Duration, cfg.HealAt = 12*second, 8*second
				nth := 2
				if strings.HasPrefix(p.Name, "snapshot") || p.Name == "wal.reset" || p.Name == chaos.PointBoot {
					nth = 1 // there are few
				}
				f := &chaos.Failpoint{At: p.Name, Nth: nth, Node: sel(chaos.All), Do: do, Stall: 300 * time.Millisecond, RestartAfter: 500 * time.Millisecond}
				cfg.Plan.Steps = []chaos.Step{
					step(2*second, f),
					// A member that lags, so that there are snapshots, and boots.
					{Every: &chaos.Every{Period: 3500 * time.Millisecond, From: 2500 * time.Millisecond}, Fault: &chaos.Crash{Node: sel("n3"), LoseUnsynced: true, RestartAfter: 2 * second}},
				}
				r := run(t, cfg)
				wantEffect(t, r)
				if len(r.Running) != 3 {
					t.Errorf("at the end %v run", r.Running)
				}
			})
		}
	}
}
