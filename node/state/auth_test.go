package state_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"drydock/node/auth"
	"drydock/node/state"
)

func authorize(seq uint64, c auth.Command) state.Command {
	return state.Command{ID: state.ID{Member: 1, Incarnation: 1, Seq: seq}, Low: 1, Kind: state.KindAuth, Auth: &c}
}

// withUsers is a state that has the user root, and auth on.
func withUsers(t testing.TB) *state.State {
	t.Helper()
	s := raised(t)
	res := apply(t, s, batch(1,
		authorize(2, auth.Command{Kind: auth.PutUser, Name: "root", Hash: "h"}),
		authorize(3, auth.Command{Kind: auth.Enable})))
	for i := range res {
		if res[i].Refusal != nil || res[i].Auth == nil {
			t.Fatalf("%+v", res[i])
		}
	}
	if !res[0].Auth.Created || !s.Auth().Enabled() {
		t.Fatal("the commands had no effect")
	}
	return s
}

// resealed gives a description the sum that it would have been stored with.
func resealed(extra []byte) []byte {
	if len(extra) < 4 {
		return extra
	}
	body := extra[: len(extra)-4 : len(extra)-4]
	return binary.BigEndian.AppendUint32(body, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

func TestUsersComeWithTheirRelease(t *testing.T) {
	s := state.New(founders)
	c := authorize(1, auth.Command{Kind: auth.PutUser, Name: "root", Hash: "h"})
	if res := apply(t, s, batch(1, c)); !errors.Is(res[0].Refusal, state.ErrNotYet) || !s.Auth().Empty() {
		t.Errorf("at release 1: %v", res[0].Refusal)
	}
	s = state.New(founders)
	s.Speak(state.Release1)
	if _, err := s.Apply(2, 2, batch(1, c)); !errors.Is(err, state.ErrRelease) {
		t.Errorf("an older program: %v", err)
	}
}

// The digest tells users apart, refusals too, and a repeated command has neither
// effect nor answer.
func TestUsersAreInTheDigest(t *testing.T) {
	put := func(hash string) *state.State {
		s := raised(t)
		apply(t, s, batch(1, authorize(2, auth.Command{Kind: auth.PutUser, Name: "u", Hash: hash})))
		return s
	}
	a, b := put("a"), put("b")
	if a.Digest() == b.Digest() || a.Digest() != put("a").Digest() {
		t.Error("the digest does not follow the users")
	}
	before, book := a.Digest(), a.Auth()
	res := apply(t, a, batch(1, authorize(3, auth.Command{Kind: auth.DeleteUser, Name: "v"})))
	if refused, ok := errors.AsType[*auth.Error](res[0].Refusal); !ok || refused.Status != 404 || res[0].Auth != nil {
		t.Errorf("%+v", res[0])
	}
	if a.Auth() != book || a.Digest() == before || a.Revision() != 4 {
		t.Errorf("after a refusal: revision %d", a.Revision())
	}
	res = apply(t, a, batch(1, authorize(3, auth.Command{Kind: auth.DeleteUser, Name: "u"})))
	if !res[0].Repeated || a.Auth() != book {
		t.Errorf("a repeated command: %+v", res[0])
	}
}

func TestUsersComeBack(t *testing.T) {
	s := withUsers(t)
	sn := s.Describe([]byte("conf"))
	twin, conf, err := state.Load(sn, records(nil))
	if err != nil || string(conf) != "conf" {
		t.Fatalf("%q, %v", conf, err)
	}
	if twin.Auth().Digest() != s.Auth().Digest() || twin.Digest() != s.Digest() || !bytes.Equal(twin.Describe([]byte("conf")).Extra, sn.Extra) {
		t.Error("another state came back")
	}
	next := batch(1, authorize(4, auth.Command{Kind: auth.Disable}))
	apply(t, s, next)
	apply(t, twin, next)
	if s.Digest() != twin.Digest() || twin.Auth().Enabled() {
		t.Error("they don't go on alike")
	}
	if err := twin.Refound(state.Member{ID: 9, Name: "new"}); err != nil || twin.Auth().Digest() != s.Auth().Digest() {
		t.Errorf("a cluster that was founded with it has other users: %v", err)
	}
}

// Users that are gone leave a state that is stored as if there had been none.
func TestNoUsersNoBytes(t *testing.T) {
	plain := raised(t)
	s := raised(t)
	for i, c := range []auth.Command{
		{Kind: auth.PutUser, Name: "u", Hash: "h"},
		{Kind: auth.DeleteUser, Name: "u"},
		{Kind: auth.CreateRole, Name: "r"},
		{Kind: auth.DeleteRole, Name: "r"},
	} {
		if res := apply(t, s, batch(1, authorize(uint64(2+i), c))); res[0].Refusal != nil {
			t.Fatal(res[0].Refusal)
		}
	}
	// The session remembers the commands by a byte each.
	if a, b := len(plain.Describe(nil).Extra), len(s.Describe(nil).Extra); b-a != 4 {
		t.Errorf("%d bytes without users ever, %d after", a, b)
	}
	if _, _, err := state.Load(s.Describe(nil), records(nil)); err != nil {
		t.Error(err)
	}
}

func TestBadUsersAreRefused(t *testing.T) {
	sn := withUsers(t).Describe(nil)
	at := strings.Index(string(sn.Extra), "\x04root")
	if at < 0 {
		t.Fatal("the user is not in the description")
	}
	for offset, with := range map[int]byte{-1: 9, 0: 0, 1: 'z', -4: 77} {
		bad := bytes.Clone(sn.Extra)
		bad[at+offset] = with
		broken := sn
		broken.Extra = resealed(bad)
		if _, _, err := state.Load(broken, records(nil)); !errors.Is(err, state.ErrCorrupt) {
			t.Errorf("byte %d: %v", offset, err)
		}
	}
	good := state.AppendCommand(nil, new(authorize(1, auth.Command{Kind: auth.Enable})))
	bad := bytes.Clone(good)
	bad[7] = 200 // the command's kind: behind four numbers, the kind, no token, the length
	if _, err := state.DecodeCommand(bad); !errors.Is(err, state.ErrCommand) || !errors.Is(err, auth.ErrCorrupt) {
		t.Errorf("a command of no kind: %v", err)
	}
	if _, err := state.DecodeCommand(good); err != nil {
		t.Error(err)
	}
}
