package parts

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// Space is a network namespace without a name. It is there as long as it is open
// and something in it lives.
type Space struct {
	// File is its handle.
	File *os.File
	work chan func()

	mu     sync.Mutex
	closed bool
}

// NewSpace makes an empty one, with a thread inside that lives as long as it is
// open: processes started there hear of that thread's end.
func NewSpace() (*Space, error) {
	s := &Space{work: make(chan func())}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			s.File, err = os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
		}
		made <- err
		for fn := range s.work {
			fn()
		}
	}()
	if err := <-made; err != nil {
		close(s.work)
		return nil, fmt.Errorf("a network namespace: %w", err)
	}
	return s, nil
}

// Do runs fn on the thread in the namespace.
func (s *Space) Do(fn func() error) error {
	done := make(chan error)
	s.work <- func() { done <- fn() }
	return <-done
}

// errClosed is what a space that was given up gives.
var errClosed = errors.New("the network namespace was given up")

// Close gives the namespace up; what runs in it keeps it.
func (s *Space) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	close(s.work)
	return s.File.Close()
}

// Dial connects to a literal address from within the namespace. A connection
// belongs to the namespace that its socket was made in, whoever uses it.
func (s *Space) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	type dialed struct {
		conn net.Conn
		err  error
	}
	done := make(chan dialed, 1)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, errClosed
	}
	fd, err := unix.FcntlInt(s.File.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	go func() {
		runtime.LockOSThread() // and never unlocked: it is in another namespace
		err := unix.Setns(fd, unix.CLONE_NEWNET)
		_ = unix.Close(fd)
		if err != nil {
			done <- dialed{err: err}
			return
		}
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		done <- dialed{conn, err}
	}()
	d := <-done
	return d.conn, d.err
}
