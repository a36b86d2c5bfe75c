package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"drydock/chaos"
	"drydock/vmlab/inject"
	"drydock/vmlab/lab"
	"drydock/vmlab/wire"
)

// Order asks for a fault.
type Order struct {
	Kind   chaos.Kind      `json:"kind"`
	Params json.RawMessage `json:"params"`
	// For undoes it after this time; 0 leaves it until healed.
	For time.Duration `json:"for,omitempty"`
}

// Fault is one that was injected.
type Fault struct {
	// ID names it for heal; 0 for one that has no end but a restart.
	ID    int        `json:"id,omitempty"`
	Kind  chaos.Kind `json:"kind"`
	Text  string     `json:"text"`
	Since time.Time  `json:"since"`
	// Until is when it ends by itself; zero: not.
	Until  time.Time `json:"until,omitzero"`
	Detail string    `json:"detail,omitempty"`

	undo  inject.Undo
	timer *time.Timer
}

// Faults are what lasts, and what the wire has done to frames; nil where the
// kernel connects machines.
type Faults struct {
	Lasting []Fault      `json:"lasting"`
	Wire    *wire.Report `json:"wire,omitempty"`
}

// errKind is matched when an order names no fault.
var errKind = errors.New("no such fault")

// members are the machines as faults choose among them.
func (k *Keeper) members(ctx context.Context) []chaos.Member {
	s := k.Status(ctx)
	var list []chaos.Member
	term := uint64(0)
	for i := range s.Machines {
		m := &s.Machines[i]
		list = append(list, chaos.Member{
			Name: m.Machine.Node, Up: m.NodeUp, Paused: m.NodePaused,
			Voter: m.Role == lab.RoleMember && m.Seat != lab.SeatOutside, Outside: m.Seat == lab.SeatOutside,
			Worker: m.Role == lab.RoleWorker, Units: true, Busy: m.Units > 0,
		})
		if m.State == "leader" {
			term = max(term, m.Term)
		}
	}
	for i := range s.Machines {
		list[i].Leader = s.Machines[i].State == "leader" && s.Machines[i].Term == term
	}
	slices.SortStableFunc(list, func(a, b chaos.Member) int { return strings.Compare(a.Name[:1], b.Name[:1]) })
	return list
}

// renamed is an error that names machines as the lab does.
type renamed struct {
	error
	text string
}

func (r renamed) Error() string { return r.text }

func (r renamed) Unwrap() error { return r.error }

