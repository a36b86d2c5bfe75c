package consensus

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/node/keys"
	"drydock/node/state"
)

func TestMemory(t *testing.T) {
	var syncs atomic.Uint64
	m := countedMemory{newMemory(), &syncs}
	for what, err := range map[string]error{
		"open":   second(m.Open("d/none")),
		"rename": m.Rename("d/none", "d/other"),
		"remove": m.Remove("d/none"),
	} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of a missing file: %v", what, err)
		}
	}
	f, err := m.Create("d/a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("xyz"), 2); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Truncate(4), m.Rename("d/a", "d/b")); err != nil {
		t.Fatal(err)
	}
	if f, err = m.Open("d/b"); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 8)
	n, err := f.ReadAt(got, 1)
	if size, _ := f.Size(); err != io.EOF || string(got[:n]) != "\x00xy" || size != 4 || syncs.Load() != 2 {
		t.Errorf("%q, %v, %d bytes, %d syncs", got[:n], err, size, syncs.Load())
	}
	if _, err := f.ReadAt(got, 9); err != io.EOF {
		t.Errorf("behind the end: %v", err)
	}
	if _, err := m.Create("e/c"); err != nil {
		t.Fatal(err)
	}
	names, err := m.List("d")
	if diff := cmp.Diff([]string{"b"}, names); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestMemoryStoreKeepsWhatChanged(t *testing.T) {
	m := &memoryStore{}
	if _, _, found, err := m.Load(nil); found || err != nil {
		t.Fatalf("an empty store holds something: %v", err)
	}
	write := func(index uint64, records ...keys.Record) {
		t.Helper()
		if err := m.Write(nil, index-1, state.Snapshot{Index: index}, records); err != nil {
			t.Fatal(err)
		}
	}
	record := func(key, value string) keys.Record {
		r := keys.Record{Bucket: "keys", Key: []byte(key)}
		if value != "" {
			r.Value = []byte(value)
		}
		return r
	}
	write(1, record("b", "1"), record("a", "2"), record("c", "3"))
	write(2, record("b", ""), record("a", "4"))
	sn, records, found, err := m.Load(nil)
	if !found || err != nil || sn.Index != 2 {
		t.Fatalf("index %d, %v, %v", sn.Index, found, err)
	}
	var got []string
	for _, r := range records {
		got = append(got, string(r.Key)+"="+string(r.Value))
	}
	if s := strings.Join(got, " "); s != "a=4 c=3" {
		t.Errorf("holds %s", s)
	}
}
