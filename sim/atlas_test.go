package sim

import (
	"errors"
	"testing"
	"time"

	"drydock/chaos"
	"drydock/node/wal"
)

// at is a log's place for tests, in one segment.
func at(off int64) place { return place{1, off} }

// entriesOf makes entries of one term.
func entriesOf(term uint64, indexes ...uint64) []wal.Entry {
	var list []wal.Entry
	for _, i := range indexes {
		list = append(list, wal.Entry{Index: i, Term: term})
	}
	return list
}

func TestLogMapHolds(t *testing.T) {
	// Three batches, each synced before the next was written, but for the last.
	steady := []written{
		{start: at(0), end: at(10), entries: entriesOf(1, 2, 3)},
		{start: at(10), end: at(20), synced: at(10), entries: entriesOf(1, 4)},
		{start: at(20), end: at(30), synced: at(20), entries: entriesOf(2, 5)},
	}
	replaced := []written{
		steady[0], steady[1],
		{start: at(20), end: at(30), synced: at(20), entries: entriesOf(3, 3)},
		{start: at(30), end: at(40), synced: at(30)},
	}
	snapshot := []written{
		{start: at(0), end: at(10), reset: &wal.Marker{Index: 7, Term: 2}},
		{start: at(10), end: at(20), synced: at(10)},
	}
	tests := []struct {
		name        string
		records     []written
		durable     place
		index, term uint64
		want        bool
	}{
		{"in the middle", steady, at(20), 3, 1, true},
		{"the last durable one", steady, at(20), 4, 1, true},
		{"written, not durable", steady, at(20), 5, 2, false},
		{"of another term", steady, at(20), 4, 2, false},
		{"an index that was replaced", replaced, at(30), 4, 1, false},
		{"the one that replaced it", replaced, at(30), 3, 3, true},
		{"the one that it replaced", replaced, at(30), 3, 1, false},
		{"before what was replaced", replaced, at(30), 2, 1, true},
		{"a snapshot's", snapshot, at(10), 7, 2, true},
		{"a snapshot's of another term", snapshot, at(10), 7, 1, false},
		{"before a snapshot", snapshot, at(10), 5, 1, true},
		{"behind a snapshot", snapshot, at(10), 8, 2, false},
		{"nothing", nil, at(0), 1, 1, false},
	}
	for _, tt := range tests {
		l := logMap{records: tt.records, durable: tt.durable}
		if got := l.holds(tt.index, tt.term); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestLogMapProven(t *testing.T) {
	l := logMap{durable: at(30), records: []written{
		{start: at(0), end: at(10)},
		{start: at(10), end: at(20), synced: at(10)},
		{start: at(20), end: at(30), synced: at(10)},
		{start: at(30), end: at(40), synced: at(30)},
	}}
	list, proof := l.proven()
	if len(list) != 1 || list[0].start != at(0) || proof.start != at(20) {
		t.Errorf("proven: %+v by %+v: the record at 10 was not durable by the word of the one at 20", list, proof)
	}
	if list, _ := (&logMap{}).proven(); len(list) != 0 {
		t.Errorf("an empty log proves %+v", list)
	}
}

// TestAtlas asks whom a fault may strike while nothing happens to the cluster.
func TestAtlas(t *testing.T) {
	cfg := testConfig(3, 3)
	cfg.Duration, cfg.HealAt = 10*time.Second, 8*time.Second
	w, err := newWorld(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	if err := w.found(); err != nil {
		t.Fatal(err)
	}
	w.begin()
	w.queue.RunUntil(4 * time.Second)
	w.stopClients()
	w.queue.RunUntil(6 * time.Second) // all is committed, told and written
	n1, n2, n3 := w.machines[0], w.machines[1], w.machines[2]
	try := func(what string, m *machine, destroy bool, want error) {
		t.Helper()
		if err := w.mayHarm(m, destroy); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	try("all is well", n1, false, nil)
	try("outside", w.machines[3], false, chaos.ErrNoEffect)
	n2.harm("damage")
	try("one of the others is damaged", n1, false, chaos.ErrNotYet)
	try("the scenario says so", n1, true, nil)
	try("the damaged one itself", n2, false, chaos.ErrNoEffect)
	n2.damage = ""
	w.changing = 1
	try("the membership is changing", n3, false, chaos.ErrNotYet)
	w.changing = 0
	w.commit++
	try("an entry that nobody holds durably", n3, false, chaos.ErrNotYet)
	w.commit--
	w.commitTerm++
	try("an entry that everybody holds of another term", n3, false, chaos.ErrNotYet)
	w.commitTerm--
	n1.lost = true
	try("one of the others is empty", n3, false, chaos.ErrNotYet)
	n1.lost = false
	try("all is well again", n3, false, nil)
}

// TestOnlyCopyIsSpared strikes at every disk at once and again and again: what
// was acknowledged is still there, since not all of it may strike.
func TestOnlyCopyIsSpared(t *testing.T) {
	cfg := testConfig(5, 3)
	every := func(p chaos.Params) chaos.Step {
		return chaos.Step{Every: &chaos.Every{Period: 2 * time.Second, From: 2 * time.Second}, Fault: p}
	}
	cfg.Plan.Steps = []chaos.Step{
		every(&chaos.Wipe{Node: sel(chaos.All)}),
		every(&chaos.BitRot{Node: sel(chaos.All), Files: chaos.FilesLog, Bits: 1}),
	}
	r := run(t, cfg)
	if len(r.Missing) > 0 || len(r.Running) != 3 {
		t.Errorf("missing %v, running %v", r.Missing, r.Running)
	}
	effective := 0
	for _, o := range r.Outcomes {
		effective += o.Effective
	}
	if effective == 0 {
		t.Error("nothing was struck at all")
	}
}

// TestDestroy shows what the atlas is for: the same strike at a majority ends
// the cluster if the plan says that it may, and does not if it doesn't.
func TestDestroy(t *testing.T) {
	for _, destroy := range []bool{true, false} {
		cfg := testConfig(5, 3)
		cfg.Plan.Steps = []chaos.Step{step(3*second, &chaos.Wipe{Node: sel("n1", "n2"), Destroy: destroy})}
		r := run(t, cfg)
		if n := answeredIn(r, 11*second, 15*second); (n > 50) == destroy {
			t.Errorf("destroy %t: %d answers after healing", destroy, n)
		}
	}
}

func TestRatedClock(t *testing.T) {
	c := rated{rate: ppm}
	half, double := int64(ppm/2), int64(2*ppm)
	c.faults = append(c.faults, &half)
	c.run(10 * time.Second)
	if got := c.now(14 * time.Second); got != 12*time.Second {
		t.Errorf("at half rate: %s", got)
	}
	c.faults = append(c.faults, &double)
	c.run(14 * time.Second)
	if got := c.now(15 * time.Second); got != 14*time.Second {
		t.Errorf("at double rate: %s", got)
	}
	c.jump(15*time.Second, time.Hour)
	c.faults = nil
	c.run(16 * time.Second)
	if got := c.now(17 * time.Second); got != time.Hour+17*time.Second {
		t.Errorf("after a jump, right again: %s", got)
	}
	for _, rate := range []int64{ppm / 2, 700_001, ppm, 1_333_333, 2 * ppm} {
		c := rated{rate: rate, reading: 5}
		for want := time.Duration(5); want < time.Second; want = want*3 + 1 {
			at := c.when(want)
			if c.now(at) < want || (at > 0 && c.now(at-1) >= want) {
				t.Errorf("rate %d: reads %s at %s, %s just before, asked for %s", rate, c.now(at), at, c.now(at-1), want)
			}
		}
	}
}
