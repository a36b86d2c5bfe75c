package labworld

import (
	"fmt"
	"slices"
	"time"

	"drydock/node/archive"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/sim/history"
	"drydock/vmlab/lab"
)

// unseen says what a lab has no evidence of.
var unseen = map[string]string{
	scenario.ExpectQuorums:  "a lab does not see who votes for whom",
	scenario.ExpectBounded:  "a lab does not see what a member holds in memory",
	scenario.ExpectReleases: "a lab runs one release",
}

// note puts a line into the timeline; it is called on the stage.
func (r *run) note(node, text string) { r.mark(r.stage.now(), node, text, runner.MarkFault) }

func (r *run) mark(at time.Duration, node, text string, mark runner.Mark) {
	states := make([]byte, 0, len(r.res.Nodes))
	for _, name := range r.res.Nodes {
		states = append(states, r.letter(name))
	}
	r.res.Timeline = append(r.res.Timeline, runner.Event{At: at, Node: node, Text: text, Mark: mark, States: string(states)})
}

// letter is how a node is, as the timeline's columns show it.
func (r *run) letter(name string) byte {
	v := r.ground.Vitals(name)
	switch {
	case v.Power != lab.PowerOn || !v.NodeUp:
		return runner.StateCrashed
	case v.NodePaused:
		return runner.StatePaused
	case name == r.leaders.leading:
		return runner.StateLeader
	}
	return runner.StateFollower
}

// result puts the evidence together.
func (r *run) result() (*runner.Result, error) {
	disks := r.disks()
	members := 0
	for i := range r.site.Machines {
		if r.site.Machines[i].Role != lab.RoleMember {
			continue
		}
		if err := disks.Read(members); err != nil {
			return nil, err
		}
		members++
	}
	found, err := disks.Found()
	if err != nil {
		return nil, err
	}
	res := r.res
	res.Ops, res.Watches, res.Restarts = r.rec.Operations(), r.rec.Sessions(), r.rec.Restarts()
	res.Truth, res.Entries, res.Missing, res.FinalCommit = found.Truth, found.Entries, found.Missing, found.Commit
	res.Outcomes = r.conduct.Outcomes()
	res.Unseen = unseen
	for _, text := range r.rec.Nonsense() {
		res.Broken = append(res.Broken, "an answer that makes no sense: "+text)
	}
	slices.SortStableFunc(res.Led, func(a, b history.Led) int { return int(a.Time - b.Time) })
	slices.SortStableFunc(res.Timeline, func(a, b runner.Event) int { return int(a.At - b.At) })
	for i := range r.site.Machines {
		m := &r.site.Machines[i]
		if m.Role != lab.RoleMember {
			continue
		}
		res.Running, res.Voters = append(res.Running, m.Name), append(res.Voters, m.Name)
		if err := r.inspect(m); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// inspect verifies a member's directory, and takes its state's digest.
func (r *run) inspect(m *lab.Machine) error {
	report, err := archive.Inspect(r.dataDir(m))
	if err != nil {
		return err
	}
	if report.Verdict != archive.OK || report.State == nil {
		r.res.Broken = append(r.res.Broken, fmt.Sprintf("the directory of %s is %s: %+v", m.Name, report.Verdict, report.Damage))
		return nil
	}
	r.res.Digests = append(r.res.Digests, history.Digest{Time: int64(r.res.Simulated), Node: m.Name, Index: report.State.Index, Digest: report.State.Digest})
	return nil
}
