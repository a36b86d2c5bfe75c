package host

import "time"

// restAfter is for how long nobody may have asked anything of a node, and its disk
// have had nothing to do, before it is at rest.
const restAfter = 2 * time.Second

// rest tells when a node comes to rest and when that ends: what remains then are
// heartbeats.
type rest struct {
	tell func(bool) // nil if nobody wants to know
	last time.Duration
	on   bool
}

// work says that there is something to do; it is called before it is done.
func (r *rest) work(now time.Duration) {
	r.last = now
	if r.on {
		r.on = false
		r.tell(false)
	}
}

// look says how late it has become.
func (r *rest) look(now time.Duration) {
	if r.tell != nil && !r.on && now-r.last >= restAfter {
		r.on = true
		r.tell(true)
	}
}
