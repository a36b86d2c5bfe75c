package host

import (
	"context"
	"sync"
	"time"

	"drydock/node"
	"drydock/node/consensus"
	"drydock/node/fleet"
)

// leaderless is how long there must have been no leader for requests about the
// fleet to be refused at once: an election is worth waiting for.
const leaderless = time.Second

// Fleet proposes a change of the fleet and waits for the outcome: Status is done and
// Refusal set when the state has decided against it, else Fleet is set.
func (h *Host) Fleet(ctx context.Context, c *fleet.Command) node.Answer {
	if a, hopeless := h.hopeless(); hopeless {
		return a
	}
	token := h.tokens.Add(1)
	return h.ask(ctx, token, node.FleetRequest{Token: token, Command: c})
}

// ReadFleet calls look with the fleet's state on the reactor's goroutine: as it is
// on this member, if stale, else when it shows all that was done before the call.
// Look must be quick. It isn't called any more when ReadFleet has returned.
func (h *Host) ReadFleet(ctx context.Context, stale bool, look func(*fleet.Store)) node.Answer {
	if a, hopeless := h.hopeless(); hopeless && !stale {
		return a
	}
	var mu sync.Mutex
	over := false
	token := h.tokens.Add(1)
	a := h.ask(ctx, token, node.FleetRead{Token: token, Stale: stale, Look: func(s *fleet.Store) {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			look(s)
		}
	}})
	mu.Lock()
	over = true
	mu.Unlock()
	return a
}

// AskFleet has the leader say why units aren't placed or wait: the answer's Why is in
// the order of their names.
func (h *Host) AskFleet(ctx context.Context, units []string) node.Answer {
	if a, hopeless := h.hopeless(); hopeless {
		return a
	}
	token := h.tokens.Add(1)
	return h.ask(ctx, token, node.FleetAsk{Token: token, Units: units})
}

// hopeless refuses what has no leader to go to.
func (h *Host) hopeless() (node.Answer, bool) {
	l := h.Leadership()
	if l.Role.Lead != 0 || time.Since(l.Since) < leaderless || time.Since(l.Started) < leaderless {
		return node.Answer{}, false
	}
	return node.Answer{Status: consensus.Refused, Reason: consensus.ReasonNoLeader}, true
}

// WaitFleet waits until the fleet, as this member has it, has changed after a
// revision, or ctx or the host has ended.
func (h *Host) WaitFleet(ctx context.Context, after uint64) {
	for {
		revision, changed := h.fleet.look()
		if revision > after {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		case <-h.done:
			return
		}
	}
}

// fleetNews tells other goroutines than the reactor's when the fleet changes.
type fleetNews struct {
	mu       sync.Mutex
	revision uint64
	changed  chan struct{} // closed at the next change; nil while nobody waits
}

func (f *fleetNews) look() (revision uint64, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	return f.revision, f.changed
}

// follow is called when the state may have changed.
func (f *fleetNews) follow(s *fleet.Store) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.Revision() == f.revision {
		return
	}
	f.revision = s.Revision()
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}
