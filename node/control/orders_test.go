package control_test

import (
	"fmt"
	"testing"
	"time"

	"drydock/node/control"
	"drydock/node/fleet"
	"drydock/node/link"
)

// TestOrdersOfManyComeTogether: a machine with many units that gets one after another is
// told of all at once: when nothing more is being decided, or after four seconds.
func TestOrdersOfManyComeTogether(t *testing.T) {
	w := newWorld(t, control.Config{})
	var got []*link.Orders
	w.deliver = func(_ string, f *link.Frame) {
		if f.Orders != nil {
			got = append(got, f.Orders)
		}
	}
	w.lead()
	w.join(1)
	w.beating = true
	const many = 100
	for i := range many {
		w.put(fmt.Sprintf("a%d.service", i), text(), fleet.Launched)
	}
	w.pass(3 * time.Second)
	if len(got) == 0 || got[len(got)-1].Total != many {
		t.Fatalf("%d orders, not of all units", len(got))
	}
	w.pass(time.Second)
	got = nil
	// From here on a decision is always under way, and has no effect yet.
	w.slow = true
	const later = 3
	for i := range later * 100 {
		w.put(fmt.Sprintf("b%d.service", i), text(), fleet.Launched)
		w.pass(10 * time.Millisecond)
		w.confirm()
		if n := len(w.proposals); n > 1 {
			last := w.proposals[n-1]
			w.proposals = w.proposals[:n-1]
			w.settle()
			w.proposals = append(w.proposals, last)
		}
	}
	if n := len(got); n == 0 || n > later {
		t.Errorf("%d orders in %d s of units that come", n, later)
	}
	got = nil
	w.slow = false
	w.turn()
	if len(got) != 1 || got[0].Total != many+later*100 {
		t.Errorf("%d orders when all was decided", len(got))
	}
	// One more is told of at once.
	got = nil
	w.put("c.service", text(), fleet.Launched)
	w.turn()
	if len(got) != 1 {
		t.Errorf("%d orders of one more unit", len(got))
	}
}
