package fleet

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"drydock/node/unit"
)

// fleet is a store with the hand that commands it: every command has the next
// revision, in term 1 unless it says otherwise.
type fleet struct {
	*Store
	t        rapid.TB
	revision uint64
	now      time.Duration
}

func begin(t rapid.TB) *fleet { return &fleet{Store: New(), t: t} }

// try applies a command.
func (f *fleet) try(c Command) (Outcome, error) {
	f.revision++
	f.now += time.Second
	return f.Apply(Env{Revision: f.revision, Term: 1, Now: f.now}, &c)
}

// do applies a command that must not be refused.
func (f *fleet) do(c Command) Outcome {
	f.t.Helper()
	out, err := f.try(c)
	if err != nil {
		f.t.Fatalf("revision %d: %v", f.revision, err)
	}
	return out
}

func ptr[T any](v T) *T { return &v }

// id is the n-th machine's.
func id(n int) string { return strings.Repeat("0123456789abcdef"[n:n+1], machineIDBytes) }

const hello = "[Service]\nExecStart=/bin/hello\n"

// put makes a unit with a text and what is desired of it.
func (f *fleet) put(name, text string, desired Desired) Outcome {
	f.t.Helper()
	return f.do(Command{Put: &Put{Name: name, Text: text, Desired: &desired}})
}

// join opens a session of machine n and returns it.
func (f *fleet) join(n int) uint64 {
	f.t.Helper()
	m, _ := f.Machine(id(n))
	return f.do(Command{Open: &Open{Term: 1, Machine: Machine{ID: id(n)}, Was: m.Session, Empty: true}}).Session
}

// leave closes the session of machine n.
func (f *fleet) leave(n int) {
	f.t.Helper()
	m, _ := f.Machine(id(n))
	f.do(Command{Close: &Close{Term: 1, Machine: id(n), Session: m.Session, Why: "its lease has passed"}})
}

// moveTo is a move of a unit as decided on the present state. From or to may be 0
// for nowhere: machines are numbered from 1.
func (f *fleet) moveTo(name string, from, to int) Move {
	u, _ := f.Unit(name)
	m := Move{Unit: name, Changed: u.Changed}
	if from > 0 {
		m.From = id(from)
	}
	if to > 0 {
		m.To = id(to)
		host, _ := f.Machine(m.To)
		m.Session = host.Session
	}
	return m
}

// place applies moves that must not be refused.
func (f *fleet) place(moves ...Move) {
	f.t.Helper()
	if out := f.do(Command{Place: &Place{Term: 1, Moves: moves}}); len(out.Refused) > 0 {
		f.t.Fatalf("revision %d: %v", f.revision, out.Refused)
	}
}

// report has machine n tell something, as its session's next report.
func (f *fleet) report(n int, r Report) {
	f.t.Helper()
	m, _ := f.Machine(id(n))
	r.Machine, r.Session, r.Seq = m.ID, m.Session, m.Reported+1
	f.do(Command{Report: &r})
}

// ordered are the names in a machine's orders, those to get rid of with a minus.
func (f *fleet) ordered(n int) []string {
	list, _ := f.OrdersFor(id(n))
	var names []string
	for _, o := range list {
		if o.Desired == Inactive {
			o.Unit = "-" + o.Unit
		}
		names = append(names, o.Unit)
	}
	return names
}

func (f *fleet) wantOrders(n int, want ...string) {
	f.t.Helper()
	if d := cmp.Diff(want, f.ordered(n), cmpopts.EquateEmpty()); d != "" {
		f.t.Errorf("revision %d: orders of machine %d: %s", f.revision, n, d)
	}
}

func TestAUnitIsMadePlacedAndStarted(t *testing.T) {
	f := begin(t)
	if out := f.put("a.service", hello, Launched); !out.Created || out.NewText {
		t.Errorf("outcome %+v", out)
	}
	session := f.join(1)
	f.place(f.moveTo("a.service", 0, 1))
	u, _ := f.Unit("a.service")
	want := []Placement{{Machine: id(1), Session: session, Gen: f.revision, Hash: u.Hash}}
	if d := cmp.Diff(want, u.Places); d != "" {
		t.Error(d)
	}
	list, version := f.OrdersFor(id(1))
	if d := cmp.Diff([]Order{{Unit: "a.service", Gen: f.revision, Hash: u.Hash, Desired: Launched}}, list); d != "" || version != f.revision {
		t.Errorf("version %d at revision %d: %s", version, f.revision, d)
	}
	for _, step := range []struct {
		state State
		want  Desired
	}{
		{State{Gen: want[0].Gen - 1, Launched: true}, Inactive}, // of an earlier placement
		{State{Gen: want[0].Gen, Active: "inactive"}, Loaded},
		{State{Gen: want[0].Gen, Active: "active", Launched: true}, Launched},
	} {
		step.state.Unit = "a.service"
		f.report(1, Report{States: []State{step.state}})
		if got := f.Current("a.service"); got != step.want {
			t.Errorf("after %+v: %v", step.state, got)
		}
	}
	f.place(f.moveTo("a.service", 1, 1)) // to be started again
	if got := f.Current("a.service"); got != Inactive {
		t.Errorf("placed anew: %v", got)
	}
	if text, ok := f.Text(u.Hash); !ok || text != hello {
		t.Errorf("text %q, %t", text, ok)
	}
}

