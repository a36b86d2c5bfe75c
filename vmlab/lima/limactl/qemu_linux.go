package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// becomeQEMU makes this process QEMU. It dies with the one that keeps the machine: who
// cuts a machine's power, or dies, leaves none behind. It returns only an error.
func becomeQEMU(args, env []string) error {
	path := os.Getenv(envQEMU)
	if path == "" {
		return fmt.Errorf("%s is not set: the driver lima of drydock lab sets it", envQEMU)
	}
	runtime.LockOSThread() // the signal is the thread's that becomes QEMU
	parent := os.Getppid()
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("a signal for when the parent dies: %w", err)
	}
	if os.Getppid() != parent {
		return fmt.Errorf("the process that keeps the machine has died")
	}
	kept := env[:0:0]
	for _, one := range env {
		if !strings.HasPrefix(one, "DRYDOCK_LIMA_") {
			kept = append(kept, one)
		}
	}
	args = mend(args, os.Getenv(envAccel), os.Getenv(envClosed) != "")
	return unix.Exec(path, append([]string{path}, args...), kept)
}
