package disk_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"drydock/node/checkpoint"
	"drydock/node/wal"
	"drydock/sim/disk"
)

// TestRottenCheckpointIsAnError flips bits of a checkpoint's file: reading it
// gives an error or records, never a panic. That the records are the right ones
// is for the digest to say.
func TestRottenCheckpointIsAnError(t *testing.T) {
	refused := 0
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 4))
		d := disk.New()
		for index := uint64(1); index < 4; index++ {
			if err := checkpoint.Write(d, checkpoint.Meta{Index: index}, changesAt(rng, index)); err != nil {
				t.Fatal(err)
			}
		}
		for range 4 {
			off := rng.Int64N(8 * disk.BoltPageBytes)
			if rng.IntN(2) == 0 {
				// The heads of pages, where bbolt's own numbers are.
				off = off/disk.BoltPageBytes*disk.BoltPageBytes + rng.Int64N(64)
			}
			if err := d.Rot("ckpt/state.db", off, uint8(rng.IntN(8))); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := checkpoint.Load(d, func(checkpoint.Record) error { return nil }); err != nil {
			refused++
			if !errors.Is(err, checkpoint.ErrCorrupt) {
				t.Errorf("seed %d: %v, want ErrCorrupt", seed, err)
			}
		}
	}
	if refused == 0 {
		t.Error("no damage was noticed")
	}
}

// TestRottenSnapshotIsRefused flips one bit anywhere in a snapshot file.
func TestRottenSnapshotIsRefused(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	d := disk.New()
	if err := checkpoint.Write(d, checkpoint.Meta{Index: 4, Extra: []byte("x")}, changesAt(rng, 4)); err != nil {
		t.Fatal(err)
	}
	_, size, err := checkpoint.Export(d, "s")
	if err != nil {
		t.Fatal(err)
	}
	for off := range size {
		if off > 200 && off < size-80 && rng.IntN(20) > 0 {
			continue
		}
		bit := uint8(rng.IntN(8))
		if err := d.Rot("snap/s", off, bit); err != nil {
			t.Fatal(err)
		}
		if _, err := checkpoint.Verify(d, "s"); !errors.Is(err, checkpoint.ErrCorrupt) {
			t.Fatalf("bit %d of byte %d flipped: %v, want ErrCorrupt", bit, off, err)
		}
		if _, err := checkpoint.Import(d, "s"); !errors.Is(err, checkpoint.ErrCorrupt) {
			t.Fatalf("bit %d of byte %d flipped: import: %v, want ErrCorrupt", bit, off, err)
		}
		if err := d.Rot("snap/s", off, bit); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := checkpoint.Import(d, "s"); err != nil {
		t.Fatalf("after all bits were put right: %v", err)
	}
}

// TestRottenLogIsRefused flips one bit of a record that later records prove to
// have been durable.
func TestRottenLogIsRefused(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 6))
		d := disk.New()
		opts := wal.Options{SegmentBytes: wal.MinSegmentBytes}
		log, err := wal.Create(d, opts)
		if err != nil {
			t.Fatal(err)
		}
		type place struct {
			segment string
			off     int64
		}
		var places []place
		for index := uint64(1); index <= 12; index++ {
			b := wal.Batch{Entries: []wal.Entry{{Index: index, Term: 1, Data: make([]byte, 100+rng.IntN(900))}}}
			if err := log.Append(&b); err != nil {
				t.Fatal(err)
			}
			if err := log.Sync(); err != nil {
				t.Fatal(err)
			}
		}
		_, err = wal.Scan(d, wal.Position{}, func(r wal.Record) error {
			name := "wal/000000000000000" + string("0123456789abcdef"[r.Segment]) + ".seg"
			places = append(places, place{name, r.Offset + rng.Int64N(140)})
			return nil
		})
		if err != nil || len(places) != 12 {
			t.Fatalf("scan: %d records, %v", len(places), err)
		}
		at := places[rng.IntN(len(places)-1)]
		if err := d.Rot(at.segment, at.off, uint8(rng.IntN(8))); err != nil {
			t.Fatal(err)
		}
		d.Crash(rng, disk.CrashOptions{LoseUnsynced: true, Torn: true})
		_, _, err = wal.Open(d, opts)
		var damage *wal.CorruptError
		if !errors.As(err, &damage) || !errors.Is(err, wal.ErrCorrupt) {
			t.Fatalf("seed %d: rot at %v: %v, want a CorruptError", seed, at, err)
		}
		if damage.Offset > at.off || damage.Reason == "" {
			t.Errorf("seed %d: rot at %v, reported as %v", seed, at, err)
		}
	}
}
