package scheduler

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/node/scheduler"
)

// TestEveryShape: each is as the reference has it, and each can be placed whole.
func TestEveryShape(t *testing.T) {
	for _, sh := range Shapes {
		if n, err := Check(sh); err != nil || n < 10*sampleUnits {
			t.Errorf("%s: %d places compared, %v", sh, n, err)
		}
		for _, c := range []Case{{sh, 100, 1000}, {sh, 130, 13_000}} {
			r, err := measure(c, 2000)
			if err != nil {
				t.Errorf("%s: %v", c, err)
			}
			if r.FillCPU <= 0 || r.BytesPerUnit < 50 || r.Change.N == 0 || r.Change.P50 <= 0 || r.Loss.N != losses || r.LossUnits < 9 || r.Rest <= 0 {
				t.Errorf("%s: %+v", c, r)
			}
		}
	}
}

// TestRestless: a cluster in which something is left to decide isn't at rest.
func TestRestless(t *testing.T) {
	b := newSubject(Case{Plain, 100, 100}, false)
	b.s.SetUnit(b.present[0])
	if err := b.rest(&Round{}); !errors.Is(err, errRestless) {
		t.Errorf("%v", err)
	}
}

// TestShapesAskForWhatTheySay looks at some units of each.
func TestShapesAskForWhatTheySay(t *testing.T) {
	want := map[Shape]string{
		Plain: "", Conflicts: "c", Metadata: "m", Spread: "s", Resources: "r", Mixed: "cmrs", All: "cmrs",
	}
	for sh, letters := range want {
		got := map[string]bool{}
		list := sh.units(200, 400)
		names := map[string]bool{}
		for _, u := range list {
			names[u.Name] = true
			if u.Needs == nil {
				continue
			}
			for letter, has := range map[string]bool{
				"c": len(u.Needs.Conflicts) > 0, "m": len(u.Needs.Metadata) > 0, "r": len(u.Needs.Resources) > 0, "s": len(u.Needs.Spread) > 0,
			} {
				got[letter] = got[letter] || has
			}
		}
		for _, letter := range []string{"c", "m", "r", "s"} {
			if got[letter] != strings.Contains(letters, letter) {
				t.Errorf("%s: %s is %v", sh, letter, got[letter])
			}
		}
		if len(names) != len(list) {
			t.Errorf("%s: %d names of %d units", sh, len(names), len(list))
		}
	}
}

// elsewhere is a solver that has one unit on another machine.
type elsewhere struct{ *scheduler.Scheduler }

func (e elsewhere) Where(name string) string {
	if name == "unit-7.service" {
		return "elsewhere"
	}
	return e.Scheduler.Where(name)
}

func TestDifferenceIsSeen(t *testing.T) {
	s := scheduler.New()
	s.SetMachine(machine(0))
	list := Plain.units(0, 10)
	for _, u := range list {
		s.SetUnit(u)
	}
	s.Solve(0)
	if n, err := differ(s, elsewhere{s}, list, "fill"); !errors.Is(err, ErrDiffers) || n != 7 || !strings.Contains(err.Error(), "unit-7.service") {
		t.Errorf("%d places, %v", n, err)
	}
}

// TestUnplacedIsAnError: a cluster without room is no measurement.
func TestUnplacedIsAnError(t *testing.T) {
	if _, err := measure(Case{Conflicts, 9, 90}, 1); !errors.Is(err, errUnplaced) || !strings.Contains(err.Error(), "apart-0@") {
		t.Errorf("error: %v", err)
	}
}

func TestRun(t *testing.T) {
	var seen []string
	r := &Run{
		Shapes: []Shape{Plain, Metadata}, Machines: []int{100, 200, 400}, PerMachine: []int{5}, Rounds: 2, MostUnits: 1000,
		Progress: func(done, all int, c Case) { seen = append(seen, c.String()) },
	}
	rows, err := r.Measure(t.Context())
	if err != nil || len(rows) != 4 || len(seen) != 8 || seen[1] != "plain, 200 machines, 1000 units" {
		t.Fatalf("%d rows, %v, %q", len(rows), err, seen)
	}
	for _, g := range Growths(rows) {
		if d := cmp.Diff([]int{100, 200}, g.Machines); d != "" || g.Fill[0] != 1 || g.Fill[1] <= 0 || g.Loss[1] <= 0 {
			t.Errorf("%+v\n%s", g, d)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	r.Progress = func(int, int, Case) { stop() }
	if rows, err := r.Measure(ctx); !errors.Is(err, context.Canceled) || len(rows) != 1 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestOver(t *testing.T) {
	row := Row{Rounds: []Round{{UnitNanos: 3}, {UnitNanos: 1}, {UnitNanos: 2}, {UnitNanos: 10}}}
	if got, want := row.Over(func(r Round) float64 { return r.UnitNanos }), (Reading{2.5, 1, 10}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := (&Row{}).Over(func(r Round) float64 { return 1 }); got != (Reading{}) {
		t.Errorf("of nothing: %+v", got)
	}
}
