package disk_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"drydock/node/checkpoint"
	"drydock/node/wal"
	"drydock/sim/disk"
)

// failOnce makes the n-th operation of a kind fail.
func failOnce(d *disk.Disk, kind disk.Kind, n int) {
	d.SetFate(func(e disk.Event) disk.Fate {
		if e.Kind == kind {
			if n--; n == 0 {
				return disk.Fate{Err: disk.ErrIO}
			}
		}
		return disk.Fate{}
	})
}

func TestFailedOperations(t *testing.T) {
	tests := []struct {
		kind disk.Kind
		do   func(d *disk.Disk) error
		want string // content of a/f after a power cut that keeps all it may
	}{
		{disk.OpWrite, func(d *disk.Disk) error { return writeSync(d, "a/f", 0, "NEWNEWNE") }, "oldoldol"},
		{disk.OpSync, func(d *disk.Disk) error { return writeSync(d, "a/f", 0, "NEWNEWNE") }, "oldoldol"},
		{disk.OpRename, func(d *disk.Disk) error { return d.Rename("a/f", "a/g") }, "oldoldol"},
		{disk.OpRemove, func(d *disk.Disk) error { return d.Remove("a/f") }, "oldoldol"},
		{disk.OpSyncDir, func(d *disk.Disk) error { return d.SyncDir("a") }, "oldoldol"},
		{disk.OpCreate, func(d *disk.Disk) error { _, err := d.Create("a/f"); return err }, "oldoldol"},
		{disk.OpTruncate, func(d *disk.Disk) error {
			f, err := d.Open("a/f")
			return errors.Join(err, f.Truncate(2))
		}, "oldoldol"},
		{disk.OpRead, func(d *disk.Disk) error {
			f, err := d.Open("a/f")
			if err != nil {
				return err
			}
			_, err = f.ReadAt(make([]byte, 2), 0)
			return err
		}, "oldoldol"},
	}
	for _, tt := range tests {
		t.Run(tt.kind.String(), func(t *testing.T) {
			d := newDisk(t)
			put(t, d, "a/f", 0, "oldoldol")
			syncFile(t, d, "a/f")
			must(t, d.SyncDir("a"))
			failOnce(d, tt.kind, 1)
			if err := tt.do(d); !errors.Is(err, disk.ErrIO) {
				t.Fatalf("got %v, want ErrIO", err)
			}
			d.SetFate(nil)
			if tt.kind == disk.OpWrite {
				// Half of it has happened; nothing said it was synced.
				if got := get(t, d, "a/f"); got != "NEWNldol" {
					t.Errorf("after a failed write: %q", got)
				}
				d.Crash(rand.New(rand.NewPCG(0, 0)), disk.CrashOptions{})
				return
			}
			syncFile(t, d, "a/f")
			d.Crash(rand.New(rand.NewPCG(1, 1)), disk.CrashOptions{LoseUnsynced: true})
			if got := get(t, d, "a/f"); got != tt.want {
				t.Errorf("after a power cut: %q, want %q", got, tt.want)
			}
		})
	}
}

// TestForsakenWriteStaysBelow: what is written over a write whose sync failed is
// what a process sees that starts anew.
func TestForsakenWriteStaysBelow(t *testing.T) {
	d := newDisk(t)
	put(t, d, "a/f", 0, "........")
	syncFile(t, d, "a/f")
	must(t, d.SyncDir("a"))
	failOnce(d, disk.OpSync, 1)
	if err := writeSync(d, "a/f", 2, "lost"); !errors.Is(err, disk.ErrIO) {
		t.Fatal(err)
	}
	must(t, writeSync(d, "a/f", 4, "kept"))
	for _, want := range []string{"..lokept", "..lokept"} {
		d.Crash(rand.New(rand.NewPCG(1, 1)), disk.CrashOptions{})
		if got := get(t, d, "a/f"); got != want {
			t.Errorf("after the process died: %q, want %q", got, want)
		}
	}
	d.Crash(rand.New(rand.NewPCG(1, 1)), disk.CrashOptions{LoseUnsynced: true})
	if got := get(t, d, "a/f"); got != "....kept" {
		t.Errorf("after a power cut: %q", got)
	}
}

func writeSync(d *disk.Disk, name string, off int64, p string) error {
	f, err := d.Open(name)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte(p), off); err != nil {
		return err
	}
	return f.Sync()
}

// TestWriteElsewhere pins that a misdirected write leaves its own place alone.
func TestWriteElsewhere(t *testing.T) {
	d := newDisk(t)
	put(t, d, "a/f", 0, "01234567")
	d.SetFate(func(e disk.Event) disk.Fate { return disk.Fate{Elsewhere: e.Kind == disk.OpWrite, Off: 1} })
	put(t, d, "a/f", 6, "xy")
	if got := get(t, d, "a/f"); got != "0xy34567" {
		t.Errorf("got %q", got)
	}
}

