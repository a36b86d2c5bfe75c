package wire

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// PairKind is what runs over a pair of sockets.
type PairKind int

// The kinds of pairs.
const (
	// PairDatagram is for `vec0:transport=fd,fd=3` of User Mode Linux, and QEMU's
	// `-netdev dgram,local.type=fd,local.str=3`.
	PairDatagram PairKind = iota
	// PairStream is for QEMU's `-netdev stream,addr.type=fd,addr.str=3`.
	PairStream
)

// pairBytes is what the system may hold between the two ends of a pair.
const pairBytes = 1 << 20

// Pair makes a pair of sockets, plugs one into a port and returns the other, for
// a child process to inherit. The caller closes it once the child has started.
func (s *Switch) Pair(name string, kind PairKind) (*os.File, error) {
	own, child, err := socketPair(name, kind)
	if err != nil {
		return nil, fmt.Errorf("wire: pair for %s: %w", name, err)
	}
	c, err := cableOf(own, kind)
	if err == nil {
		err = s.Attach(name, c)
	}
	if err != nil {
		return nil, errors.Join(err, child.Close())
	}
	return child, nil
}

// cableOf makes a cable of one end of a pair.
func cableOf(own *os.File, kind PairKind) (Cable, error) {
	if kind == PairDatagram {
		return Datagram(own)
	}
	conn, err := net.FileConn(own)
	if err := errors.Join(err, own.Close()); err != nil {
		return nil, err
	}
	return Stream(conn), nil
}

func socketPair(name string, kind PairKind) (own, child *os.File, err error) {
	how := unix.SOCK_DGRAM
	if kind == PairStream {
		how = unix.SOCK_STREAM
	}
	// Not every system marks both at once: no child may start in between.
	syscall.ForkLock.RLock()
	fds, err := unix.Socketpair(unix.AF_UNIX, how, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	for _, fd := range fds {
		// Less than that is slower, and no more.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, pairBytes)
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, pairBytes)
	}
	return os.NewFile(uintptr(fds[0]), "wire of "+name), os.NewFile(uintptr(fds[1]), "cable of "+name), nil
}

// Listen makes a socket at a path, to which QEMU (`-netdev stream,server=off`)
// and Lima (`socket:`) connect. The newest connection is what is plugged into
// the port; a machine that starts again comes back. The socket goes with the
// switch. A socket that is left over at the path is replaced.
func (s *Switch) Listen(name, path string) error {
	s.mu.Lock()
	_, _, err := s.find(name)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if err := freeSocket(path); err != nil {
		return err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return fmt.Errorf("wire: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("wire: %w", err), l.Close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.Join(ErrClosed, l.Close())
	}
	s.listeners = append(s.listeners, l)
	s.wg.Go(func() { s.accept(name, l) })
	return nil
}

// accept plugs in what connects, until the listener is closed or the port gone.
func (s *Switch) accept(name string, l net.Listener) {
	for {
		conn, err := l.Accept()
		if err == nil {
			err = s.Attach(name, Stream(conn))
		}
		if err != nil {
			if !errors.Is(err, net.ErrClosed) && !errors.Is(err, ErrClosed) {
				s.log.Warn("listens no more", "port", name, "err", err)
			}
			// It may be closed already.
			_ = l.Close()
			return
		}
	}
}

// freeSocket removes a socket that is left over at a path, and nothing else.
func freeSocket(path string) error {
	// The system's bound is 108 bytes on Linux and 104 elsewhere, a zero included.
	if len(path) > 103 {
		return fmt.Errorf("wire: socket %s: the path has %d bytes, at most 103", path, len(path))
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("wire: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("wire: %s is there and no socket", path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("wire: %w", err)
	}
	return nil
}
