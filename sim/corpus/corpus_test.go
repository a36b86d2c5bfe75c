package corpus_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"drydock/node"
	"drydock/node/checkpoint"
	"drydock/node/consensus"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/wal"
	"drydock/node/wire"
	"drydock/node/world"
	"drydock/sim/disk"
)

var add = flag.Bool("add", false, "write the files that are missing")

// content is what a release writes.
type content struct {
	number int
	// frames are one of each kind that came with the release, by name.
	frames map[string]*wire.Frame
	// before are the batches that the snapshot holds, and change, if there is one,
	// what follows them; after is what follows the snapshot in the log.
	before, after [][]byte
	change        *state.Command
	// commands are others, by name.
	commands map[string]state.Command
}

// The member that wrote it all.
const cluster, self = 9, world.MemberID(1)

var founders = []state.Member{{ID: 1, Name: "n1"}, {ID: 2, Name: "n2"}, {ID: 3, Name: "n3"}}

// history is the state that the snapshot holds, and that after the log.
func (c *content) history(t *testing.T) (stored, last *state.State) {
	t.Helper()
	play := func(s *state.State, batches ...[]byte) *state.State {
		for _, b := range batches {
			index, _ := s.Applied()
			if _, err := s.Apply(index+1, 2, b); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	begin := func() *state.State {
		s := play(state.New(founders), c.before...)
		if c.change != nil {
			index, _ := s.Applied()
			if _, changed, err := s.ApplyMembers(index+1, 2, state.AppendCommand(nil, c.change)); err != nil || !changed {
				t.Fatalf("changed %t, %v", changed, err)
			}
		}
		return s
	}
	return begin(), play(begin(), c.after...)
}

// batchOf is an entry's content, of the given commands of member 1.
func batchOf(first uint64, commands ...state.Command) []byte {
	var body []byte
	for i := range commands {
		commands[i].ID = state.ID{Member: self, Incarnation: 1, Seq: first + uint64(i)}
		commands[i].Low = first
		body = state.AppendCommand(body, &commands[i])
	}
	h := state.Header{Time: keys.Stamp{Cluster: 7_000_000, Wall: 1_767_225_600_000_000_000}}
	return state.AppendBatch(nil, h, body)
}

// write makes every file of a release, as a program of it would.
func (c *content) write(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for name, cmd := range c.commands {
		files[name+".command"] = state.AppendCommand(nil, &cmd)
	}
	for name, f := range c.frames {
		files[name+".frame"] = f.Encode()
	}
	for i, b := range slices.Concat(c.before, c.after) {
		files[fmt.Sprintf("entry-%d.batch", i+2)] = b
	}
	conf, err := consensus.FoundingConf([]world.MemberID{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	stored, _ := c.history(t)
	sn := stored.Describe(conf)
	files["state.description"] = sn.Extra
	d := disk.New()
	defer d.Close()
	store := checkpoint.Store{}
	if err := store.Write(d, 0, sn, stored.Records()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Export(d, "send"); err != nil {
		t.Fatal(err)
	}
	for offset := uint64(0); ; {
		piece, err := store.ReadChunk(d, "send", offset, 4096)
		if err != nil || len(piece) == 0 {
			break
		}
		files["state.snapshot"] = append(files["state.snapshot"], piece...)
		offset += uint64(len(piece))
	}
	files["log.segment"] = c.log(t, d, sn)
	return files
}

// log writes a log behind the snapshot and returns its one segment.
func (c *content) log(t *testing.T, d *disk.Disk, sn state.Snapshot) []byte {
	t.Helper()
	l, err := wal.Create(d, options())
	if err != nil {
		t.Fatal(err)
	}
	list := []*wal.Batch{{Marker: &wal.Marker{Index: sn.Index, Term: sn.Term}, Reset: true}, {Boot: 1}}
	for i, b := range c.after {
		list = append(list, &wal.Batch{Entries: []wal.Entry{{Index: sn.Index + uint64(i) + 1, Term: 2, Data: b}}})
	}
	list = append(list, &wal.Batch{Hard: &wal.HardState{Term: 2, Vote: 1, Commit: sn.Index + uint64(len(c.after))}})
	for _, b := range list {
		if err := l.Append(b); err != nil {
			t.Fatal(err)
		}
		if err := l.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := d.List(wal.Dir)
	if err != nil || len(names) != 1 {
		t.Fatalf("segments %q, %v", names, err)
	}
	f, err := d.Open(wal.Dir + "/" + names[0])
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, wal.MinSegmentBytes)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

func options() wal.Options {
	return wal.Options{Identity: wal.Identity{Cluster: cluster, Member: uint64(self)}, SegmentBytes: wal.MinSegmentBytes}
}

func (c *content) dir() string { return filepath.Join("testdata", fmt.Sprintf("release-%d", c.number)) }

// read returns the files of a release as they were written.
func (c *content) read(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	entries, err := os.ReadDir(c.dir())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(c.dir(), e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestEveryReleaseWritesAsItDid(t *testing.T) {
	for _, c := range releases() {
		wrote := c.write(t)
		for name, b := range wrote {
			file := filepath.Join(c.dir(), name)
			kept, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) && *add {
				err = errors.Join(os.MkdirAll(c.dir(), 0o755), os.WriteFile(file, b, 0o644))
				kept = b
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(kept, b) {
				t.Errorf("release %d writes %s as %d bytes, once it was these %d:\n%x\n%x", c.number, name, len(b), len(kept), b, kept)
			}
		}
		if kept := c.read(t); len(kept) != len(wrote) {
			t.Errorf("release %d has %d files, its description makes %d", c.number, len(kept), len(wrote))
		}
	}
}

func TestFramesAndCommandsOfEveryReleaseAreRead(t *testing.T) {
	for _, c := range releases() {
		files := c.read(t)
		for name, want := range c.frames {
			got, err := wire.Decode(files[name+".frame"])
			if err != nil {
				t.Errorf("release %d: %s: %v", c.number, name, err)
				continue
			}
			if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
				t.Errorf("release %d: %s: %s", c.number, name, d)
			}
		}
		for name, want := range c.commands {
			got, err := state.DecodeCommand(files[name+".command"])
			if d := cmp.Diff(want, got); err != nil || d != "" {
				t.Errorf("release %d: command %s: %v %s", c.number, name, err, d)
			}
		}
		for name, b := range files {
			if strings.HasSuffix(name, ".batch") {
				if list, err := state.DecodeBatch(b); err != nil || len(list.Commands) == 0 {
					t.Errorf("release %d: %s: %d commands, %v", c.number, name, len(list.Commands), err)
				}
			}
		}
	}
}

// boot makes a data directory of a release's files and boots a member from it.
func (c *content) boot(t *testing.T, tune func(*node.Config)) (*node.Node, error) {
	t.Helper()
	files, d := c.read(t), disk.New()
	t.Cleanup(func() { _ = d.Close() })
	in, err := checkpoint.Store{}.Receive(d, "got")
	if err != nil {
		t.Fatal(err)
	}
	if err := in.WriteAt(files["state.snapshot"], 0); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Finish(); err != nil {
		t.Fatal(err)
	}
	if err := (checkpoint.Store{}).Import(d, "got"); err != nil {
		t.Fatal(err)
	}
	if err := d.MkdirAll(wal.Dir); err != nil {
		t.Fatal(err)
	}
	f, err := d.Create(fmt.Sprintf("%s/%016x.seg", wal.Dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(files["log.segment"], 0); err != nil {
		t.Fatal(err)
	}
	cfg := node.Config{Cluster: cluster, ID: self, SegmentBytes: wal.MinSegmentBytes}
	tune(&cfg)
	n, err := node.Boot(d, cfg, checkpoint.Store{}, world.Instant{Mono: 1})
	if err == nil {
		err = n.Start(world.Instant{Mono: 2}).Halt
	}
	return n, err
}

func TestMembersOfEveryReleaseComeBack(t *testing.T) {
	for _, c := range releases() {
		n, err := c.boot(t, func(*node.Config) {})
		if err != nil {
			t.Errorf("release %d: %v", c.number, err)
			continue
		}
		_, want := c.history(t)
		index, _ := want.Applied()
		if got, _ := n.State().Applied(); got != index || n.State().Digest() != want.Digest() {
			t.Errorf("release %d comes back at %d with digest %x, want %d with %x", c.number, got, n.State().Digest(), index, want.Digest())
		}
		if d := cmp.Diff(want.Members(), n.State().Members()); d != "" {
			t.Errorf("release %d: members %s", c.number, d)
		}
	}
}
