package state_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/node/state"
	"drydock/node/world"
)

// raise asks for a release, as member 1, in a term and for voices.
func raise(seq uint64, to state.Release, term uint64, voices ...world.MemberID) state.Command {
	return state.Command{
		ID: state.ID{Member: 1, Incarnation: 1, Seq: seq}, Low: 1, Kind: state.KindRelease,
		Raise: &state.Raise{Release: to, Term: term, Voices: voices},
	}
}

func publish(seq uint64, id world.MemberID, letter byte) state.Command {
	url := "http://" + string('a'+rune(letter)) + ":2380"
	return state.Command{
		ID: state.ID{Member: 1, Incarnation: 1, Seq: seq}, Low: 1, Kind: state.KindPublish,
		Publish: &state.Publish{ID: id, Name: "name", PeerURLs: []string{url}, ClientURLs: []string{"http://c:2379"}},
	}
}

// raised is a state at release 2: the first command of member 1 did it.
func raised(t testing.TB) *state.State {
	t.Helper()
	s := state.New(founders)
	if res := apply(t, s, batch(1, raise(1, state.Release2, 2, 1, 2, 3))); res[0].Refusal != nil {
		t.Fatal(res[0].Refusal)
	}
	return s
}

func TestReleaseIsRaisedByTheWordOfAll(t *testing.T) {
	for name, tc := range map[string]struct {
		c    state.Command
		want state.Release
	}{
		"all spoke":         {raise(1, state.Release2, 2, 1, 2, 3), state.Release2},
		"one did not":       {raise(1, state.Release2, 2, 1, 2), state.Release1},
		"a stranger did":    {raise(1, state.Release2, 2, 1, 2, 3, 4), state.Release1},
		"in a term before":  {raise(1, state.Release2, 1, 1, 2, 3), state.Release1},
		"to where it is":    {raise(1, state.Release1, 2, 1, 2, 3), state.Release1},
		"by nobody":         {raise(1, state.Release2, 2), state.Release1},
		"of another member": {raise(1, state.Release2, 2, 1, 2, 9), state.Release1},
	} {
		t.Run(name, func(t *testing.T) {
			s := state.New(founders)
			before := s.Digest()
			res := apply(t, s, batch(1, tc.c))
			if s.Release() != tc.want {
				t.Errorf("release %d, want %d", s.Release(), tc.want)
			}
			if (res[0].Refusal == nil) != (tc.want == state.Release2) || (res[0].Refusal != nil && !errors.Is(res[0].Refusal, state.ErrRaise)) {
				t.Errorf("refusal %v", res[0].Refusal)
			}
			if s.Digest() == before {
				t.Error("the digest does not show it")
			}
		})
	}
	s := raised(t)
	if res := apply(t, s, batch(1, raise(2, state.Release1, 2, 1, 2, 3))); !errors.Is(res[0].Refusal, state.ErrRaise) || s.Release() != state.Release2 {
		t.Errorf("lowered to %d: %v", s.Release(), res[0].Refusal)
	}
}

func TestNothingTakesEffectBeforeItsRelease(t *testing.T) {
	s := state.New(founders)
	if res := apply(t, s, batch(1, publish(1, 2, 1))); !errors.Is(res[0].Refusal, state.ErrNotYet) {
		t.Errorf("published at release 1: %v", res[0].Refusal)
	}
	if err := s.Allows(state.KindPublish); !errors.Is(err, state.ErrNotYet) {
		t.Errorf("allowed: %v", err)
	}
	if err := s.Allows(state.KindRelease); err != nil {
		t.Errorf("what raises the release must come before it: %v", err)
	}
	if err := raised(t).Allows(state.KindPublish); err != nil {
		t.Error(err)
	}
}

