package state_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drydock/node/auth"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/world"
)

var founders = []state.Member{{ID: 1, Name: "n1"}, {ID: 2, Name: "n2"}, {ID: 3, Name: "n3"}}

func put(member world.MemberID, life, seq, low uint64, value string) state.Command {
	return state.Command{
		ID: state.ID{Member: member, Incarnation: life, Seq: seq}, Low: low, Kind: state.KindKeys,
		Keys: keys.Command{Kind: keys.CreateInOrder, Path: "/q", Value: value},
	}
}

func batch(at time.Duration, list ...state.Command) []byte {
	var body []byte
	for i := range list {
		body = state.AppendCommand(body, &list[i])
	}
	return state.AppendBatch(nil, state.Header{Time: keys.Stamp{Cluster: at, Wall: int64(at)}}, body)
}

func apply(t testing.TB, s *state.State, data []byte) []state.Result {
	t.Helper()
	index, _ := s.Applied()
	res, err := s.Apply(index+1, 2, data)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// A command takes effect once, whatever is sent or logged again (design:
// proposals carry ids).
func TestCommandsTakeEffectOnce(t *testing.T) {
	for _, tc := range []struct {
		name string
		list []state.Command
		want []bool // takes effect
	}{
		{"twice in one batch", []state.Command{put(1, 1, 1, 1, "a"), put(1, 1, 1, 1, "a")}, []bool{true, false}},
		{"out of order", []state.Command{put(1, 1, 3, 1, "c"), put(1, 1, 2, 1, "b"), put(1, 1, 3, 1, "c")}, []bool{true, true, false}},
		{"given up before", []state.Command{put(1, 1, 5, 4, "e"), put(1, 1, 3, 1, "c")}, []bool{true, false}},
		{"former life", []state.Command{put(1, 2, 1, 1, "a"), put(1, 1, 9, 9, "z")}, []bool{true, false}},
		{"new life starts over", []state.Command{put(1, 1, 7, 7, "a"), put(1, 2, 1, 1, "b")}, []bool{true, true}},
		{"other members don't matter", []state.Command{put(1, 1, 1, 1, "a"), put(2, 1, 1, 1, "b")}, []bool{true, true}},
		{"not a member", []state.Command{put(9, 1, 1, 1, "a")}, []bool{false}},
		{"beyond the window", []state.Command{put(1, 1, 1+state.Window, 1, "a"), put(1, 1, state.Window, 1, "b")}, []bool{false, true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := state.New(founders)
			before := s.Revision()
			var got []bool
			effects := uint64(0)
			for _, r := range apply(t, s, batch(1, tc.list...)) {
				got = append(got, !r.Repeated)
				if !r.Repeated {
					effects++
					if r.Revision != before+effects || r.Event == nil {
						t.Errorf("revision %d event %v after %d", r.Revision, r.Event, before)
					}
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("took effect %v, want %v", got, tc.want)
			}
			if s.Revision() != before+effects {
				t.Errorf("revision %d, want %d", s.Revision(), before+effects)
			}
		})
	}
}

func TestTimeNeverGoesBack(t *testing.T) {
	s := state.New(founders)
	apply(t, s, batch(5*time.Second, put(1, 1, 1, 1, "a")))
	apply(t, s, batch(3*time.Second, put(1, 1, 2, 2, "b")))
	if got := s.Now().Cluster; got != 5*time.Second {
		t.Errorf("cluster time %v", got)
	}
}

func TestDivergedReplicaStops(t *testing.T) {
	s := state.New(founders)
	apply(t, s, batch(1, put(1, 1, 1, 1, "a")))
	index, _ := s.Applied()
	d, ok := s.DigestAt(index)
	if !ok {
		t.Fatal("digest forgotten at once")
	}
	good := state.AppendBatch(nil, state.Header{CheckIndex: index, CheckDigest: d}, nil)
	if _, err := s.Apply(index+1, 2, good); err != nil {
		t.Errorf("equal digests: %v", err)
	}
	d[3] ^= 1
	bad := state.AppendBatch(nil, state.Header{CheckIndex: index, CheckDigest: d}, nil)
	if _, err := s.Apply(index+2, 2, bad); !errors.Is(err, state.ErrDiverged) {
		t.Errorf("err = %v", err)
	}
}

func TestBadBatchesAreRefused(t *testing.T) {
	newer := put(1, 1, 1, 1, "a")
	encoded := state.AppendCommand(nil, &newer)
	// magic numbers: member, incarnation, seq and low take a byte each here.
	encoded[4] = 99
	good := batch(1, put(1, 1, 1, 1, "a"))
	for name, data := range map[string][]byte{
		"version":          append([]byte{9}, good[1:]...),
		"cut":              good[:len(good)-1],
		"trailing garbage": append(bytes.Clone(good), 0x80),
		"unknown command":  state.AppendBatch(nil, state.Header{}, encoded),
		"only a version":   {1},
	} {
		if _, err := state.DecodeBatch(data); !errors.Is(err, state.ErrCommand) {
			t.Errorf("%s: err = %v", name, err)
		}
	}
}

func TestMembershipChanges(t *testing.T) {
	member := func(id world.MemberID) state.Member { return state.Member{ID: id} }
	for _, tc := range []struct {
		name    string
		changes []state.MemberChange
		ok      bool
	}{
		{"none", nil, false},
		{"add", []state.MemberChange{{Kind: state.AddLearner, Member: member(4)}}, true},
		{"add one that is there", []state.MemberChange{{Kind: state.AddLearner, Member: member(1)}}, false},
		{"promote a stranger", []state.MemberChange{{Kind: state.Promote, Member: member(4)}}, false},
		{"promote a voter", []state.MemberChange{{Kind: state.Promote, Member: member(2)}}, false},
		{"add and promote at once", []state.MemberChange{{Kind: state.AddLearner, Member: member(4)}, {Kind: state.Promote, Member: member(4)}}, true},
		{"remove all voters", []state.MemberChange{{Kind: state.Remove, Member: member(1)}, {Kind: state.Remove, Member: member(2)}, {Kind: state.Remove, Member: member(3)}}, false},
		{"replace", []state.MemberChange{{Kind: state.AddLearner, Member: member(4)}, {Kind: state.Promote, Member: member(4)}, {Kind: state.Remove, Member: member(1)}}, true},
	} {
		err := state.New(founders).CheckChanges(tc.changes)
		if (err == nil) != tc.ok || (err != nil && !errors.Is(err, state.ErrMembership)) {
			t.Errorf("%s: err = %v", tc.name, err)
		}
	}
}

func TestApplyMembersOnceAndRefused(t *testing.T) {
	s := state.New(founders)
	c := state.Command{
		ID: state.ID{Member: 1, Incarnation: 1, Seq: 1}, Low: 1, Kind: state.KindMembers,
		Members: []state.MemberChange{{Kind: state.AddLearner, Member: state.Member{ID: 9, Name: "n9", PeerURLs: []string{"http://n9:2380"}}}},
	}
	data := state.AppendCommand(nil, &c)
	if _, changed, err := s.ApplyMembers(2, 2, data); err != nil || !changed {
		t.Fatalf("changed %t err %v", changed, err)
	}
	if m, ok := s.Member(9); !ok || !m.Learner || m.Name != "n9" {
		t.Fatalf("member %+v", m)
	}
	if res, changed, err := s.ApplyMembers(3, 2, data); err != nil || changed || !res.Repeated {
		t.Fatalf("a repeated change took effect: %+v %v", res, err)
	}
	c.ID.Seq = 2
	if res, changed, err := s.ApplyMembers(4, 2, state.AppendCommand(nil, &c)); err != nil || changed || !errors.Is(res.Refusal, state.ErrMembership) {
		t.Fatalf("a refused change took effect: %+v %v", res, err)
	}
}

// records iterates over a state's records as a checkpoint would give them.
func records(list []keys.Record) func() (keys.Record, bool, error) {
	return func() (keys.Record, bool, error) {
		if len(list) == 0 {
			return keys.Record{}, false, nil
		}
		r := list[0]
		list = list[1:]
		return r, true, nil
	}
}

func TestStoredStateComesBackAndGoesOnAlike(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := state.New(founders)
		next := map[world.MemberID]uint64{1: 1, 2: 1, 3: 1}
		n := rapid.IntRange(0, 30).Draw(rt, "entries")
		for range n {
			m := world.MemberID(rapid.IntRange(1, 3).Draw(rt, "member"))
			seq := next[m]
			if rapid.Bool().Draw(rt, "skip") {
				seq++
			}
			next[m] = seq + 1
			low := max(1, seq-min(seq, uint64(rapid.IntRange(0, 3).Draw(rt, "open"))))
			apply(t, s, batch(time.Duration(seq)*time.Second, put(m, 1, seq, low, "v"), put(m, 1, seq, low, "again")))
		}
		conf := []byte("configuration")
		sn := s.Describe(conf)
		twin, gotConf, err := state.Load(sn, records(s.Keys().Records()))
		if err != nil {
			rt.Fatal(err)
		}
		if !bytes.Equal(conf, gotConf) {
			rt.Fatalf("conf %q", gotConf)
		}
		for _, m := range []world.MemberID{1, 2, 3} {
			for seq := uint64(1); seq <= next[m]; seq++ {
				b := batch(time.Hour, put(m, 1, seq, 1, "later"))
				a, z := apply(t, s, b), apply(t, twin, b)
				if d := cmp.Diff(a[0].Repeated, z[0].Repeated); d != "" {
					rt.Fatalf("member %d seq %d: %s", m, seq, d)
				}
				if s.Digest() != twin.Digest() {
					rt.Fatalf("member %d seq %d: digests differ", m, seq)
				}
			}
		}
	})
}

