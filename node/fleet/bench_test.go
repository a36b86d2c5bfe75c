package fleet

import (
	"fmt"
	"testing"

	"drydock/node/unit"
)

// The size of the fleet that is measured.
const (
	benchMachines = 1000
	benchUnits    = 10000
)

func benchID(i int) string        { return fmt.Sprintf("%032x", i) }
func benchName(i int) string      { return fmt.Sprintf("unit-%05d.service", i) }
func benchMachineOf(i int) string { return benchID(i % benchMachines) }

// bigFleet has ten units on each of a thousand machines, all reported.
func bigFleet(b *testing.B) *fleet {
	f := begin(b)
	for i := range benchMachines {
		f.do(Command{Open: &Open{Term: 1, Machine: Machine{
			ID: benchID(i), Name: "host", PrimaryIP: "10.0.0.1", Metadata: map[string]string{"zone": "a", "disk": "ssd"},
		}}})
	}
	for i := range benchUnits {
		f.put(benchName(i), fmt.Sprintf("[Service]\nExecStart=/bin/run %d\n", i), Launched)
	}
	var moves []Move
	for i := range benchUnits {
		moves = append(moves, f.moveOf(i, "", benchMachineOf(i)))
		if len(moves) == MaxMoves || i == benchUnits-1 {
			f.place(moves...)
			moves = nil
		}
	}
	for i := range benchMachines {
		f.reportOf(i)
	}
	f.DrainDirty()
	return f
}

// moveOf is a move of the i-th unit, as the state is.
func (f *fleet) moveOf(i int, from, to string) Move {
	u, _ := f.Unit(benchName(i))
	m, _ := f.Machine(to)
	return Move{Unit: u.Name, Changed: u.Changed, From: from, To: to, Session: m.Session, Why: "to measure"}
}

// reportOf has the i-th machine report all of its units.
func (f *fleet) reportOf(i int) {
	m, _ := f.Machine(benchID(i))
	r := &Report{Machine: m.ID, Session: m.Session, Seq: m.Reported + 1}
	list, _ := f.OrdersFor(m.ID)
	for _, o := range list {
		r.States = append(r.States, State{
			Unit: o.Unit, Gen: o.Gen, Hash: o.Hash, Load: "loaded", Active: "active", Sub: "running", Launched: true,
			Why: fmt.Sprint(m.Reported), // so that it is news
		})
	}
	f.do(Command{Report: r})
}

// BenchmarkApply applies one command to a fleet of 10,000 units on 1,000 machines;
// the making of some is in the time.
func BenchmarkApply(b *testing.B) {
	for _, bench := range []struct {
		name string
		do   func(f *fleet, n int)
	}{
		{"put/text", func(f *fleet, n int) {
			f.do(Command{Put: &Put{Name: benchName(n % benchUnits), Text: fmt.Sprintf("[Service]\nExecStart=/bin/new %d\n", n)}})
		}},
		{"put/desired", func(f *fleet, n int) {
			f.do(Command{Put: &Put{Name: benchName(n % benchUnits), Desired: ptr(Loaded + Desired(n/benchUnits%2))}})
		}},
		{"place/1", func(f *fleet, n int) {
			i := n % benchUnits
			u, _ := f.Unit(benchName(i))
			from := u.Places[0].Machine
			f.place(f.moveOf(i, from, benchID((i*7+n)%benchMachines)))
		}},
		{"place/1024", func(f *fleet, n int) {
			var moves []Move
			for k := range MaxMoves {
				at := benchMachineOf(k)
				moves = append(moves, f.moveOf(k, at, at))
			}
			f.place(moves...)
		}},
		{"report/10", func(f *fleet, n int) { f.reportOf(n % benchMachines) }},
		{"close and open", func(f *fleet, n int) {
			id := benchID(n % benchMachines)
			m, _ := f.Machine(id)
			f.do(Command{Close: &Close{Term: 1, Machine: id, Session: m.Session}})
			f.do(Command{Open: &Open{Term: 1, Machine: Machine{ID: id}}})
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			f := bigFleet(b)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				bench.do(f, n)
				if n++; n%benchUnits == 0 {
					b.StopTimer()
					f.DrainDirty()
					b.StartTimer()
				}
			}
		})
	}
}

// BenchmarkOrders asks for the orders of one machine of a thousand.
func BenchmarkOrders(b *testing.B) {
	f := bigFleet(b)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		f.OrdersFor(benchID(n % benchMachines))
		n++
	}
}

// BenchmarkGlobal places a unit on 10,000 machines, one by one.
func BenchmarkGlobal(b *testing.B) {
	f := begin(b)
	f.put("g.service", "[X-Fleet]\nGlobal=true\n", Launched)
	for b.Loop() {
		b.StopTimer()
		f.Store = New()
		f.put("g.service", "[X-Fleet]\nGlobal=true\n", Launched)
		for i := range 10000 {
			f.do(Command{Open: &Open{Term: 1, Machine: Machine{ID: benchID(i)}}})
		}
		b.StartTimer()
		for i := range 10000 {
			u, _ := f.Unit("g.service")
			m, _ := f.Machine(benchID(i))
			f.place(Move{Unit: u.Name, Changed: u.Changed, To: m.ID, Session: m.Session})
		}
	}
}

// BenchmarkDrain takes what a checkpoint writes after 10,000 units have been started.
func BenchmarkDrain(b *testing.B) {
	f := bigFleet(b)
	twin := reload(b, f.Store)
	for b.Loop() {
		b.StopTimer()
		for key := range twin.keys() {
			twin.markAgain(key)
		}
		b.StartTimer()
		twin.DrainDirty()
	}
}

// markAgain notes a record as if it had changed.
func (s *Store) markAgain(key recordKey) {
	switch key.kind {
	case recordText:
		s.markText(unit.Hash([]byte(key.a)))
	case recordMachine:
		s.markHost(s.machines[key.a])
	case recordUnit:
		s.markUnit(s.units[key.a])
	default:
		s.markOn(s.units[key.a], key.kind, key.b)
	}
}

// BenchmarkLoad loads the fleet from its records.
func BenchmarkLoad(b *testing.B) {
	f := bigFleet(b)
	records := f.Records()
	b.ReportAllocs()
	for b.Loop() {
		l := NewLoader()
		for _, r := range records {
			if err := l.Take(r); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := l.Done(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestOneCommandTouchesOnlyWhatItNames: what a command costs does not follow from
// how many units there are.
func TestOneCommandTouchesOnlyWhatItNames(t *testing.T) {
	f := begin(t)
	f.join(1)
	for i := range 2000 {
		f.put(benchName(i), hello, Launched)
	}
	f.DrainDirty()
	name := benchName(7)
	for _, step := range []struct {
		what    string
		do      func()
		records int
	}{
		{"a put", func() { f.put(name, "[A]\nb=c\n", Launched) }, 3},                                                    // unit, text, meta
		{"a place", func() { f.place(f.moveTo(name, 0, 1)) }, 3},                                                        // place, machine, meta
		{"a report", func() { f.report(1, Report{States: []State{{Unit: name, Gen: f.revision, Launched: true}}}) }, 3}, // state, machine, meta
		{"a close", func() { f.leave(1) }, 4},                                                                           // place, state, machine, meta
	} {
		step.do()
		if n := len(f.DrainDirty()); n != step.records {
			t.Errorf("%s writes %d records, not %d", step.what, n, step.records)
		}
	}
}