func TestOlderProgramsStopAndSaySo(t *testing.T) {
	s := state.New(founders)
	s.Speak(state.Release1)
	for name, c := range map[string]state.Command{"raise": raise(1, state.Release2, 2, 1, 2, 3), "publish": publish(1, 1, 1)} {
		if _, err := s.Apply(2, 2, batch(1, c)); !errors.Is(err, state.ErrRelease) {
			t.Errorf("%s: %v", name, err)
		}
		s = state.New(founders)
		s.Speak(state.Release1)
	}
	newer := state.New(founders)
	if _, err := newer.Apply(2, 2, batch(1, raise(1, state.Newest+1, 2, 1, 2, 3))); !errors.Is(err, state.ErrRelease) {
		t.Errorf("a release to come: %v", err)
	}
	unknown := put(1, 1, 1, 1, "a")
	encoded := state.AppendCommand(nil, &unknown)
	encoded[4] = 99 // the kind, behind four numbers of a byte each
	if _, err := state.New(founders).Apply(2, 2, state.AppendBatch(nil, state.Header{}, encoded)); !errors.Is(err, state.ErrRelease) {
		t.Errorf("an unknown kind: %v", err)
	}
	from := raised(t)
	sn := from.Describe(nil)
	_, _, err := state.LoadAs(state.Release1, sn, records(nil))
	if !errors.Is(err, state.ErrRelease) || errors.Is(err, state.ErrCorrupt) {
		t.Errorf("a stored state of release 2: %v", err)
	}
	if _, err := state.ConfAs(state.Release1, sn); !errors.Is(err, state.ErrRelease) {
		t.Errorf("its configuration: %v", err)
	}
	if _, _, err := state.LoadAs(state.Release1, state.New(founders).Describe(nil), records(nil)); err != nil {
		t.Errorf("a stored state of release 1: %v", err)
	}
}

func TestPublish(t *testing.T) {
	for name, tc := range map[string]struct {
		p    state.Publish
		want state.Member
		err  error
	}{
		"all of it": {
			state.Publish{ID: 2, Name: "two", PeerURLs: []string{"http://b:1"}, ClientURLs: []string{"http://b:2", "http://b:3"}},
			state.Member{ID: 2, Name: "two", PeerURLs: []string{"http://b:1"}, ClientURLs: []string{"http://b:2", "http://b:3"}},
			nil,
		},
		"a part": {
			state.Publish{ID: 2, PeerURLs: []string{"http://b:1"}},
			state.Member{ID: 2, Name: "n2", PeerURLs: []string{"http://b:1"}},
			nil,
		},
		"another's url": {state.Publish{ID: 2, PeerURLs: []string{"http://b:1", "http://taken:1"}}, founders[1], state.ErrURLTaken},
		"a stranger":    {state.Publish{ID: 9, Name: "x"}, founders[1], state.ErrNoMember},
		"zero":          {state.Publish{Name: "x"}, founders[1], state.ErrMembership},
		"a long name":   {state.Publish{ID: 2, Name: string(make([]byte, 300))}, founders[1], state.ErrMembership},
	} {
		t.Run(name, func(t *testing.T) {
			s := raised(t)
			taken := state.Command{
				ID: state.ID{Member: 2, Incarnation: 1, Seq: 1}, Low: 1, Kind: state.KindPublish,
				Publish: &state.Publish{ID: 3, PeerURLs: []string{"http://taken:1"}},
			}
			apply(t, s, batch(1, taken))
			err := s.CheckPublish(&tc.p)
			if !errors.Is(err, tc.err) {
				t.Fatalf("err = %v, want %v", err, tc.err)
			}
			if err == nil {
				if s.Published(&tc.p) {
					t.Error("published before")
				}
				c := taken
				c.ID.Seq, c.Publish = 2, &tc.p
				apply(t, s, batch(1, c))
				if !s.Published(&tc.p) {
					t.Error("not published")
				}
			}
			if m, _ := s.Member(2); !cmp.Equal(m, tc.want) {
				t.Error(cmp.Diff(tc.want, m))
			}
		})
	}
}

