package daemon

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// idleHeap is how much memory the runtime may keep that nothing uses.
	idleHeap = 12 << 20
	// giveBackEvery is how often that is looked at.
	giveBackEvery = 30 * time.Second
)

// giveBack returns memory to the system that a start, a snapshot or a burst of
// requests has needed, until ctx ends. The runtime does so by itself only where
// garbage is collected, which on an idle node is seldom.
func giveBack(ctx context.Context) {
	t := time.NewTicker(giveBackEvery)
	defer t.Stop()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	// What booting has read counts as in use until garbage is collected.
	debug.FreeOSMemory()
	for {
		metrics.Read(sample)
		idle, live := sample[0].Value.Uint64()+sample[1].Value.Uint64(), sample[2].Value.Uint64()
		if idle > idleHeap && idle > live/2 {
			debug.FreeOSMemory()
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