// Strike injects a fault.
func (k *Keeper) Strike(ctx context.Context, o Order) (*Fault, error) {
	entry, ok := chaos.Find(o.Kind)
	if !ok || o.Kind == chaos.KindHeal {
		return nil, fmt.Errorf("%w: %q", errKind, o.Kind)
	}
	params := entry.New()
	if err := json.Unmarshal(o.Params, params); err != nil {
		return nil, fmt.Errorf("%s: %w", o.Kind, err)
	}
	if err := k.inject().Supports(o.Kind); err != nil {
		return nil, err
	}
	k.striking.Lock()
	defer k.striking.Unlock()
	f, err := chaos.Resolve(params, k.members(ctx), rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	if err != nil {
		return nil, renamed{err, k.inject().Names(err.Error())}
	}
	k.mu.Lock()
	k.numbered++
	number := k.numbered
	k.mu.Unlock()
	one := &Fault{ID: number, Kind: o.Kind, Text: k.inject().Names(f.Text), Since: time.Now()}
	if err := k.register(one.Text); err != nil {
		return nil, err
	}
	if inject.Operated(f.Kind) {
		one.Detail, err = k.operate(ctx, f)
	} else {
		one.undo, one.Detail, err = k.inject().Inject(f)
	}
	if err != nil {
		return nil, errors.Join(err, k.unregister(one.Text))
	}
	k.mu.Lock()
	if one.undo != nil {
		k.lasting = append(k.lasting, one)
	}
	k.endLater(one, f, o.For)
	said := *one
	k.mu.Unlock()
	if one.undo == nil {
		said.ID = 0
		return &said, k.unregister(one.Text)
	}
	return &said, nil
}

// endLater arranges a fault's end, or the restart that follows it. The caller has
// locked, so that its end, which may come at once, finds it.
func (k *Keeper) endLater(one *Fault, f chaos.Fault, lasts time.Duration) {
	if one.undo == nil {
		switch p := f.Params.(type) {
		case *chaos.Crash:
			lasts = max(lasts, p.RestartAfter)
		case *chaos.PowerLoss:
			lasts = max(lasts, p.RestartAfter)
		case *chaos.Wipe:
			lasts = max(lasts, p.RestartAfter)
		default:
			lasts = 0 // nobody is down by it
		}
	}
	if lasts <= 0 {
		return
	}
	one.Until = one.Since.Add(lasts)
	if one.undo != nil {
		one.timer = time.AfterFunc(lasts, func() { _, _ = k.Heal([]int{one.ID}) })
		return
	}
	restart := chaos.Fault{Kind: chaos.KindRestart, Nodes: f.Nodes, Params: new(chaos.Restart)}
	k.restarts = append(k.restarts, time.AfterFunc(lasts, func() { _, _, _ = k.inject().Inject(restart) })) // no effect on who runs again
}

// register notes a fault before it is applied, for whoever finds the lab without
// its keeper.
func (k *Keeper) register(text string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state.Undo = append(k.state.Undo, text)
	return k.store.Save(k.state)
}

func (k *Keeper) unregister(text string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if at := slices.Index(k.state.Undo, text); at >= 0 {
		k.state.Undo = slices.Delete(k.state.Undo, at, at+1)
	}
	return k.store.Save(k.state)
}

// Heal ends faults, all if none are named, and says which. Healing all starts dead
// machines and nodes, too.
func (k *Keeper) Heal(ids []int) ([]string, error) {
	k.mu.Lock()
	var ended []*Fault
	k.lasting = slices.DeleteFunc(k.lasting, func(f *Fault) bool {
		if len(ids) > 0 && !slices.Contains(ids, f.ID) {
			return false
		}
		ended = append(ended, f)
		return true
	})
	k.mu.Unlock()
	if len(ids) > 0 && len(ended) == 0 {
		return nil, fmt.Errorf("%w: none of these lasts; drydock lab fault show lists those that do", errKind)
	}
	var said []string
	var errs []error
	// What users do is undone by the cluster, which is whole when the rest is healed.
	undo := func(users bool) {
		for _, f := range ended {
			if f.Kind.Users() != users {
				continue
			}
			if f.timer != nil {
				f.timer.Stop()
			}
			errs = append(errs, f.undo(), k.unregister(f.Text))
			said = append(said, "end of "+f.Text)
		}
	}
	undo(false)
	if len(ids) == 0 {
		said, errs = k.restartDead(said, errs)
	}
	undo(true)
	return said, errors.Join(errs...)
}

// restartDead starts dead machines and nodes, but for those that are to be outside of
// the cluster.
func (k *Keeper) restartDead(said []string, errs []error) ([]string, []error) {
	k.calm()
	for _, m := range k.site().Machines {
		if m.Seat == lab.SeatOutside {
			continue
		}
		_, _, err := k.inject().Inject(chaos.Fault{Kind: chaos.KindRestart, Nodes: []string{m.Node}, Params: new(chaos.Restart)})
		switch {
		case err == nil:
			said = append(said, "restart "+m.Name)
		case !errors.Is(err, chaos.ErrNoEffect):
			errs = append(errs, err)
		}
	}
	return said, errs
}

// calm gives up the restarts that are still to come: who is dead starts now, and who
// dies later has a restart of its own, or none.
func (k *Keeper) calm() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, t := range k.restarts {
		t.Stop()
	}
	k.restarts = nil
}

// Faults shows what lasts.
func (k *Keeper) Faults() *Faults {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := &Faults{Lasting: []Fault{}}
	for _, f := range k.lasting {
		out.Lasting = append(out.Lasting, *f)
	}
	if sw := k.ground.Wire(); sw != nil {
		r := sw.Report()
		out.Wire = &r
	}
	return out
}
