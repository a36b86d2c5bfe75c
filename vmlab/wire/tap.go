package wire

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Tap is a tap device without a header before its frames (IFF_TAP, IFF_NO_PI).
// The cable owns the device from now on, and the file is closed.
func Tap(f *os.File) (Cable, error) {
	own, err := nonblocking(f)
	if err != nil {
		return nil, fmt.Errorf("wire: %s: %w", f.Name(), err)
	}
	return &tapCable{file: own}, nil
}

// nonblocking returns the file in a form whose reads end when it is closed. A
// device that was opened before it had a name is of the other kind, and an
// os.File that went is closed by the collector of garbage: hence a new file.
func nonblocking(f *os.File) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	fd := -1
	var failed error
	err = raw.Control(func(from uintptr) {
		if fd, failed = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 0); failed == nil {
			failed = unix.SetNonblock(fd, true)
		}
	})
	if err := errors.Join(err, failed, f.Close()); err != nil {
		if fd >= 0 {
			err = errors.Join(err, unix.Close(fd))
		}
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

type tapCable struct {
	file *os.File
	in   frameReader
}

// Read implements Cable.
func (c *tapCable) Read(frames [][]byte) ([][]byte, error) {
	frame, err := c.in.next(c.file.Read)
	if err != nil {
		return frames, err
	}
	return append(frames, frame), nil
}

// Write implements Cable.
func (c *tapCable) Write(frames [][]byte) error {
	for _, frame := range frames {
		_, err := c.file.Write(frame)
		// The device is down, or takes no frame of that length: it is lost, as on
		// a cable to a machine that is off.
		lost := errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOBUFS)
		if err != nil && !lost {
			return err
		}
	}
	return nil
}

// Close implements Cable.
func (c *tapCable) Close() error {
	err := c.file.Close()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// String implements Cable.
func (c *tapCable) String() string { return "tap" }