func TestRemovedMembersStayKnown(t *testing.T) {
	for _, from := range []*state.State{state.New(founders), raised(t)} {
		known := from.Release() >= state.Release2
		index, _ := from.Applied()
		change := func(seq uint64, kind state.ChangeKind, id world.MemberID) error {
			c := state.Command{
				ID: state.ID{Member: 1, Incarnation: 1, Seq: seq}, Low: 1, Kind: state.KindMembers,
				Members: []state.MemberChange{{Kind: kind, Member: state.Member{ID: id}}},
			}
			index++
			res, _, err := from.ApplyMembers(index, 2, state.AppendCommand(nil, &c))
			if err != nil {
				t.Fatal(err)
			}
			return res.Refusal
		}
		if err := change(2, state.Remove, 3); err != nil {
			t.Fatal(err)
		}
		if from.Removed(3) != known || from.Removed(2) {
			t.Errorf("release %d: removed %t", from.Release(), from.Removed(3))
		}
		twin, _, err := state.Load(from.Describe(nil), records(from.Keys().Records()))
		if err != nil || twin.Removed(3) != known || twin.Release() != from.Release() || twin.Digest() != from.Digest() {
			t.Errorf("release %d comes back as %d, %v", from.Release(), twin.Release(), err)
		}
		if err := change(3, state.AddLearner, 3); (err != nil) != known {
			t.Errorf("release %d: added again: %v", from.Release(), err)
		}
	}
}

func TestRemovedMembersAreBounded(t *testing.T) {
	s := raised(t)
	index, _ := s.Applied()
	for i := range uint64(1200) {
		id := world.MemberID(1000 + i)
		c := state.Command{
			ID: state.ID{Member: 1, Incarnation: 1, Seq: 2 + i}, Low: 2 + i, Kind: state.KindMembers,
			Members: []state.MemberChange{{Kind: state.AddLearner, Member: state.Member{ID: id}}, {Kind: state.Remove, Member: state.Member{ID: id}}},
		}
		index++
		if _, changed, err := s.ApplyMembers(index, 2, state.AppendCommand(nil, &c)); err != nil || !changed {
			t.Fatal(err)
		}
	}
	if s.Removed(1000) || !s.Removed(2199) {
		t.Error("the latest are to be kept")
	}
	if _, _, err := state.Load(s.Describe(nil), records(s.Keys().Records())); err != nil {
		t.Error(err)
	}
}

func TestBadContentsOfRelease2AreRefused(t *testing.T) {
	for name, c := range map[string]state.Command{"raise": raise(1, state.Release2, 2, 1, 2, 3), "publish": publish(1, 1, 1)} {
		good := state.AppendCommand(nil, &c)
		if got, err := state.DecodeCommand(good); err != nil || !bytes.Equal(state.AppendCommand(nil, &got), good) {
			t.Errorf("%s: %v", name, err)
		}
		// Behind four numbers, the kind, no token and the length.
		for cut := 7; cut < len(good); cut++ {
			bad := bytes.Clone(good[:cut])
			bad[6] = byte(cut - 7)
			if _, err := state.DecodeCommand(bad); !errors.Is(err, state.ErrCommand) {
				t.Errorf("%s cut to %d: %v", name, cut, err)
			}
		}
		long := append(bytes.Clone(good), 0)
		long[6]++
		if _, err := state.DecodeCommand(long); !errors.Is(err, state.ErrCommand) {
			t.Errorf("%s with more: %v", name, err)
		}
	}
	for name, c := range map[string]state.Command{
		"release zero":       raise(1, 0, 2, 1),
		"voices in no order": raise(1, 2, 2, 3, 1),
	} {
		if _, err := state.DecodeCommand(state.AppendCommand(nil, &c)); !errors.Is(err, state.ErrCommand) {
			t.Errorf("%s: %v", name, err)
		}
	}
	learner := publish(1, 1, 1)
	b := state.AppendCommand(nil, &learner)
	b[len(b)-1] = 1
	if _, err := state.DecodeCommand(b); !errors.Is(err, state.ErrCommand) {
		t.Errorf("a published vote: %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	one := state.New(founders)
	f.Add(one.Describe([]byte("conf")).Extra)
	f.Add(withUsers(f).Describe(nil).Extra)
	f.Fuzz(func(t *testing.T, extra []byte) {
		sn := one.Describe(nil)
		// As it is, and with the sum that would have been written with it.
		for _, sn.Extra = range [][]byte{extra, resealed(extra)} {
			if _, _, err := state.Load(sn, records(nil)); err != nil && !errors.Is(err, state.ErrCorrupt) && !errors.Is(err, state.ErrRelease) {
				t.Fatalf("error of another kind: %v", err)
			}
		}
	})
}
