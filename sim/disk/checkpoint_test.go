package disk_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/node/checkpoint"
	"drydock/node/world"
	"drydock/sim/disk"
)

var _ checkpoint.Host = (*disk.Disk)(nil)

// content is a checkpoint read into memory.
type content struct {
	Meta    checkpoint.Meta
	Records map[string]string
}

// equal compares without go-cmp, which is slow on large values.
func (c content) equal(o content) bool {
	return cmp.Equal(c.Meta, o.Meta) && maps.Equal(c.Records, o.Records)
}

// loadAll reads the checkpoint; none is the zero content.
func loadAll(t *testing.T, fs world.FS) content {
	t.Helper()
	c := content{Records: map[string]string{}}
	m, err := checkpoint.Load(fs, func(r checkpoint.Record) error {
		c.Records[r.Bucket+"/"+string(r.Key)] = string(r.Value)
		return nil
	})
	if errors.Is(err, checkpoint.ErrNoCheckpoint) {
		return content{}
	}
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	c.Meta = m
	return c
}

// changesAt draws the changes of the checkpoint at index.
func changesAt(rng *rand.Rand, index uint64) []checkpoint.Record {
	var list []checkpoint.Record
	for range 1 + rng.IntN(30) {
		r := checkpoint.Record{Bucket: fmt.Sprintf("b%d", rng.IntN(3)), Key: fmt.Appendf(nil, "k%02d", rng.IntN(60))}
		if rng.IntN(5) > 0 {
			r.Value = make([]byte, rng.IntN(900))
			copy(r.Value, fmt.Sprint(index))
		}
		list = append(list, r)
	}
	return list
}

// applied returns c after a write.
func (c content) applied(m checkpoint.Meta, changes []checkpoint.Record) content {
	next := content{Meta: m, Records: map[string]string{}}
	for k, v := range c.Records {
		next.Records[k] = v
	}
	for _, r := range changes {
		if r.Value == nil {
			delete(next.Records, r.Bucket+"/"+string(r.Key))
		} else {
			next.Records[r.Bucket+"/"+string(r.Key)] = string(r.Value)
		}
	}
	return next
}

// flight runs fn as a job of the checkpoint lane that is in flight, or over.
func flight(d *disk.Disk, complete bool, fn func() error) error {
	token := d.Begin(world.LaneCheckpoint, "checkpoint")
	err := fn()
	d.End(token)
	if complete {
		d.Complete(token)
	}
	return err
}

func TestCheckpointSurvivesCrashes(t *testing.T) {
	seenOld, seenNew := 0, 0
	for seed := range uint64(120) {
		rng := rand.New(rand.NewPCG(seed, 1))
		d := disk.New()
		var have content
		for index := uint64(1); index < 12; index++ {
			m := checkpoint.Meta{Index: index, Term: 1, Revision: 10 * index, Extra: []byte("conf")}
			m.Digest[0] = byte(index)
			changes := changesAt(rng, index)
			complete := rng.IntN(3) > 0
			if err := flight(d, complete, func() error { return checkpoint.Write(d, m, changes) }); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			next := have.applied(m, changes)
			if complete && rng.IntN(2) == 0 {
				have = next
				continue
			}
			d.Crash(rng, disk.CrashOptions{LoseUnsynced: rng.IntN(2) == 0, Torn: rng.IntN(2) == 0})
			got := loadAll(t, d)
			switch {
			case got.equal(next):
				seenNew++
			case !complete && got.equal(have):
				seenOld++
			default:
				t.Fatalf("seed %d index %d: neither old nor new (-new +got):\n%s", seed, index, cmp.Diff(next.Meta, got.Meta))
			}
			have = got
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if seenOld == 0 || seenNew == 0 {
		t.Fatalf("crashes left the old state %d times and the new one %d times; want both", seenOld, seenNew)
	}
}

func TestImportSurvivesCrashes(t *testing.T) {
	for seed := range uint64(120) {
		rng := rand.New(rand.NewPCG(seed, 2))
		from, to := disk.New(), disk.New()
		m := checkpoint.Meta{Index: 50, Term: 3}
		if err := checkpoint.Write(from, m, changesAt(rng, 50)); err != nil {
			t.Fatal(err)
		}
		_, size, err := checkpoint.Export(from, "s")
		if err != nil {
			t.Fatal(err)
		}
		var old content
		if seed%2 == 0 {
			if err := checkpoint.Write(to, checkpoint.Meta{Index: 9}, changesAt(rng, 9)); err != nil {
				t.Fatal(err)
			}
			old = loadAll(t, to)
		}
		err = flight(to, seed%5 == 0, func() error {
			if err := copySnapshot(from, to, "s", size); err != nil {
				return err
			}
			_, err := checkpoint.Import(to, "s")
			return err
		})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		to.Crash(rng, disk.CrashOptions{LoseUnsynced: true, Torn: true})
		got, want := loadAll(t, to), loadAll(t, from)
		if !got.equal(want) && (seed%5 == 0 || !got.equal(old)) {
			t.Fatalf("seed %d: neither old nor new (-new +got):\n%s", seed, cmp.Diff(want.Meta, got.Meta))
		}
		names, err := checkpoint.Snapshots(to)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if _, err := checkpoint.Verify(to, name); err != nil {
				t.Fatalf("seed %d: a named snapshot is not whole: %v", seed, err)
			}
		}
	}
}

// copySnapshot sends a snapshot file from one disk to another in chunks.
func copySnapshot(from, to world.FS, name string, size int64) error {
	r, err := checkpoint.Receive(to, name)
	if err != nil {
		return err
	}
	for r.Offset() < size {
		data, _, err := checkpoint.ReadChunk(from, name, r.Offset(), 1000)
		if err != nil {
			return err
		}
		if err := r.WriteAt(data, r.Offset()); err != nil {
			return err
		}
	}
	_, err = r.Finish()
	return err
}

func TestCheckpointImagesAreDeterministic(t *testing.T) {
	run := func() uint64 {
		d := disk.New()
		rng := rand.New(rand.NewPCG(3, 3))
		for index := uint64(1); index < 30; index++ {
			if err := checkpoint.Write(d, checkpoint.Meta{Index: index}, changesAt(rng, index)); err != nil {
				t.Fatal(err)
			}
		}
		return d.Fingerprint()
	}
	first := run()
	for range 3 {
		if again := run(); again != first {
			t.Fatalf("fingerprint %x, then %x", first, again)
		}
	}
}

func TestBoltLeaksNoDescriptors(t *testing.T) {
	open := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc/self/fd to count descriptors in")
		}
		return len(list)
	}
	before := open()
	for range 50 {
		d := disk.New()
		if err := checkpoint.Write(d, checkpoint.Meta{Index: 1}, nil); err != nil {
			t.Fatal(err)
		}
		loadAll(t, d)
	}
	if after := open(); after > before+2 {
		t.Errorf("%d descriptors before, %d after 50 disks", before, after)
	}
}
