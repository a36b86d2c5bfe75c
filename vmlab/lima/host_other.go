//go:build !linux

package lima

import "time"

// canPause: Apple's framework runs machines in a process that nobody may stop.
const canPause = false

// usage is not known here.
func usage(int) (memory int64, cpu time.Duration) { return 0, 0 }

// mend does nothing: Lima knows what accelerates QEMU here.
func (t *tools) mend(string, string) error { return nil }
