package image

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// bind has a tool die with this process or when its context ends, and with it all that
// it has started, before its end is told: it is the first process of a PID namespace.
// What it mounts nobody else sees, and that goes with it: a root that is removed has
// nothing of the host's in it.
func bind(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS}
}

// cleanPatience is how long a build may take to remove what it has made.
const cleanPatience = 30 * time.Second

// bindBuild has a build that unshare has started die with this process. When its context
// ends the build is asked to end, which then removes what it has made: nobody else may.
func bindBuild(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = cleanPatience
	cmd.Cancel = func() error {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid))
		if err != nil {
			return err
		}
		for _, word := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil {
				_ = syscall.Kill(pid, syscall.SIGTERM) // it may have ended
			}
		}
		return nil
	}
}
