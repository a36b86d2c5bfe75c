package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/vmlab/lab"
)

// snapGround keeps which machines are on, and brings that back.
type snapGround struct {
	*fakeGround
	list []lab.Snapshot
}

func (g *snapGround) Snapshots() ([]lab.Snapshot, error) { return g.list, nil }

func (g *snapGround) SaveSnapshot(_ context.Context, name string) (*lab.Snapshot, error) {
	s := lab.Snapshot{Name: name, Taken: began}
	for machine, u := range g.Units() { // any order: sorted below
		v := u.Vitals()
		s.Machines = append(s.Machines, lab.SnapshotMachine{Name: machine, Power: v.Power, NodeUp: v.NodeUp, NodePaused: v.NodePaused})
	}
	slices.SortFunc(s.Machines, func(a, b lab.SnapshotMachine) int { return strings.Compare(a.Name, b.Name) })
	g.list = append(g.list, s)
	return &s, nil
}

func (g *snapGround) RestoreSnapshot(ctx context.Context, name string) (*lab.Snapshot, error) {
	for i := range g.list {
		if g.list[i].Name != name {
			continue
		}
		for _, m := range g.list[i].Machines {
			u := g.Unit(m.Name)
			if err := u.Cut(); err != nil {
				return nil, err
			}
			if m.Power == lab.PowerOn {
				if err := u.Boot(ctx); err != nil {
					return nil, err
				}
			}
		}
		return &g.list[i], nil
	}
	return nil, fmt.Errorf("%s: %w", name, lab.ErrNoSnapshot)
}

func (g *snapGround) DeleteSnapshot(_ context.Context, name string) error {
	n := len(g.list)
	g.list = slices.DeleteFunc(g.list, func(s lab.Snapshot) bool { return s.Name == name })
	if len(g.list) == n {
		return fmt.Errorf("%s: %w", name, lab.ErrNoSnapshot)
	}
	return nil
}

func TestSnapshots(t *testing.T) {
	k := keep(t, &fake{snaps: true}, three)
	k.up()
	if err := k.ground.Unit("core-02").Cut(); err != nil {
		t.Fatal(err)
	}
	s, err := k.client.SaveSnapshot(t.Context(), "two")
	if err != nil || len(s.Machines) != 3 || s.Machines[1].Power != lab.PowerOff {
		t.Fatalf("saved: %+v, %v", s, err)
	}
	if err := k.ground.Unit("core-01").Cut(); err != nil {
		t.Fatal(err)
	}
	k.mu.Lock()
	ready := k.ready["core-02"]
	k.mu.Unlock()
	if err := k.client.RestoreSnapshot(t.Context(), "two", k.tell); err != nil {
		t.Fatal(err)
	}
	// Those that ran are ready again; the one that was off is off, and not waited for.
	got := k.events(WhatRestored)
	if diff := cmp.Diff([]string{"core-01 restored", "core-02 restored", "core-03 restored"}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	st, err := k.client.Status(t.Context())
	if err != nil || st.Machines[0].Power != lab.PowerOn || st.Machines[1].Power != lab.PowerOff || st.Machines[2].Power != lab.PowerOn {
		t.Errorf("status: %+v, %v", st, err)
	}
	if k.mu.Lock(); k.ready["core-02"] || !k.ready["core-01"] {
		t.Errorf("ready: %v, core-02 before: %v", k.ready, ready)
	}
	k.mu.Unlock()
	if list, err := k.client.Snapshots(t.Context()); err != nil || len(list) != 1 || list[0].Name != "two" {
		t.Errorf("list: %+v, %v", list, err)
	}
	if err := k.client.DeleteSnapshot(t.Context(), "two"); err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"restore": k.client.RestoreSnapshot(t.Context(), "two", k.tell),
		"delete":  k.client.DeleteSnapshot(t.Context(), "two"),
	} {
		if err == nil || !strings.Contains(err.Error(), lab.ErrNoSnapshot.Error()) {
			t.Errorf("%s of what is no more: %v", what, err)
		}
	}
	if err := k.client.RestoreSnapshot(t.Context(), "", k.tell); err == nil || !strings.Contains(err.Error(), "without a snapshot's name") {
		t.Errorf("no name: %v", err)
	}
	if _, err := k.SaveSnapshot(t.Context(), "a b"); err == nil || !strings.Contains(err.Error(), "is no name") {
		t.Errorf("a name with a space: %v", err)
	}
}

// TestSnapshotsRefused: a driver that lacks them is named, and so is what it lacks.
func TestSnapshotsRefused(t *testing.T) {
	k := keep(t, &fake{}, three)
	_, list := k.client.Snapshots(t.Context())
	_, save := k.client.SaveSnapshot(t.Context(), "a")
	for what, err := range map[string]error{
		"list": list, "save": save,
		"restore": k.client.RestoreSnapshot(t.Context(), "a", k.tell), "delete": k.client.DeleteSnapshot(t.Context(), "a"),
	} {
		if want := `snapshots: the driver fake can't: it lacks the capability "snapshot"`; err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
	}
	if _, err := k.Snapshots(); !errors.As(err, new(*lab.MissingError)) {
		t.Errorf("got %T", err)
	}
}
