package control_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"drydock/node/control"
	"drydock/node/fleet"
	"drydock/node/link"
)

func TestConfig(t *testing.T) {
	for want, cfg := range map[string]control.Config{
		"drift of 200000":  {Drift: 200_000},
		"drift of -1":      {Drift: -1},
		"beat every 1ms":   {Beat: time.Millisecond},
		"lease of 1s":      {Lease: time.Second},
		"beats for 2s":     {Gather: 2 * time.Second},
		"beats for -100ms": {Gather: -100 * time.Millisecond},
	} {
		if err := cfg.Validate(); !errors.Is(err, control.ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want it to name %q", cfg, err, want)
		}
		if _, err := control.New(cfg); err == nil {
			t.Errorf("%+v makes a Control", cfg)
		}
	}
	if err := (control.Config{}).Validate(); err != nil {
		t.Error(err)
	}
}

// join gives machine n a session.
func (w *world) join(n int) {
	w.receive(id(n), &link.Frame{Hello: &link.Hello{Nonce: 1, Machine: fleet.Machine{ID: id(n)}}})
	w.turn()
}

// TestOrdersInParts: a list that is too long for a frame comes in several, and their
// texts as far as there is room.
func TestOrdersInParts(t *testing.T) {
	w := newWorld(t, control.Config{})
	var parts []*link.Orders
	w.deliver = func(_ string, f *link.Frame) {
		if f.Orders != nil {
			parts = append(parts, f.Orders)
		}
	}
	w.lead()
	for i := range 2500 {
		w.put(fmt.Sprintf("u%d.service", i), text(fmt.Sprintf("Priority=%d", i%10)), fleet.Launched)
	}
	w.turn()
	w.join(1)
	last := parts[len(parts)-3:]
	names := map[string]bool{}
	for i, o := range last {
		if o.Part != i || o.Parts != 3 || o.Total != 2500 || o.Version != last[0].Version {
			t.Errorf("part %d of %d, total %d, version %d", o.Part, o.Parts, o.Total, o.Version)
		}
		for _, u := range o.Units {
			names[u.Unit] = true
		}
	}
	if len(names) != 2500 {
		t.Errorf("%d units ordered", len(names))
	}
}

// TestStartOver: when more has changed than can be told, all is read anew, and stays
// where it is.
func TestStartOver(t *testing.T) {
	w := newWorld(t, control.Config{})
	w.lead()
	w.join(1)
	w.put("a.service", text(), fleet.Launched)
	w.turn()
	w.join(2)
	for i := range 1<<16 + 1 {
		w.put(fmt.Sprintf("u%d.service", i), text(), fleet.Inactive)
	}
	w.put("b.service", text(), fleet.Launched)
	w.turn()
	if a, b := w.places("a.service"), w.places("b.service"); a != "m1" || b != "m2" {
		t.Errorf("a is on %s and b on %s", a, b)
	}
	w.beating = true
	w.pass(5 * time.Second)
	if n := w.ctl.Counters(); n.Machines != 2 || n.Closed != 0 || n.Waiting != 0 {
		t.Errorf("%+v", n)
	}
}

// TestTakeoverInSteps: a leader of many units reads them in bounded steps, answers
// machines meanwhile, and moves nothing.
func TestTakeoverInSteps(t *testing.T) {
	w := newWorld(t, control.Config{})
	w.lead()
	for n := range 5 {
		w.join(n + 1)
	}
	const units = 8000
	for i := range units {
		w.put(fmt.Sprintf("u%d.service", i), text(), fleet.Launched)
	}
	w.turn()
	m, _ := w.store.Machine(id(1))
	revision := w.revision
	w.ctl.Resign()
	w.ctl.Lead(w.now, w.term+1, w.store)
	w.receive(id(1), &link.Frame{Beat: &link.Beat{Session: m.Session, Seq: 1, Have: m.Orders}})
	acked, steps := 0, 0
	for more := true; more; steps++ {
		out := w.ctl.Run(w.now)
		if out.Round != 0 {
			w.ctl.Confirmed(w.now, out.Round)
			acked = steps
		}
		if len(out.Proposals) > 0 {
			t.Fatalf("proposes %s", words(out.Proposals[0].Command))
		}
		if more = out.More; more && !strings.Contains(w.ctl.Why("u1.service"), "reads") && steps < 5 {
			t.Errorf("why: %s", w.ctl.Why("u1.service"))
		}
	}
	if steps < units/1024 || acked > 1 {
		t.Errorf("%d steps, the beat acknowledged after %d", steps, acked)
	}
	if w.revision != revision {
		t.Error("something was written")
	}
}

// TestGlobalsWaitForThem: a machine's first orders have the global units that belong
// there, so that one that comes back needn't stop and start them.
func TestGlobalsWaitForThem(t *testing.T) {
	w := newWorld(t, control.Config{})
	var first *link.Orders
	w.deliver = func(_ string, f *link.Frame) {
		if f.Orders != nil && first == nil {
			first = f.Orders
		}
	}
	w.lead()
	w.put("g.service", text("Global=yes"), fleet.Launched)
	w.turn()
	w.join(1)
	if first == nil || len(first.Units) != 1 || first.Units[0].Unit != "g.service" || !first.Units[0].Global {
		t.Errorf("the first orders are %+v", first)
	}
}
