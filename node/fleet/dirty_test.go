package fleet

import (
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// overlay is what a checkpoint holds.
type overlay map[string]string

func (o overlay) write(list []Record) {
	for _, r := range list {
		key := r.Bucket + "\x00" + string(r.Key)
		if r.Value == nil {
			delete(o, key)
			continue
		}
		o[key] = string(r.Value)
	}
}

// TestManyChangesAreDrainedBefore: however much changes between two checkpoints, little of
// it is left to be drained when the second is written, and what is written is the state.
func TestManyChangesAreDrainedBefore(t *testing.T) {
	const units = 3 * maxUnsaved / 4
	f := begin(t)
	for n := range 3 {
		f.join(n + 1)
	}
	stored := overlay{}
	for round := range 2 {
		for i := range units {
			f.put(benchName(i), fmt.Sprintf("[A]\nb=%d\n", round), Launched)
		}
		for from := 0; from < units; from += MaxMoves {
			var moves []Move
			for i := from; i < min(from+MaxMoves, units); i++ {
				u, _ := f.Unit(benchName(i))
				m := Move{Unit: u.Name, Changed: u.Changed}
				if len(u.Places) > 0 {
					m.From = u.Places[0].Machine
				}
				to, _ := f.Machine(id(1 + (i+round)%3))
				m.To, m.Session = to.ID, to.Session
				moves = append(moves, m)
			}
			f.place(moves...)
		}
		for i := range 100 { // these change when they were drained, and some are gone
			f.put(benchName(i), "[A]\nb=late\n", Launched)
			if i%2 == 0 {
				f.do(Command{Destroy: &Destroy{Name: benchName(i)}})
			}
		}
		if n := f.dirty.pending(); n > maxUnsaved+10 || n < maxUnsaved-10 {
			t.Errorf("round %d: %d records are left to be drained, want %d", round, n, maxUnsaved)
		}
		stored.write(f.DrainDirty())
		want := overlay{}
		want.write(f.Records())
		if !maps.Equal(stored, want) {
			t.Fatalf("round %d: %d records are stored, want %d: %s", round, len(stored), len(want), cmp.Diff(want, stored))
		}
		if n := f.Drain().Len(); n != 0 || len(f.dirty.seen) != 0 {
			t.Errorf("round %d: %d records are left, %d keys seen", round, n, len(f.dirty.seen))
		}
	}
	f.leave(2)
	stored.write(f.DrainDirty())
	want := overlay{}
	want.write(f.Records())
	if !maps.Equal(stored, want) {
		t.Errorf("after a machine was lost: %s", cmp.Diff(want, stored))
	}
}
