package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/node/checkpoint"
	"drydock/node/host"
	"drydock/node/state"
)

var update = flag.Bool("update", false, "rewrite the expected reports in testdata")

func TestInspectAWholeDirectory(t *testing.T) {
	dir := grown(t)
	before := contents(t, dir)
	r, err := Inspect(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
		t.Errorf("files changed:\n%s", diff)
	}
	if r.Verdict != OK || r.Damage != nil || r.Cluster != "c1" || r.Member != "7a" || r.Name != "one" {
		t.Errorf("%s of %s in %s, %q: %+v", r.Verdict, r.Member, r.Cluster, r.Name, r.Damage)
	}
	l, c, s := r.Log, r.Checkpoint, r.State
	if l == nil || c == nil || s == nil {
		t.Fatalf("%+v", r)
	}
	if len(l.Segments) < 2 || l.Starts != 3 || l.Vote != "7a" || l.Term < 2 || l.Last < 180 || l.Commit > l.Last || l.First != l.Marker+1 {
		t.Errorf("log: %+v", l)
	}
	if c.Index < 40 || c.Index < l.Marker || c.Bytes == 0 || s.Index != max(l.Commit, c.Index) {
		t.Errorf("checkpoint: %+v, state: %+v", c, s)
	}
	// 59 files and their directory, the key with a ttl, and the queue with 3.
	if s.Keys != 65 || s.Units != 3 || s.EtcdIndex != 189 {
		t.Errorf("state: %+v", s)
	}
	want := []MemberReport{{ID: "7a", Name: "one", PeerURLs: []string{"http://127.0.0.1:2380"}, ClientURLs: []string{"http://127.0.0.1:2379"}}}
	if diff := cmp.Diff(want, r.Members); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if len(r.Snapshots) != 1 || r.Snapshots[0].File != "snap/one.snap" || r.Snapshots[0].Index != c.Index {
		t.Errorf("snapshots: %+v", r.Snapshots)
	}
}

// TestDamageIsNamed breaks one thing at a time: the report names the file and
// says why, and a node agrees that it can't start from that.
func TestDamageIsNamed(t *testing.T) {
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte {
			if at < 0 {
				at += len(b)
			}
			b[at] ^= 0x10
			return b
		}
	}
	half := func(b []byte) []byte { return b[:len(b)/2] }
	gone := func([]byte) []byte { return nil }
	const tree, oldest = "ckpt/state.db", "wal/OLDEST"
	for _, tc := range []struct {
		name, file string
		damage     func([]byte) []byte
		where, why string
		starts     bool
	}{
		{"the log's first header", oldest, flip(60), oldest, "checksum", false},
		{"a record in the middle", oldest, flip(3000), oldest, "the log was durable up to", false},
		{"a segment cut in half", oldest, half, oldest, "the log was durable up to", false},
		{"a segment gone", "wal/SECOND", gone, oldest, "the log was durable up to", false},
		{"the heads of pages", tree, func(b []byte) []byte {
			for at := 2*4096 + 11; at < len(b); at += 4096 {
				b[at] ^= 0x70
			}
			return b
		}, tree, "elements", false},
		{"both descriptions of the tree", tree, func(b []byte) []byte { return flip(30)(flip(4096 + 30)(b)) }, tree, "corrupt", false},
		{"values in pages", tree, func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte("-xxxxxx"), []byte("-xxyxxx"))
		}, tree, "corrupt", false},
		{"a checkpoint cut in half", tree, half, tree, "", false},
		{"a checkpoint gone", tree, gone, tree, "missing", false},
		{"an identity of another", "member.json", func(b []byte) []byte { return bytes.Replace(b, []byte("7a"), []byte("7b"), 1) }, "member.json", "the log is of member 7a", true},
		{"no identity", "member.json", gone, "member.json", "missing, though there is a log", true},
		{"an identity cut", "member.json", half, "member.json", "bad identity file", true},
		{"a snapshot file", "snap/one.snap", flip(-100), "snap/one.snap", "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := grown(t)
			segments := segmentsOf(t, dir)
			names := strings.NewReplacer("OLDEST", segments[0], "SECOND", segments[1])
			name := names.Replace(tc.file)
			path := filepath.Join(dir, name)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if b = tc.damage(b); b == nil {
				err = os.Remove(path)
			} else {
				err = os.WriteFile(path, b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			r, err := Inspect(dir)
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != Damaged || len(r.Damage) == 0 || r.Next == "" {
				t.Fatalf("%s, %+v, next %q", r.Verdict, r.Damage, r.Next)
			}
			where := names.Replace(tc.where)
			if d := r.Damage[0]; d.File != where || !strings.Contains(d.Reason, tc.why) {
				t.Errorf("%+v, want it in %s, because of %q", d, where, tc.why)
			}
			_, stop, err := boot(t, dir, config(0xc1, 0x7a))
			if (err == nil) != tc.starts {
				t.Errorf("a node starts: %v", err)
			}
			if err == nil {
				stop()
			}
		})
	}
}

// segmentsOf lists the files of the log, the oldest first.
func segmentsOf(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "wal", "*.seg"))
	if err != nil || len(names) < 3 {
		t.Fatalf("segments: %v, %v", names, err)
	}
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	return names
}

