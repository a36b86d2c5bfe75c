package machine

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/node/agent"
	"drydock/node/runtime"
	"drydock/node/runtime/lease"
	"drydock/node/unit"
)

// scripted is a runtime that knows one unit, and does at once what it is asked.
type scripted struct {
	runtime.Runtime
	known         string
	check, loaded error
	asked         []string
}

func (s *scripted) State(name string) (runtime.State, error) {
	if name != s.known {
		return runtime.State{}, runtime.ErrNotFound
	}
	return runtime.State{Name: name, Load: "loaded", Active: "failed", Sub: "failed", Result: "exit-code", Exit: "it exited with 3"}, nil
}

func (s *scripted) Check(*unit.Unit) error { return s.check }
func (s *scripted) Load(*unit.Unit) error  { return s.loaded }
func (s *scripted) done(what string, f func(runtime.Outcome)) {
	s.asked = append(s.asked, what)
	f(runtime.Outcome{Result: "done"})
}
func (s *scripted) Start(name string, f func(runtime.Outcome))   { s.done("start "+name, f) }
func (s *scripted) Restart(name string, f func(runtime.Outcome)) { s.done("restart "+name, f) }
func (s *scripted) Stop(name string, f func(runtime.Outcome))    { s.done("stop "+name, f) }
func (s *scripted) Unload(name string, f func(runtime.Outcome))  { s.done("unload "+name, f) }

func TestOperations(t *testing.T) {
	soon := lease.Now() + time.Hour
	odd := errors.New("odd")
	for _, tt := range []struct {
		name   string
		op     agent.Op
		r      scripted
		result string
		asked  []string
	}{
		{"a start in time", agent.Op{Kind: agent.Start, Unit: "a", Global: true, By: soon}, scripted{known: "a"}, "done", []string{"start a"}},
		{"a start that comes too late", agent.Op{Kind: agent.Start, Unit: "a", Global: true, By: 1}, scripted{known: "a"}, "canceled", nil},
		{"a restart in time", agent.Op{Kind: agent.Restart, Unit: "a", Global: true, By: agent.Never}, scripted{known: "a"}, "done", []string{"restart a"}},
		{"a restart that comes too late", agent.Op{Kind: agent.Restart, Unit: "a", Global: true, By: 1}, scripted{known: "a"}, "canceled", nil},
		{"a stop", agent.Op{Kind: agent.Stop, Unit: "a"}, scripted{known: "a"}, "done", []string{"stop a"}},
		{"an unload", agent.Op{Kind: agent.Unload, Unit: "a"}, scripted{known: "a"}, "done", []string{"unload a"}},
		{"an unload of what isn't known", agent.Op{Kind: agent.Unload, Unit: "a"}, scripted{}, "done", nil},
		{"a load", agent.Op{Kind: agent.Load, Unit: "a"}, scripted{known: "a"}, "done", nil},
		{"a load of what can't be run", agent.Op{Kind: agent.Load, Unit: "a"}, scripted{check: odd}, "invalid", nil},
		{"a load that fails", agent.Op{Kind: agent.Load, Unit: "a"}, scripted{loaded: odd}, "failed", nil},
		{"what is no operation", agent.Op{Kind: 99, Unit: "a"}, scripted{}, "invalid", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &Machine{log: slog.New(slog.DiscardHandler), runtime: &tt.r, ctx: context.Background()}
			m.inbox.wake = make(chan struct{}, 1)
			tt.op.ID = 7
			m.do(tt.op)
			items := m.inbox.take()
			if len(items) != 1 {
				t.Fatalf("ends: %+v", items)
			}
			end := items[0].in.(agent.Ended)
			want := agent.Status{Unit: "a", Load: "not-found", Active: "inactive", Sub: "dead"}
			if tt.r.known == "a" {
				want = agent.Status{Unit: "a", Load: "loaded", Active: "failed", Sub: "failed", Result: "exit-code", Why: "exit-code: it exited with 3"}
			}
			if end.Op != 7 || end.Result != tt.result || (end.Reason == "") != (tt.result == "done") || !cmp.Equal(end.Status, want) {
				t.Errorf("%+v", end)
			}
			if diff := cmp.Diff(tt.asked, tt.r.asked); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestInboxKeepsTheLastStateOfAUnit but not before the end of an operation, whose
// state is older.
func TestInboxKeepsTheLastStateOfAUnit(t *testing.T) {
	b := inbox{wake: make(chan struct{}, 1)}
	state := func(unit, sub string) item {
		return item{in: agent.Reported{Status: agent.Status{Unit: unit, Sub: sub}}}
	}
	end := item{in: agent.Ended{Op: 1, Status: agent.Status{Unit: "a", Sub: "running"}}}
	for _, it := range []item{state("a", "1"), state("b", "1"), state("a", "2"), end, state("a", "3"), state("a", "4"), state("b", "2")} {
		b.post(it)
	}
	var got []agent.Input
	for _, it := range b.take() {
		got = append(got, it.in)
	}
	want := []agent.Input{state("a", "2").in, state("b", "2").in, end.in, state("a", "4").in}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if rest := b.take(); len(rest) != 0 {
		t.Errorf("taken twice: %+v", rest)
	}
	b.post(state("a", "5"))
	if rest := b.take(); len(rest) != 1 {
		t.Errorf("after a take: %+v", rest)
	}
}
