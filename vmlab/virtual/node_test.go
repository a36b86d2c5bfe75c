package virtual

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"drydock/vmlab/lab"
	"drydock/vmlab/sshway"
)

// TestNode: what could not be told has not happened, and a node that was killed takes
// no orders but to start.
func TestNode(t *testing.T) {
	dir := t.TempDir()
	a := lab.Access{Machine: "core-01", Socket: filepath.Join(dir, "ssh.sock"), Key: filepath.Join(dir, "key")}
	if _, err := sshway.MakeKey(a.Key); err != nil {
		t.Fatal(err)
	}
	n := new(Node)
	for what, do := range map[string]func(lab.Access) error{"start": n.Start, "kill": n.Kill, "pause": n.Pause, "resume": n.Resume} {
		if err := do(a); err == nil || n.State() != NodeRuns {
			t.Errorf("%s of a machine that isn't there: %v, state %d", what, err, n.State())
		}
	}
	var v lab.Vitals
	n.Vitals(&v)
	if !v.NodeUp || v.NodePaused {
		t.Errorf("vitals: %+v", v)
	}
	n.Set(NodePaused)
	if n.Vitals(&v); !v.NodeUp || !v.NodePaused {
		t.Errorf("vitals of a paused node: %+v", v)
	}
	n.Set(NodeKilled)
	if n.Vitals(&v); v.NodeUp || v.NodePaused {
		t.Errorf("vitals of a killed node: %+v", v)
	}
	for what, do := range map[string]func(lab.Access) error{"kill": n.Kill, "pause": n.Pause, "resume": n.Resume} {
		if err := do(a); !errors.Is(err, ErrNoNode) {
			t.Errorf("%s of a node that was killed: %v", what, err)
		}
	}
	if err := n.Start(a); err == nil || errors.Is(err, ErrNoNode) {
		t.Errorf("start of a node that was killed: %v", err)
	}
}

// TestSetClockOfNobody: who can't be reached is not waited for.
func TestSetClockOfNobody(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if _, err := sshway.MakeKey(key); err != nil {
		t.Fatal(err)
	}
	if err := SetClock(context.Background(), lab.Access{Machine: "core-01", Socket: filepath.Join(dir, "ssh.sock"), Key: key}); err == nil {
		t.Error("the clock of nobody was set")
	}
}
