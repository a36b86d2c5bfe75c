package wal

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// manySegments is a log that takes several segments.
var manySegments = []Batch{
	{Entries: entries(1, 3, 1, 1000), Hard: &HardState{1, 2, 0}},
	{Entries: entries(4, 3, 1, 1000), Boot: 3},
	{Entries: entries(7, 3, 2, 1000), Hard: &HardState{2, 2, 6}},
	{Marker: &Marker{2, 1}},
}

// contents reads every file of the log.
func contents(t *testing.T, fs osFS) map[string]string {
	t.Helper()
	names, err := fs.List(Dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, name := range names {
		b, err := os.ReadFile(fs.path(Dir + "/" + name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(b)
	}
	return all
}

func TestVerifyFindsWhatOpenReturnsAndChangesNothing(t *testing.T) {
	fs := newFS(t)
	if err := create(t, fs, manySegments...).Close(); err != nil {
		t.Fatal(err)
	}
	before := contents(t, fs)
	found, err := Verify(fs)
	if err != nil {
		t.Fatal(err)
	}
	id, err := Identify(fs)
	if err != nil || id != testOptions.Identity {
		t.Errorf("Identify: %+v, %v", id, err)
	}
	if diff := cmp.Diff(before, contents(t, fs)); diff != "" {
		t.Errorf("files changed:\n%s", diff)
	}
	l, want := reopen(t, fs)
	defer func() { _ = l.Close() }()
	if diff := cmp.Diff(want, found.Recovered, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-open +verify):\n%s", diff)
	}
	records := 0
	for i, s := range found.Segments {
		records += s.Records
		if s.Sequence != uint64(i+1) || s.Bytes < MinSegmentBytes || s.Used > s.Bytes || s.Used == 0 {
			t.Errorf("segment %d: %+v", i, s)
		}
	}
	if len(found.Segments) < 3 || records != len(found.Segments)+len(manySegments) {
		t.Errorf("%d segments with %d records", len(found.Segments), records)
	}
	if found.SyncedSegment == 0 || found.Generation == 0 {
		t.Errorf("nothing is said to be synced: %+v", found)
	}
}

func TestVerifyOfNothing(t *testing.T) {
	fs := newFS(t)
	if _, err := Verify(fs); !errors.Is(err, ErrNoLog) {
		t.Errorf("Verify: %v", err)
	}
	if _, err := Identify(fs); !errors.Is(err, ErrNoLog) {
		t.Errorf("Identify: %v", err)
	}
}

// TestVerifyJudgesAsOpenDoes flips and cuts bytes all over a log: where Open
// refuses, Verify says the same, and where Open accepts, it finds the same.
func TestVerifyJudgesAsOpenDoes(t *testing.T) {
	fs := newFS(t)
	if err := create(t, fs, manySegments...).Close(); err != nil {
		t.Fatal(err)
	}
	good := contents(t, fs)
	names := make([]string, 0, len(good))
	for name := range good {
		names = append(names, name)
	}
	slices.Sort(names)
	refused := 0
	for _, name := range names {
		for at := 0; at < len(good[name]); at += 61 {
			for _, damage := range []string{"flip", "cut"} {
				bad := []byte(good[name])
				if bad[at] ^= 0x40; damage == "cut" {
					bad = []byte(good[name])[:at]
				}
				dir := newFS(t)
				write := func(name string, b []byte) {
					if err := errors.Join(dir.MkdirAll(Dir), os.WriteFile(dir.path(Dir+"/"+name), b, 0o600)); err != nil {
						t.Fatal(err)
					}
				}
				for _, other := range names {
					write(other, []byte(good[other]))
				}
				write(name, bad)
				found, verr := Verify(dir)
				l, rec, oerr := Open(dir, testOptions)
				if oerr != nil {
					refused++
					if verr == nil || verr.Error() != oerr.Error() {
						t.Fatalf("%s, %s at %d: open says %v, verify %v", name, damage, at, oerr, verr)
					}
					continue
				}
				if verr != nil || !sameRecovered(&rec, &found.Recovered) {
					t.Fatalf("%s, %s at %d: open accepts it, verify says %v", name, damage, at, verr)
				}
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if refused < 50 {
		t.Errorf("only %d damages were refused", refused)
	}
}

// sameRecovered says whether two recoveries are alike; cmp takes long for it.
func sameRecovered(a, b *Recovered) bool {
	return a.Identity == b.Identity && a.Boot == b.Boot && a.Hard == b.Hard && a.Marker == b.Marker &&
		a.Truncated == b.Truncated && slices.EqualFunc(a.Entries, b.Entries, func(x, y Entry) bool {
		return x.Index == y.Index && x.Term == y.Term && x.Type == y.Type && bytes.Equal(x.Data, y.Data)
	})
}

func TestIdentifyRefusesABadHeader(t *testing.T) {
	fs := newFS(t)
	if err := create(t, fs).Close(); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{0, 10, frameBytes + headerLen - 1} {
		if err := os.Truncate(fs.path(segmentName(1)), size); err != nil {
			t.Fatal(err)
		}
		var damage *CorruptError
		if _, err := Identify(fs); !errors.As(err, &damage) || damage.Segment != 1 {
			t.Errorf("cut to %d bytes: %v", size, err)
		}
	}
}

// FuzzRecover gives Verify and Open files of arbitrary bytes: whatever they
// hold, both come to the same end, and what Open accepts once it accepts again.
func FuzzRecover(f *testing.F) {
	seed := osFS{f.TempDir()}
	l := create(f, seed, manySegments...)
	if err := l.Close(); err != nil {
		f.Fatal(err)
	}
	var files [3][]byte
	for i := range files {
		b, err := os.ReadFile(seed.path(segmentName(uint64(i + 1))))
		if err != nil {
			f.Fatal(err)
		}
		files[i] = b
	}
	f.Add(files[0], files[1], files[2])
	f.Add(files[0][:100], files[1], []byte{})
	f.Add(files[0], files[2], files[1])
	f.Add([]byte{}, []byte("LWDD"), []byte{})
	f.Fuzz(func(t *testing.T, one, two, three []byte) {
		fs := newFS(t)
		if err := fs.MkdirAll(Dir); err != nil {
			t.Fatal(err)
		}
		for i, b := range [][]byte{one, two, three} {
			if err := os.WriteFile(fs.path(segmentName(uint64(i+1))), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		found, verr := Verify(fs)
		l, rec, err := Open(fs, Options{Identity: found.Identity, SegmentBytes: MinSegmentBytes})
		if (err == nil) != (verr == nil) {
			t.Fatalf("open says %v, verify %v", err, verr)
		}
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrIdentity) {
				t.Fatal(err)
			}
			return
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := Verify(fs)
		rec.Truncated = 0
		if err != nil || !sameRecovered(&rec, &again.Recovered) {
			t.Fatalf("the second time: %v\n%s", err, cmp.Diff(rec, again.Recovered, cmpopts.EquateEmpty()))
		}
	})
}
