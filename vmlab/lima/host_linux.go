package lima

import (
	"os"
	"path/filepath"
	"time"

	"drydock/vmlab/parts"
)

// canPause: QEMU can be stopped as every process can.
const canPause = true

// usage is what memory a process has to itself, and what it has computed.
func usage(pid int) (memory int64, cpu time.Duration) { return parts.Usage(pid) }

// How drydock-lima is told to mend QEMU's command line (limactl/qemu.go).
const (
	envQEMU   = "DRYDOCK_LIMA_QEMU"
	envAccel  = "DRYDOCK_LIMA_ACCEL"
	envClosed = "DRYDOCK_LIMA_CLOSED"
)

// mend puts drydock-lima in QEMU's place, for Lima to start: it becomes QEMU, with
// the accelerator that was found to work, no way out, and a life that ends with the
// instance's keeper.
func (t *tools) mend(qemu, accel string) error {
	dir := filepath.Join(t.home, binDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	link := filepath.Join(dir, filepath.Base(qemu))
	if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := os.Symlink(t.own, link); err != nil {
		return err
	}
	t.env = append(t.env, "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), envQEMU+"="+qemu, envAccel+"="+accel, envClosed+"=1")
	return nil
}
