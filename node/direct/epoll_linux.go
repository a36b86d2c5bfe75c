package direct

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// These calls return at once, so the scheduler needn't be told of them: that costs
// more than some of them. (syscall.RawSyscall)

// read reads what is there: unix.EAGAIN if that is nothing, io.EOF at the end.
func read(fd int, b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return 0, errno
		case n == 0:
			return 0, io.EOF
		default:
			return int(n), nil
		}
	}
}

// write writes what fits: fewer bytes than there are is no error.
func write(fd int, b []byte) (int, error) {
	done := 0
	for done < len(b) {
		rest := b[done:]
		n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(rest))), uintptr(len(rest)))
		switch errno {
		case 0:
			done += int(n)
		case unix.EINTR:
		case unix.EAGAIN:
			return done, nil
		default:
			return done, errno
		}
	}
	return done, nil
}

// ended says whether the other side has ended its direction with nothing before it
// that is unread.
func ended(fd int) bool {
	var b [1]byte
	for {
		n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		if err != unix.EINTR {
			return (err == nil && n <= 0) || (err != nil && err != unix.EAGAIN)
		}
	}
}

// poller is an epoll that the runtime's own poller waits for: a goroutine that waits
// here takes no thread. (epoll(7): one epoll may be watched by another)
type poller struct {
	file   *os.File
	raw    syscall.RawConn
	fd     int
	events []unix.EpollEvent
	ready  int
	look   func(uintptr) bool // made once
}

// maxEvents is how many connections one look finds ready at most.
const maxEvents = 256

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &poller{file: os.NewFile(uintptr(fd), "epoll"), fd: fd, events: make([]unix.EpollEvent, maxEvents)}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		_ = p.file.Close()
		return nil, err
	}
	p.look = func(uintptr) bool { p.poll(); return p.ready != 0 }
	return p, nil
}

// interest is what is watched of a connection: each change once. Nothing need be
// changed as long as the connection lives.
const interest = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET

func (p *poller) add(fd int, slot, life int32) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: interest & 0xffffffff, Fd: slot, Pad: life})
}

func (p *poller) remove(fd int) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil)
}

// poll looks who is ready, without waiting.
func (p *poller) poll() {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p.events))), uintptr(len(p.events)), 0, 0, 0)
	if p.ready = int(n); errno != 0 {
		p.ready = 0
	}
}

// wait waits until somebody is ready or the deadline of the file has passed.
func (p *poller) wait() {
	p.ready = 0
	// Its only error is that the deadline has passed.
	_ = p.raw.Read(p.look)
}

// take makes a descriptor of a connection's own, which the runtime doesn't watch,
// and closes the connection.
func take(c *net.TCPConn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	var errDup error
	if err = raw.Control(func(old uintptr) { fd, errDup = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) }); err == nil {
		err = errDup
	}
	if err != nil {
		return -1, os.NewSyscallError("fcntl", err)
	}
	_ = c.Close() // the connection lives on by the other descriptor
	return fd, nil
}

// give makes a connection of a descriptor, which is used up.
func give(fd int) (*net.TCPConn, error) {
	f := os.NewFile(uintptr(fd), "connection")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	t, ok := c.(*net.TCPConn)
	if !ok {
		_ = c.Close()
		return nil, net.ErrClosed
	}
	return t, nil
}