// TestInspectJudgesAsANodeDoes flips bytes all over the directory: a node starts
// if and only if the report has no damage outside of snapshot files.
func TestInspectJudgesAsANodeDoes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many nodes")
	}
	files := contents(t, grown(t))
	bad := 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasPrefix(name, "wal/") && !strings.HasPrefix(name, "ckpt/") {
			continue
		}
		for at := 13; at < len(files[name]); at += max(len(files[name])/12, 1) {
			dir := grown(t)
			b := []byte(files[name])
			b[at] ^= 4
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := Inspect(dir)
			if err != nil {
				t.Fatalf("%s at %d: %v", name, at, err)
			}
			_, stop, err := boot(t, dir, config(0xc1, 0x7a))
			if err == nil {
				stop()
			} else {
				bad++
			}
			if (r.Verdict == OK) != (err == nil) {
				t.Errorf("%s at %d: inspect says %s, %+v, a node %v", name, at, r.Verdict, r.Damage, err)
			}
		}
	}
	if bad < 5 {
		t.Errorf("only %d flips were refused", bad)
	}
}

func TestInspectRefuses(t *testing.T) {
	whole := grown(t)
	_, stop, err := boot(t, whole, config(0xc1, 0x7a))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		dir  string
		want error
	}{
		"a directory in use": {whole, host.ErrLocked},
		"nothing there":      {filepath.Join(t.TempDir(), "none"), fs.ErrNotExist},
		"a file":             {file, ErrNoDirectory},
		"an empty directory": {t.TempDir(), ErrNoDirectory},
	} {
		if r, err := Inspect(tc.dir); !errors.Is(err, tc.want) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestInspectAnUnfinishedDirectory(t *testing.T) {
	dir := t.TempDir()
	found(t, dir)
	r, err := Inspect(dir)
	if err != nil || r.Verdict != OK || r.State.Index != 1 || r.State.Keys != 0 {
		t.Errorf("before the first start: %+v, %v", r, err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "wal")); err != nil {
		t.Fatal(err)
	}
	r, err = Inspect(dir)
	if err != nil || r.Verdict != Unfinished || r.Member != "7a" || r.Next == "" {
		t.Errorf("without a log: %+v, %v", r, err)
	}
}

// TestALaterReleaseIsNotCalledDamaged: its operator needs another program.
func TestALaterReleaseIsNotCalledDamaged(t *testing.T) {
	dir := grown(t)
	disk, err := host.OpenDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := checkpoint.Load(disk, func(checkpoint.Record) error { return nil })
	if err == nil {
		m.Extra = laterRelease(m.Extra)
		err = checkpoint.Write(disk, m, nil)
	}
	if err = errors.Join(err, disk.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := Inspect(dir)
	if err != nil || r.Verdict != Newer || len(r.Damage) > 0 || r.Next == "" || len(r.Notes) == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := Backup(dir, filepath.Join(t.TempDir(), "b"), noon); !errors.Is(err, state.ErrRelease) || errors.Is(err, ErrDamaged) {
		t.Errorf("backup: %v", err)
	}
}

// TestText holds the printed form to testdata/report.txt.
func TestText(t *testing.T) {
	at := int64(4096)
	reports := []Report{
		{
			Directory: "n1.drydock", Verdict: OK, Cluster: "c1", Member: "7a", Name: "n1",
			Log: &LogReport{
				Segments: make([]SegmentReport, 2), Spares: 1, Bytes: 192 << 20, First: 4001, Last: 4812,
				Marker: 4000, MarkerTerm: 2, Term: 3, Vote: "7a", Commit: 4810, Starts: 4, TornBytes: 320,
			},
			Checkpoint: &CheckpointReport{Index: 4000, Term: 2, Revision: 9000, Bytes: 1300 << 10, Digest: "0d1e"},
			State:      &StateReport{Index: 4810, Term: 3, Revision: 9911, EtcdIndex: 4711, Keys: 120, Units: 1, Release: 3, Digest: "ff00"},
			Snapshots:  []SnapshotReport{{File: "snap/a", Bytes: 900, Index: 3000}},
			Members: []MemberReport{
				{ID: "7a", Name: "n1", PeerURLs: []string{"http://10.0.0.1:2380"}, ClientURLs: []string{"http://10.0.0.1:2379"}},
				{ID: "1b2", Learner: true},
			},
			Notes: []string{"wal/2.seg has 320 bytes of a torn write from 8192 on, which nobody was told of; the node drops them when it starts"},
		},
		{
			Directory: "n2.drydock", Verdict: Damaged, Cluster: "c1", Member: "7b",
			Log:    &LogReport{Segments: make([]SegmentReport, 1), Bytes: 512, First: 1},
			Damage: []Damage{{File: "wal/1.seg", Offset: &at, Reason: "wrong checksum"}, {File: "ckpt/state.db", Reason: "page 3 is used twice"}},
			Next:   "Do not start this member: " + replaceAdvice,
		},
	}
	var b bytes.Buffer
	for i := range reports {
		if err := reports[i].Text(&b); err != nil {
			t.Fatal(err)
		}
		b.WriteString("----\n")
	}
	golden := filepath.Join("testdata", "report.txt")
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(golden, b.Bytes(), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	again, text := Report{}, new(bytes.Buffer)
	if err := errors.Join(json.NewEncoder(text).Encode(reports[0]), json.NewDecoder(text).Decode(&again)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(reports[0], again); diff != "" {
		t.Errorf("as JSON and back:\n%s", diff)
	}
}
