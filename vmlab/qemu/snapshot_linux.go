package qemu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"drydock/vmlab/lab"
	"drydock/vmlab/power"
	"drydock/vmlab/virtual"
)

// Snapshots implements lab.Snapshotter.
func (g *ground) Snapshots() ([]lab.Snapshot, error) { return g.records().load() }

func (g *ground) records() records {
	return records{filepath.Join(g.Dir(), "machines", "snapshots.json")}
}

// all returns the lab's machines by their names, each with its turn held until the
// returned function is called.
func (g *ground) all() (map[string]*machine, func()) {
	list := map[string]*machine{}
	for name, u := range g.Units() { // any order: nobody holds two turns but who snaps
		m := u.(*machine)
		m.Turn.Lock()
		list[name] = m
	}
	return list, func() {
		for _, m := range list { // any order: each by itself
			m.Turn.Unlock()
		}
	}
}

// eachOf does something to machines, all at once, and says whose error it is.
func eachOf(list map[string]*machine, do func(name string, m *machine) error) error {
	var wait sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for name, m := range list { // any order: all at once
		wait.Go(func() {
			if err := do(name, m); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// SaveSnapshot implements lab.Snapshotter.
func (g *ground) SaveSnapshot(ctx context.Context, name string) (*lab.Snapshot, error) {
	g.snapping.Lock()
	defer g.snapping.Unlock()
	if _, err := g.records().find(name); !errors.Is(err, lab.ErrNoSnapshot) {
		if err == nil {
			err = fmt.Errorf("%s: %w", name, lab.ErrSnapshotExists)
		}
		return nil, err
	}
	list, done := g.all()
	defer done()
	s := &lab.Snapshot{Name: name, Taken: time.Now().UTC()}
	ran := map[string]*machine{}
	for who, m := range list { // any order: sorted below
		v := m.Vitals()
		s.Machines = append(s.Machines, lab.SnapshotMachine{Name: who, Power: v.Power, NodeUp: v.NodeUp, NodePaused: v.NodePaused})
		if v.Power == lab.PowerOn {
			ran[who] = m
		}
	}
	slices.SortFunc(s.Machines, func(a, b lab.SnapshotMachine) int { return strings.Compare(a.Name, b.Name) })
	began := time.Now()
	err := eachOf(ran, func(_ string, m *machine) error { return m.HoldHeld(true) })
	if err == nil {
		err = eachOf(list, func(_ string, m *machine) error { return m.save(ctx, name) })
	}
	err = errors.Join(err, eachOf(ran, func(_ string, m *machine) error {
		if _, state := m.Running(); !errors.Is(state, power.ErrPaused) {
			return nil // it was not paused, which is told already, or has ended since
		}
		return m.HoldHeld(false)
	}))
	s.Paused = time.Since(began)
	if err == nil {
		err = g.records().add(s)
	}
	if err != nil {
		_ = eachOf(list, func(_ string, m *machine) error { return m.forget(context.WithoutCancel(ctx), name) }) // as far as it came
		return nil, err
	}
	return s, nil
}

// RestoreSnapshot implements lab.Snapshotter. Where it fails, machines are off.
func (g *ground) RestoreSnapshot(ctx context.Context, name string) (*lab.Snapshot, error) {
	g.snapping.Lock()
	defer g.snapping.Unlock()
	s, err := g.records().find(name)
	if err != nil {
		return nil, err
	}
	list, done := g.all()
	defer done()
	was := map[string]lab.SnapshotMachine{}
	for _, one := range s.Machines {
		was[one.Name] = one
		if list[one.Name] == nil {
			return nil, fmt.Errorf("%s: %w: %s is no more", name, lab.ErrSnapshotDiffers, one.Name)
		}
	}
	for who := range list { // any order: one of them is named
		if _, ok := was[who]; !ok {
			return nil, fmt.Errorf("%s: %w: %s came later", name, lab.ErrSnapshotDiffers, who)
		}
	}
	err = eachOf(list, func(who string, m *machine) error { return m.load(ctx, name, was[who]) })
	if err == nil {
		err = eachOf(list, func(who string, m *machine) error {
			if was[who].Power != lab.PowerOn {
				return nil
			}
			return m.HoldHeld(false)
		})
	}
	if err != nil {
		return nil, errors.Join(err, eachOf(list, func(_ string, m *machine) error { return m.CutHeld() }))
	}
	return s, eachOf(list, func(who string, m *machine) error {
		if was[who].Power != lab.PowerOn {
			return nil
		}
		return m.setClock(ctx)
	})
}

// DeleteSnapshot implements lab.Snapshotter.
func (g *ground) DeleteSnapshot(ctx context.Context, name string) error {
	g.snapping.Lock()
	defer g.snapping.Unlock()
	if _, err := g.records().find(name); err != nil {
		return err
	}
	list, done := g.all()
	defer done()
	if err := eachOf(list, func(_ string, m *machine) error { return m.forget(ctx, name) }); err != nil {
		return err
	}
	return g.records().drop(name)
}

// save keeps the state of a machine that is paused, or the disk of one that is off.
func (m *machine) save(ctx context.Context, name string) error {
	l, err := m.Running()
	switch {
	case errors.Is(err, power.ErrPaused):
		return l.Part.monitor.Job(ctx, "snapshot-save", map[string]any{
			"job-id": "snapshot", "tag": name, "vmstate": diskNode, "devices": []string{diskNode},
		})
	case !errors.Is(err, power.ErrOff):
		return fmt.Errorf("it is not paused: %w", err)
	}
	if _, err := os.Stat(m.File(diskFile)); errors.Is(err, os.ErrNotExist) {
		// It was never on: a disk of nothing is what it is to come back to.
		if err := m.makeDisk(ctx); err != nil {
			return err
		}
	}
	return m.imageTool(ctx, "snapshot", "-c", name, "--image-opts", layer(m.File(diskFile), m.Image.Disk()))
}

// load brings the machine back, paused if it was on.
func (m *machine) load(ctx context.Context, name string, was lab.SnapshotMachine) error {
	if was.Power == lab.PowerOff {
		if err := m.CutHeld(); err != nil {
			return err
		}
		return m.imageTool(ctx, "snapshot", "-a", name, "--image-opts", layer(m.File(diskFile), m.Image.Disk()))
	}
	err := m.BeginHeld(ctx, func(ctx context.Context, l *life) error { return m.start(ctx, l, name) })
	if err != nil {
		return err
	}
	switch {
	case !was.NodeUp:
		m.Node.Set(virtual.NodeKilled)
	case was.NodePaused:
		m.Node.Set(virtual.NodePaused)
	}
	return nil
}

// forget gives the machine's part of a snapshot up.
func (m *machine) forget(ctx context.Context, name string) error {
	l, err := m.Running()
	if errors.Is(err, power.ErrOff) {
		return m.imageTool(ctx, "snapshot", "-d", name, "--image-opts", layer(m.File(diskFile), m.Image.Disk()))
	}
	return l.Part.monitor.Job(ctx, "snapshot-delete", map[string]any{
		"job-id": "snapshot", "tag": name, "devices": []string{diskNode},
	})
}

// clockPatience is how long a machine may take to have its clock set.
const clockPatience = 2 * time.Minute

// setClock sets the machine's clock to the host's.
func (m *machine) setClock(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, clockPatience)
	defer cancel()
	return virtual.SetClock(ctx, m.Reach())
}
