package procs

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/node/machine/guard"
	"drydock/node/runtime/lease"
)

// withUnits is a cluster whose machines run units that keep diaries.
func withUnits(t *testing.T, flags ...string) (context.Context, *Cluster, Diary) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs real processes")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx, running(t, flags...), Diary{dir: keptDir(t)}
}

// launch has a unit run, and waits until it does. Members that have just come together
// refuse for a moment.
func launch(ctx context.Context, t *testing.T, c *Cluster, d Diary, name string, more ...UnitOption) Page {
	t.Helper()
	for {
		err := c.Put(ctx, 0, name, d.Unit(name, more...)...)
		if err == nil {
			break
		}
		if pause(ctx, probeEvery) != nil {
			t.Fatalf("%s is not taken: %v", name, err)
		}
	}
	return beatOf(ctx, t, d, name, func(Page) bool { return true })
}

// beatOf waits for a page of a diary.
func beatOf(ctx context.Context, t *testing.T, d Diary, name string, wanted func(Page) bool) Page {
	t.Helper()
	for {
		pages, err := d.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(pages, wanted); i >= 0 {
			return pages[i]
		}
		if err := pause(ctx, beatEvery); err != nil {
			t.Fatalf("%s: %v after %d pages: %+v", name, err, len(pages), Stretches(pages))
		}
	}
}

// home is the member whose machine it is.
func home(t *testing.T, c *Cluster, machine string) int {
	t.Helper()
	for i := range c.Size() {
		if id, err := c.Machine(i); err == nil && id == machine {
			return i
		}
	}
	t.Fatalf("nobody is machine %s", machine)
	return 0
}

// failover strikes the member that runs a unit, and returns how long the unit was away.
func failover(ctx context.Context, t *testing.T, c *Cluster, d Diary, name string, strike func(int)) time.Duration {
	t.Helper()
	pages, err := d.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	was := pages[len(pages)-1].Machine
	struck := time.Now()
	strike(home(t, c, was))
	now := beatOf(ctx, t, d, name, func(p Page) bool { return p.At.After(struck) && p.Machine != was })
	// What the other one may still do shows by now.
	_ = pause(ctx, 500*time.Millisecond)
	if pages, err = d.Read(name); err != nil {
		t.Fatal(err)
	}
	if a, b, overlap := Twice(Stretches(pages)); overlap {
		t.Errorf("it ran twice: %+v and %+v", a, b)
	}
	return now.At.Sub(struck)
}

// How long a unit may be away when its machine dies, in the median: the default lease,
// and what it takes to see that it has passed and to start the unit elsewhere. One
// round says little on a loaded computer, and is held only to come to an end.
const (
	away     = 5 * time.Second
	awayOnce = 30 * time.Second
)

// TestUnitsAndTheirNodes strikes nodes that run units, one way after the other.
func TestUnitsAndTheirNodes(t *testing.T) {
	t.Parallel()
	ctx, c, d := withUnits(t)
	for _, way := range []struct {
		name         string
		strike, heal func(int) error
	}{
		{"stopped", c.Stop, c.Start},
		{"killed", func(i int) error { c.Kill(i); return nil }, c.Start},
		{"paused", c.Pause, c.Resume},
	} {
		// One that fails may leave its node down, and the next would judge that.
		if !t.Run(way.name, func(t *testing.T) { moves(ctx, t, c, d, way.name+".service", way.strike, way.heal) }) {
			return
		}
	}
}

// moves has a unit move as often as FAILOVERS says, and judges how long it was away,
// in the median, and that it never ran twice.
func moves(ctx context.Context, t *testing.T, c *Cluster, d Diary, name string, strike, heal func(int) error) {
	launch(ctx, t, c, d, name)
	var times []time.Duration
	for range rounds(t) {
		struck := -1
		took := failover(ctx, t, c, d, name, func(i int) {
			struck = i
			if err := strike(i); err != nil {
				t.Fatal(err)
			}
		})
		times = append(times, took)
		if err := heal(struck); err != nil {
			t.Fatal(err)
		}
		if err := c.Ready(ctx); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(times)
	t.Logf("away for %v", times)
	most := away
	if len(times) == 1 {
		most = awayOnce
	}
	if median := times[len(times)/2]; median > most {
		t.Errorf("the unit was away for %v, more than %v", median, most)
	}
	pages, err := d.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	if a, b, overlap := Twice(Stretches(pages)); overlap {
		t.Errorf("it ran twice: %+v and %+v", a, b)
	}
}

// rounds is how often a node is struck: FAILOVERS, or once.
func rounds(t *testing.T) int {
	text := os.Getenv("FAILOVERS")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("FAILOVERS: %q is not a number above zero", text)
	}
	return n
}

