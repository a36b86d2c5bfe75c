package fleet

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/node/unit"
)

const replicated = "[Service]\nExecStart=/bin/r\n\n[X-Fleet]\nReplicas=%d\n"

// names are the units that are desired as given.
func (f *fleet) names(desired Desired) (list []string) {
	for u := range f.UnitsFrom(0) {
		if u.Desired == desired {
			list = append(list, u.Name)
		}
	}
	return list
}

func TestRevisionsOfAUnit(t *testing.T) {
	f := begin(t)
	f.put("a.service", hello, Inactive) // 1
	type revisions struct{ Created, Changed, Asked, Kick uint64 }
	for _, step := range []struct {
		put  Put
		want revisions
	}{
		{Put{}, revisions{1, 1, 0, 0}},
		{Put{Text: "# the same\n" + hello, Desired: ptr(Inactive)}, revisions{1, 1, 0, 0}},
		{Put{Desired: ptr(Loaded)}, revisions{1, 4, 4, 0}},
		{Put{Desired: ptr(Launched)}, revisions{1, 5, 4, 0}},
		{Put{Restart: true}, revisions{1, 5, 4, 6}},
		{Put{Text: hello + "User=a\n"}, revisions{1, 7, 4, 6}},
		{Put{Desired: ptr(Inactive)}, revisions{1, 8, 4, 6}},
		{Put{Desired: ptr(Launched), Restart: true}, revisions{1, 9, 9, 9}},
	} {
		step.put.Name = "a.service"
		f.do(Command{Put: &step.put})
		u, _ := f.Unit("a.service")
		if got := (revisions{u.Created, u.Changed, u.Asked, u.Kick}); got != step.want {
			t.Errorf("%+v: %+v, want %+v", step.put, got, step.want)
		}
	}
	f.do(Command{Destroy: &Destroy{"a.service"}})
	f.put("a.service", hello, Inactive)
	if u, _ := f.Unit("a.service"); u.Created != 11 || u.Asked+u.Kick != 0 {
		t.Errorf("made again: %+v", u)
	}
}

func TestATemplateKeepsItsReplicas(t *testing.T) {
	f := begin(t)
	f.put("t@x.service", hello, Launched) // a user's
	f.put("t@.service", fmt.Sprintf(replicated, 3), Inactive)
	if got := f.names(Inactive); !slices.Equal(got, []string{"t@.service"}) {
		t.Errorf("submitted: %q", got)
	}
	f.do(Command{Put: &Put{Name: "t@.service", Desired: ptr(Launched)}})
	want := []string{"t@.service", "t@1.service", "t@2.service", "t@3.service", "t@x.service"}
	if d := cmp.Diff(want, f.names(Launched)); d != "" {
		t.Errorf("started: %s", d)
	}
	f.join(1)
	if out := f.do(Command{Place: &Place{Term: 1, Moves: []Move{f.moveTo("t@.service", 0, 1)}}}); len(out.Refused) != 1 {
		t.Error("a template is placed")
	}
	a, _ := f.Unit("t@.service")
	if b, _ := f.Unit("t@2.service"); b.Hash != a.Hash || f.Requirements(b.Name, b.Hash) != f.Requirements(a.Name, a.Hash) {
		t.Error("a replica isn't its template's copy")
	}
	if _, err := f.try(Command{Destroy: &Destroy{"t@2.service"}}); !errors.Is(err, ErrReplica) {
		t.Errorf("destroyed: %v", err)
	}
	f.put("t@.service", fmt.Sprintf(replicated, 2), Loaded)
	if d := cmp.Diff([]string{"t@.service", "t@1.service", "t@2.service"}, f.names(Loaded)); d != "" || f.Units() != 4 {
		t.Errorf("fewer: %s", d)
	}
	f.put("t@.service", hello, Inactive)
	if f.Units() != 2 {
		t.Errorf("%d units without replicas", f.Units())
	}
	f.put("t@.service", fmt.Sprintf(replicated, 2), Launched)
	f.do(Command{Destroy: &Destroy{"t@.service"}})
	if got := slices.Collect(f.UnitsFrom(0)); len(got) != 1 || got[0].Name != "t@x.service" {
		t.Errorf("destroyed: %+v", got)
	}
	global := "[X-Fleet]\nGlobal=true\nReplicas=2\n"
	if _, err := f.try(Command{Put: &Put{Name: "u@.service", Text: global, Desired: ptr(Launched)}}); !errors.Is(err, ErrTemplate) {
		t.Errorf("replicas of a global unit: %v", err)
	}
	if _, err := f.try(Command{Put: &Put{Name: "u@.service", Text: fmt.Sprintf(replicated, MaxReplicas+1)}}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too many: %v", err)
	}
}

func TestInstancesOfATemplateThatWasNeverActiveAreAUsers(t *testing.T) {
	f := begin(t)
	f.put("t@.service", fmt.Sprintf(replicated, 2), Inactive)
	f.put("t@1.service", hello, Launched)
	f.do(Command{Destroy: &Destroy{"t@.service"}})
	if _, ok := f.Unit("t@1.service"); !ok {
		t.Error("an instance went with its template")
	}
	f.do(Command{Destroy: &Destroy{"t@1.service"}})
}

