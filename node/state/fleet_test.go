package state_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"drydock/node/fleet"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/unit"
)

const machine = "0123456789abcdef0123456789abcdef"

func ordered(seq uint64, c fleet.Command) state.Command {
	return state.Command{ID: state.ID{Member: 1, Incarnation: 1, Seq: seq}, Low: 1, Kind: state.KindFleet, Fleet: &c}
}

func unitOf(seq uint64, name string) state.Command {
	desired := fleet.Launched
	return ordered(seq, fleet.Command{Put: &fleet.Put{Name: name, Text: "[Service]\nExecStart=/bin/" + name + "\n", Desired: &desired}})
}

// atRelease3 is a state at release 3: the first command of member 1 did it.
func atRelease3(t testing.TB) *state.State {
	t.Helper()
	s := state.New(founders)
	if res := apply(t, s, batch(1, raise(1, state.Release3, 2, 1, 2, 3))); res[0].Refusal != nil {
		t.Fatal(res[0].Refusal)
	}
	return s
}

// withUnits is a state in which a unit is placed on a machine.
func withUnits(t testing.TB) *state.State {
	t.Helper()
	s := atRelease3(t)
	res := slices.Clone(apply(t, s, batch(2, unitOf(2, "a.service"),
		ordered(3, fleet.Command{Open: &fleet.Open{Term: 2, Machine: fleet.Machine{ID: machine}}}),
		ordered(4, fleet.Command{Place: &fleet.Place{Term: 2, Moves: []fleet.Move{{Unit: "a.service", Changed: 3, To: machine, Session: 4}}}}))))
	for i := range res {
		if res[i].Refusal != nil || res[i].Fleet == nil || !res[i].Fleet.Changed || len(res[i].Fleet.Refused) > 0 {
			t.Fatalf("%+v", res[i])
		}
	}
	if res[1].Fleet.Session != res[1].Revision || !res[0].Fleet.Created {
		t.Fatalf("%+v", res)
	}
	return s
}

func TestUnitsComeWithTheirRelease(t *testing.T) {
	for _, s := range []*state.State{state.New(founders), raised(t)} {
		if res := apply(t, s, batch(1, unitOf(9, "a.service"))); !errors.Is(res[0].Refusal, state.ErrNotYet) || res[0].Fleet != nil || !s.Fleet().Empty() {
			t.Errorf("at release %d: %+v", s.Release(), res[0])
		}
	}
	s := raised(t)
	s.Speak(state.Release2)
	index, _ := s.Applied()
	if _, err := s.Apply(index+1, 2, batch(1, unitOf(9, "a.service"))); !errors.Is(err, state.ErrRelease) {
		t.Errorf("an older program: %v", err)
	}
	newer := withUnits(t)
	if _, _, err := state.LoadAs(state.Release2, newer.Describe(nil), records(newer.Records())); !errors.Is(err, state.ErrRelease) || errors.Is(err, state.ErrCorrupt) {
		t.Errorf("an older program loads it: %v", err)
	}
	unknown := state.AppendCommand(nil, new(ordered(1, fleet.Command{Destroy: &fleet.Destroy{}})))
	unknown[7] = 99 // the command's kind: behind four numbers, the kind, no token, the length
	if _, err := state.DecodeCommand(unknown); !errors.Is(err, state.ErrRelease) {
		t.Errorf("a kind of a later release: %v", err)
	}
	if err := state.CheckSize(&state.Command{Kind: state.KindFleet, Fleet: new(fleet.Command)}, nil); !errors.Is(err, fleet.ErrStale) {
		t.Errorf("what nobody can read may be logged: %v", err)
	}
	unknown[7] = 1
	if _, err := state.DecodeCommand(unknown); !errors.Is(err, state.ErrCommand) || !errors.Is(err, fleet.ErrCorrupt) {
		t.Errorf("a command that can't be read: %v", err)
	}
}

// A cluster without units has the digests and records that it had before.
func TestNoUnitsNoTrace(t *testing.T) {
	s := atRelease3(t)
	if s.Digest() == raised(t).Digest() {
		t.Error("the release isn't in the digest")
	}
	for _, r := range slices.Concat(s.Records(), s.DrainDirty()) {
		if strings.HasPrefix(r.Bucket, fleet.BucketPrefix) {
			t.Errorf("a record in bucket %s", r.Bucket)
		}
	}
}