func TestAUnitThatMovesWaitsForItsFormerMachine(t *testing.T) {
	f := begin(t)
	f.put("a.service", hello, Launched)
	f.join(1)
	f.join(2)
	f.place(f.moveTo("a.service", 0, 1))
	gen := f.revision
	f.place(f.moveTo("a.service", 1, 2))
	f.wantOrders(1, "-a.service")
	f.wantOrders(2)
	f.report(1, Report{Gone: []Gone{{"a.service", gen - 1}}}) // of an earlier order
	f.wantOrders(2)
	_, before := f.OrdersFor(id(2))
	f.report(1, Report{Gone: []Gone{{"a.service", gen}}})
	f.wantOrders(1)
	f.wantOrders(2, "a.service")
	if _, version := f.OrdersFor(id(2)); version <= before {
		t.Errorf("version %d after %d", version, before)
	}
}

func TestTheEndOfASessionEndsTheWait(t *testing.T) {
	f := begin(t)
	f.put("a.service", hello, Launched)
	f.join(1)
	f.join(2)
	f.place(f.moveTo("a.service", 0, 1))
	f.place(f.moveTo("a.service", 1, 2))
	f.leave(1)
	f.wantOrders(2, "a.service")
	f.leave(2)
	if u, _ := f.Unit("a.service"); len(u.Places)+len(u.Leaving) != 0 {
		t.Errorf("still somewhere: %+v", u)
	}
}

func TestRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		c    Command
		want error
	}{
		"unknown unit":      {Command{Put: &Put{Name: "b.service"}}, ErrNotFound},
		"another text":      {Command{Put: &Put{Name: "a.service", Text: "[A]\nb=c\n", Create: true}}, ErrExists},
		"template":          {Command{Put: &Put{Name: "t@.service", Text: hello, Desired: ptr(Launched)}}, ErrTemplate},
		"restart":           {Command{Put: &Put{Name: "a.service", Restart: true}}, ErrNotLaunched},
		"name":              {Command{Put: &Put{Name: "a", Text: hello}}, unit.ErrName},
		"no options":        {Command{Put: &Put{Name: "b.service", Text: "# nothing"}}, ErrNotFound},
		"desired":           {Command{Put: &Put{Name: "a.service", Desired: ptr(Desired(3))}}, ErrDesired},
		"destroy":           {Command{Destroy: &Destroy{"b.service"}}, ErrNotFound},
		"drain":             {Command{Drain: &Drain{Machine: id(9)}}, ErrNoMachine},
		"patch's key":       {Command{Patch: &Patch{[]PatchOp{{id(1), "a b", nil}}}}, ErrMetadata},
		"patch's machine":   {Command{Patch: &Patch{[]PatchOp{{"a/b", "a", nil}}}}, ErrMetadata},
		"machine's id":      {Command{Open: &Open{Term: 1, Machine: Machine{ID: "me"}}}, ErrMachine},
		"open's term":       {Command{Open: &Open{Term: 2, Machine: Machine{ID: id(2)}}}, ErrStale},
		"open's session":    {Command{Open: &Open{Term: 1, Machine: Machine{ID: id(1)}}}, ErrStale},
		"close's session":   {Command{Close: &Close{Machine: id(1), Session: 99}}, ErrStale},
		"close's term":      {Command{Close: &Close{Term: 2, Machine: id(1), Session: 2}}, ErrStale},
		"place's term":      {Command{Place: &Place{Term: 2}}, ErrStale},
		"report's session":  {Command{Report: &Report{Machine: id(1), Session: 1, Seq: 1}}, ErrStale},
		"report's sequence": {Command{Report: &Report{Machine: id(1), Session: 2}}, ErrStale},
		"two at once":       {Command{Drain: &Drain{}, Destroy: &Destroy{}}, ErrStale},
		"nothing":           {Command{}, ErrStale},
	} {
		t.Run(name, func(t *testing.T) {
			f := begin(t)
			f.put("a.service", hello, Inactive)
			f.join(1)
			before := f.Digest()
			out, err := f.try(tc.c)
			if !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
			if out.Changed || f.Digest() != before {
				t.Errorf("a refused command changes the state: %+v", out)
			}
		})
	}
}
