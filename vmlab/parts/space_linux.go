package parts

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Space is a network namespace without a name. It is there as long as it is open
// and something in it lives.
type Space struct {
	// File is its handle.
	File *os.File
	work chan func()
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

// Close gives the namespace up; what runs in it keeps it.
func (s *Space) Close() error {
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
	go func() {
		runtime.LockOSThread() // and never unlocked: it is in another namespace
		if err := unix.Setns(int(s.File.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- dialed{err: err}
			return
		}
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		done <- dialed{conn, err}
	}()
	d := <-done
	return d.conn, d.err
}
