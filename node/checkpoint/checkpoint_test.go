package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drydock/node/world"
)

// readAll loads the checkpoint into memory.
func readAll(t testing.TB, fs world.FS) (Meta, []Record) {
	t.Helper()
	var list []Record
	m, err := Load(fs, func(r Record) error {
		list = append(list, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m, list
}

// mustWrite writes a checkpoint.
func mustWrite(t testing.TB, fs world.FS, m Meta, changes ...Record) {
	t.Helper()
	if err := Write(fs, m, changes); err != nil {
		t.Fatal(err)
	}
}

func TestLoadReturnsWhatWasWritten(t *testing.T) {
	fs := newFS(t)
	if _, err := Load(fs, nothing); !errors.Is(err, ErrNoCheckpoint) {
		t.Fatalf("no checkpoint: %v", err)
	}
	mustWrite(t, fs, Meta{Index: 1},
		Record{"b", []byte("2"), []byte("old")}, Record{"b", []byte("1"), []byte{}}, Record{"a", []byte("9"), []byte("x")})
	want := Meta{Index: 7, Term: 3, Revision: 21, Digest: [16]byte{1, 15: 9}, Extra: []byte("members")}
	mustWrite(t, fs, want,
		Record{"b", []byte("2"), []byte("new")}, Record{"a", []byte("9"), nil}, Record{"a", []byte("none"), nil},
		Record{"c", []byte("k"), bytes.Repeat([]byte("v"), 100_000)})
	m, got := readAll(t, fs)
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("description (-want +got):\n%s", diff)
	}
	records := []Record{
		{"b", []byte("1"), []byte{}},
		{"b", []byte("2"), []byte("new")},
		{"c", []byte("k"), bytes.Repeat([]byte("v"), 100_000)},
	}
	if diff := cmp.Diff(records, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestWriteRefuses(t *testing.T) {
	fs := newFS(t)
	mustWrite(t, fs, Meta{Index: 5}, Record{"b", []byte("k"), []byte("v")})
	for _, c := range []struct {
		name string
		m    Meta
		r    Record
		want error
	}{
		{"an index that goes back", Meta{Index: 4}, Record{"b", []byte("k"), nil}, ErrIndexBack},
		{"no bucket", Meta{Index: 6}, Record{"", []byte("k"), nil}, ErrBound},
		{"a long bucket", Meta{Index: 6}, Record{strings.Repeat("b", MaxBucketBytes+1), []byte("k"), nil}, ErrBound},
		{"no key", Meta{Index: 6}, Record{"b", nil, []byte("v")}, ErrBound},
		{"a long key", Meta{Index: 6}, Record{"b", make([]byte, MaxKeyBytes+1), []byte("v")}, ErrBound},
		{"a long value", Meta{Index: 6}, Record{"b", []byte("k"), make([]byte, MaxValueBytes+1)}, ErrBound},
		{"a long extra", Meta{Index: 6, Extra: make([]byte, MaxExtraBytes+1)}, Record{"b", []byte("k"), nil}, ErrBound},
	} {
		if err := Write(fs, c.m, []Record{c.r}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if m, got := readAll(t, fs); m.Index != 5 || len(got) != 1 {
		t.Errorf("a refused write changed the checkpoint: %+v, %d records", m, len(got))
	}
}

func TestPanicOfTheCallerStaysOne(t *testing.T) {
	fs := newFS(t)
	mustWrite(t, fs, Meta{Index: 5}, Record{"b", []byte("k"), []byte("v")})
	defer func() {
		if got := recover(); got != "mine" {
			t.Errorf("recovered %v", got)
		}
	}()
	_, err := Load(fs, func(Record) error { panic("mine") })
	t.Errorf("Load returned %v", err)
}

func TestMetaRefusesBadBytes(t *testing.T) {
	p, err := appendMeta(nil, Meta{Index: 1, Extra: []byte("extra")})
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(p) * 8 {
		p[bit/8] ^= 1 << (bit % 8)
		if _, err := decodeMeta(p); !errors.Is(err, ErrCorrupt) {
			t.Errorf("bit %d of byte %d flipped: %v", bit%8, bit/8, err)
		}
		p[bit/8] ^= 1 << (bit % 8)
	}
	for n := range p {
		if _, err := decodeMeta(p[:n]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut to %d: %v", n, err)
		}
	}
}

// TestStateTravels exports, sends in chunks, imports and exports again.
func TestStateTravels(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		from, to := newFS(t), newFS(t)
		m := Meta{Index: 9, Term: 2, Digest: [16]byte{4}, Extra: []byte("e")}
		var changes []Record
		for i := range rapid.IntRange(0, 60).Draw(rt, "records") {
			size := rapid.SampledFrom([]int{0, 1, 50, 5000, 70_000}).Draw(rt, "size")
			changes = append(changes, Record{
				fmt.Sprintf("bucket%d", i%3), fmt.Appendf(nil, "%03d", i), bytes.Repeat([]byte{byte(i)}, size),
			})
		}
		mustWrite(t, from, m, changes...)
		mustWrite(t, to, Meta{Index: 3}, Record{"old", []byte("k"), []byte("v")})
		got, size, err := Export(from, "s")
		if err != nil || !cmp.Equal(got, m) {
			rt.Fatalf("export: %+v, %v", got, err)
		}
		r, err := Receive(to, "s")
		if err != nil {
			rt.Fatal(err)
		}
		chunk := rapid.IntRange(1000, 100_000).Draw(rt, "chunk")
		for r.Offset() < size {
			data, total, err := ReadChunk(from, "s", r.Offset(), chunk)
			if err != nil || total != size {
				rt.Fatalf("read: %d bytes in all, want %d: %v", total, size, err)
			}
			if err := r.WriteAt(data, r.Offset()); err != nil {
				rt.Fatal(err)
			}
		}
		if got, err := r.Finish(); err != nil || !cmp.Equal(got, m) {
			rt.Fatalf("finish: %+v, %v", got, err)
		}
		if got, err := Import(to, "s"); err != nil || !cmp.Equal(got, m) {
			rt.Fatalf("import: %+v, %v", got, err)
		}
		if _, _, err := Export(to, "again"); err != nil {
			rt.Fatal(err)
		}
		a, errA := os.ReadFile(from.path("snap/s"))
		b, errB := os.ReadFile(to.path("snap/again"))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			rt.Fatalf("the state exports to %d bytes here and %d there (%v, %v)", len(a), len(b), errA, errB)
		}
	})
}

func TestImportRefuses(t *testing.T) {
	fs := newFS(t)
	mustWrite(t, fs, Meta{Index: 3}, Record{"b", []byte("k"), []byte("v")})
	if _, _, err := Export(fs, "s3"); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, fs, Meta{Index: 8})
	if _, err := Import(fs, "s3"); !errors.Is(err, ErrIndexBack) {
		t.Errorf("older snapshot: %v", err)
	}
	if _, err := Import(fs, "none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such file: %v", err)
	}
	for _, name := range []string{"", "../x", "a/b", ".hidden", "s.tmp", strings.Repeat("n", maxNameBytes+1)} {
		if _, err := Import(fs, name); !errors.Is(err, ErrBound) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if err := os.WriteFile(fs.path("snap/cut"), []byte(snapMagic), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Import(fs, "cut"); !errors.Is(err, ErrCorrupt) {
		t.Errorf("cut file: %v", err)
	}
	names, err := fs.List(Dir)
	if err != nil || !slices.Equal(names, []string{"state.db"}) {
		t.Errorf("a refused import left %q, %v", names, err)
	}
	if m, _ := readAll(t, fs); m.Index != 8 {
		t.Errorf("a refused import changed the checkpoint to %+v", m)
	}
}

func TestReceiverRefuses(t *testing.T) {
	fs := newFS(t)
	r, err := Receive(fs, "s")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.WriteAt([]byte("x"), 1); !errors.Is(err, ErrOrder) {
		t.Errorf("chunk ahead: %v", err)
	}
	if err := r.WriteAt(make([]byte, MaxChunkBytes+1), 0); !errors.Is(err, ErrBound) {
		t.Errorf("large chunk: %v", err)
	}
	if err := r.WriteAt([]byte("nonsense"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Finish(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("nonsense: %v", err)
	}
	if r, err = Receive(fs, "t"); err != nil {
		t.Fatal(err)
	}
	if err := r.Abort(); err != nil {
		t.Error(err)
	}
	if names, err := fs.List(SnapDir); err != nil || len(names) != 0 {
		t.Errorf("left behind: %q, %v", names, err)
	}
	for _, c := range []struct {
		off int64
		n   int
	}{{0, 0}, {0, -1}, {-1, 1}, {0, MaxChunkBytes + 1}} {
		if _, _, err := ReadChunk(fs, "s", c.off, c.n); !errors.Is(err, ErrBound) {
			t.Errorf("chunk of %d at %d: %v", c.n, c.off, err)
		}
	}
}

func TestCleanKeepsWhatItIsTold(t *testing.T) {
	fs := newFS(t)
	if err := Clean(fs); err != nil {
		t.Errorf("no directory: %v", err)
	}
	mustWrite(t, fs, Meta{Index: 1})
	for _, name := range []string{"a", "b", "c"} {
		if _, _, err := Export(fs, name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Receive(fs, "d"); err != nil {
		t.Fatal(err)
	}
	if got, err := Snapshots(fs); err != nil || !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("snapshots %q, %v", got, err)
	}
	if err := Clean(fs, "b"); err != nil {
		t.Fatal(err)
	}
	if got, err := fs.List(SnapDir); err != nil || !slices.Equal(got, []string{"b"}) {
		t.Errorf("left %q, %v", got, err)
	}
}

// image is a bbolt file of the given pages behind two meta pages, of which the
// first is valid and names page 2 as the root.
func image(pages ...[]byte) []byte {
	le := binary.LittleEndian
	p := make([]byte, (2+len(pages))*pageBytes)
	m := p[pageHead:]
	le.PutUint32(m, boltMagic)
	le.PutUint64(m[16:], 2)
	sum := fnv.New64a()
	sum.Write(m[:boltMetaBytes-8])
	le.PutUint64(m[boltMetaBytes-8:], sum.Sum64())
	for i, page := range pages {
		at := p[(2+i)*pageBytes:]
		copy(at, page)
		le.PutUint64(at, uint64(2+i))
	}
	return p
}

// branch is a branch page that leads to the given pages.
func branch(to ...uint64) []byte {
	p := make([]byte, pageBytes)
	binary.LittleEndian.PutUint16(p[8:], flagBranch)
	binary.LittleEndian.PutUint16(p[10:], uint16(len(to)))
	for i, id := range to {
		binary.LittleEndian.PutUint64(p[pageHead+i*elementBytes+8:], id)
	}
	return p
}

// leaf is a page with one element: flags, position, sizes of key and value, and
// the first bytes of the value if the element is a bucket.
func leaf(flags, pos, ksize, vsize uint32, value ...uint64) []byte {
	p := make([]byte, pageBytes)
	le := binary.LittleEndian
	le.PutUint16(p[8:], flagLeaf)
	le.PutUint16(p[10:], 1)
	for i, v := range [...]uint32{flags, pos, ksize, vsize} {
		le.PutUint32(p[pageHead+4*i:], v)
	}
	for i, v := range value {
		le.PutUint64(p[pageHead+int(pos+ksize)+8*i:], v)
	}
	return p
}

func TestSurvey(t *testing.T) {
	long := leaf(0, 16, 1, 1)
	binary.LittleEndian.PutUint32(long[12:], 9)
	for _, c := range []struct {
		name string
		file []byte
		want string // in the error; empty for none
	}{
		{"an empty file", nil, ""},
		{"no valid meta page", make([]byte, 4*pageBytes), ""},
		{"a leaf", image(leaf(0, 16, 10, 10)), ""},
		{"a tree", image(branch(3, 4), leaf(0, 16, 1, 1), leaf(flagLeafBucket, 16, 8, 16, 5), leaf(0, 16, 0, 0)), ""},
		{"a page that leads to itself", image(branch(2)), "used twice"},
		{"two pages in a circle", image(branch(3), branch(2)), "used twice"},
		{"a bucket in itself", image(leaf(flagLeafBucket, 16, 8, 16, 2)), "used twice"},
		{"a page beyond the file", image(branch(9)), "page 9 of 3"},
		{"a meta page as a branch", image(branch(1)), "page 1 of 3"},
		{"an element beyond its page", image(leaf(0, 16, 10, pageBytes)), "lies outside"},
		{"a position beyond its page", image(leaf(0, 1<<31, 1<<31, 1)), "lies outside"},
		{"a bucket too short", image(leaf(flagLeafBucket, 16, 8, 15)), "bucket of 15 bytes"},
		{"a malformed bucket", image(leaf(flagLeafBucket, 16, 8, 40)), "malformed bucket"},
		{"an overflow beyond the file", image(long), "goes on for 9 pages"},
		{"a page of no kind", image(make([]byte, pageBytes)), "flags 0x0"},
	} {
		err := survey(bytes.NewReader(c.file), int64(len(c.file)))
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func FuzzSurvey(f *testing.F) {
	// Only the heads of pages, where all the numbers are.
	const head = 64
	seed := func(pages ...[]byte) {
		var p []byte
		for _, page := range pages {
			p = append(p, page[:head]...)
		}
		f.Add(p)
	}
	seed(branch(3, 4), leaf(0, 16, 1, 1), leaf(flagLeafBucket, 16, 8, 16, 5), leaf(0, 16, 0, 0))
	seed(branch(2))
	f.Fuzz(func(t *testing.T, heads []byte) {
		file := image(slices.Collect(slices.Chunk(heads, head))...)
		if err := survey(bytes.NewReader(file), int64(len(file))); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
	})
}

func FuzzReadSnapshot(f *testing.F) {
	fs := newFS(f)
	mustWrite(f, fs, Meta{Index: 5, Extra: []byte("e")},
		Record{"b", []byte("k"), []byte("v")}, Record{"b", []byte("l"), []byte{}}, Record{"c", []byte("k"), make([]byte, 300)})
	if _, _, err := Export(fs, "s"); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(fs.path("snap/s"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add([]byte(snapMagic))
	f.Fuzz(func(t *testing.T, p []byte) {
		records := 0
		err := readSnapshot(bytes.NewReader(p), int64(len(p)), func(Meta) error { return nil }, func(r Record) error {
			records++
			return r.check()
		})
		if err == nil && records*3 > len(p) {
			t.Fatalf("%d records in %d bytes", records, len(p))
		}
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
	})
}