func TestUnlink(t *testing.T) {
	d := newDisk(t)
	put(t, d, "a/f", 0, "x")
	syncFile(t, d, "a/f")
	must(t, d.SyncDir("a"))
	if !d.Durable("a/f") {
		t.Fatal("the file is not durable")
	}
	must(t, d.Unlink("a/f"))
	if get(t, d, "a/f") != "-" || d.Durable("a/f") {
		t.Error("the name is still there")
	}
	if err := d.Unlink("a/f"); err == nil {
		t.Error("a missing name was taken away")
	}
}

// TestFullDisk pins that a full disk takes no checkpoint, and leaves the old one.
func TestFullDisk(t *testing.T) {
	d := disk.New()
	rng := rand.New(rand.NewPCG(3, 3))
	must(t, checkpoint.Write(d, checkpoint.Meta{Index: 1}, changesAt(rng, 1)))
	must(t, d.MkdirAll("a"))
	put(t, d, "a/f", 0, "x")
	d.SetCapacity(1)
	if err := checkpoint.Write(d, checkpoint.Meta{Index: 2}, changesAt(rng, 2)); !errors.Is(err, disk.ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
	if m, err := checkpoint.Load(d, func(checkpoint.Record) error { return nil }); err != nil || m.Index != 1 {
		t.Errorf("then it holds index %d, %v", m.Index, err)
	}
}

// TestFailedSyncIsNotForgotten: after a sync that failed a system may call what
// it was for clean, though it is not on the disk. A log that is opened after
// that must not rely on it.
func TestFailedSyncIsNotForgotten(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 8))
		d := disk.New()
		opts := wal.Options{SegmentBytes: wal.MinSegmentBytes}
		log, err := wal.Create(d, opts)
		must(t, err)
		index := uint64(0)
		add := func() error {
			index++
			b := wal.Batch{Entries: []wal.Entry{{Index: index, Term: 1, Data: make([]byte, rng.IntN(900))}}}
			return errors.Join(log.Append(&b), log.Sync())
		}
		failOnce(d, disk.OpSync, 1+rng.IntN(12))
		for err == nil {
			err = add()
		}
		if !errors.Is(err, disk.ErrIO) || !errors.Is(log.Append(&wal.Batch{Boot: 9}), wal.ErrFailed) {
			t.Fatalf("seed %d: %v, and then the log goes on", seed, err)
		}
		d.Crash(rng, disk.CrashOptions{})
		log, first, err := wal.Open(d, opts)
		must(t, err)
		must(t, log.Append(&wal.Batch{Boot: 1}))
		must(t, log.Sync())
		d.Crash(rng, disk.CrashOptions{LoseUnsynced: true, Torn: true})
		_, second, err := wal.Open(d, opts)
		if err != nil || len(second.Entries) != len(first.Entries) || second.Boot != 1 {
			t.Fatalf("seed %d: %d entries after the restart, %d after the power cut, %v", seed, len(first.Entries), len(second.Entries), err)
		}
	}
}

// TestAdvanceKnowsItsBase: changes are complete only on top of the checkpoint
// that they follow. One whose newest page is damaged shows the one before.
func TestAdvanceKnowsItsBase(t *testing.T) {
	const txid = 64 // of a meta page
	for _, damage := range []func(d *disk.Disk) error{
		func(d *disk.Disk) error {
			return errors.Join(d.Rot("ckpt/state.db", txid, 0), d.Rot("ckpt/state.db", txid+8, 1))
		},
		func(d *disk.Disk) error {
			return errors.Join(d.Rot("ckpt/state.db", disk.BoltPageBytes+txid, 0), d.Rot("ckpt/state.db", disk.BoltPageBytes+txid+8, 1))
		},
		func(d *disk.Disk) error { return d.Unlink("ckpt/state.db") },
	} {
		rng := rand.New(rand.NewPCG(9, 9))
		d := disk.New()
		must(t, checkpoint.Write(d, checkpoint.Meta{Index: 1}, changesAt(rng, 1)))
		must(t, checkpoint.Advance(d, 1, checkpoint.Meta{Index: 2}, changesAt(rng, 2)))
		must(t, checkpoint.Advance(d, 2, checkpoint.Meta{Index: 3}, changesAt(rng, 3)))
		must(t, damage(d))
		m, loadErr := checkpoint.Load(d, func(checkpoint.Record) error { return nil })
		err := checkpoint.Advance(d, 3, checkpoint.Meta{Index: 4}, changesAt(rng, 4))
		if loadErr == nil && m.Index == 3 {
			must(t, err) // it was the older page
		} else if !errors.Is(err, checkpoint.ErrCorrupt) {
			t.Errorf("on top of index %d (%v): %v, want ErrCorrupt", m.Index, loadErr, err)
		}
	}
}
