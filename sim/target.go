package sim

import (
	"fmt"
	"slices"
	"time"

	"drydock/chaos"
	"drydock/node"
	"drydock/sim/disk"
	"drydock/sim/history"
	"drydock/sim/impair"
)

// target is the world as package chaos strikes it.
type target struct{ w *World }

// Supports says which faults the simulator can inject: all of the vocabulary.
func Supports(k chaos.Kind) error {
	if _, ok := chaos.Find(k); !ok {
		return fmt.Errorf("the simulator has no fault %q", k)
	}
	return nil
}

// Supports implements chaos.Target.
func (t target) Supports(k chaos.Kind) error { return Supports(k) }

// Members implements chaos.Target.
func (t target) Members() []chaos.Member {
	leader := t.w.leader()
	voters := t.w.voters()
	list := make([]chaos.Member, 0, len(t.w.machines))
	for _, m := range t.w.machines {
		list = append(list, chaos.Member{
			Name: m.name, Up: m.alive() || m.status == booting || m.replacing, Paused: m.status == paused,
			Leader: m == leader, Voter: voters[m.name], Outside: m.status == outside,
			Release: int(m.release), Newest: int(m.newest()),
		})
	}
	return t.boxMembers(list)
}

// Inject implements chaos.Target.
func (t target) Inject(f chaos.Fault) (undo func(), detail string, err error) {
	record := history.Fault{Time: int64(t.w.now()), Kind: string(f.Kind), TookLeader: t.takesLeader(f)}
	if len(f.Nodes) == 1 {
		record.Node = f.Nodes[0]
	}
	leader := t.w.leader()
	led := leader != nil && record.Node == leader.name
	undo, detail, err = t.strikeUnits(f)
	if err != nil {
		return nil, "", err
	}
	t.w.trace.add(t.w.now(), traceFault, 0, 0, []byte(f.Text))
	strike := len(t.w.result.Strikes)
	t.w.result.Strikes = append(t.w.result.Strikes, chaos.Strike{At: t.w.now(), Fault: f, Leader: led})
	undone := t.w.recorder.band(f, undo != nil)
	at := -1
	if !f.Kind.LiesInWait() { // those are recorded when they strike
		if undo == nil && !t.w.majorityLives() {
			record.NoQuorum = true // until enough are back: see World.revived
		}
		at = len(t.w.result.Faults)
		t.w.result.Faults = append(t.w.result.Faults, record)
	}
	if undo == nil {
		return nil, detail, nil
	}
	take := undo
	return func() {
		if at >= 0 {
			t.w.result.Faults[at].End = int64(t.w.now())
		}
		t.w.result.Strikes[strike].End = t.w.now()
		undone()
		t.w.trace.add(t.w.now(), traceFault, 1, 0, []byte(f.Text))
		take()
	}, detail, nil
}

func (t target) strike(f chaos.Fault) (func(), string, error) {
	switch p := f.Params.(type) {
	case *chaos.Crash:
		return t.crash(f.Nodes, disk.CrashOptions{LoseUnsynced: p.LoseUnsynced, Torn: p.Torn})
	case *chaos.PowerLoss:
		return t.crash(f.Nodes, disk.CrashOptions{LoseUnsynced: p.LoseUnsynced, Torn: p.Torn})
	case *chaos.Restart:
		return t.restart(f.Nodes)
	case *chaos.Pause:
		return t.pause(f.Nodes)
	case *chaos.Partition:
		return t.impair(f, &impair.Fault{Cut: true})
	case *chaos.Delay:
		s, err := impair.NewSampler(Delays{Least: p.Latency, Jitter: p.Jitter})
		if err != nil {
			return nil, "", err
		}
		return t.impair(f, &impair.Fault{Delay: s})
	case *chaos.Loss:
		return t.impair(f, &impair.Fault{Loss: impair.ChanceOf(float64(p.Probability))})
	case *chaos.Duplicate:
		return t.impair(f, &impair.Fault{Duplicate: impair.ChanceOf(float64(p.Probability))})
	case *chaos.Reorder:
		return t.impair(f, &impair.Fault{Reorder: impair.ChanceOf(float64(p.Probability)), Window: p.Window})
	case *chaos.SlowDisk:
		return t.slowDisk(f.Nodes, p.Latency)
	case *chaos.Membership:
		return t.membership(p)
	case *chaos.Transfer:
		return t.transfer(f.Nodes)
	}
	return t.strikeMachine(f)
}

// takesLeader says whether the fault hits the one that leads now, so that the
// cluster must find another.
func (t target) takesLeader(f chaos.Fault) bool {
	l := t.w.leader()
	if l == nil {
		return false
	}
	switch f.Kind {
	case chaos.KindCrash, chaos.KindPowerLoss, chaos.KindPause, chaos.KindWipe, chaos.KindReplace, chaos.KindUpgrade:
		return slices.Contains(f.Nodes, l.name)
	case chaos.KindPartition:
		return t.cutOff(f, l)
	}
	return false
}