// TestANodeThatComesBackInTime adopts what runs. The lease is long: a loaded computer may
// take its time to start a process.
func TestANodeThatComesBackInTime(t *testing.T) {
	t.Parallel()
	const term = 15 * time.Second
	ctx, c, d := withUnits(t, "--machine-lease="+term.String())
	first := launch(ctx, t, c, d, "a.service")
	launch(ctx, t, c, d, "g.service", UnitOption{"X-Fleet", "Global", "true"})
	for i := range c.Size() {
		id, err := c.Machine(i)
		if err != nil {
			t.Fatal(err)
		}
		beatOf(ctx, t, d, "g.service", func(p Page) bool { return p.Machine == id })
	}
	i := home(t, c, first.Machine)
	c.Kill(i)
	killed := lease.Now()
	if err := c.Start(i); err != nil {
		t.Fatal(err)
	}
	if err := c.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	f, err := lease.Open(filepath.Join(c.members[i].run, first.Machine, guard.LeaseFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for {
		// It goes on longer than what the former life had been granted.
		if at, timed := f.Read().Time(); timed && at > killed+term {
			break
		}
		if err := pause(ctx, probeEvery); err != nil {
			t.Fatalf("the lease is not renewed: it says %v, and the node was killed at %v", f.Read(), killed)
		}
	}
	back := time.Now()
	for name, want := range map[string]int{"a.service": 1, "g.service": c.Size()} {
		beatOf(ctx, t, d, name, func(p Page) bool { return p.At.After(back) && p.Machine == first.Machine })
		pages, err := d.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		if list := Stretches(pages); len(list) != want {
			t.Errorf("%s was started again: %+v", name, list)
		}
	}
}

// TestAClockEndedWithItsUnit has a unit's clock be killed, as it is when the unit is asked
// to end while it reads it: a line without its time must not be written.
func TestAClockEndedWithItsUnit(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	clock := "#!/bin/sh\nn=$(cat " + bin + "/n)\necho $((n+1)) > " + bin + "/n\n" +
		"case $n in 2) kill -TERM $$;; 4) kill -TERM $PPID;; esac\necho $n\n"
	for name, text := range map[string]string{"date": clock, "n": "1\n"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	d := Diary{dir: t.TempDir()}
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", d.script("x"))
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pages, err := d.Read("x")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, p := range pages {
		told = append(told, p.What+" "+strconv.FormatInt(p.At.UnixNano(), 10))
	}
	if diff := cmp.Diff([]string{"start 1", "beat 3", "end 5"}, told); diff != "" {
		t.Errorf("the diary (-want +got):\n%s", diff)
	}
}

func TestDiaries(t *testing.T) {
	at := func(s float64) time.Time { return time.Unix(0, int64(s*1e9)) }
	pages := []Page{
		{"start", "m1", 1, at(1)}, {"beat", "m1", 1, at(2)}, {"start", "m2", 1, at(2.5)}, {"beat", "m2", 1, at(3)},
	}
	if _, _, overlap := Twice(Stretches(pages)); overlap {
		t.Error("one after the other is no overlap")
	}
	a, b, overlap := Twice(Stretches(append(pages, Page{"beat", "m1", 1, at(2.6)})))
	if !overlap || a.Machine == b.Machine {
		t.Errorf("both at once: %+v, %+v, %v", a, b, overlap)
	}
	d := Diary{dir: t.TempDir()}
	if err := os.WriteFile(d.file("x"), []byte("start m1 1 5\nbeat m1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if pages, err := d.Read("x"); err != nil || len(pages) != 1 || pages[0].Pid != 1 {
		t.Errorf("%+v, %v", pages, err)
	}
	if err := os.WriteFile(d.file("x"), []byte("start m1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Read("x"); err == nil {
		t.Error("a line that is none")
	}
}