func TestUnitsAreInTheDigest(t *testing.T) {
	a, b := withUnits(t), withUnits(t)
	if a.Digest() != b.Digest() || a.Fleet().Digest() != b.Fleet().Digest() {
		t.Fatal("equal commands give other digests")
	}
	apply(t, a, batch(3, unitOf(5, "b.service")))
	apply(t, b, batch(3, unitOf(5, "c.service")))
	if a.Digest() == b.Digest() {
		t.Error("the digest does not follow the units")
	}
	before, content := a.Digest(), a.Fleet().Digest()
	res := apply(t, a, batch(3, ordered(6, fleet.Command{Put: &fleet.Put{Name: "b.socks"}})))
	if !errors.Is(res[0].Refusal, unit.ErrName) || res[0].Fleet != nil || a.Digest() == before || a.Fleet().Digest() != content {
		t.Errorf("refused: %+v", res[0])
	}
	res = apply(t, a, batch(3, ordered(6, fleet.Command{Destroy: &fleet.Destroy{Name: "b.service"}})))
	if !res[0].Repeated || a.Fleet().Units() != 2 {
		t.Errorf("repeated: %+v", res[0])
	}
}

// TestUnitsComeBack loads what checkpoints have written, one after another.
func TestUnitsComeBack(t *testing.T) {
	s, disk := withUnits(t), map[string]keys.Record{}
	drain := func() []keys.Record {
		for _, r := range s.DrainDirty() {
			if disk[r.Bucket+"/"+string(r.Key)] = r; r.Value == nil {
				delete(disk, r.Bucket+"/"+string(r.Key))
			}
		}
		var list []keys.Record
		for _, r := range disk {
			list = append(list, r)
		}
		return list
	}
	drain()
	apply(t, s, batch(3, put(1, 1, 5, 1, "key"), ordered(6, fleet.Command{Destroy: &fleet.Destroy{Name: "a.service"}}), unitOf(7, "b.service")))
	for _, list := range [][]keys.Record{drain(), s.Records()} {
		twin, _, err := state.Load(s.Describe(nil), records(list))
		if err != nil {
			t.Fatal(err)
		}
		if twin.Digest() != s.Digest() || twin.Fleet().Units() != 1 || len(twin.Fleet().Leaving("a.service")) != 1 || len(twin.DrainDirty()) > 0 {
			t.Error("another state came back")
		}
	}
}

func TestBadUnitsAreRefused(t *testing.T) {
	s := withUnits(t)
	good, sn := s.Records(), s.Describe(nil)
	for i, r := range good {
		if !strings.HasPrefix(r.Bucket, fleet.BucketPrefix) {
			continue
		}
		for what, list := range map[string][]keys.Record{
			"missing": slices.Delete(slices.Clone(good), i, i+1),
			"damaged": slices.Replace(slices.Clone(good), i, i+1, keys.Record{Bucket: r.Bucket, Key: r.Key, Value: append([]byte{1}, r.Value...)}),
		} {
			if _, _, err := state.Load(sn, records(list)); !errors.Is(err, state.ErrCorrupt) {
				t.Errorf("%s %q %s: %v", r.Bucket, r.Key, what, err)
			}
		}
	}
	old := raised(t)
	list := append(old.Records(), good[len(good)-1])
	if _, _, err := state.Load(old.Describe(nil), records(list)); !errors.Is(err, state.ErrCorrupt) {
		t.Errorf("units in a state of release 2: %v", err)
	}
}

func TestRefoundKeepsUnitsAndEndsSessions(t *testing.T) {
	s := withUnits(t)
	if err := s.Refound(state.Member{ID: 9, Name: "new"}); err != nil {
		t.Fatal(err)
	}
	u, ok := s.Fleet().Unit("a.service")
	m, known := s.Fleet().Machine(machine)
	if !ok || u.Desired != fleet.Launched || len(u.Places) > 0 || !known || m.Session != 0 {
		t.Errorf("%+v, %+v", u, m)
	}
	if _, _, err := state.Load(s.Describe(nil), records(s.Records())); err != nil {
		t.Error(err)
	}
}
