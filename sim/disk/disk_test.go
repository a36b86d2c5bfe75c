package disk_test

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"drydock/node/world"
	"drydock/sim/disk"
)

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newDisk is a disk with the directory "a".
func newDisk(t testing.TB) *disk.Disk {
	t.Helper()
	d := disk.New()
	must(t, d.MkdirAll("a"))
	return d
}

// put writes p at off of the file, making it if need be.
func put(t testing.TB, d *disk.Disk, name string, off int64, p string) {
	t.Helper()
	file, err := d.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		file, err = d.Create(name)
	}
	must(t, err)
	_, err = file.WriteAt([]byte(p), off)
	must(t, err)
	must(t, file.Close())
}

// syncFile syncs the file.
func syncFile(t testing.TB, d *disk.Disk, name string) {
	t.Helper()
	file, err := d.Open(name)
	must(t, err)
	must(t, file.Sync())
	must(t, file.Close())
}

// get returns a file's content, or "-" if there is none.
func get(t testing.TB, d *disk.Disk, name string) string {
	t.Helper()
	file, err := d.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "-"
	}
	must(t, err)
	size, err := file.Size()
	must(t, err)
	p := make([]byte, size)
	if _, err := file.ReadAt(p, 0); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	must(t, file.Close())
	return string(p)
}

// job runs fn as a job of the lane.
func job(d *disk.Disk, lane world.Lane, fn func()) disk.Token {
	token := d.Begin(lane, "job")
	fn()
	d.End(token)
	return token
}

// outcomes crashes disks prepared alike with many seeds and returns what is
// then in the files a/1 and a/2, sorted.
func outcomes(t testing.TB, o disk.CrashOptions, prepare func(d *disk.Disk)) []string {
	t.Helper()
	seen := map[string]bool{}
	for seed := range uint64(200) {
		d := newDisk(t)
		prepare(d)
		d.Crash(rand.New(rand.NewPCG(seed, 0)), o)
		seen[get(t, d, "a/1")+" "+get(t, d, "a/2")] = true
	}
	var list []string
	for s := range seen {
		list = append(list, s)
	}
	slices.Sort(list)
	return list
}

