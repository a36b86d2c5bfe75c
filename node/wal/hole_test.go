package wal

import (
	"errors"
	"os"
	"testing"
)

// Synced records that became zeros are damage, however many blocks they fill and
// wherever in a block what follows begins: a search that skips zeros must not skip
// the record that tells.
func TestHoleInWhatWasSyncedIsRefused(t *testing.T) {
	const records = 600
	opts := Options{Identity: Identity{1, 1}, SegmentBytes: 1 << 20}
	for _, size := range []int{8, 1000, 1400} {
		fs := newFS(t)
		log, err := Create(fs, opts)
		if err != nil {
			t.Fatal(err)
		}
		ends := make([]int64, 0, records)
		for i := range records {
			if err := log.Append(&Batch{Entries: entries(uint64(i+1), 1, 1, size)}); err != nil {
				t.Fatal(err)
			}
			if err := log.Sync(); err != nil {
				t.Fatal(err)
			}
			ends = append(ends, log.newest().end)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		name := fs.path(segmentName(1))
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, hole := range []struct{ from, to int }{{10, 11}, {10, 90}, {0, 290}, {0, 337}, {100, 400}, {3, 598}} {
			data := append([]byte(nil), whole...)
			clear(data[ends[hole.from]:ends[hole.to]])
			// One record tells, and nothing behind it.
			clear(data[ends[hole.to+1]:])
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
			log, _, err := Open(fs, opts)
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("records of %d bytes, %d to %d are zeros: %v", size, hole.from, hole.to, err)
			}
			if err == nil {
				if err := log.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
