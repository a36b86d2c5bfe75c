package calibrate

import (
	"os"
	"testing"
	"time"
)

func TestTicksOfProc(t *testing.T) {
	if got := busyTicks("cpu  1 2 4 1000 1000 8 16 32 64 64\ncpu0 1 1 1\n"); got != 1+2+4+8+16+32 {
		t.Errorf("busy for %d", got)
	}
	if got := busyTicks(""); got != 0 {
		t.Errorf("nothing told: %d", got)
	}
	parent, worked := processTicks("12 (a b) c) S 7 12 12 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0 1 1\n")
	if parent != 7 || worked != 127 {
		t.Errorf("parent %d, worked %d", parent, worked)
	}
	if parent, worked := processTicks("12 (cut off"); parent != 0 || worked != 0 {
		t.Errorf("cut off: %d %d", parent, worked)
	}
}

// TestOwnWorkIsNotForeign: what this process works counts as its own.
func TestOwnWorkIsNotForeign(t *testing.T) {
	before := ownTicks(os.Getpid())
	deadline := time.Now().Add(30 * time.Second)
	for n := 0; ownTicks(os.Getpid()) < before+5; n++ {
		if time.Now().After(deadline) {
			t.Fatal("this process works, and nothing is counted")
		}
	}
}