func TestDamagedStoredStateIsRefused(t *testing.T) {
	s := state.New(founders)
	apply(t, s, batch(1, put(1, 1, 1, 1, "a"), put(2, 1, 1, 1, "b")))
	sn, list := s.Describe(nil), s.Keys().Records()
	for i := range sn.Extra {
		bad := sn
		bad.Extra = bytes.Clone(sn.Extra)
		bad.Extra[i] ^= 0x55
		if _, _, err := state.Load(bad, records(list)); !errors.Is(err, state.ErrCorrupt) {
			t.Errorf("byte %d: err = %v", i, err)
		}
	}
	bad := sn
	bad.Digest[0] ^= 1
	if _, _, err := state.Load(bad, records(list)); !errors.Is(err, state.ErrCorrupt) {
		t.Errorf("digest: err = %v", err)
	}
	if _, _, err := state.Load(sn, records(list[:len(list)-1])); !errors.Is(err, state.ErrCorrupt) {
		t.Errorf("missing record: err = %v", err)
	}
}

func FuzzDecodeBatch(f *testing.F) {
	f.Add(batch(1, put(1, 1, 1, 1, "a"), put(2, 1, 4, 2, "b")))
	members := state.Command{ID: state.ID{Member: 1, Incarnation: 1, Seq: 1}, Kind: state.KindMembers, Members: []state.MemberChange{{Kind: state.Promote, Member: state.Member{ID: 3}}}}
	f.Add(state.AppendBatch(nil, state.Header{}, state.AppendCommand(nil, &members)))
	f.Add(batch(1, raise(1, 2, 2, 1, 2, 3), publish(2, 3, 3)))
	f.Add(batch(1, authorize(1, auth.Command{Kind: auth.CreateUser, Name: "u", Hash: "h", Roles: []string{"r"}})))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := state.DecodeBatch(data)
		if err != nil {
			if !errors.Is(err, state.ErrCommand) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		var body []byte
		for i := range b.Commands {
			body = state.AppendCommand(body, &b.Commands[i])
		}
		again := state.AppendBatch(nil, state.Header{Time: b.Time, CheckIndex: b.CheckIndex, CheckDigest: b.CheckDigest}, body)
		if _, err := state.DecodeBatch(again); err != nil {
			t.Fatalf("a decoded batch does not encode: %v", err)
		}
	})
}

func BenchmarkApply64(b *testing.B) {
	s := state.New(founders)
	b.ReportAllocs()
	for seq := uint64(1); b.Loop(); seq += 64 {
		var list []state.Command
		for i := range uint64(64) {
			c := put(1, 1, seq+i, seq+i, "value")
			c.Keys = keys.Command{Kind: keys.Set, Path: "/k", Value: "value"}
			list = append(list, c)
		}
		index, _ := s.Applied()
		if _, err := s.Apply(index+1, 2, batch(1, list...)); err != nil {
			b.Fatal(err)
		}
	}
}