func TestCrash(t *testing.T) {
	power := disk.CrashOptions{LoseUnsynced: true}
	process := disk.CrashOptions{}
	for _, c := range []struct {
		name    string
		o       disk.CrashOptions
		prepare func(d *disk.Disk)
		want    []string
	}{
		{"a name that is not synced", power, func(d *disk.Disk) {
			put(t, d, "a/1", 0, "x")
			syncFile(t, d, "a/1")
		}, []string{"- -", "x -"}},
		{"data that is not synced", power, func(d *disk.Disk) {
			put(t, d, "a/1", 0, "x")
			must(t, d.SyncDir("a"))
		}, []string{" -", "x -"}},
		{"both synced", power, func(d *disk.Disk) {
			put(t, d, "a/1", 0, "x")
			syncFile(t, d, "a/1")
			must(t, d.SyncDir("a"))
		}, []string{"x -"}},
		{"a process that dies", process, func(d *disk.Disk) {
			put(t, d, "a/1", 0, "x")
		}, []string{"x -"}},
		{"writes in any order", power, func(d *disk.Disk) {
			put(t, d, "a/1", 0, "..")
			syncFile(t, d, "a/1")
			must(t, d.SyncDir("a"))
			put(t, d, "a/1", 0, "x")
			put(t, d, "a/1", 1, "y")
		}, []string{".. -", ".y -", "x. -", "xy -"}},
		{"a rename is one step", power, func(d *disk.Disk) {
			put(t, d, "a/1", 0, "x")
			syncFile(t, d, "a/1")
			must(t, d.SyncDir("a"))
			must(t, d.Rename("a/1", "a/2"))
		}, []string{"- x", "x -"}},
		{"a rename over a file", power, func(d *disk.Disk) {
			put(t, d, "a/1", 0, "new")
			put(t, d, "a/2", 0, "old")
			syncFile(t, d, "a/1")
			syncFile(t, d, "a/2")
			must(t, d.SyncDir("a"))
			must(t, d.Rename("a/1", "a/2"))
		}, []string{"- new", "new old"}},
		{"a removal", power, func(d *disk.Disk) {
			put(t, d, "a/1", 0, "x")
			syncFile(t, d, "a/1")
			must(t, d.SyncDir("a"))
			must(t, d.Remove("a/1"))
		}, []string{"- -", "x -"}},
		{"a truncation", power, func(d *disk.Disk) {
			put(t, d, "a/1", 0, "xyz")
			syncFile(t, d, "a/1")
			must(t, d.SyncDir("a"))
			f, err := d.Open("a/1")
			must(t, err)
			must(t, f.Truncate(1))
			must(t, f.Truncate(2))
		}, []string{"x\x00 -", "x -", "xy -", "xyz -"}},
		{"a job in flight, its sync at the end", power, func(d *disk.Disk) {
			put(t, d, "a/1", 0, ".")
			syncFile(t, d, "a/1")
			must(t, d.SyncDir("a"))
			job(d, world.LaneLog, func() { put(t, d, "a/1", 0, "x"); syncFile(t, d, "a/1") })
		}, []string{". -", "x -"}},
		{"a job that is complete", power, func(d *disk.Disk) {
			d.Complete(job(d, world.LaneLog, func() {
				put(t, d, "a/1", 0, "x")
				syncFile(t, d, "a/1")
				must(t, d.SyncDir("a"))
			}))
		}, []string{"x -"}},
		{"a job in flight when its process dies", process, func(d *disk.Disk) {
			job(d, world.LaneLog, func() { put(t, d, "a/1", 0, "x"); put(t, d, "a/1", 1, "y") })
		}, []string{" -", "- -", "x -", "xy -"}},
		{"a lane stops at its first cut", process, func(d *disk.Disk) {
			job(d, world.LaneLog, func() { put(t, d, "a/1", 0, "x") })
			job(d, world.LaneLog, func() { put(t, d, "a/2", 0, "y") })
		}, []string{" -", "- -", "x ", "x -", "x y"}},
		{"lanes don't wait for each other", process, func(d *disk.Disk) {
			put(t, d, "a/1", 0, ".")
			put(t, d, "a/2", 0, ".")
			job(d, world.LaneLog, func() { put(t, d, "a/1", 0, "x") })
			job(d, world.LaneCheckpoint, func() { put(t, d, "a/2", 0, "y") })
		}, []string{". .", ". y", "x .", "x y"}},
		{"a sync covers the writes before it only", power, func(d *disk.Disk) {
			d.Complete(job(d, world.LaneLog, func() {
				put(t, d, "a/1", 0, "x")
				must(t, d.SyncDir("a"))
				syncFile(t, d, "a/1")
				put(t, d, "a/1", 1, "y")
			}))
		}, []string{"x -", "xy -"}},
	} {
		if got := outcomes(t, c.o, c.prepare); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTornWriteIsKeptBySectors(t *testing.T) {
	whole := strings.Repeat("x", 4*disk.SectorBytes)
	mixed := false
	for seed := range uint64(300) {
		d := newDisk(t)
		put(t, d, "a/1", 0, strings.Repeat(".", len(whole)))
		syncFile(t, d, "a/1")
		must(t, d.SyncDir("a"))
		put(t, d, "a/1", 0, whole)
		loss := d.Crash(rand.New(rand.NewPCG(seed, 0)), disk.CrashOptions{LoseUnsynced: true, Torn: true})
		got := get(t, d, "a/1")
		kept := 0
		for at := 0; at < len(got); at += disk.SectorBytes {
			switch sector := got[at : at+disk.SectorBytes]; {
			case strings.Count(sector, "x") == disk.SectorBytes:
				kept++
			case strings.Count(sector, ".") != disk.SectorBytes:
				t.Fatalf("seed %d: half a sector: %q", seed, sector)
			}
		}
		if kept > 0 && kept < 4 {
			mixed = true
			if loss.Torn != 1 || loss.Writes != 0 {
				t.Errorf("seed %d: %d sectors kept, reported as %+v", seed, kept, loss)
			}
		}
		if kept == 0 && loss.Writes+loss.Torn != 1 {
			t.Errorf("seed %d: nothing kept, reported as %+v", seed, loss)
		}
	}
	if !mixed {
		t.Error("no write was kept in part")
	}
}

func TestLossIsCounted(t *testing.T) {
	var writes, entries, jobs int
	for seed := range uint64(100) {
		d := newDisk(t)
		job(d, world.LaneLog, func() { put(t, d, "a/1", 0, "12345") })
		loss := d.Crash(rand.New(rand.NewPCG(seed, 0)), disk.CrashOptions{LoseUnsynced: true})
		if loss.Bytes != 5*int64(loss.Writes) || loss.Writes > 1 || loss.Entries > 1 || loss.Jobs > 1 {
			t.Fatalf("seed %d: %+v", seed, loss)
		}
		writes, entries, jobs = writes+loss.Writes, entries+loss.Entries, jobs+loss.Jobs
	}
	if writes == 0 || entries == 0 || jobs == 0 {
		t.Errorf("in 100 crashes %d writes, %d entries and %d jobs were lost", writes, entries, jobs)
	}
}

func TestHandlesDieInACrash(t *testing.T) {
	d := newDisk(t)
	f, err := d.Create("a/1")
	must(t, err)
	d.Crash(rand.New(rand.NewPCG(1, 0)), disk.CrashOptions{})
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("write by a dead process: %v", err)
	}
	if err := f.Sync(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("sync by a dead process: %v", err)
	}
	if got := get(t, d, "a/1"); got != "" {
		t.Errorf("content %q", got)
	}
}

func TestErrors(t *testing.T) {
	d := newDisk(t)
	put(t, d, "a/1", 0, "x")
	f, err := d.Open("a/1")
	must(t, err)
	write := func(off int64) error { _, err := f.WriteAt([]byte("xy"), off); return err }
	open := func(name string) error { _, err := d.Open(name); return err }
	create := func(name string) error { _, err := d.Create(name); return err }
	list := func(name string) error { _, err := d.List(name); return err }
	for _, c := range []struct {
		name      string
		err, want error
	}{
		{"open what is not there", open("a/2"), fs.ErrNotExist},
		{"open in no directory", open("b/1"), fs.ErrNotExist},
		{"open outside", open("../1"), fs.ErrInvalid},
		{"open an absolute name", open("/a/1"), fs.ErrInvalid},
		{"create in no directory", create("b/1"), fs.ErrNotExist},
		{"list no directory", list("b"), fs.ErrNotExist},
		{"remove what is not there", d.Remove("a/2"), fs.ErrNotExist},
		{"rename what is not there", d.Rename("a/2", "a/3"), fs.ErrNotExist},
		{"a directory where a file is", d.MkdirAll("a/1"), fs.ErrExist},
		{"sync no directory", d.SyncDir("b"), fs.ErrNotExist},
		{"write at a negative offset", write(-1), fs.ErrInvalid},
		{"truncate to less than nothing", f.Truncate(-1), fs.ErrInvalid},
		{"rot what is not there", d.Rot("a/2", 0, 0), fs.ErrNotExist},
		{"rot behind the end", d.Rot("a/1", 9, 0), fs.ErrInvalid},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.err, c.want)
		}
	}
	must(t, d.MkdirAll("b"))
	if err := d.Rename("a/1", "b/1"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("rename across directories: %v", err)
	}
	d.SetCapacity(10)
	if err := write(9); !errors.Is(err, disk.ErrFull) {
		t.Errorf("write beyond the capacity: %v", err)
	}
	must(t, write(8))
	must(t, f.Close())
	if err := f.Close(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("second close: %v", err)
	}
}

