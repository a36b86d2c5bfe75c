package link

import "time"

// million is what rates of clocks are stated in parts of.
const million = 1_000_000

// Shorten is how long a machine may rely on a lease of length d: its clock may be
// slow by drift parts per million. It is measured from the sending of the beat.
func Shorten(d time.Duration, drift int) time.Duration { return d - bound(d, drift) }

// Stretch is how long a leader waits for a lease of length d to have passed at the
// machine: its own clock may be fast by drift parts per million. It is measured
// from the receipt of the beat, or from when it began to lead.
func Stretch(d time.Duration, drift int) time.Duration { return d + bound(d, drift) }

// bound is by how much a clock may be off after d, rounded up.
func bound(d time.Duration, drift int) time.Duration {
	whole, rest := d/million, d%million
	return whole*time.Duration(drift) + (rest*time.Duration(drift)+million-1)/million
}
