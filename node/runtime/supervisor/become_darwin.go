package supervisor

import (
	"os"

	"golang.org/x/sys/unix"
)

// resources are the numbers of the limits that unit files name.
var resources = map[string]int{
	"AS": unix.RLIMIT_AS, "CORE": unix.RLIMIT_CORE, "CPU": unix.RLIMIT_CPU, "DATA": unix.RLIMIT_DATA,
	"FSIZE": unix.RLIMIT_FSIZE, "MEMLOCK": unix.RLIMIT_MEMLOCK, "NOFILE": unix.RLIMIT_NOFILE,
	"NPROC": unix.RLIMIT_NPROC, "RSS": unix.RLIMIT_RSS, "STACK": unix.RLIMIT_STACK,
}

// selfPath is this program.
func selfPath() (string, error) { return os.Executable() }

func duplicate(from, to int) error { return unix.Dup2(from, to) }
