//go:build !linux

package foothold

// Become does nothing here.
func Become() bool { return false }
