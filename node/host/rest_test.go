package host

import (
	"slices"
	"testing"
	"time"
)

// TestRest: a node rests when nothing has come for a while, and is told once.
func TestRest(t *testing.T) {
	var told []bool
	r := rest{tell: func(on bool) { told = append(told, on) }}
	for _, step := range []struct {
		at   time.Duration
		work bool
		want []bool
	}{
		{0, true, nil},
		{restAfter - 1, false, nil},
		{restAfter, false, []bool{true}},
		{restAfter + 1, false, []bool{true}},
		{restAfter + 2, true, []bool{true, false}},
		{restAfter + 3, true, []bool{true, false}},
		{2*restAfter + 2, false, []bool{true, false}},
		{2*restAfter + 3, false, []bool{true, false, true}},
	} {
		if step.work {
			r.work(step.at)
		} else {
			r.look(step.at)
		}
		if !slices.Equal(told, step.want) {
			t.Errorf("at %v: told %v, want %v", step.at, told, step.want)
		}
	}
	new(rest).look(time.Hour) // nobody wants to know
}
