package systemd

import "testing"

// Become are what this program may become before its tests run.
var Become []func() bool

// PrivateAddress returns where a manager of the tests' own listens, or skips the test.
func PrivateAddress(t *testing.T) string { return needManager(t).address() }
