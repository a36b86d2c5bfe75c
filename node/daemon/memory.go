package daemon

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// giveBackEvery is how often it is looked at whether memory is to be given back.
	giveBackEvery = 15 * time.Second
	// quietBytes is how much a node at rest allocates in that time, at most.
	quietBytes = 4 << 20
	// worthBytes is how much must have been allocated for it to be worth the while.
	worthBytes = 12 << 20
)

// giveBack returns memory to the system that a start, a snapshot or a burst of
// requests has needed, until ctx ends: once nothing happens any more. The runtime
// collects garbage when the heap has doubled, which on a node at rest is seldom, and
// keeps what it has collected.
func giveBack(ctx context.Context) {
	t := time.NewTicker(giveBackEvery)
	defer t.Stop()
	// What booting has read counts as in use until garbage is collected.
	debug.FreeOSMemory()
	h := heap{given: allocated()}
	h.last = h.given
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if h.look(allocated()) {
				debug.FreeOSMemory()
			}
		}
	}
}

// heap remembers how much had been allocated: when it was looked at last, and when
// memory was given back.
type heap struct{ last, given uint64 }

// look says whether memory is to be given back now.
func (h *heap) look(now uint64) bool {
	quiet := now-h.last <= quietBytes
	h.last = now
	if !quiet || now-h.given < worthBytes {
		return false
	}
	h.given = now
	return true
}

// allocated returns how many bytes were ever allocated.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
