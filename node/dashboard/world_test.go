package dashboard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"drydock/node"
	"drydock/node/consensus"
	"drydock/node/fleet"
	fleetface "drydock/node/fleetapi/serve"
	"drydock/node/host"
	"drydock/node/runtime"
)

const fleetTerm = 3

// harbour is a member whose fleet a test has in its hands: no leader places units, no
// machine tells of them but as the test says.
type harbour struct {
	*host.Host
	t *testing.T

	mu       sync.Mutex
	store    *fleet.Store
	revision uint64
	changed  chan struct{} // closed at the next change
	why      map[string]string
	fails    *node.Answer // what the node answers instead
}

// newHarbour serves a dashboard of a member with a fleet, and of one machine, 11.
func newHarbour(t *testing.T, o Options) (*site, *harbour, *machine) {
	t.Helper()
	_, hosts := cluster(t, 1)
	leader(t, hosts)
	h := &harbour{Host: hosts[0], t: t, store: fleet.New(), changed: make(chan struct{}), why: make(map[string]string)}
	m := &machine{lines: make(map[string][]runtime.Line), more: make(chan struct{})}
	ctx, stop := context.WithCancel(context.Background())
	o.Stop = ctx
	o.Journals = fleetface.Handler(fleetface.Options{Host: h, Local: m, Stop: ctx})
	o.ClusterID, o.Log = 0xc1, slog.New(slog.DiscardHandler)
	s := httptest.NewServer(newHandler(h, o, 50*time.Millisecond))
	t.Cleanup(func() { stop(); s.Close() })
	return &site{t: t, h: h.Host, Server: s}, h, m
}

// Fleet implements member.
func (h *harbour) Fleet(_ context.Context, c *fleet.Command) node.Answer {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fails != nil {
		return *h.fails
	}
	h.revision++
	out, err := h.store.Apply(fleet.Env{Revision: h.revision, Term: fleetTerm, Now: time.Second}, c)
	close(h.changed)
	h.changed = make(chan struct{})
	return node.Answer{Status: consensus.Done, Fleet: &out, Refusal: err}
}

// ReadFleet implements member.
func (h *harbour) ReadFleet(_ context.Context, _ bool, look func(*fleet.Store)) node.Answer {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fails != nil {
		return *h.fails
	}
	look(h.store)
	return node.Answer{Status: consensus.Done}
}

// AskFleet implements member.
func (h *harbour) AskFleet(_ context.Context, units []string) node.Answer {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := node.Answer{Status: consensus.Done}
	for _, u := range units {
		a.Why = append(a.Why, h.why[u])
	}
	return a
}

// WaitFleet implements member.
func (h *harbour) WaitFleet(ctx context.Context, after uint64) {
	for {
		h.mu.Lock()
		changed, revision := h.changed, h.store.Revision()
		h.mu.Unlock()
		if revision > after {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// unit and machine read the store, which others use meanwhile.
func (h *harbour) unit(name string) (fleet.Unit, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.store.Unit(name)
}

func (h *harbour) machine(id string) (fleet.Machine, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.store.Machine(wholeID(id))
}

func wholeID(s string) string { return s + strings.Repeat("0", 32-len(s)) }

func (h *harbour) must(c *fleet.Command) {
	h.t.Helper()
	a := h.Fleet(h.t.Context(), c)
	if a.Refusal != nil || len(a.Fleet.Refused) > 0 {
		h.t.Fatalf("%+v", a)
	}
}

// up has machines come up.
func (h *harbour) up(ids ...string) {
	h.t.Helper()
	for _, id := range ids {
		h.must(&fleet.Command{Open: &fleet.Open{Term: fleetTerm, Machine: fleet.Machine{
			ID: wholeID(id), Name: "host" + id, Boot: wholeID("b"), PrimaryIP: "10.0.0." + id, Version: "1.0",
			URLs: []string{"http://10.0.0." + id + ":2379"}, Metadata: map[string]string{"disk": "ssd", "zone": "z" + id},
			Resources: map[string]int64{"cpu": 4000, "memory": 6 << 30, "disk": 900 << 20},
		}}})
	}
}

func (h *harbour) down(id string) {
	h.t.Helper()
	m, _ := h.machine(id)
	h.must(&fleet.Command{Close: &fleet.Close{Term: fleetTerm, Machine: m.ID, Session: m.Session, Why: "its lease has passed"}})
}

// put makes a unit or changes it; options are lines of its X-Fleet section.
func (h *harbour) put(name string, desired fleet.Desired, options ...string) {
	h.t.Helper()
	text := "[Unit]\nDescription=Says hello\n\n[Service]\nExecStart=/bin/sh -c 'while true; do echo hello; sleep 1; done'\n"
	if len(options) > 0 {
		text += "\n[X-Fleet]\n" + strings.Join(options, "\n") + "\n"
	}
	h.must(&fleet.Command{Put: &fleet.Put{Name: name, Text: text, Desired: &desired}})
}

// place moves a unit to a machine; from is empty for one that is nowhere.
func (h *harbour) place(name, from, to string) {
	h.t.Helper()
	u, _ := h.unit(name)
	m, _ := h.machine(to)
	move := fleet.Move{Unit: name, Changed: u.Changed, To: m.ID, Session: m.Session}
	if from != "" {
		move.From = wholeID(from)
	}
	h.must(&fleet.Command{Place: &fleet.Place{Term: fleetTerm, Moves: []fleet.Move{move}}})
}

// told has a machine tell of a unit.
func (h *harbour) told(id, name, active, sub, why string) {
	h.t.Helper()
	m, _ := h.machine(id)
	u, _ := h.unit(name)
	for _, p := range u.Places {
		if p.Machine == m.ID {
			result := "success"
			if active == "failed" {
				result = "exit-code"
			}
			h.must(&fleet.Command{Report: &fleet.Report{Machine: m.ID, Session: m.Session, Seq: m.Reported + 1, States: []fleet.State{{
				Unit: name, Gen: p.Gen, Hash: p.Hash, Load: "loaded", Active: active, Sub: sub, Result: result, Launched: true, Why: why,
			}}}})
			return
		}
	}
	h.t.Fatalf("%s isn't placed on %s", name, id)
}

// machine is the one in the member's process.
type machine struct {
	mu    sync.Mutex
	lines map[string][]runtime.Line
	more  chan struct{}
}

func (m *machine) say(unit string, texts ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, text := range texts {
		n := len(m.lines[unit])
		m.lines[unit] = append(m.lines[unit], runtime.Line{Number: uint64(n + 1), Time: time.Unix(int64(n), 0), Source: "sh", Text: text})
	}
	close(m.more)
	m.more = make(chan struct{})
}

// MachineID implements serve.Local.
func (m *machine) MachineID() string { return wholeID("11") }

// Journal implements serve.Local.
func (m *machine) Journal(name string, after uint64, n int) ([]runtime.Line, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all, ok := m.lines[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, runtime.ErrNotFound)
	}
	all = all[min(int(after), len(all)):]
	return all[max(0, len(all)-n):], nil
}

// Follow implements serve.Local.
func (m *machine) Follow(ctx context.Context, name string, after uint64) error {
	for {
		m.mu.Lock()
		n, more := len(m.lines[name]), m.more
		m.mu.Unlock()
		if uint64(n) > after {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// State implements serve.Local.
func (m *machine) State(string) (runtime.State, error) {
	return runtime.State{}, errors.New("nobody asks")
}
