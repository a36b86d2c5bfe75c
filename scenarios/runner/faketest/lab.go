package faketest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"drydock/chaos"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/sim/history"
)

// Lab is the fake world as one that drivers make, which no seed decides, and whose
// machines leave something. The driver boxes can do all; engines can't crash
// anybody. Beside World's scenarios there are
//
//	stalls    nobody leads after a fault, while the machine stood still
//	leaderless  the same on a machine that did not
type Lab struct{ Made string }

// Name implements runner.World.
func (Lab) Name() string { return "lab" }

// Unrepeatable implements runner.Unrepeatable.
func (Lab) Unrepeatable() {}

// Driver implements runner.Driven.
func (l Lab) Driver() string {
	if l.Made == "" {
		return l.Drivers()[0]
	}
	return l.Made
}

// Drivers implements runner.Driven.
func (Lab) Drivers() []string { return []string{"boxes", "engines"} }

// By implements runner.Driven.
func (Lab) By(driver string) (runner.World, error) { return Lab{driver}, nil }

// Supports implements runner.World.
func (l Lab) Supports(k chaos.Kind) error {
	if l.Driver() == "engines" && k == chaos.KindCrash {
		return errors.New("the driver engines can't")
	}
	return nil
}

// Refuse implements runner.Choosy.
func (Lab) Refuse(s *scenario.Scenario) error {
	if s.Cluster.Learners > 0 {
		return errors.New("cluster.learners: it has none")
	}
	return nil
}

// lostAt is when the leader is lost that nobody follows.
const lostAt = 2 * time.Second

// Run implements runner.World.
func (l Lab) Run(ctx context.Context, spec runner.Spec) (*runner.Result, error) {
	r, err := World{}.Run(ctx, spec)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "fake-lab-")
	if err != nil {
		return nil, err
	}
	r.Trace, r.Coarse, r.Remains = "", true, remains(dir)
	if name := spec.Scenario.Name; name == "stalls" || name == "leaderless" {
		r.Faults = append(r.Faults, history.Fault{Time: int64(lostAt), Kind: string(chaos.KindCrash), Node: "n1", TookLeader: true})
		r.Ops = slices.DeleteFunc(r.Ops, func(op history.Op) bool { return op.Return > int64(lostAt) })
		if name == "stalls" {
			r.Stall, r.StallAt = 3*time.Second, 2*time.Second
		}
	}
	r.Unseen = map[string]string{scenario.ExpectQuorums: "nobody counts votes here"}
	return r, nil
}

// remains is a directory with a file.
type remains string

// Keep implements runner.Remains.
func (r remains) Keep(dir string) (string, error) {
	place := filepath.Join(dir, "kept")
	if err := os.MkdirAll(place, 0o755); err != nil {
		return "", err
	}
	return place, os.WriteFile(filepath.Join(place, "console.log"), []byte("a line\n"), 0o600)
}

// Remove implements runner.Remains.
func (r remains) Remove() error { return os.RemoveAll(string(r)) }
