package inject

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"

	"drydock/chaos"
	"drydock/node/labcontrol"
	"drydock/vmlab/lab"
)

// ask makes a call on a node whose disk and clocks are controlled.
func (i *Injector) ask(m *lab.Machine, c labcontrol.Call) (*labcontrol.Answer, error) {
	a, err := labcontrol.Ask(i.Ground.Control(m.Name), c)
	if err != nil {
		return a, fmt.Errorf("%s: %w", m.Name, err)
	}
	return a, nil
}

// end has a controlled node end as its machine's power goes, or, when that stays, as
// a killed process does. It counts what became of what was not synced.
func (i *Injector) end(m *lab.Machine, loss lab.Loss) (kept, lost, torn int) {
	path := i.Ground.Control(m.Name)
	if _, err := os.Stat(path); err != nil {
		return 0, 0, 0 // it is not controlled, or not that far
	}
	a, err := labcontrol.Ask(path, labcontrol.Call{Power: &labcontrol.PowerLoss{Unsynced: loss.Unsynced, Torn: loss.Torn, Seed: loss.Seed}})
	if err != nil {
		return 0, 0, 0 // it was dead, or is paused: a kill loses all that it held back
	}
	return a.Kept, a.Lost, a.Torn
}

// tally counts over several nodes.
type tally struct {
	mu               sync.Mutex
	kept, lost, torn int
}

func (t *tally) add(kept, lost, torn int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept, t.lost, t.torn = t.kept+kept, t.lost+lost, t.torn+torn
}

func (t *tally) String() string {
	if t.kept+t.lost+t.torn == 0 {
		return ""
	}
	return fmt.Sprintf("%d unsynced writes lost, %d torn", t.lost, t.torn)
}

// clock moves clocks.
func (i *Injector) clock(f chaos.Fault) (Undo, string, error) {
	if ownClocks(i.Driver) {
		return i.setClocks(f)
	}
	undo, err := i.each(f.Nodes, func(m *lab.Machine) (Undo, error) {
		if m.Role == lab.RoleWorker {
			return nil, fmt.Errorf("%s: %w: a worker's lease goes by the kernel's clock", m.Name, chaos.ErrNoEffect)
		}
		there, back := moves(f.Params)
		if _, err := i.ask(m, labcontrol.Call{Clock: there}); err != nil {
			return nil, err
		}
		return func() error {
			_, err := i.ask(m, labcontrol.Call{Clock: back})
			return i.unlessDead(m, err)
		}, nil
	})
	return undo, "", err
}

// moves are what a fault of clocks does, and what undoes it.
func moves(p chaos.Params) (there, back *labcontrol.Move) {
	there, back = new(labcontrol.Move), new(labcontrol.Move)
	switch p := p.(type) {
	case *chaos.ClockRate:
		if p.Clock != chaos.ClockWall {
			there.MonoRate, back.MonoRate = p.Rate, 1
		}
		if p.Clock != chaos.ClockMono {
			there.WallRate, back.WallRate, back.Right = p.Rate, 1, true
		}
	case *chaos.ClockJump:
		by := p.By
		if p.Direction == "back" {
			by = -by
		}
		if p.Clock != chaos.ClockWall {
			there.Mono = max(by, 0)
		}
		if p.Clock != chaos.ClockMono {
			there.Wall, back.Right = by, true
		}
	}
	return there, back
}

// unlessDead forgives an undo that comes to a node that has died since: its next
// life has right clocks and a good disk.
func (i *Injector) unlessDead(m *lab.Machine, err error) error {
	if err != nil && (!i.Ground.Vitals(m.Name).NodeUp || strings.Contains(err.Error(), "connection refused")) {
		return nil
	}
	return err
}

// disk spoils disks.
func (i *Injector) disk(f chaos.Fault) (Undo, string, error) {
	undo, err := i.each(f.Nodes, func(m *lab.Machine) (Undo, error) {
		there, back := spoils(f.Params)
		if there.Trap != nil {
			there.Trap.ID = 1 + rand.IntN(1<<30)
			back.Disarm = there.Trap.ID
		}
		if _, err := i.ask(m, labcontrol.Call{Disk: there}); err != nil {
			return nil, err
		}
		if there.Trap != nil {
			i.watchTrap(m, there.Trap.ID, f.Struck)
		}
		return func() error {
			_, err := i.ask(m, labcontrol.Call{Disk: back})
			return i.unlessDead(m, err)
		}, nil
	})
	return undo, "", err
}

// watchTrap tells when a trap strikes. A node tells each strike once, to whoever asks: so
// all who ask it pass on what is not theirs.
func (i *Injector) watchTrap(m *lab.Machine, id int, struck func(node, detail string, dead bool)) {
	if struck == nil {
		return
	}
	i.traps.Store(id, struck)
	path := i.Ground.Control(m.Name)
	go func() {
		for { // until the node's process ends
			a, err := labcontrol.Ask(path, labcontrol.Call{Struck: true})
			if err != nil || a.Struck == nil {
				return
			}
			if tell, ok := i.traps.Load(a.Struck.ID); ok {
				tell.(func(node, detail string, dead bool))(m.Name, a.Struck.Detail, false)
			}
		}
	}()
}

// spoils are what a fault of disks does, and what undoes it.
func spoils(p chaos.Params) (there, back *labcontrol.DiskFault) {
	there, back = new(labcontrol.DiskFault), new(labcontrol.DiskFault)
	unbounded := int64(-1)
	switch p := p.(type) {
	case *chaos.SlowDisk:
		there.Slow, back.Slow = p.Latency, -p.Latency
	case *chaos.DiskStall:
		there.Stall, back.Stall = 1, -1
	case *chaos.DiskFull:
		free := int64(p.Free)
		there.Free, back.Free = &free, &unbounded
	case *chaos.DiskError:
		there.Trap = &labcontrol.Trap{On: p.On, Files: p.Files, Nth: p.Nth, Times: p.Times}
	}
	return there, back
}
