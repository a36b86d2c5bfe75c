package daemon

import "testing"

// TestGiveBack: memory is given back when there is some and nothing happens.
func TestGiveBack(t *testing.T) {
	h := heap{last: 100 << 20, given: 100 << 20}
	for i, step := range []struct {
		allocated uint64
		want      bool
	}{
		{101 << 20, false}, // quiet, and nothing to give
		{150 << 20, false}, // a burst
		{151 << 20, true},  // which is over
		{152 << 20, false},
		{155 << 20, false},
		{159 << 20, false},
		{163 << 20, true}, // what a node at rest uses adds up
		{170 << 20, false},
		{180 << 20, false}, // busy
	} {
		if got := h.look(step.allocated); got != step.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
}
