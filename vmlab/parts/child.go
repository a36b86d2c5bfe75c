package parts

import (
	"os/exec"
	"runtime"
	"sync"
)

// Start starts a child that is to die with this process, and returns what waits for its
// end, which is to be called. To the kernel a child's parent is the thread that has
// started it, and threads of this program end: of the child's this one sees to it that
// it does not. (prctl(2), PR_SET_PDEATHSIG)
func Start(cmd *exec.Cmd) (wait func() error, err error) {
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return sync.OnceValue(func() error { return <-ended }), nil
}
