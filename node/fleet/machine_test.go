package fleet

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEffectiveMetadata(t *testing.T) {
	f := begin(t)
	f.do(Command{Patch: &Patch{[]PatchOp{{id(1), "zone", ptr("b")}, {id(1), "disk", nil}, {id(1), "rack", nil}, {id(1), "rack", ptr("")}}}})
	told := Machine{ID: id(1), Metadata: map[string]string{"zone": "a", "disk": "ssd", "arch": "arm"}}
	f.do(Command{Open: &Open{Term: 1, Machine: told}})
	m, _ := f.Machine(id(1))
	if d := cmp.Diff(map[string]string{"zone": "b", "rack": "", "arch": "arm"}, m.Effective()); d != "" {
		t.Error(d)
	}
	f.leave(1)
	if m, _ := f.Machine(id(1)); len(m.Patch) != 3 || m.Session != 0 || m.Since != f.now {
		t.Errorf("after its session: %+v", m)
	}
}

func TestPatchesAreAllOrNothing(t *testing.T) {
	f := begin(t)
	var ops []PatchOp
	for i := range MaxMetadata + 1 {
		ops = append(ops, PatchOp{id(1), fmt.Sprint("k", i), nil})
	}
	if _, err := f.try(Command{Patch: &Patch{append([]PatchOp{{id(2), "k", nil}}, ops...)}}); !errors.Is(err, ErrTooLarge) || f.Machines() != 0 {
		t.Errorf("%v, %d machines", err, f.Machines())
	}
	f.do(Command{Patch: &Patch{ops[1:]}})
	if _, err := f.try(Command{Patch: &Patch{ops[:1]}}); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

func TestWhatAnotherSessionKeeps(t *testing.T) {
	for _, empty := range []bool{true, false} {
		f := begin(t)
		f.put("a.service", hello, Launched)
		f.put("b.service", hello, Launched)
		was := f.join(1)
		f.place(f.moveTo("a.service", 0, 1), f.moveTo("b.service", 0, 1))
		f.report(1, Report{States: []State{{Unit: "a.service", Gen: f.revision, Launched: true}}})
		f.do(Command{Destroy: &Destroy{"b.service"}})
		f.do(Command{Drain: &Drain{Machine: id(1), On: true}})
		out := f.do(Command{Open: &Open{Term: 1, Was: was, Empty: empty, Machine: Machine{ID: id(1), Name: "new"}}})
		m, _ := f.Machine(id(1))
		if m.Session != out.Session || m.Name != "new" || m.Orders != m.Session || m.Reported != 0 || !m.Drained || m.Since != f.now {
			t.Errorf("empty %t: %+v", empty, m)
		}
		if empty {
			f.wantOrders(1)
			if f.States() != 0 {
				t.Error("states of an earlier session")
			}
			continue
		}
		f.wantOrders(1, "a.service", "-b.service")
		u, _ := f.Unit("a.service")
		if u.Places[0].Session != m.Session || f.Current("a.service") != Launched {
			t.Errorf("%+v", u)
		}
	}
}

func TestMachinesThatAreGoneForLongAreForgotten(t *testing.T) {
	f := begin(t)
	name := func(i int) string { return fmt.Sprintf("%032x", i) }
	f.do(Command{Patch: &Patch{[]PatchOp{{name(0), "k", ptr("v")}}}})
	for i := range maxForgettable + 10 {
		session := f.do(Command{Open: &Open{Term: 1, Machine: Machine{ID: name(i)}}}).Session
		if i == 1 {
			f.do(Command{Drain: &Drain{Machine: name(i), On: true}})
		}
		f.do(Command{Close: &Close{Machine: name(i), Session: session}})
	}
	if f.Machines() != maxForgettable+2 {
		t.Errorf("%d machines", f.Machines())
	}
	known := func(i int) bool { _, ok := f.Machine(name(i)); return ok }
	if !known(0) || !known(1) || known(2) || known(9) || !known(10) {
		t.Error("the wrong ones are forgotten")
	}
	f.do(Command{Drain: &Drain{Machine: name(1)}})
	if known(1) || !known(10) {
		t.Error("one that nothing is known of any more isn't forgotten in its turn")
	}
	if f.Digest() != f.Recompute() {
		t.Error("the digest has them still")
	}
	// A store that was loaded forgets the same ones.
	twin := reload(t, f.Store)
	for _, s := range []*Store{f.Store, twin} {
		for i, c := range []Command{
			{Open: &Open{Term: 1, Machine: Machine{ID: name(5000)}}}, {Close: &Close{Machine: name(5000), Session: f.revision + 1}},
		} {
			if _, err := s.Apply(Env{Revision: f.revision + 1 + uint64(i), Term: 1, Now: f.now}, &c); err != nil {
				t.Fatal(err)
			}
		}
	}
	if f.Digest() != twin.Digest() || known(10) {
		t.Error("they don't go on alike")
	}
}

func TestAStateKeepsItsTime(t *testing.T) {
	f := begin(t)
	f.put("a.service", hello, Launched)
	f.join(1)
	f.place(f.moveTo("a.service", 0, 1))
	gen := f.revision
	for range 2 {
		f.report(1, Report{States: []State{{Unit: "a.service", Gen: gen, Active: "active"}}})
	}
	if st, _ := f.State("a.service", id(1)); st.Since != f.now-1e9 {
		t.Errorf("since %v at %v", st.Since, f.now)
	}
}

func TestRefoundingEndsSessions(t *testing.T) {
	f := begin(t)
	f.put("a.service", hello, Launched)
	f.join(1)
	f.place(f.moveTo("a.service", 0, 1))
	f.revision++
	f.EndSessions(Env{Revision: f.revision, Now: f.now})
	u, _ := f.Unit("a.service")
	m, ok := f.Machine(id(1))
	if !ok || m.Session != 0 || len(u.Places) != 0 || u.Desired != Launched || f.Digest() != f.Recompute() || f.Revision() != f.revision {
		t.Errorf("%+v %+v", u, m)
	}
}

func TestChangesAreBounded(t *testing.T) {
	f := begin(t)
	if c := f.Changes(); c.All || len(c.Units) > 0 {
		t.Error("changes that nobody wanted")
	}
	f.Watch(true)
	for i := range maxChanges + 1 {
		f.tellUnit(&entry{unit: Unit{Name: fmt.Sprint(i)}})
	}
	if c := f.Changes(); !c.All || len(c.Units) > 0 {
		t.Errorf("all %t, %d units", c.All, len(c.Units))
	}
	f.tellUnit(&entry{unit: Unit{Name: "a"}})
	if c := f.Changes(); c.All || strings.Join(c.Units, "") != "a" {
		t.Errorf("%+v", c)
	}
	f.tellUnit(&entry{unit: Unit{Name: "b"}})
	f.Watch(false)
	f.tellUnit(&entry{unit: Unit{Name: "c"}})
	if c := f.Changes(); len(c.Units) > 0 {
		t.Errorf("%+v", c)
	}
}

// reload stores a fleet and loads it again.
func reload(t testing.TB, s *Store) *Store {
	t.Helper()
	l := NewLoader()
	for _, r := range s.Records() {
		if err := l.Take(r); err != nil {
			t.Fatal(err)
		}
	}
	twin, err := l.Done()
	if err != nil {
		t.Fatal(err)
	}
	return twin
}
