package fleetload_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"drydock/bench/consensus"
	"drydock/bench/fleetload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// small is a cluster that takes a moment.
func small(t *testing.T) *fleetload.Run {
	return &fleetload.Run{
		Members: 3, Machines: 7, Units: 300, Submitters: 50, Increments: 5, Losses: 2, Rest: 10 * time.Millisecond,
		Storage: consensus.Memory, Links: consensus.Process, Dir: t.TempDir(), Progress: func(string) {},
	}
}

func TestACluster(t *testing.T) {
	for _, reports := range []bool{false, true} {
		r := small(t)
		r.Reports, r.Replicas = reports, !reports
		var phases []string
		r.Progress = func(what string) { phases = append(phases, what) }
		res, err := r.Measure(t.Context())
		if err != nil {
			t.Fatalf("reports %v: %v", reports, err)
		}
		if got, want := strings.Join(phases, ", "), "members, sessions, fill, rest, increments, losses, check, decisions alone"+
			map[bool]string{true: ", by templates: members, by templates: sessions, by templates: fill, by templates: check"}[r.Replicas]; got != want {
			t.Errorf("phases %s, want %s", got, want)
		}
		f := res.Fill
		if f.Moves != 300 || f.Syncs == 0 || f.Sent <= 0 || f.Rate <= 0 || f.CPU <= 0 || f.SubmitSeconds > f.Seconds || f.Seconds > f.SettledSeconds {
			t.Errorf("fill %+v", f)
		}
		if p := res.Replicas; (p != nil) != r.Replicas || p != nil && (p.Moves != 300 || p.Rate <= 0 || p.CPU <= 0) {
			t.Errorf("by templates: %+v", p)
		}
		if f.Pushes == 0 || f.Pushed == 0 {
			t.Errorf("no orders: %+v", f)
		}
		if res.Increment.Count != 5 || res.Loss.Commit.Count != 2 || res.Loss.Decide.Count != 2 || res.Loss.Units < 300/7 {
			t.Errorf("increments %+v, losses %+v", res.Increment, res.Loss)
		}
	}
}

func TestItEnds(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	r := small(t)
	r.Progress = func(what string) {
		if what == "fill" {
			stop()
		}
	}
	if res, err := r.Measure(ctx); err == nil || res != nil || ctx.Err() == nil {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestNoRoom(t *testing.T) {
	r := small(t)
	r.Storage, r.Dir = consensus.Disk, t.TempDir()+"/none"
	if _, err := r.Measure(t.Context()); err == nil || !strings.Contains(err.Error(), "directory for the members") {
		t.Errorf("%v", err)
	}
}
