package daemon

import (
	"slices"
	"testing"
)

// TestProcessors: one processor will do only while every node of the process rests.
func TestProcessors(t *testing.T) {
	var got []bool
	p := processors{set: func(one bool) { got = append(got, one) }}
	p.wake() // the first node begins
	p.wake() // and the second
	p.resting(true)
	if want := []bool{false}; !slices.Equal(got, want) {
		t.Errorf("with one of two at rest: %v, want %v", got, want)
	}
	p.resting(true)
	p.resting(false)
	p.rest() // it has stopped; the other rests still
	if want := []bool{false, true, false, true}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	p.fixed = true
	p.wake()
	if len(got) != 4 {
		t.Error("a number of processors that somebody has chosen is changed")
	}
}
