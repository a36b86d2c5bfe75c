package disk_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"drydock/node/wal"
	"drydock/node/world"
	"drydock/sim/disk"
)

// sameWAL compares batches and entries; nil and empty are the same.
var sameWAL = cmp.Options{cmpopts.EquateEmpty(), cmp.Comparer(func(a, b wal.Entry) bool {
	return a.Index == b.Index && a.Term == b.Term && a.Type == b.Type && bytes.Equal(a.Data, b.Data)
})}

// walModel is a log as a list of batches.
type walModel struct {
	batches []wal.Batch
	// kept is how many of them every crash must leave.
	kept int
}

// recovered is what a log of the first n batches holds.
func (m *walModel) recovered(n int) wal.Recovered {
	var r wal.Recovered
	entries := map[uint64]wal.Entry{}
	last := uint64(0)
	for _, b := range m.batches[:n] {
		if b.Reset {
			clear(entries)
			last = b.Marker.Index
		}
		for i, e := range b.Entries {
			if i == 0 {
				for at := e.Index; at <= last; at++ {
					delete(entries, at)
				}
			}
			entries[e.Index], last = e, e.Index
		}
		if b.Marker != nil {
			r.Marker = *b.Marker
		}
		if b.Hard != nil {
			r.Hard = *b.Hard
		}
		if b.Boot != 0 {
			r.Boot = b.Boot
		}
	}
	for at := r.Marker.Index + 1; at <= last; at++ {
		r.Entries = append(r.Entries, entries[at])
	}
	return r
}

// last returns the marker's index and the last entry's.
func (m *walModel) last() (marker, last uint64) {
	r := m.recovered(len(m.batches))
	return r.Marker.Index, r.Marker.Index + uint64(len(r.Entries))
}

// drawBatch draws a batch that continues the model's log.
func (m *walModel) drawBatch(t *rapid.T) wal.Batch {
	marker, last := m.last()
	n := uint64(len(m.batches))
	var b wal.Batch
	if rapid.IntRange(0, 19).Draw(t, "reset") == 0 {
		last += uint64(rapid.IntRange(0, 3).Draw(t, "jump"))
		marker = last
		b.Reset, b.Marker = true, &wal.Marker{Index: last, Term: n}
	}
	if count := rapid.IntRange(0, 6).Draw(t, "entries"); count > 0 {
		first := last + 1
		if last > marker && rapid.IntRange(0, 4).Draw(t, "overwrite") == 0 {
			first = rapid.Uint64Range(marker+1, last).Draw(t, "first")
		}
		for i := range uint64(count) {
			size := rapid.SampledFrom([]int{0, 1, 7, 100, 700, 5000}).Draw(t, "size")
			e := wal.Entry{Index: first + i, Term: n, Type: uint8(i)}
			if size > 0 {
				e.Data = make([]byte, size)
				copy(e.Data, fmt.Sprintf("%d/%d", n, i))
				e.Data[size-1] = byte(n)
			}
			b.Entries = append(b.Entries, e)
		}
		last = first + uint64(count) - 1
	}
	if !b.Reset && last > marker && rapid.IntRange(0, 5).Draw(t, "marker") == 0 {
		b.Marker = &wal.Marker{Index: rapid.Uint64Range(marker, last).Draw(t, "to"), Term: n}
	}
	if rapid.Bool().Draw(t, "hard") {
		b.Hard = &wal.HardState{Term: n, Vote: n % 3, Commit: marker}
	}
	if b.Hard == nil && b.Marker == nil && len(b.Entries) == 0 {
		b.Boot = n + 1
	}
	return b
}

// walRun is a log on a disk, its model, and an auditor who follows it.
type walRun struct {
	disk  *disk.Disk
	log   *wal.Log
	opts  wal.Options
	model walModel

	at   wal.Position
	seen []wal.Batch
}

// job runs up to three appends and perhaps a sync and a release as one job, and
// completes it or leaves it in flight.
func (r *walRun) job(t *rapid.T) (done bool) {
	token := r.disk.Begin(world.LaneLog, "append")
	synced := -1
	for range rapid.IntRange(1, 3).Draw(t, "appends") {
		b := r.model.drawBatch(t)
		if err := r.log.Append(&b); err != nil {
			t.Fatalf("append: %v", err)
		}
		r.model.batches = append(r.model.batches, b)
		if rapid.IntRange(0, 2).Draw(t, "sync") == 0 {
			if err := r.log.Sync(); err != nil {
				t.Fatalf("sync: %v", err)
			}
			synced = len(r.model.batches)
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "release") == 0 {
		marker, _ := r.model.last()
		if err := r.log.Release(marker); err != nil {
			t.Fatalf("release: %v", err)
		}
	}
	r.disk.End(token)
	if rapid.IntRange(0, 5).Draw(t, "complete") == 0 {
		return false
	}
	r.disk.Complete(token)
	if synced >= 0 {
		r.model.kept = synced
	}
	return true
}

// follow lets the auditor read on and compares what it has seen with the model.
func (r *walRun) follow(t *rapid.T) {
	keep := func(rec wal.Record) error {
		r.seen = append(r.seen, rec.Batch)
		return nil
	}
	at, err := wal.Scan(r.disk, r.at, keep)
	if errors.Is(err, wal.ErrPositionLost) {
		r.seen = nil
		at, err = wal.Scan(r.disk, wal.Position{}, keep)
	}
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	r.at = at
	if len(r.seen) > len(r.model.batches) {
		t.Fatalf("scan saw %d batches of %d", len(r.seen), len(r.model.batches))
	}
	want := r.model.batches[len(r.model.batches)-len(r.seen):]
	if diff := cmp.Diff(want, r.seen, sameWAL); diff != "" {
		t.Fatalf("scan (-want +got):\n%s", diff)
	}
}

// crash pulls the plug, or kills the process, and recovers.
func (r *walRun) crash(t *rapid.T, completed bool) {
	power := rapid.Bool().Draw(t, "power")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "crash"), 0))
	r.disk.Crash(rng, disk.CrashOptions{LoseUnsynced: power, Torn: rapid.Bool().Draw(t, "torn")})
	kept := r.model.kept
	if !power && completed {
		kept = len(r.model.batches)
	}
	log, got, err := wal.Open(r.disk, r.opts)
	if err != nil {
		t.Fatalf("open after %d batches, %d synced: %v", len(r.model.batches), kept, err)
	}
	r.log = log
	ignore := cmpopts.IgnoreFields(wal.Recovered{}, "Identity", "Truncated")
	for n := len(r.model.batches); n >= kept; n-- {
		if cmp.Equal(r.model.recovered(n), got, ignore, sameWAL) {
			r.model.batches = r.model.batches[:n]
			r.model.kept = n
			return
		}
	}
	t.Fatalf("recovered none of the states after %d to %d batches; against the first (-want +got):\n%s",
		kept, len(r.model.batches), cmp.Diff(r.model.recovered(kept), got, ignore, sameWAL))
}

func TestLogSurvivesCrashes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &walRun{disk: disk.New(), opts: wal.Options{
			Identity: wal.Identity{Cluster: 7, Member: 9}, SegmentBytes: wal.MinSegmentBytes,
		}}
		log, err := wal.Create(r.disk, r.opts)
		if err != nil {
			t.Fatal(err)
		}
		r.log = log
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			completed := r.job(t)
			if !completed || rapid.IntRange(0, 7).Draw(t, "plug") == 0 {
				r.crash(t, completed)
			}
			if rapid.Bool().Draw(t, "audit") {
				r.follow(t)
			}
		}
		r.crash(t, true)
		r.follow(t)
	})
}
