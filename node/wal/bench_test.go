package wal

import (
	"bytes"
	"fmt"
	"testing"
)

// BenchmarkAppendPacked writes one entry that packs so many commands of so many bytes,
// and then syncs, or not: ns/op is of an entry.
func BenchmarkAppendPacked(b *testing.B) {
	for _, sync := range []bool{true, false} {
		for _, size := range []struct{ commands, bytes int }{{1, 64}, {1, 256}, {1, 4096}, {64, 256}, {512, 256}} {
			name := fmt.Sprintf("sync=%t/commands=%d/bytes=%d", sync, size.commands, size.bytes)
			b.Run(name, func(b *testing.B) { benchmarkPacked(b, size.commands*size.bytes, sync) })
		}
	}
}

func benchmarkPacked(b *testing.B, size int, sync bool) {
	log, err := Create(newFS(b), Options{Identity: Identity{1, 1}})
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	data, index := bytes.Repeat([]byte{'v'}, size), uint64(0)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		index++
		batch := &Batch{Entries: []Entry{{Index: index, Term: 1, Data: data}}, Hard: &HardState{Term: 1, Commit: index - 1}}
		if err := log.Append(batch); err != nil {
			b.Fatal(err)
		}
		if sync {
			if err := log.Sync(); err != nil {
				b.Fatal(err)
			}
		}
		release(b, log, index)
	}
}

// release lets go of what a checkpoint would have covered, so that segments are
// used again.
func release(b *testing.B, log *Log, index uint64) {
	if log.Size() <= 2*DefaultSegmentBytes {
		return
	}
	if err := log.Append(&Batch{Marker: &Marker{Index: index, Term: 1}}); err != nil {
		b.Fatal(err)
	}
	if err := log.Release(index); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkOpen reads a log of one segment that holds so many entries: the time of
// a restart.
func BenchmarkOpen(b *testing.B) {
	for _, entries := range []int{0, 10_000} {
		b.Run(fmt.Sprintf("entries=%d", entries), func(b *testing.B) {
			fs, opts := newFS(b), Options{Identity: Identity{1, 1}}
			log, err := Create(fs, opts)
			if err != nil {
				b.Fatal(err)
			}
			for i := range entries {
				if err := log.Append(&Batch{Entries: []Entry{{Index: uint64(i + 1), Term: 1, Data: make([]byte, 4096)}}}); err != nil {
					b.Fatal(err)
				}
			}
			if err := log.Sync(); err != nil {
				b.Fatal(err)
			}
			if err := log.Close(); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				log, _, err := Open(fs, opts)
				if err != nil {
					b.Fatal(err)
				}
				if err := log.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
