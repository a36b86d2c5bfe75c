package wal

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"drydock/node/world"
)

var testOptions = Options{Identity: Identity{Cluster: 1, Member: 2}, SegmentBytes: MinSegmentBytes}

// create makes a log and appends batches to it, syncing each.
func create(t testing.TB, fs world.FS, batches ...Batch) *Log {
	t.Helper()
	l, err := Create(fs, testOptions)
	if err != nil {
		t.Fatal(err)
	}
	write(t, l, batches...)
	return l
}

// write appends and syncs each batch.
func write(t testing.TB, l *Log, batches ...Batch) {
	t.Helper()
	for i := range batches {
		if err := l.Append(&batches[i]); err != nil {
			t.Fatalf("batch %d: %v", i, err)
		}
		if err := l.Sync(); err != nil {
			t.Fatal(err)
		}
	}
}

// reopen opens the log that fs holds.
func reopen(t testing.TB, fs world.FS) (*Log, Recovered) {
	t.Helper()
	l, r, err := Open(fs, testOptions)
	if err != nil {
		t.Fatal(err)
	}
	return l, r
}

// entries are n entries from index first in that term, of size bytes each.
func entries(first, n, term uint64, size int) []Entry {
	list := make([]Entry, n)
	for i := range list {
		list[i] = Entry{Index: first + uint64(i), Term: term, Data: make([]byte, size)}
	}
	return list
}