// cutOff says whether the cuts leave the leader without a majority that it can
// talk with both ways.
func (t target) cutOff(f chaos.Fault, l *machine) bool {
	voters := t.w.voters()
	reached := 1
	for _, m := range t.w.machines {
		if m == l || !voters[m.name] || !m.alive() {
			continue
		}
		there, back := chaos.Link{From: l.name, To: m.name}, chaos.Link{From: m.name, To: l.name}
		if !slices.Contains(f.Links, there) && !slices.Contains(f.Links, back) {
			reached++
		}
	}
	return reached <= len(voters)/2
}

func (t target) crash(nodes []string, o disk.CrashOptions) (func(), string, error) {
	var total disk.Loss
	hit := 0
	for _, name := range nodes {
		m := t.w.byName[name]
		if m.status == down || m.status == outside {
			continue
		}
		hit++
		t.w.referee.leaderGone(m)
		loss := m.crash(o)
		total.Writes += loss.Writes
		total.Torn += loss.Torn
		total.Entries += loss.Entries
	}
	if hit == 0 {
		return nil, "", fmt.Errorf("%w: already down", chaos.ErrNoEffect)
	}
	detail := ""
	if o.LoseUnsynced {
		detail = fmt.Sprintf("%d unsynced writes lost, %d torn", total.Writes, total.Torn)
	}
	return nil, detail, nil
}

func (t target) restart(nodes []string) (func(), string, error) {
	hit := 0
	for _, name := range nodes {
		if m := t.w.byName[name]; m.status == down && !m.replacing {
			m.seeTo()
			hit++
		}
	}
	if hit == 0 {
		return nil, "", fmt.Errorf("%w: not down", chaos.ErrNoEffect)
	}
	return nil, "", nil
}

func (t target) pause(nodes []string) (func(), string, error) {
	var hit []*machine
	for _, name := range nodes {
		if m := t.w.byName[name]; m.status == up {
			t.w.referee.leaderGone(m)
			m.status = paused
			if m.box != nil {
				m.box.pause()
			}
			hit = append(hit, m)
		}
	}
	if len(hit) == 0 {
		return nil, "", fmt.Errorf("%w: not running", chaos.ErrNoEffect)
	}
	return func() {
		for _, m := range hit {
			if m.status == paused {
				m.status = up
				m.wake()
				if m.box != nil {
					m.box.resume()
				}
			}
		}
	}, "", nil
}

func (t target) impair(f chaos.Fault, i *impair.Fault) (func(), string, error) {
	if len(f.Links) == 0 {
		return nil, "", fmt.Errorf("%w: no link is concerned", chaos.ErrNoEffect)
	}
	var hit []*link
	for _, l := range f.Links {
		hit = append(hit, t.linkBetween(l))
	}
	if l := t.w.leader(); i.Cut && l != nil && t.cutOff(f, l) {
		t.w.referee.leaderGone(l)
	}
	for _, l := range hit {
		l.Impair(i)
	}
	return func() {
		for _, l := range hit {
			l.Repair(i)
		}
	}, "", nil
}

func (t target) slowDisk(nodes []string, extra time.Duration) (func(), string, error) {
	var hit []*machine
	for _, name := range nodes {
		m := t.w.byName[name]
		m.times.extra = append(m.times.extra, &extra)
		hit = append(hit, m)
	}
	return func() {
		for _, m := range hit {
			m.times.extra = slices.DeleteFunc(m.times.extra, func(e *time.Duration) bool { return e == &extra })
		}
	}, "", nil
}

func (t target) membership(p *chaos.Membership) (func(), string, error) {
	var add, remove []*machine
	for _, name := range p.Remove {
		m := t.w.byName[name]
		if m.status == outside {
			return nil, "", fmt.Errorf("%w: %s is no member", chaos.ErrNoEffect, name)
		}
		if t.w.joining[m] || m.replacing {
			return nil, "", fmt.Errorf("%w: %s has not joined", chaos.ErrNotYet, name)
		}
		remove = append(remove, m)
	}
	for _, name := range p.Add {
		m := t.w.byName[name]
		if m.status != outside || m.boots > 0 {
			return nil, "", fmt.Errorf("%w: %s is or was a member", chaos.ErrNoEffect, name)
		}
		if err := node.Join(m.disk, m.config()); err != nil {
			return nil, "", fmt.Errorf("%s: %w", name, err)
		}
		m.start()
		add = append(add, m)
	}
	if len(add) > 0 {
		t.w.addMembers(add)
	}
	if len(remove) > 0 {
		t.w.removeMembers(remove)
	}
	return nil, "", nil
}

func (t target) transfer(nodes []string) (func(), string, error) {
	l := t.w.leader()
	if l == nil || l.node == nil || len(nodes) != 1 || nodes[0] == l.name {
		return nil, "", fmt.Errorf("%w: nobody to hand over", chaos.ErrNoEffect)
	}
	to := t.w.byName[nodes[0]].id
	l.front.operate(func(token uint64) node.Input { return node.TransferLeader{Token: token, To: to} }, func(*node.Answer) {})
	return nil, "", nil
}
