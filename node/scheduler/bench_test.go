package scheduler_test

import (
	"fmt"
	"testing"

	"drydock/node/scheduler"
	"drydock/node/unit"
)

// load is a kind of cluster for benchmarks.
type load struct {
	name  string
	needs func(i int) *unit.Requirements
	unit  func(i int) string
}

var loads = func() []load {
	plain := func(i int) string { return fmt.Sprintf("unit-%d.service", i) }
	group := func(i int) string { return fmt.Sprintf("group-%d@%d.service", i/100, i%100) }
	of := func(n int, make func(i int) *unit.Requirements) func(i int) *unit.Requirements {
		made := map[int]*unit.Requirements{}
		return func(i int) *unit.Requirements {
			if made[i%n] == nil {
				made[i%n] = make(i % n)
			}
			return made[i%n]
		}
	}
	zone := of(10, func(i int) *unit.Requirements {
		return &unit.Requirements{Metadata: []unit.Condition{{Key: "class", Op: unit.Is, Values: []string{fmt.Sprint(i)}}}}
	})
	small := of(8, func(i int) *unit.Requirements {
		return &unit.Requirements{Resources: []unit.Resource{{Name: unit.CPU, Amount: int64(50 + 25*i)}, {Name: unit.Memory, Amount: 64 << 20}}}
	})
	apart := func(i int) *unit.Requirements {
		return &unit.Requirements{Conflicts: []string{fmt.Sprintf("group-%d@*", i/100)}}
	}
	return []load{
		{"plain", func(int) *unit.Requirements { return nil }, plain},
		{"metadata", zone, plain},
		{"conflicts", apart, group},
		{"spread", func(i int) *unit.Requirements { return &unit.Requirements{Spread: []string{"zone"}} }, group},
		{"resources", small, plain},
		{"mixed", func(i int) *unit.Requirements {
			switch g := i / 100; {
			case g%10 == 0:
				return apart(i)
			case g%10 < 6:
				return zone(i)
			case g%10 == 6:
				return small(i)
			}
			return nil
		}, group},
	}
}()

func cluster(machines int) *scheduler.Scheduler {
	s := scheduler.New()
	for i := range machines {
		s.SetMachine(scheduler.Machine{
			ID:        fmt.Sprintf("%08x", i),
			Metadata:  map[string]string{"class": fmt.Sprint(i % 10), "zone": fmt.Sprint(i % 3)},
			Resources: map[string]int64{unit.CPU: 64000, unit.Memory: 256 << 30},
		})
	}
	s.Solve(0)
	return s
}

// units makes the units of a load beforehand: their text is read elsewhere.
func units(l load, n int) []scheduler.Unit {
	list := make([]scheduler.Unit, n)
	for i := range list {
		list[i] = scheduler.Unit{Name: l.unit(i), Active: true, Needs: l.needs(i)}
	}
	return list
}

// BenchmarkFill places ten units a machine into an empty cluster, 512 at a time;
// an operation is one unit.
func BenchmarkFill(b *testing.B) {
	for _, l := range loads {
		for _, machines := range []int{100, 1000, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", l.name, machines), func(b *testing.B) {
				fill(b, l, machines, 10*machines)
			})
		}
	}
}

// BenchmarkFillMillion is the largest that is claimed.
func BenchmarkFillMillion(b *testing.B) {
	for _, machines := range []int{10_000, 100_000} {
		for _, l := range loads {
			b.Run(fmt.Sprintf("%s/%d", l.name, machines), func(b *testing.B) { fill(b, l, machines, 1_000_000) })
		}
	}
}

func fill(b *testing.B, l load, machines, n int) {
	list := units(l, n)
	b.ReportAllocs()
	done := 0
	for b.Loop() {
		b.StopTimer()
		s := cluster(machines)
		b.StartTimer()
		var moves []scheduler.Move
		for i, u := range list {
			s.SetUnit(u)
			if i%512 == 511 {
				moves, _ = s.Append(moves[:0], 0)
			}
		}
		s.Append(moves[:0], 0)
		done += n
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(done), "ns/unit")
	b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "units/s")
}

// full returns a cluster of 1000 machines with 100 units each, and these.
func full(l load) (*scheduler.Scheduler, []scheduler.Unit) {
	s, list := cluster(1000), units(l, 100_000)
	for _, u := range list {
		s.SetUnit(u)
	}
	s.Solve(0)
	return s, list
}

// BenchmarkChange ends a unit of a full cluster and starts it again, as a user would.
func BenchmarkChange(b *testing.B) {
	for _, l := range loads {
		b.Run(l.name, func(b *testing.B) {
			s, list := full(l)
			var moves []scheduler.Move
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				u := list[i*7919%len(list)]
				s.RemoveUnit(u.Name)
				moves, _ = s.Append(moves[:0], 0)
				s.SetUnit(u)
				moves, _ = s.Append(moves[:0], 0)
				i++
			}
		})
	}
}

// BenchmarkTold tells of a unit as it is known, and asks where it is, as a leader
// does for whatever changes in the state.
func BenchmarkTold(b *testing.B) {
	for _, l := range loads {
		b.Run(l.name, func(b *testing.B) {
			s, list := full(l)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				u := list[i*7919%len(list)]
				s.SetUnit(u)
				s.Append(nil, 0)
				if s.Where(u.Name) == "" {
					b.Fatal(u.Name, " has no place")
				}
				i++
			}
		})
	}
}

// BenchmarkRest asks a full cluster for decisions when there are none.
func BenchmarkRest(b *testing.B) {
	s, _ := full(loads[0])
	b.ReportAllocs()
	for b.Loop() {
		s.Solve(0)
	}
}

// BenchmarkLoss loses a machine of a full cluster, and has it back.
func BenchmarkLoss(b *testing.B) {
	for _, l := range loads {
		b.Run(l.name, func(b *testing.B) {
			const machines = 1000
			s, _ := full(l)
			i := 0
			for b.Loop() {
				id := fmt.Sprintf("%08x", i%machines)
				s.RemoveMachine(id)
				s.Solve(0)
				b.StopTimer()
				s.SetMachine(scheduler.Machine{
					ID: id, Metadata: map[string]string{"class": fmt.Sprint(i % machines % 10), "zone": fmt.Sprint(i % machines % 3)},
					Resources: map[string]int64{unit.CPU: 64000, unit.Memory: 256 << 30},
				})
				s.Solve(0)
				b.StartTimer()
				i++
			}
		})
	}
}
