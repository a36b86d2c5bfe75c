//go:build !unix

package front

// maxFiles returns how many files the process may have open, 0 where that is not
// known.
func maxFiles() uint64 { return 0 }
