package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"drydock/chaos"
	"drydock/sim/disk"
	"drydock/sim/history"
	"drydock/sim/impair"
)

// strikeMachine injects the faults of machines, clocks and disks.
func (t target) strikeMachine(f chaos.Fault) (func(), string, error) {
	switch p := f.Params.(type) {
	case *chaos.Flap:
		return t.flap(f, p)
	case *chaos.ClockRate:
		return t.clockRate(f.Nodes, p)
	case *chaos.ClockJump:
		return t.clockJump(f.Nodes, p)
	case *chaos.SlowNode:
		return t.slowNode(f.Nodes, p.Latency)
	case *chaos.DiskStall:
		return t.diskStall(f.Nodes)
	case *chaos.DiskFull:
		return t.diskFull(f.Nodes, int64(p.Free))
	case *chaos.DiskError:
		return t.lieInWait(f, func() *trap {
			return &trap{kinds: diskKinds(p.On), files: p.Files, skip: p.Nth - 1, times: p.Times}
		})
	case *chaos.MisdirectedWrite:
		return t.lieInWait(f, func() *trap { return &trap{astray: true, destroy: p.Destroy} })
	case *chaos.Failpoint:
		return t.lieInWait(f, func() *trap { return &trap{point: p.At, count: p.Nth, do: p.Do, stall: p.Stall} })
	case *chaos.BitRot:
		return t.bitRot(f.Nodes, p)
	case *chaos.LostEntry:
		return t.lostEntry(f.Nodes, p)
	case *chaos.Wipe:
		return t.wipe(f.Nodes, p.Destroy)
	case *chaos.Replace:
		return t.replace(f.Nodes, p.Destroy)
	case *chaos.Upgrade:
		return t.upgrade(f.Nodes, p)
	}
	return nil, "", fmt.Errorf("the simulator has no fault %q", f.Kind)
}

// struck records that a fault that lay in wait has struck m, and tells who laid
// it. It is called before the node dies of it, if it does.
func (t target) struck(f chaos.Fault, m *machine, detail string, dead bool) {
	t.w.trace.add(t.w.now(), traceFault, 2, uint64(m.index), []byte(f.Text))
	t.w.result.Faults = append(t.w.result.Faults, history.Fault{
		Time: int64(t.w.now()), Kind: string(f.Kind), Node: m.name, TookLeader: dead && m == t.w.leader(),
	})
	if f.Struck != nil {
		f.Struck(m.name, detail, dead)
	}
}

// flap cuts and mends the links of each node in turns.
func (t target) flap(f chaos.Fault, p *chaos.Flap) (func(), string, error) {
	var undo []func()
	for _, name := range f.Nodes {
		undo = append(undo, t.w.net.flap(t.w.byName[name], p))
	}
	return func() {
		for _, fn := range undo {
			fn()
		}
	}, "", nil
}

// flap cuts the links of one machine for a while, mends them for a while, and
// so on until the answer is called.
func (n *network) flap(m *machine, p *chaos.Flap) (stop func()) {
	var links []*link
	for _, other := range n.w.machines {
		if other == m {
			continue
		}
		if p.Direction != "out" {
			links = append(links, n.links[other.index][m.index])
		}
		if p.Direction != "in" {
			links = append(links, n.links[m.index][other.index])
		}
	}
	return n.flapLinks(links, "flap/"+m.name, p)
}

// flapLinks cuts and mends links; the stream has the name of whose they are.
func (n *network) flapLinks(links []*link, name string, p *chaos.Flap) (stop func()) {
	fault, over := new(impair.Fault), false
	rng := n.w.src.Stream(name)
	var turn func()
	turn = func() {
		if over {
			return
		}
		fault.Cut = !fault.Cut
		mean := p.Up
		if fault.Cut {
			mean = p.Down
		}
		n.w.queue.After(mean/2+time.Duration(rng.Int64N(int64(max(mean, 1)))), turn)
	}
	for _, l := range links {
		l.Impair(fault)
	}
	turn()
	return func() {
		over = true
		for _, l := range links {
			l.Repair(fault)
		}
	}
}

// slowNode adds to the time of each turn.
func (t target) slowNode(nodes []string, extra time.Duration) (func(), string, error) {
	for _, name := range nodes {
		t.w.byName[name].slowBy(extra)
	}
	return func() {
		for _, name := range nodes {
			t.w.byName[name].slowBy(-extra)
		}
	}, "", nil
}

// diskStall holds back the end of all disk work.
func (t target) diskStall(nodes []string) (func(), string, error) {
	for _, name := range nodes {
		t.w.byName[name].stalls++
	}
	return func() {
		for _, name := range nodes {
			m := t.w.byName[name]
			if m.stalls--; m.stalls > 0 {
				continue
			}
			held := m.held
			m.held = nil
			for _, fn := range held {
				t.w.queue.After(0, fn)
			}
		}
	}, "", nil
}

// unstalled calls fn, which ends disk work, or has it called when the disk no
// longer hangs.
func (m *machine) unstalled(fn func()) {
	if m.stalls > 0 {
		m.held = append(m.held, fn)
		return
	}
	fn()
}

// diskFull leaves so many bytes free on each disk.
func (t target) diskFull(nodes []string, free int64) (func(), string, error) {
	undo := make([]func(), 0, len(nodes))
	for _, name := range nodes {
		m := t.w.byName[name]
		limit := max(m.disk.Used()+free, 1)
		m.limits = append(m.limits, &limit)
		m.setCapacity()
		undo = append(undo, func() {
			m.limits = slices.DeleteFunc(m.limits, func(l *int64) bool { return l == &limit })
			m.setCapacity()
		})
	}
	return func() {
		for _, fn := range undo {
			fn()
		}
	}, "", nil
}

// setCapacity bounds the disk by the least of the limits.
func (m *machine) setCapacity() {
	var capacity int64
	for _, l := range m.limits {
		if capacity == 0 || *l < capacity {
			capacity = *l
		}
	}
	m.disk.SetCapacity(capacity)
}

// wipe kills the nodes and empties their disks. Whoever brings them back makes
// new members of them.
func (t target) wipe(nodes []string, destroy bool) (func(), string, error) {
	var hit []string
	var refused error
	for _, name := range nodes {
		m := t.w.byName[name]
		if err := t.w.mayHarm(m, destroy); err != nil {
			refused = err
			continue
		}
		hit = append(hit, name)
		m.audited()
		m.empty()
	}
	if len(hit) == 0 {
		return nil, "", refused
	}
	if len(hit) < len(nodes) {
		return nil, "only " + strings.Join(hit, ", "), nil
	}
	return nil, "", nil
}

// replace wipes the nodes and brings them back at once.
func (t target) replace(nodes []string, destroy bool) (func(), string, error) {
	undo, detail, err := t.wipe(nodes, destroy)
	if err != nil {
		return nil, "", err
	}
	for _, name := range nodes {
		if m := t.w.byName[name]; m.lost {
			t.w.replace(m)
		}
	}
	return undo, detail, nil
}

// empty ends the machine's node, whatever it does, and takes its disk's content.
func (m *machine) empty() {
	if m.alive() || m.status == booting {
		m.w.referee.leaderGone(m)
		m.crash(disk.CrashOptions{LoseUnsynced: true})
	}
	m.status, m.lost = down, true
}
