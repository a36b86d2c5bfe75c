package fleetapi_test

import (
	"fmt"
	"testing"

	"drydock/node/fleet"
	"drydock/node/fleetapi"
)

// many returns a fleet of n units.
func many(tb testing.TB, n int) *fleet.Store {
	s := fleet.New()
	for i := range n {
		put := &fleet.Put{Name: fmt.Sprintf("u%06d.service", i), Text: "[Service]\nExecStart=/bin/true\n"}
		if _, err := s.Apply(fleet.Env{Revision: uint64(i + 1), Term: term}, &fleet.Command{Put: put}); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

// TestAPageCostsAPage holds that what is done on the reactor's thread for a page does
// not grow with the fleet, nor with the number of the page.
func TestAPageCostsAPage(t *testing.T) {
	cost := func(s *fleet.Store, page int) float64 {
		c := &fleetapi.Call{Op: fleetapi.ListUnits, Page: page, Details: true}
		if got := len(c.Units(c.Collect(s))); got != fleetapi.PageSize {
			t.Fatalf("page %d has %d units", page, got)
		}
		return testing.AllocsPerRun(20, func() { c.Collect(s) })
	}
	small, large := many(t, 200), many(t, 20000)
	want := cost(small, 1)
	for name, got := range map[string]float64{
		"the second of two pages":     cost(small, 2),
		"the first of two hundred":    cost(large, 1),
		"the last but one of as many": cost(large, 199),
	} {
		if got > want*1.1+2 {
			t.Errorf("%s takes %v allocations, the first of two %v", name, got, want)
		}
	}
}

func BenchmarkUnitsPage(b *testing.B) {
	for _, n := range []int{1000, 100000} {
		b.Run(fmt.Sprintf("units=%d", n), func(b *testing.B) {
			s := many(b, n)
			c := &fleetapi.Call{Op: fleetapi.ListUnits, Page: n / fleetapi.PageSize}
			b.Run("collect", func(b *testing.B) {
				for b.Loop() {
					c.Collect(s)
				}
			})
			b.Run("encode", func(b *testing.B) {
				f := c.Collect(s)
				for b.Loop() {
					c.Encode(f)
				}
			})
		})
	}
}