func TestListIsSorted(t *testing.T) {
	d := newDisk(t)
	for _, name := range []string{"c", "a", "b"} {
		put(t, d, "a/"+name, 0, "")
	}
	must(t, d.Remove("a/b"))
	if got, err := d.List("a"); err != nil || !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestJobsArePaired(t *testing.T) {
	for name, fn := range map[string]func(d *disk.Disk){
		"a job inside of a job": func(d *disk.Disk) { d.Begin(world.LaneLog, "x"); d.Begin(world.LaneCheckpoint, "y") },
		"end of another job":    func(d *disk.Disk) { d.End(d.Begin(world.LaneLog, "x") + 1) },
		"complete before end":   func(d *disk.Disk) { d.Complete(d.Begin(world.LaneLog, "x")) },
		"complete out of order": func(d *disk.Disk) {
			job(d, world.LaneLog, func() {})
			d.Complete(job(d, world.LaneLog, func() {}))
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			fn(newDisk(t))
		}()
	}
	// The end of a job that a crash took away is no news.
	d := newDisk(t)
	token := job(d, world.LaneLog, func() {})
	d.Crash(rand.New(rand.NewPCG(1, 0)), disk.CrashOptions{})
	d.Complete(token)
}

// TestEqualSeedsGiveEqualDisks does the same random work with crashes twice.
func TestEqualSeedsGiveEqualDisks(t *testing.T) {
	run := func(seed uint64) (uint64, string) {
		rng := rand.New(rand.NewPCG(seed, 9))
		d := newDisk(t)
		var events strings.Builder
		d.SetHook(func(e disk.Event) { events.WriteString(e.Kind.String() + " " + e.Name + "\n") })
		for range 300 {
			name := "a/" + string(rune('a'+rng.IntN(12)))
			switch rng.IntN(8) {
			case 0:
				_ = d.Rename(name, "a/"+string(rune('a'+rng.IntN(12)))) // may not be there
			case 1:
				_ = d.Remove(name) // may not be there
			case 2:
				must(t, d.SyncDir("a"))
			case 3:
				d.Crash(rng, disk.CrashOptions{LoseUnsynced: rng.IntN(2) == 0, Torn: true})
			default:
				token := job(d, world.LaneSnapshot, func() {
					put(t, d, name, rng.Int64N(3000), strings.Repeat("z", rng.IntN(2000)))
				})
				if rng.IntN(3) > 0 {
					d.Complete(token)
				} else {
					d.Crash(rng, disk.CrashOptions{LoseUnsynced: true, Torn: true})
				}
			}
		}
		names, err := d.List("a")
		must(t, err)
		for _, name := range names {
			events.WriteString(name + " " + get(t, d, "a/"+name) + "\n")
		}
		return d.Fingerprint(), events.String()
	}
	hash, text := run(1)
	for range 4 {
		if again, t2 := run(1); again != hash || t2 != text {
			t.Fatalf("fingerprint %x, then %x", hash, again)
		}
	}
	if other, _ := run(2); other == hash {
		t.Errorf("seeds 1 and 2 both give %x", hash)
	}
}

func BenchmarkAppendSync(b *testing.B) {
	d := newDisk(b)
	f, err := d.Create("a/1")
	must(b, err)
	must(b, f.Truncate(64<<10))
	p := make([]byte, 300)
	var off int64
	b.ReportAllocs()
	for b.Loop() {
		token := d.Begin(world.LaneLog, "append")
		_, err := f.WriteAt(p, off%(60<<10))
		must(b, err)
		must(b, f.Sync())
		d.End(token)
		d.Complete(token)
		off += 300
	}
}
