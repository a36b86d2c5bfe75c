package host_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"drydock/node/consensus"
	"drydock/node/fleet"
	"drydock/node/host"
	"drydock/node/state"
)

// putUnit makes a unit as soon as the cluster's release has units.
func putUnit(t *testing.T, h *host.Host, name string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(10 * time.Second)
	for {
		a := h.Fleet(t.Context(), &fleet.Command{Put: &fleet.Put{Name: name, Text: "[Service]\nExecStart=/bin/true\n"}})
		switch {
		case a.Status == consensus.Done && a.Refusal == nil && a.Fleet.Created:
			return
		case !errors.Is(a.Refusal, state.ErrNotYet):
			t.Fatalf("%+v", a)
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("the cluster's release has no units after 10 s")
		}
	}
}

func TestFleet(t *testing.T) {
	dir := t.TempDir()
	h, stop := start(t, dir)
	ctx := t.Context()
	putUnit(t, h, "a.service")
	var seen uint64
	look := func(s *fleet.Store) {
		if _, ok := s.Unit("a.service"); ok {
			seen = s.Revision()
		}
	}
	for _, stale := range []bool{true, false} {
		seen = 0
		if a := h.ReadFleet(ctx, stale, look); a.Status != consensus.Done || seen == 0 {
			t.Errorf("stale %v: %+v, saw %d", stale, a, seen)
		}
	}
	if a := h.Fleet(ctx, &fleet.Command{Destroy: &fleet.Destroy{Name: "none.service"}}); !errors.Is(a.Refusal, fleet.ErrNotFound) {
		t.Errorf("%+v", a)
	}
	if a := h.AskFleet(ctx, []string{"a.service", "b.service"}); a.Status != consensus.Done || len(a.Why) != 2 {
		t.Errorf("%+v", a)
	}

	// Who waits is woken by a change, and finds it made.
	h.WaitFleet(ctx, seen-1)
	woken := make(chan struct{})
	go func() {
		defer close(woken)
		h.WaitFleet(ctx, seen)
	}()
	short, end := context.WithTimeout(ctx, 10*time.Millisecond)
	h.WaitFleet(short, seen)
	if short.Err() == nil {
		t.Error("woken by nothing")
	}
	end()
	putUnit(t, h, "b.service")
	select {
	case <-woken:
	case <-time.After(10 * time.Second):
		t.Fatal("not woken by a change")
	}

	// A host that has stopped lets go of who waits; its next life knows where it is.
	ended := make(chan struct{})
	go func() { h.WaitFleet(ctx, 1<<60); close(ended) }()
	stop()
	<-ended
	if a := h.ReadFleet(ctx, true, look); a.Status != consensus.Refused {
		t.Errorf("a stopped host answered: %+v", a)
	}
	h, _ = start(t, dir)
	h.WaitFleet(ctx, seen)
}
