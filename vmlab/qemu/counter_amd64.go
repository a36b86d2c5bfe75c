package qemu

import "time"

// readCounter is the processor's own count of time.
func readCounter() uint64

// How the counter is measured: twice, this long apart, each time the best of some
// looks.
const (
	counterApart = 50 * time.Millisecond
	counterLooks = 20
)

// counterKHz is how fast the processor's counter is, which TCG hands through to
// machines. They have nothing that they could measure it by but timers, which are
// late where the host is busy.
func counterKHz() int64 {
	from, began := look()
	time.Sleep(counterApart)
	to, ended := look()
	return int64(float64(to-from) / float64(ended.Sub(began)) * float64(time.Millisecond))
}

// look reads the counter and the clock at the same moment, as far as that can be: it
// takes the closest of several looks.
func look() (count uint64, at time.Time) {
	best := time.Duration(-1)
	for range counterLooks {
		before := time.Now()
		c := readCounter()
		if took := time.Since(before); best < 0 || took < best {
			best, count, at = took, c, before.Add(took/2)
		}
	}
	return count, at
}
