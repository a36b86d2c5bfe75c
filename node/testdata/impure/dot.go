package impure

import . "time"

func hidden() Time {
	return Now() // want "clock: use of time.Now"
}
