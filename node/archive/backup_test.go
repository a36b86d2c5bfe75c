package archive

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/node/fleet"
	"drydock/node/host"
	"drydock/node/keys"
	"drydock/node/state"
)

var noon = time.Date(2014, 6, 1, 12, 0, 0, 5, time.FixedZone("", 3600))

// backedUp returns a backup's path and its manifest.
func backedUp(t testing.TB, dir string) (string, *Manifest) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "one.backup")
	m, err := Backup(dir, file, noon)
	if err != nil {
		t.Fatal(err)
	}
	return file, m
}

// read reads a backup.
func read(t testing.TB, file string) *Contents {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// drawFrom returns numbers from first on.
func drawFrom(first uint64) func() uint64 {
	return func() uint64 { first++; return first - 1 }
}

// tree reads the whole keyspace of a running node.
func tree(t *testing.T, h *host.Host) *keys.Event {
	t.Helper()
	a := do(t, h, "GET", "/v2/keys/?recursive=true&sorted=true", "")
	if a.Err != nil {
		t.Fatal(a.Err)
	}
	return a.Event
}

func TestABackupIsRestoredAsANewCluster(t *testing.T) {
	dir := grown(t)
	before := contents(t, dir)
	file, m := backedUp(t, dir)
	if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
		t.Errorf("the backup changed the directory:\n%s", diff)
	}
	if !m.Created.Equal(noon.Truncate(time.Second)) || m.Cluster != "c1" || m.Member != "7a" || m.Name != "one" || m.EtcdIndex != 189 || m.Keys != 65 {
		t.Errorf("%+v", m)
	}
	old, stop, err := boot(t, dir, config(0xc1, 0x7a))
	if err != nil {
		t.Fatal(err)
	}
	want := tree(t, old)
	stop()

	target := filepath.Join(t.TempDir(), "two.drydock")
	r, err := Restore(read(t, file), target, RestoreOptions{Name: "two", PeerURLs: []string{"http://10.0.0.2:2380"}, Draw: drawFrom(0x7a), SegmentBytes: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	// The first number drawn is the old member's id, which is not used again.
	if r.Member != "7b" || r.Cluster != "7c" || r.Name != "two" || r.EtcdIndex != m.EtcdIndex || r.Keys != m.Keys {
		t.Errorf("%+v", r)
	}
	if r.Index <= m.Index || r.Term < m.Term || r.Revision <= m.Revision {
		t.Errorf("it begins at %d, %d, %d after %d, %d, %d", r.Index, r.Term, r.Revision, m.Index, m.Term, m.Revision)
	}
	id, err := host.ReadIdentity(target)
	if err != nil || id.ID != 0x7b || id.Cluster != 0x7c || id.Name != "two" {
		t.Errorf("identity %+v, %v", id, err)
	}
	if _, _, err := boot(t, target, config(0xc1, 0x7a)); err == nil {
		t.Error("the old member starts from the new directory")
	}
	for life := range 2 {
		h, stop, err := boot(t, target, config(id.Cluster, id.ID))
		if err != nil {
			t.Fatal(err)
		}
		got := tree(t, h)
		if diff := cmp.Diff(want.Node, got.Node); life == 0 && (diff != "" || got.EtcdIndex != want.EtcdIndex) {
			t.Errorf("index %d, was %d; keys (-old +new):\n%s", got.EtcdIndex, want.EtcdIndex, diff)
		}
		var units []string
		h.ReadFleet(t.Context(), true, func(s *fleet.Store) {
			for u := range s.UnitsFrom(0) {
				units = append(units, u.Name)
			}
		})
		if diff := cmp.Diff([]string{"app@0.service", "app@1.service", "app@2.service"}, units); diff != "" {
			t.Errorf("units (-want +got):\n%s", diff)
		}
		a := do(t, h, "PUT", "/v2/keys/more", "value=x")
		if a.Event == nil || a.Event.Node.Modified != m.EtcdIndex+1+uint64(life) || a.Meta.RaftIndex <= m.Index {
			t.Errorf("a new write: %+v", a)
		}
		stop()
	}
	if r, err := Inspect(target); err != nil || r.Verdict != OK || len(r.Members) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestWhatIsNotKnownToBeCommittedIsKept: the log's end may have been promised by
// a majority that this member had not heard of.
func TestWhatIsNotKnownToBeCommittedIsKept(t *testing.T) {
	dir := grown(t)
	r, err := Inspect(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, m := backedUp(t, dir)
	if m.Index != r.Log.Last || m.Commit != max(r.Log.Commit, r.Checkpoint.Index) {
		t.Errorf("%d, commit %d: the log has %d, commit %d", m.Index, m.Commit, r.Log.Last, r.Log.Commit)
	}
}

func TestBackupRefuses(t *testing.T) {
	whole, damaged, used := grown(t), grown(t), grown(t)
	if err := os.Truncate(filepath.Join(damaged, "ckpt", "state.db"), 5000); err != nil {
		t.Fatal(err)
	}
	_, stop, err := boot(t, used, config(0xc1, 0x7a))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	there, _ := backedUp(t, whole)
	out := t.TempDir()
	for name, tc := range map[string]struct {
		dir, file string
		want      error
		text      string
	}{
		"a file that is there": {whole, there, ErrExists, "choose another name"},
		"a damaged directory":  {damaged, filepath.Join(out, "a"), ErrDamaged, "drydock node inspect"},
		"one in use":           {used, filepath.Join(out, "b"), host.ErrLocked, "stop the node"},
		"an empty one":         {t.TempDir(), filepath.Join(out, "c"), ErrNoDirectory, "no log"},
		"no room for the file": {whole, filepath.Join(out, "none", "d"), os.ErrNotExist, ""},
	} {
		_, err := Backup(tc.dir, tc.file, noon)
		if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left := contents(t, out); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
}

func TestRestoreRefusesAndLeavesNothing(t *testing.T) {
	file, _ := backedUp(t, grown(t))
	parent := t.TempDir()
	full := filepath.Join(parent, "full")
	plain := filepath.Join(parent, "plain")
	if err := errors.Join(os.Mkdir(full, 0o700), os.WriteFile(filepath.Join(full, "x"), nil, 0o600), os.WriteFile(plain, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	before := contents(t, parent)
	long := strings.Repeat("n", 300)
	for name, tc := range map[string]struct {
		dir  string
		opts RestoreOptions
		text string
	}{
		"a directory with something in it": {full, RestoreOptions{}, "it holds x"},
		"a file":                           {plain, RestoreOptions{}, "not a directory"},
		"no parent":                        {filepath.Join(parent, "a", "b"), RestoreOptions{}, "no such file"},
		"a name too long":                  {filepath.Join(parent, "new"), RestoreOptions{Name: long}, "name of 300 bytes"},
		"a bad log size":                   {filepath.Join(parent, "new"), RestoreOptions{SegmentBytes: 7}, "segment of 7 bytes"},
	} {
		tc.opts.Draw = drawFrom(500)
		if _, err := Restore(read(t, file), tc.dir, tc.opts); err == nil || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(before, contents(t, parent)); diff != "" {
			t.Fatalf("%s: something is left:\n%s", name, diff)
		}
	}
	// An empty directory is as good as none, and contents serve once.
	empty := filepath.Join(parent, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	c := read(t, file)
	if _, err := Restore(c, empty, RestoreOptions{Draw: drawFrom(500)}); err != nil {
		t.Error(err)
	}
	if _, err := Restore(c, filepath.Join(parent, "again"), RestoreOptions{Draw: drawFrom(500)}); err == nil {
		t.Error("the same contents were restored twice")
	}
}

// TestADamagedBackupIsRefused flips and cuts bytes: what is read all the same is
// the very same state.
func TestADamagedBackupIsRefused(t *testing.T) {
	file, m := backedUp(t, grown(t))
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	refused, tried := 0, 0
	try := func(what string, at int, b []byte) {
		tried++
		c, err := Read(bytes.NewReader(b), int64(len(b)))
		switch {
		case errors.Is(err, ErrBackup):
			refused++
		case err != nil:
			t.Errorf("%s at %d: %v", what, at, err)
		case c.Manifest.Digest != m.Digest:
			t.Errorf("%s at %d: unnoticed", what, at)
		}
	}
	for at := 0; at < len(good); at += 7 {
		bad := bytes.Clone(good)
		bad[at] ^= 0x20
		try("flip", at, bad)
		if at%49 == 0 {
			try("cut", at, good[:at])
		}
	}
	if refused < tried*9/10 {
		t.Errorf("%d of %d damages were refused", refused, tried)
	}
}

// entry is one of a zip file.
type entry struct{ name, text string }

// zipped makes a zip file.
func zipped(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.Create(e.name)
		if err == nil {
			_, err = io.WriteString(w, e.text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unzipped returns the entries of a backup.
func unzipped(t testing.TB, file string) (snap, manifest string) {
	t.Helper()
	z, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }()
	for name, text := range map[string]*string{stateEntry: &snap, manifestEntry: &manifest} {
		f, err := z.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		*text = string(b)
	}
	return snap, manifest
}

func TestReadRefuses(t *testing.T) {
	file, m := backedUp(t, grown(t))
	snap, manifest := unzipped(t, file)
	edit := func(fn func(*Manifest)) string {
		c := *m
		fn(&c)
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	both := func(text string) []byte { return zipped(t, entry{stateEntry, snap}, entry{manifestEntry, text}) }
	for name, tc := range map[string]struct {
		file []byte
		want string
	}{
		"nothing":             {nil, "zip"},
		"text":                {[]byte("not a zip file at all, whatever its name"), "zip"},
		"an empty zip":        {zipped(t), "no entry manifest.json"},
		"no state":            {zipped(t, entry{manifestEntry, manifest}), "no entry state.snap"},
		"two states":          {zipped(t, entry{stateEntry, snap}, entry{stateEntry, snap}, entry{manifestEntry, manifest}), "two entries state.snap"},
		"a manifest cut":      {both(manifest[:40]), "manifest.json"},
		"a huge manifest":     {both(manifest + strings.Repeat(" ", maxManifestBytes)), "exceeds"},
		"another format":      {both(edit(func(m *Manifest) { m.Format = "tar" })), `format "tar"`},
		"a later version":     {both(edit(func(m *Manifest) { m.Version = 2 })), "version 2, this release reads 1"},
		"a negative size":     {both(edit(func(m *Manifest) { m.StateBytes = -1 })), "below 0"},
		"another size":        {both(edit(func(m *Manifest) { m.StateBytes++ })), "the manifest says"},
		"another sum":         {both(edit(func(m *Manifest) { m.StateSHA256 = strings.Repeat("0", 64) })), "SHA-256"},
		"another index":       {both(edit(func(m *Manifest) { m.Index++ })), "the state is at index"},
		"another digest":      {both(edit(func(m *Manifest) { m.Digest = "00" })), "the state is at index"},
		"a state of no state": {zipped(t, entry{stateEntry, "hello"}, entry{manifestEntry, edit(func(m *Manifest) { m.StateBytes = 5 })}), "state.snap"},
	} {
		_, err := Read(bytes.NewReader(tc.file), int64(len(tc.file)))
		if !errors.Is(err, ErrBackup) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
	whole := both(manifest)
	if _, err := Read(bytes.NewReader(whole), int64(len(whole))); err != nil {
		t.Errorf("put together again: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	dir := f.TempDir()
	found(f, dir)
	file, _ := backedUp(f, dir)
	good, err := os.ReadFile(file)
	if err != nil {
		f.Fatal(err)
	}
	snap, manifest := unzipped(f, file)
	f.Add([]byte(snap), manifest, good)
	f.Add([]byte(snap[:len(snap)/2]), manifest, good[:len(good)-30])
	f.Fuzz(func(t *testing.T, snap []byte, manifest string, raw []byte) {
		packed := zipped(t, entry{stateEntry, string(snap)}, entry{manifestEntry, manifest})
		for _, b := range [][]byte{raw, packed} {
			c, err := Read(bytes.NewReader(b), int64(len(b)))
			if err != nil && !errors.Is(err, ErrBackup) && !errors.Is(err, state.ErrRelease) {
				t.Fatal(err)
			}
			if err == nil && c.state == nil {
				t.Fatal("a backup without a state")
			}
		}
	})
}

// TestABackupOfALaterReleaseIsNotCalledDamaged: its operator needs another
// program, not another backup.
func TestABackupOfALaterReleaseIsNotCalledDamaged(t *testing.T) {
	st := state.New([]state.Member{{ID: 1, Name: "n1"}})
	sn := st.Describe(nil)
	sn.Extra = laterRelease(sn.Extra)
	var b bytes.Buffer
	if err := encode(&b, &Manifest{Format: Format, Version: Version}, sn, st.Records()); err != nil {
		t.Fatal(err)
	}
	_, err := Read(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if !errors.Is(err, state.ErrRelease) || errors.Is(err, ErrBackup) {
		t.Errorf("%v", err)
	}
}

// laterRelease makes a stored description one that the release after the newest
// wrote.
func laterRelease(extra []byte) []byte {
	b := append([]byte{byte(state.Newest) + 1}, extra[1:len(extra)-4]...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}
