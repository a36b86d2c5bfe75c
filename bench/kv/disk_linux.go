package kv

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// diskOf returns the file with the counters of the disk that holds a directory, ""
// if there is none, as with tmpfs.
func diskOf(dir string) string {
	var st unix.Stat_t
	if unix.Stat(dir, &st) != nil {
		return ""
	}
	where, err := filepath.EvalSymlinks(fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)))
	if err != nil {
		return ""
	}
	if _, err := os.Stat(filepath.Join(where, "partition")); err == nil {
		where = filepath.Dir(where) // flushes are counted for whole disks only
	}
	return filepath.Join(where, "stat")
}
