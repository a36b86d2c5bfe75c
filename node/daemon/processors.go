package daemon

import (
	"os"
	"runtime"
	"sync"
)

// processors has the process do with one processor while all of its nodes rest.
//
// With more, the Go runtime wakes a second thread for each message that comes in, to
// look for more work, and that is most of what a node at rest costs: a leader's 0.9% of
// a core became 0.6%. With one, a goroutine in a system call may hold up the others for
// some milliseconds, so it is undone before anything goes to the disk.
type processors struct {
	mu    sync.Mutex
	awake int // nodes that don't rest
	fixed bool
	set   func(one bool)
}

// cpus are this process's. GOMAXPROCS in the environment is a decision of whoever has
// set it.
var cpus = processors{fixed: os.Getenv("GOMAXPROCS") != "", set: func(one bool) {
	if one {
		runtime.GOMAXPROCS(1)
	} else {
		runtime.SetDefaultGOMAXPROCS()
	}
}}

// wake says that a node has something to do; rest takes that back.
func (p *processors) wake() { p.count(+1) }
func (p *processors) rest() { p.count(-1) }

func (p *processors) count(by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.awake
	if p.awake += by; p.fixed || (before == 0) == (p.awake == 0) {
		return
	}
	p.set(p.awake == 0)
}

// resting is what a host calls when its node comes to rest, or has something to do
// again. A node begins awake.
func (p *processors) resting(on bool) {
	if on {
		p.rest()
	} else {
		p.wake()
	}
}
