package wire

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// Datagram is a socket on which one datagram is one frame, such as one end of a
// pair of Unix sockets. The cable owns the file's socket from now on, and the
// file is closed.
func Datagram(f *os.File) (Cable, error) {
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("wire: %s: %w", f.Name(), err), f.Close())
	}
	if err := f.Close(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	unix, ok := conn.(*net.UnixConn)
	if !ok || conn.LocalAddr().Network() != "unixgram" {
		return nil, errors.Join(fmt.Errorf("wire: %s is a socket of %s, must be of Unix datagrams",
			f.Name(), conn.LocalAddr().Network()), conn.Close())
	}
	return &datagramCable{conn: unix}, nil
}

// DatagramPath receives frames on the socket local, which it makes, and sends
// them to the socket remote, which may come later: QEMU's
// `-netdev dgram,local.type=unix,local.path=REMOTE,remote.type=unix,remote.path=LOCAL`.
func DatagramPath(local, remote string) (Cable, error) {
	if err := freeSocket(local); err != nil {
		return nil, err
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: local, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("wire: %w", err)
	}
	return &datagramCable{conn: conn, local: local, to: &net.UnixAddr{Name: remote, Net: "unixgram"}}, nil
}

type datagramCable struct {
	conn *net.UnixConn
	to   *net.UnixAddr // nil: the other end of a pair
	// local is the path of the socket, which is removed in the end.
	local string
	in    frameReader
}

// Read implements Cable.
func (c *datagramCable) Read(frames [][]byte) ([][]byte, error) {
	frame, err := c.in.next(c.conn.Read)
	if err != nil {
		return frames, err
	}
	if len(frame) == 0 {
		// That is also what a socket reads whose other end was shut down.
		return frames, io.EOF
	}
	return append(frames, frame), nil
}

// Write implements Cable.
func (c *datagramCable) Write(frames [][]byte) error {
	for _, frame := range frames {
		var err error
		if c.to == nil {
			_, err = c.conn.Write(frame)
		} else {
			_, err = c.conn.WriteToUnix(frame, c.to)
		}
		if err != nil && !c.passing(err) {
			return err
		}
	}
	return nil
}

// passing says that a frame is lost and the next may not be: it is too long for
// the socket, the system has no memory for it, or nobody listens yet at a path.
func (c *datagramCable) passing(err error) bool {
	absent := errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist)
	return errors.Is(err, syscall.EMSGSIZE) || errors.Is(err, syscall.ENOBUFS) || c.to != nil && absent
}

// Close implements Cable.
func (c *datagramCable) Close() error {
	err := c.conn.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	if c.local == "" {
		return err
	}
	if gone := os.Remove(c.local); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

// String implements Cable.
func (c *datagramCable) String() string { return "datagrams" }
