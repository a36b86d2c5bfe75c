package labworld

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"drydock/node/archive"
	"drydock/node/wal"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/sim/history"
	"drydock/vmlab/evidence"
	"drydock/vmlab/lab"
)

// unseen says what a lab has no evidence of.
func (w world) unseen() map[string]string {
	list := map[string]string{
		scenario.ExpectQuorums:  "a lab does not see who votes for whom",
		scenario.ExpectReleases: "a lab runs one release",
		scenario.ExpectUpgraded: "a lab runs one release",
	}
	if !w.controls() {
		list[scenario.ExpectBounded] = "a lab of machines with kernels of their own does not see what a member holds in memory"
	}
	return list
}

// note puts a line into the timeline; it is called on the stage.
func (r *run) note(node, text string) { r.mark(r.stage.now(), node, text, runner.MarkFault) }

// info puts a line of interest into it.
func (r *run) info(node, text string) { r.mark(r.stage.now(), node, text, runner.MarkInfo) }

func (r *run) mark(at time.Duration, node, text string, mark runner.Mark) {
	states := make([]byte, 0, len(r.res.Nodes))
	for _, name := range r.res.Nodes {
		states = append(states, r.letter(name))
	}
	r.res.Timeline = append(r.res.Timeline, runner.Event{At: at, Node: node, Text: text, Mark: mark, States: string(states)})
}

// letter is how a node is, as the timeline's columns show it.
func (r *run) letter(name string) byte {
	v := r.vitals(name)
	switch s := r.seats[name]; {
	case s != nil && s.outside.Load():
		return runner.StateOutside
	case v.Power != lab.PowerOn || !v.NodeUp:
		return runner.StateCrashed
	case v.NodePaused:
		return runner.StatePaused
	case name == r.leaders.leading:
		return runner.StateLeader
	}
	return runner.StateFollower
}

// freshFor is how long what was seen of a machine is good enough for the timeline.
const freshFor = 100 * time.Millisecond

// glance is what was seen of a machine, and when.
type glance struct {
	vitals lab.Vitals
	at     time.Duration
}

// vitals are how a machine is, or was a moment ago. It is called on the stage; faults
// make it look anew.
func (r *run) vitals(name string) lab.Vitals {
	now := r.stage.now()
	if g, ok := r.glances[name]; ok && now-g.at < freshFor {
		return g.vitals
	}
	v := r.ground.Vitals(name)
	r.glances[name] = glance{v, now}
	return v
}

// result puts the evidence together.
func (r *run) result() (*runner.Result, error) {
	for i := range r.site.Machines {
		m := &r.site.Machines[i]
		if m.Role != lab.RoleMember {
			continue
		}
		if _, err := os.Stat(r.dataDir(m)); err != nil {
			continue // it has never joined
		}
		if err := r.logs.Read(r.memberNumber(m)); err != nil && !errors.Is(err, wal.ErrNoLog) {
			return nil, err
		}
	}
	found, err := r.logs.Found()
	if err != nil {
		return nil, err
	}
	res := r.res
	res.Began = r.stage.began
	// What was written after the run's end, to see that all answer, is no part of it.
	if end := slices.IndexFunc(found.Truth, func(c history.Committed) bool { return strings.HasPrefix(c.Token, lastClient) }); end >= 0 {
		found.Truth = found.Truth[:end]
	}
	res.Ops, res.Watches, res.Holds, res.Restarts = r.rec.Operations(), r.rec.Sessions(), r.rec.Holds(), r.rec.Restarts()
	res.Truth, res.Entries, res.Missing, res.FinalCommit = found.Truth, found.Entries, found.Missing, found.Commit
	res.Coarse, res.Stall, res.StallAt = true, r.stall.longest, r.stall.at
	r.date(found)
	res.SnapshotsInstalled = found.Snapshots
	res.Outcomes = r.conduct.Outcomes()
	res.Unseen = r.world.unseen()
	for _, text := range r.rec.Nonsense() {
		res.Broken = append(res.Broken, "an answer that makes no sense: "+text)
	}
	slices.SortStableFunc(res.Led, func(a, b history.Led) int { return int(a.Time - b.Time) })
	slices.SortStableFunc(res.Timeline, func(a, b runner.Event) int { return int(a.At - b.At) })
	for i := range r.site.Machines {
		m := &r.site.Machines[i]
		s := r.seats[m.Name]
		if s == nil || s.outside.Load() {
			continue
		}
		res.Running = append(res.Running, m.Name)
		if !s.joining && !s.replacing {
			res.Voters = append(res.Voters, m.Name)
		}
		r.inspect(m)
	}
	return res, nil
}

// inspect verifies a member's directory, and takes its state's digest.
func (r *run) inspect(m *lab.Machine) {
	report, err := archive.Inspect(r.dataDir(m))
	if err != nil {
		r.res.Broken = append(r.res.Broken, fmt.Sprintf("what %s has left can't be read: %v", m.Name, err))
		return
	}
	if report.Verdict != archive.OK || report.State == nil {
		r.res.Broken = append(r.res.Broken, fmt.Sprintf("the directory of %s is %s: %+v", m.Name, report.Verdict, report.Damage))
		return
	}
	r.res.Digests = append(r.res.Digests, history.Digest{Time: int64(r.res.Simulated), Node: m.Name, Index: report.State.Index, Digest: report.State.Digest})
}

// date gives what was committed the time when it was first seen: by a member that said
// how far it is, or by an answer to a client. What came later had not come sooner.
func (r *run) date(found *evidence.Found) {
	byEntry, byRevision := map[uint64]int64{}, map[uint64]int64{}
	first := func(m map[uint64]int64, key uint64, at int64) {
		m[key] = sooner(m[key], at)
	}
	last := int64(0) // of what is beyond the last command
	for _, a := range r.res.Applied {
		first(byEntry, a.Index, a.Time)
	}
	for i := range r.res.Ops {
		if op := &r.res.Ops[i]; op.Status == history.OK {
			first(byRevision, op.Revision, op.Return)
		}
	}
	if n := len(found.Truth); n > 0 {
		for index, at := range byEntry { // any order: the soonest is kept
			if index > found.Truth[n-1].Entry {
				last = sooner(last, at)
			}
		}
	}
	for i := len(found.Truth) - 1; i >= 0; i-- {
		c := &found.Truth[i]
		last = sooner(last, sooner(byEntry[c.Entry], byRevision[c.Revision]))
		c.Time = last
	}
}

// sooner is the earlier of two times, of which 0 is none.
func sooner(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