func TestOpenReturnsWhatWasAppended(t *testing.T) {
	id := testOptions.Identity
	for _, c := range []struct {
		name    string
		batches []Batch
		want    Recovered
	}{
		{"nothing", nil, Recovered{}},
		{
			"entries and hard state",
			[]Batch{{Entries: entries(1, 2, 1, 3), Hard: &HardState{1, 2, 0}}, {Hard: &HardState{1, 2, 2}}},
			Recovered{Entries: entries(1, 2, 1, 3), Hard: HardState{1, 2, 2}},
		},
		{
			"a suffix replaced",
			[]Batch{{Entries: entries(1, 5, 1, 1)}, {Entries: entries(3, 1, 2, 1)}},
			Recovered{Entries: append(entries(1, 2, 1, 1), entries(3, 1, 2, 1)...)},
		},
		{
			"a marker in the middle",
			[]Batch{{Entries: entries(1, 5, 1, 1)}, {Marker: &Marker{3, 1}}},
			Recovered{Entries: entries(4, 2, 1, 1), Marker: Marker{3, 1}},
		},
		{
			"a marker at the end, then more",
			[]Batch{{Entries: entries(1, 5, 1, 1), Marker: &Marker{5, 1}}, {Entries: entries(6, 1, 1, 1)}},
			Recovered{Entries: entries(6, 1, 1, 1), Marker: Marker{5, 1}},
		},
		{
			"a snapshot in the log's place, entries in the same batch",
			[]Batch{
				{Entries: entries(1, 5, 1, 1), Boot: 4},
				{Reset: true, Marker: &Marker{100, 3}, Entries: entries(101, 2, 3, 1)},
			},
			Recovered{Entries: entries(101, 2, 3, 1), Marker: Marker{100, 3}, Boot: 4},
		},
		{
			"many segments",
			[]Batch{
				{Entries: entries(1, 3, 1, 1000)},
				{Entries: entries(4, 3, 1, 1000)},
				{Entries: entries(7, 3, 1, 1000)},
				{Entries: entries(10, 1, 1, 3*MinSegmentBytes)},
			},
			Recovered{Entries: append(entries(1, 9, 1, 1000), entries(10, 1, 1, 3*MinSegmentBytes)...)},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := newFS(t)
			l := create(t, fs, c.batches...)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			c.want.Identity = id
			for range 3 { // each Open leaves a log that opens again
				l, got := reopen(t, fs)
				if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("(-want +got):\n%s", diff)
				}
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestAppendRefuses(t *testing.T) {
	fs := newFS(t)
	l := create(t, fs, Batch{Entries: entries(1, 10, 1, 1)}, Batch{Marker: &Marker{5, 1}})
	for _, c := range []struct {
		name  string
		batch Batch
		want  error
	}{
		{"a gap behind the last entry", Batch{Entries: entries(12, 1, 1, 1)}, ErrOrder},
		{"an entry below the marker", Batch{Entries: entries(5, 1, 2, 1)}, ErrOrder},
		{"entries with a gap", Batch{Entries: append(entries(11, 1, 1, 1), entries(13, 1, 1, 1)...)}, ErrOrder},
		{"entry zero", Batch{Entries: entries(0, 1, 1, 1)}, ErrOrder},
		{"a marker that goes back", Batch{Marker: &Marker{4, 1}}, ErrOrder},
		{"a marker beyond the log", Batch{Marker: &Marker{11, 1}}, ErrOrder},
		{"a reset without marker", Batch{Reset: true}, ErrOrder},
		{"a reset that goes back", Batch{Reset: true, Marker: &Marker{4, 1}}, ErrOrder},
		{"too many entries", Batch{Entries: entries(11, MaxBatchEntries+1, 1, 0)}, ErrTooLarge},
	} {
		if err := l.Append(&c.batch); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if err := l.Release(6); !errors.Is(err, ErrOrder) {
		t.Errorf("release beyond the marker: %v", err)
	}
	// The log is as it was.
	write(t, l, Batch{Entries: entries(11, 1, 1, 1)})
	if _, got := reopen(t, fs); len(got.Entries) != 6 || got.Entries[5].Index != 11 {
		t.Errorf("recovered %v", got.Entries)
	}
}

func TestOpenRefuses(t *testing.T) {
	fs := newFS(t)
	if _, _, err := Open(fs, testOptions); !errors.Is(err, ErrNoLog) {
		t.Errorf("no log: %v", err)
	}
	create(t, fs)
	if _, err := Create(fs, testOptions); !errors.Is(err, ErrExists) {
		t.Errorf("second Create: %v", err)
	}
	other := testOptions
	other.Member++
	if _, _, err := Open(fs, other); !errors.Is(err, ErrIdentity) {
		t.Errorf("another member: %v", err)
	}
	other = testOptions
	other.SegmentBytes = 100
	if _, _, err := Open(fs, other); err == nil {
		t.Error("segments of 100 bytes were accepted")
	}
	overwrite(t, fs, segmentName(1), 0, []byte("nonsense"))
	if _, _, err := Open(fs, testOptions); !errors.Is(err, ErrCorrupt) {
		t.Errorf("first header destroyed: %v", err)
	}
}

// overwrite writes into a file behind the log's back.
func overwrite(t testing.TB, fs world.FS, name string, off int64, p []byte) {
	t.Helper()
	file, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt(p, off); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTornTailIsDroppedAndStaysAway(t *testing.T) {
	fs := newFS(t)
	l := create(t, fs, Batch{Entries: entries(1, 1, 1, 10)})
	end := l.newest().end
	// Two batches that were never synced; the first is lost, the second is not.
	for i := range uint64(2) {
		if err := l.Append(&Batch{Entries: entries(2+i, 1, 1, 10), Hard: &HardState{Term: 9}}); err != nil {
			t.Fatal(err)
		}
	}
	size := l.newest().end - end
	overwrite(t, fs, segmentName(1), end, make([]byte, 8))
	l, got := reopen(t, fs)
	if len(got.Entries) != 1 || got.Hard.Term != 0 || got.Truncated != size {
		t.Fatalf("%d entries, term %d, %d bytes dropped; want 1, 0, %d", len(got.Entries), got.Hard.Term, got.Truncated, size)
	}
	// The same batch again fills the hole exactly; the one behind it must not rise.
	write(t, l, Batch{Entries: entries(2, 1, 1, 10), Hard: &HardState{Term: 9}})
	if _, got = reopen(t, fs); len(got.Entries) != 2 {
		t.Fatalf("%d entries, want 2", len(got.Entries))
	}
}

func TestRotBeforeTheWatermarkIsRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(fs world.FS, l *Log)
		want  string
	}{
		{"in the same segment", func(fs world.FS, l *Log) {
			overwrite(t, fs, segmentName(1), 160, []byte{0xff})
		}, "segment 1, offset 144"},
		{"in an earlier segment", func(fs world.FS, l *Log) {
			write(t, l, Batch{Entries: entries(3, 1, 1, 3000)}, Batch{Entries: entries(4, 1, 1, 3000)})
			overwrite(t, fs, segmentName(1), 160, []byte{0xff})
		}, "segment 1, offset 144"},
		{"a whole segment", func(fs world.FS, l *Log) {
			write(t, l, Batch{Entries: entries(3, 1, 1, 3000)}, Batch{Entries: entries(4, 1, 1, 3000)})
			if len(l.segments) < 3 {
				t.Fatalf("%d segments", len(l.segments))
			}
			if err := fs.Remove(segmentName(2)); err != nil {
				t.Fatal(err)
			}
		}, "segment 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := newFS(t)
			l := create(t, fs, Batch{Entries: entries(1, 1, 1, 1000)}, Batch{Entries: entries(2, 1, 1, 1000)})
			c.spoil(fs, l)
			_, _, err := Open(fs, testOptions)
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestReleaseRecyclesSegments(t *testing.T) {
	fs := newFS(t)
	l := create(t, fs, Batch{Boot: 3, Hard: &HardState{2, 2, 2}})
	for i := range uint64(40) {
		write(t, l, Batch{Entries: entries(i+1, 1, 1, 1500)})
		if i%4 == 3 {
			write(t, l, Batch{Marker: &Marker{i, 1}})
			if err := l.Release(i); err != nil {
				t.Fatal(err)
			}
		}
	}
	names, err := fs.List(Dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) > 3+maxSpares || l.Size() > 4*MinSegmentBytes {
		t.Errorf("%d bytes live in %q", l.Size(), names)
	}
	if !slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, spareSuffix) }) {
		t.Errorf("no spare segment in %q", names)
	}
	_, got := reopen(t, fs)
	want := Recovered{
		Identity: testOptions.Identity, Boot: 3, Hard: HardState{2, 2, 2}, Marker: Marker{39, 1},
		Entries: entries(40, 1, 1, 1500),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// failing is a file system whose syncs fail from some time on.
type failing struct {
	world.FS
	broken *bool
}

type failingFile struct {
	world.File
	broken *bool
}

var errBroken = errors.New("broken")

func (f failing) Create(name string) (world.File, error) {
	file, err := f.FS.Create(name)
	return failingFile{file, f.broken}, err
}

func (f failingFile) Sync() error {
	if *f.broken {
		return errBroken
	}
	return f.File.Sync()
}

func TestFailedSyncIsFinal(t *testing.T) {
	broken := false
	l := create(t, failing{newFS(t), &broken}, Batch{Boot: 1})
	if err := l.Append(&Batch{Boot: 2}); err != nil {
		t.Fatal(err)
	}
	broken = true
	if err := l.Sync(); !errors.Is(err, ErrFailed) || !errors.Is(err, errBroken) {
		t.Fatalf("sync: %v", err)
	}
	broken = false
	if err := l.Sync(); !errors.Is(err, ErrFailed) {
		t.Errorf("sync after a failed one: %v", err)
	}
	if err := l.Append(&Batch{Boot: 3}); !errors.Is(err, ErrFailed) {
		t.Errorf("append after a failed sync: %v", err)
	}
	if err := l.Release(0); !errors.Is(err, ErrFailed) {
		t.Errorf("release after a failed sync: %v", err)
	}
}

func TestScanGoesOn(t *testing.T) {
	fs := newFS(t)
	var seen []uint64
	note := func(r Record) error {
		for _, e := range r.Batch.Entries {
			seen = append(seen, e.Index)
		}
		return nil
	}
	if _, err := Scan(fs, Position{}, note); !errors.Is(err, ErrNoLog) {
		t.Errorf("no log: %v", err)
	}
	l := create(t, fs)
	at := Position{}
	for i := range uint64(9) {
		write(t, l, Batch{Entries: entries(i+1, 1, 1, 1500)})
		var err error
		if at, err = Scan(fs, at, note); err != nil {
			t.Fatal(err)
		}
		if i == 4 { // a new life in between
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l, _ = reopen(t, fs)
		}
	}
	if want := []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(seen, want) {
		t.Errorf("saw %v, want %v", seen, want)
	}
	stop := errors.New("stop")
	if got, err := Scan(fs, Position{}, func(Record) error { return stop }); !errors.Is(err, stop) || got.Segment != 1 {
		t.Errorf("stopped at %+v with %v", got, err)
	}
	early, err := Scan(fs, Position{}, func(r Record) error {
		if r.Segment > 1 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	write(t, l, Batch{Marker: &Marker{9, 1}})
	if err := l.Release(9); err != nil {
		t.Fatal(err)
	}
	if _, err := Scan(fs, early, note); !errors.Is(err, ErrPositionLost) {
		t.Errorf("scan from a released segment: %v", err)
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	l, err := Create(newFS(t), Options{SegmentBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	b := Batch{Entries: entries(1, 64, 1, 128), Hard: &HardState{Term: 1}}
	if got := testing.AllocsPerRun(100, func() {
		if err := l.Append(&b); err != nil {
			t.Fatal(err)
		}
		next := b.Entries[63].Index
		for i := range b.Entries {
			next++
			b.Entries[i].Index = next
		}
	}); got > 0 {
		t.Errorf("%v allocations a batch", got)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, sync := range []bool{false, true} {
		name := "append"
		if sync {
			name = "append+sync"
		}
		b.Run(name, func(b *testing.B) {
			l, err := Create(newFS(b), Options{})
			if err != nil {
				b.Fatal(err)
			}
			batch := Batch{Entries: entries(1, 16, 1, 256)}
			b.SetBytes(16 * 256)
			b.ReportAllocs()
			for b.Loop() {
				if err := l.Append(&batch); err != nil {
					b.Fatal(err)
				}
				if sync {
					if err := l.Sync(); err != nil {
						b.Fatal(err)
					}
				}
				for i := range batch.Entries {
					batch.Entries[i].Index += 16
				}
			}
		})
	}
}
