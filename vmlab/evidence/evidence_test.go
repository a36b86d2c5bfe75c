package evidence

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"drydock/node/host"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/wal"
	"drydock/node/world"
	"drydock/sim/history"
)

// put is a committed write of a member's, the seq-th of its present life.
func put(index uint64, member world.MemberID, seq uint64, token string) wal.Entry {
	c := state.Command{
		ID: state.ID{Member: member, Incarnation: 1, Seq: seq}, Token: token, Kind: state.KindKeys,
		Keys: keys.Command{Kind: keys.Set, Path: "/k", Value: token},
	}
	return wal.Entry{Index: index, Term: 1, Data: state.AppendBatch(nil, state.Header{}, state.AppendCommand(nil, &c))}
}

// change is a committed change of members, asked for by member 1.
func change(t *testing.T, index, seq uint64, changes ...state.MemberChange) wal.Entry {
	t.Helper()
	c := state.Command{ID: state.ID{Member: 1, Incarnation: 1, Seq: seq}, Token: fmt.Sprint("change", seq), Kind: state.KindMembers, Members: changes}
	data, err := proto.Marshal(&raftpb.ConfChangeV2{Context: state.AppendCommand(nil, &c)})
	if err != nil {
		t.Fatal(err)
	}
	return wal.Entry{Index: index, Term: 1, Type: byte(raftpb.EntryConfChangeV2), Data: data}
}

func one(kind state.ChangeKind, id world.MemberID) state.MemberChange {
	return state.MemberChange{Kind: kind, Member: state.Member{ID: id}}
}

// log writes a member's log below dir.
func log(t *testing.T, dir string, batches ...*wal.Batch) {
	t.Helper()
	disk, err := host.OpenDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := wal.Create(disk, wal.Options{Identity: wal.Identity{Cluster: 7, Member: 1}, SegmentBytes: wal.MinSegmentBytes})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		if err := l.Append(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(l.Sync(), l.Close(), disk.Close()); err != nil {
		t.Fatal(err)
	}
}

// founding is the first batch of every founder's log.
func founding() *wal.Batch { return &wal.Batch{Marker: &wal.Marker{Index: 1, Term: 1}, Reset: true} }

// tokens lists what has happened, each with its revision; a command that counts for
// nothing is in brackets.
func tokens(list []history.Committed) string {
	var words []string
	for i := range list {
		word := fmt.Sprintf("%s=%d", list[i].Token, list[i].Revision)
		if list[i].Repeat {
			word = "[" + word + "]"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestWhatDisksHoldTogether(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	log(t, one, founding(),
		&wal.Batch{Entries: []wal.Entry{put(2, 1, 1, "a"), put(3, 1, 2, "b"), put(4, 1, 2, "b")}, Hard: &wal.HardState{Term: 1, Commit: 2}})
	log(t, two, founding(), &wal.Batch{Entries: []wal.Entry{put(2, 1, 1, "a"), put(3, 1, 2, "b"), put(4, 1, 2, "b"), put(5, 1, 3, "c")}},
		&wal.Batch{Hard: &wal.HardState{Term: 1, Commit: 4}})
	d := New([]string{"n1", "n2"}, []string{one, two})
	for i := range 2 {
		if err := d.Read(i); err != nil {
			t.Fatal(err)
		}
	}
	found, err := d.Found()
	if err != nil {
		t.Fatal(err)
	}
	if got := tokens(found.Truth); got != "a=2 b=3 [b=3]" || found.Commit != 4 || len(found.Missing) != 0 || len(found.Entries) != 4 || found.Snapshots != 0 {
		t.Errorf("%s: %+v", got, found)
	}
}

// TestMembersThatChange: who has left has no say, and a disk that was emptied has held
// what it held.
func TestMembersThatChange(t *testing.T) {
	dir := t.TempDir()
	batch := &wal.Batch{Hard: &wal.HardState{Term: 1, Commit: 8}, Entries: []wal.Entry{
		put(2, 2, 1, "a"),
		change(t, 3, 1, one(state.AddLearner, 3)),
		change(t, 4, 2, one(state.Promote, 3)),
		change(t, 5, 3, one(state.Remove, 2)),
		put(6, 2, 2, "late"),                      // of the one that was removed
		change(t, 7, 4, one(state.AddLearner, 2)), // refused: an id is not used again
		put(8, 3, 1, "b"),
	}}
	log(t, dir, founding(), batch)
	d := New([]string{"n1"}, []string{dir})
	if err := d.Read(0); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Found(); err == nil {
		t.Error("members change where nobody asked for it, and nothing is said")
	}
	d.Founders = []uint64{1, 2}
	found, err := d.Found()
	if err != nil {
		t.Fatal(err)
	}
	want := "a=2 change1=3 change2=4 change3=5 [late=5] change4=6 b=7"
	if got := tokens(found.Truth); got != want {
		t.Errorf("it was %s, not %s", got, want)
	}
	d.Retire(0)
	other := t.TempDir()
	d.dirs[0] = other
	log(t, other, &wal.Batch{Marker: &wal.Marker{Index: 6, Term: 1}, Reset: true},
		&wal.Batch{Entries: []wal.Entry{batch.Entries[5], batch.Entries[6], put(9, 3, 2, "c")}, Hard: &wal.HardState{Term: 1, Commit: 9}})
	if err := d.Read(0); err != nil {
		t.Fatal(err)
	}
	if found, err = d.Found(); err != nil || tokens(found.Truth) != want+" c=8" || found.Snapshots != 1 || len(found.Missing) != 0 {
		t.Errorf("with a new disk: %s, %d snapshots, missing %v: %v", tokens(found.Truth), found.Snapshots, found.Missing, err)
	}
}
