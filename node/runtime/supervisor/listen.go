package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"drydock/node/supervise"
	"drydock/node/unit"
)

// listeners are the open sockets of a socket unit.
type listeners struct {
	files []*os.File
	paths []string // to remove when they are closed
	name  string   // that the service is told
	// stop ends the wait for callers that is under way, and done is closed when
	// it has ended; both nil if none is.
	stop *os.File
	done chan struct{}
}

// listen opens the sockets of a unit, and tells the machine how that went.
func (s *Supervisor) listen(a supervise.Listen) {
	r := s.units[a.Unit]
	l, err := openListeners(a.Socket)
	s.inbox.post(func() {
		if err != nil {
			s.step(supervise.Listening{Unit: a.Unit, Err: err.Error()})
			return
		}
		r.listeners = l
		s.step(supervise.Listening{Unit: a.Unit})
		if r.listeners == l {
			l.watch(s.incoming(r))
		}
	})
}

// incoming returns what tells the machine that somebody has called.
func (s *Supervisor) incoming(r *running) func() {
	return func() { s.inbox.post(func() { s.step(supervise.Incoming{Unit: r.name}) }) }
}

func openListeners(def *unit.Socket) (*listeners, error) {
	l := &listeners{name: def.Name}
	for _, addr := range def.Streams {
		if err := l.open(def, addr, false); err != nil {
			l.close()
			return nil, fmt.Errorf("ListenStream=%s: %w", addr, err)
		}
	}
	for _, addr := range def.Datagrams {
		if err := l.open(def, addr, true); err != nil {
			l.close()
			return nil, fmt.Errorf("ListenDatagram=%s: %w", addr, err)
		}
	}
	return l, nil
}

// open opens one socket: a port, HOST:PORT, a path or @NAME.
func (l *listeners) open(def *unit.Socket, addr string, datagram bool) error {
	network := "tcp"
	switch {
	case strings.HasPrefix(addr, "/"), strings.HasPrefix(addr, "@"):
		network = "unix"
	case !strings.Contains(addr, ":"):
		if _, err := strconv.ParseUint(addr, 10, 16); err != nil {
			return errors.New("not a port, a path or HOST:PORT")
		}
		addr = ":" + addr
	}
	path := strings.HasPrefix(addr, "/")
	if info, err := os.Lstat(addr); path && err == nil && info.Mode()&fs.ModeSocket != 0 {
		if err := os.Remove(addr); err != nil { // one that nobody has closed
			return err
		}
	}
	f, err := openSocket(network, addr, datagram)
	if err != nil {
		return err
	}
	l.files = append(l.files, f)
	if !path {
		return nil
	}
	if def.RemoveOnStop {
		l.paths = append(l.paths, addr)
	}
	mode := def.Mode
	if mode == 0 {
		mode = 0o666
	}
	return os.Chmod(addr, fs.FileMode(mode))
}

// openSocket returns a socket as a file, in blocking mode, as programs expect it.
func openSocket(network, addr string, datagram bool) (*os.File, error) {
	type filer interface{ File() (*os.File, error) }
	var socket interface{ Close() error }
	var err error
	switch {
	case datagram && network == "unix":
		socket, err = net.ListenPacket("unixgram", addr)
	case datagram:
		socket, err = net.ListenPacket("udp", addr)
	default:
		socket, err = net.Listen(network, addr)
	}
	if err != nil {
		return nil, err
	}
	if u, ok := socket.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	f, err := socket.(filer).File()
	_ = socket.Close() // f is another descriptor of the same socket
	if err != nil {
		return nil, err
	}
	return f, unix.SetNonblock(int(f.Fd()), false)
}

// watch calls f once somebody calls at one of the sockets.
func (l *listeners) watch(f func()) {
	if l.done != nil {
		l.unwatch()
	}
	read, write, err := os.Pipe()
	if err != nil {
		return
	}
	l.stop, l.done = write, make(chan struct{})
	fds := []unix.PollFd{{Fd: int32(read.Fd()), Events: unix.POLLIN}}
	for _, file := range l.files {
		fds = append(fds, unix.PollFd{Fd: int32(file.Fd()), Events: unix.POLLIN})
	}
	go func(done chan struct{}) {
		defer close(done)
		defer func() { _ = read.Close() }()
		for {
			n, err := unix.Poll(fds, -1)
			switch {
			case errors.Is(err, syscall.EINTR):
				continue
			case err != nil || n == 0 || fds[0].Revents != 0:
				return
			}
			f()
			return
		}
	}(l.done)
}

func (l *listeners) unwatch() {
	if l.done != nil {
		_ = l.stop.Close()
		<-l.done
		l.done = nil
	}
}

func (l *listeners) close() {
	l.unwatch()
	closeAll(l.files)
	for _, path := range l.paths {
		_ = os.Remove(path)
	}
}

// handOver returns copies of the sockets of some units, and their names.
func (s *Supervisor) handOver(units []string) (files []*os.File, names []string, err error) {
	for _, name := range units {
		r := s.units[name]
		if r == nil || r.listeners == nil {
			continue
		}
		r.listeners.unwatch()
		for _, f := range r.listeners.files {
			fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				closeAll(files)
				return nil, nil, err
			}
			files = append(files, os.NewFile(uintptr(fd), f.Name()))
			names = append(names, r.listeners.name)
		}
	}
	return files, names, nil
}
