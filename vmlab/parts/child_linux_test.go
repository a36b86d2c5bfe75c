package parts_test

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"drydock/vmlab/parts"
)

// TestChildrenOutliveThreads: threads come and go, as those of network namespaces do,
// and no child dies of it.
func TestChildrenOutliveThreads(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	wait, err := parts.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- wait() }()
	for range 50 {
		var group sync.WaitGroup
		for range 2 * runtime.GOMAXPROCS(0) {
			group.Go(runtime.LockOSThread) // its thread ends with it
		}
		group.Wait()
	}
	select {
	case err := <-ended:
		t.Fatalf("it has died: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("killed, it has ended well")
	}
}
