package labworld

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"drydock/chaos"
	"drydock/sim/history"
	"drydock/vmlab/inject"
	"drydock/vmlab/lab"
)

// target is a lab as package chaos strikes it. All calls are on the stage.
type target struct{ r *run }

// Supports implements chaos.Target.
func (t target) Supports(k chaos.Kind) error { return t.r.world.Supports(k) }

// Members implements chaos.Target.
func (t target) Members() []chaos.Member {
	var list []chaos.Member
	fleet := t.r.fleet
	for i := range t.r.site.Machines {
		m := &t.r.site.Machines[i]
		v := t.r.ground.Vitals(m.Name)
		up := v.Power == lab.PowerOn && v.NodeUp
		s, voter, outside := t.r.seats[m.Name], false, false
		if s != nil {
			outside = s.outside.Load()
			voter = !outside && !s.joining && !s.replacing
			up = up || s.replacing
		}
		list = append(list, chaos.Member{
			Name: m.Name, Up: up, Paused: v.NodePaused, Voter: voter, Outside: outside,
			Leader: up && !v.NodePaused && m.Name == t.r.leaders.leading, Worker: m.Role == lab.RoleWorker, Units: fleet.runs(m.Name), Busy: fleet.busy(m.Name),
			Release: newest, Newest: newest,
		})
	}
	slices.SortStableFunc(list, func(a, b chaos.Member) int { return strings.Compare(a.Name[:1], b.Name[:1]) })
	return list
}

// newest is the release that this program's nodes speak.
const newest = 3

// Inject implements chaos.Target.
func (t target) Inject(f chaos.Fault) (func(), string, error) {
	r := t.r
	record := history.Fault{Time: int64(r.stage.now()), Kind: string(f.Kind), TookLeader: t.takesLeader(f)}
	if len(f.Nodes) == 1 {
		record.Node = f.Nodes[0]
	}
	led := record.Node != "" && record.Node == r.leaders.leading
	undo, detail, err := t.strike(f)
	clear(r.glances)
	if err != nil {
		return nil, "", err
	}
	if record.TookLeader {
		r.leaders.gone(time.Duration(record.Time))
	}
	strike := len(r.res.Strikes)
	r.res.Strikes = append(r.res.Strikes, chaos.Strike{At: r.stage.now(), Fault: f, Leader: led})
	at := -1
	if !f.Kind.LiesInWait() {
		if undo == nil && !t.majorityLives() {
			record.NoQuorum = true
			r.open = append(r.open, len(r.res.Faults))
		}
		at = len(r.res.Faults)
		r.res.Faults = append(r.res.Faults, record)
	}
	if t.majorityLives() {
		for _, k := range r.open {
			r.res.Faults[k].End = int64(r.stage.now())
		}
		r.open = nil
	}
	if undo == nil {
		return nil, detail, nil
	}
	return func() {
		err := undo()
		if at >= 0 {
			r.res.Faults[at].End = int64(r.stage.now()) // it strikes no more
		}
		r.res.Strikes[strike].End = r.stage.now()
		r.fleet.resumed(f)
		if err != nil {
			r.note("", fmt.Sprintf("the end of %s: %v", f.Text, err))
		}
	}, detail, nil
}

// strike does what a fault says.
func (t target) strike(f chaos.Fault) (inject.Undo, string, error) {
	r := t.r
	switch {
	case ofUnits(f.Kind):
		undo, detail, err := r.fleet.inject(f)
		if undo == nil || err != nil {
			return nil, detail, err
		}
		return func() error { undo(); return nil }, detail, nil
	case slices.Contains(operated, f.Kind):
		detail, err := r.operate(f)
		return nil, detail, err
	case f.Kind == chaos.KindRestart:
		f.Nodes = r.replaceLost(f.Nodes)
		if len(f.Nodes) == 0 {
			return nil, "", nil
		}
		for _, name := range f.Nodes {
			r.rec.Restarted(name)
		}
	case f.Kind.LiesInWait():
		f.Struck = r.struck(f)
	}
	struck := r.fleet.striking(f)
	undo, detail, err := r.injector.Inject(f)
	struck(err)
	return undo, detail, err
}

// majorityLives says whether enough members live for one to lead.
func (t target) majorityLives() bool {
	alive, all := 0, 0
	for _, m := range t.Members() {
		if m.Voter {
			all++
			if m.Up {
				alive++
			}
		}
	}
	return alive > all/2
}

// takesLeader says whether the fault hits the one that leads now, so that the cluster
// must find another.
func (t target) takesLeader(f chaos.Fault) bool {
	leader := t.r.leaders.leading
	if leader == "" {
		return false
	}
	switch f.Kind {
	case chaos.KindCrash, chaos.KindPowerLoss, chaos.KindPause, chaos.KindWipe, chaos.KindReplace:
		return slices.Contains(f.Nodes, leader)
	case chaos.KindPartition:
		return t.cutOff(f, leader)
	}
	return false
}

// cutOff says whether the cuts leave the leader without a majority that it can talk
// with both ways.
func (t target) cutOff(f chaos.Fault, leader string) bool {
	reached, all := 1, 0
	for _, m := range t.Members() {
		if !m.Voter {
			continue
		}
		all++
		there, back := chaos.Link{From: leader, To: m.Name}, chaos.Link{From: m.Name, To: leader}
		if m.Name != leader && m.Up && !m.Paused && !slices.Contains(f.Links, there) && !slices.Contains(f.Links, back) {
			reached++
		}
	}
	return reached <= all/2
}
