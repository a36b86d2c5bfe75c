package netns

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// space is a network namespace without a name. It is there as long as it is open
// and something in it lives.
type space struct {
	file *os.File
	work chan func()
}

// newSpace makes an empty one, with a thread inside that lives as long as it is
// open: processes started there hear of that thread's end.
func newSpace() (*space, error) {
	s := &space{work: make(chan func())}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			s.file, err = os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
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

// do runs fn on the thread in the namespace.
func (s *space) do(fn func() error) error {
	done := make(chan error)
	s.work <- func() { done <- fn() }
	return <-done
}

func (s *space) close() error {
	close(s.work)
	return s.file.Close()
}

// dial connects to a literal address from within the namespace. A connection
// belongs to the namespace that its socket was made in, whoever uses it.
func (s *space) dial(ctx context.Context, network, address string) (net.Conn, error) {
	type dialed struct {
		conn net.Conn
		err  error
	}
	done := make(chan dialed, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: it is in another namespace
		if err := unix.Setns(int(s.file.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- dialed{err: err}
			return
		}
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		done <- dialed{conn, err}
	}()
	d := <-done
	return d.conn, d.err
}
