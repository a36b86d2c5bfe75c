package state_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/world"
)

func TestRefound(t *testing.T) {
	s := state.New(founders)
	for i := range uint64(5) {
		apply(t, s, batch(1, put(1, 1, i+1, 1, "v")))
	}
	index, term := s.Applied()
	old, revision, content := s.Digest(), s.Revision(), s.Keys().Digest()
	m := state.Member{ID: 99, Name: "new", PeerURLs: []string{"http://127.0.0.1:2380"}, Learner: true}
	if err := s.Refound(m); err != nil {
		t.Fatal(err)
	}
	m.Learner = false
	if diff := cmp.Diff([]state.Member{m}, s.Members()); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	i, tm := s.Applied()
	if i != index+1 || tm != term || s.Revision() != revision+1 || s.Keys().Digest() != content {
		t.Errorf("at index %d term %d revision %d, was %d, %d, %d", i, tm, s.Revision(), index, term, revision)
	}
	if s.Digest() == old {
		t.Error("the new cluster has the digest of the old")
	}
	if _, ok := s.DigestAt(index); ok {
		t.Error("the old cluster's digests are still known")
	}
	// A command of the former life takes no effect, one of the new member does.
	res := slices.Clone(apply(t, s, batch(2, put(1, 2, 1, 1, "late"), put(99, 1, 1, 1, "fresh"))))
	if !res[0].Repeated || res[1].Repeated || res[1].Event.Node.Value != "fresh" {
		t.Errorf("%+v", res)
	}
	sn, records := s.Describe([]byte("conf")), s.Keys().Records()
	again, conf, err := state.Load(sn, func() (r keys.Record, ok bool, err error) {
		if len(records) == 0 {
			return r, false, nil
		}
		r, records = records[0], records[1:]
		return r, true, nil
	})
	if err != nil || string(conf) != "conf" || again.Digest() != s.Digest() {
		t.Errorf("stored and loaded: %q, %v", conf, err)
	}
}

func TestRefoundRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		s *state.State
		m state.Member
	}{
		"no id":           {state.New(founders), state.Member{Name: "new"}},
		"a former id":     {state.New(founders), state.Member{ID: 2}},
		"nothing to keep": {state.Empty(), state.Member{ID: 9}},
	} {
		before := tc.s.Digest()
		if err := tc.s.Refound(tc.m); !errors.Is(err, state.ErrMembership) {
			t.Errorf("%s: %v", name, err)
		}
		if tc.s.Digest() != before || tc.s.HasMember(world.MemberID(9)) {
			t.Errorf("%s: the state changed all the same", name)
		}
	}
}