func TestAReplicaThatCannotBeReadStopsThemAll(t *testing.T) {
	f := begin(t)
	// Without an instance it is no amount, but nobody asks that of a template.
	text := "[X-Fleet]\nReplicas=2\nCPU=1%i\nMemory=%p\n"
	before := f.Digest()
	if _, err := f.try(Command{Put: &Put{Name: "t@.service", Text: text, Desired: ptr(Launched)}}); err == nil {
		t.Fatal("taken")
	} else if _, ok := errors.AsType[*unit.Error](err); !ok {
		t.Errorf("an error of another kind: %v", err)
	}
	if f.Digest() != before || f.Units() != 0 {
		t.Error("it had an effect")
	}
}

func TestCurrentOfReplicasIsTheLeast(t *testing.T) {
	f := begin(t)
	f.join(1)
	f.put("t@.service", fmt.Sprintf(replicated, 2), Launched)
	for i, want := range []Desired{Inactive, Launched} {
		name := fmt.Sprintf("t@%d.service", i+1)
		f.place(f.moveTo(name, 0, 1))
		f.report(1, Report{States: []State{{Unit: name, Gen: f.revision, Launched: true}}})
		if got := f.Current("t@.service"); got != want {
			t.Errorf("with %d of 2: %v", i+1, got)
		}
	}
}

func TestRequirementsStayTheSamePointer(t *testing.T) {
	f := begin(t)
	plain, named := "[X-Fleet]\nConflicts=b*\n", "[X-Fleet]\nConflicts=%p*\n"
	for _, text := range []string{plain, named} {
		f.put("a.service", text, Launched)
		u, _ := f.Unit("a.service")
		first := f.Requirements("a.service", u.Hash)
		f.put("c.service", text, Launched)
		other := f.Requirements("c.service", u.Hash)
		if first != f.Requirements("a.service", u.Hash) || (first == other) != (text == plain) {
			t.Errorf("%q: %p, then %p, another's %p", text, first, f.Requirements("a.service", u.Hash), other)
		}
		twin := reload(t, f.Store)
		if first := twin.Requirements("a.service", u.Hash); first != twin.Requirements("a.service", u.Hash) {
			t.Errorf("%q is read again and again", text)
		}
		if len(first.Conflicts) != 1 {
			t.Errorf("%q asks for %+v", text, first)
		}
	}
	if f.Requirements("a.service", unit.Hash{}) != nil {
		t.Error("requirements of no text")
	}
}

// A unit that is placed with an earlier text keeps what that asks for.
func TestRequirementsOfAPlacedText(t *testing.T) {
	f := begin(t)
	f.join(1)
	f.put("a.service", "[X-Fleet]\nConflicts=%p-old\n", Launched)
	f.place(f.moveTo("a.service", 0, 1))
	was, _ := f.Unit("a.service")
	old := f.Requirements("a.service", was.Hash)
	f.put("a.service", "[X-Fleet]\nConflicts=%p-new\n", Launched)
	is, _ := f.Unit("a.service")
	if is.Places[0].Hash != was.Hash || f.Requirements("a.service", was.Hash) != old || f.Requirements("a.service", is.Hash).Conflicts[0] != "a-new" {
		t.Errorf("%+v", is)
	}
	f.place(f.moveTo("a.service", 1, 1))
	if now, _ := f.Unit("a.service"); now.Places[0].Hash != is.Hash || f.Requirements("a.service", was.Hash) != nil {
		t.Errorf("%+v", now)
	}
}

func TestAnotherKindOfPlaceEndsPlaces(t *testing.T) {
	f := begin(t)
	f.join(1)
	f.join(2)
	f.put("a.service", "[X-Fleet]\nGlobal=true\n", Launched)
	f.place(f.moveTo("a.service", 0, 1), f.moveTo("a.service", 0, 2))
	f.wantOrders(1, "a.service")
	f.put("a.service", hello, Launched)
	f.place(f.moveTo("a.service", 0, 1))
	f.wantOrders(1) // until the other machine is rid of it
	u, _ := f.Unit("a.service")
	f.report(2, Report{Gone: []Gone{{"a.service", u.Leaving[0].Gen}}})
	f.wantOrders(1, "a.service")
}

func TestADestroyedUnitIsKnownUntilItIsGone(t *testing.T) {
	f := begin(t)
	f.join(1)
	f.join(2)
	f.put("a.service", hello, Launched)
	f.place(f.moveTo("a.service", 0, 1))
	gen := f.revision
	f.report(1, Report{States: []State{{Unit: "a.service", Gen: gen, Launched: true}}})
	f.do(Command{Destroy: &Destroy{"a.service"}})
	f.wantOrders(1, "-a.service")
	if _, ok := f.Unit("a.service"); ok || len(f.Leaving("a.service")) != 1 || len(f.StatesOf("a.service")) != 1 {
		t.Error("it isn't as it should be")
	}
	f.put("a.service", hello, Launched)
	f.place(f.moveTo("a.service", 0, 2))
	f.wantOrders(2)
	f.report(1, Report{Gone: []Gone{{"a.service", gen}}})
	f.wantOrders(2, "a.service")
	if f.States() != 0 {
		t.Error("a state of what is gone")
	}
}
