package floor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"drydock/bench/load"
)

// The exchange of the floor: as many connections as the headline rows have, and
// messages of the size of a write of 256 bytes.
const (
	answerConns  = 64
	requestBytes = 400
	answerBytes  = 700
	leastWindow  = 50 * time.Millisecond
)

// answers measures a server of one thread that reads a request and writes the same
// answer to any: what is left of a server when nothing is left of it but two calls of
// the system and the wait for the next request.
func answers(ctx context.Context, each time.Duration) (*Answers, error) {
	each = max(each, leastWindow) // a busy machine may give a server nothing for a while
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("floor: %w", err)
	}
	s := &bareServer{tid: make(chan int, 1), ended: make(chan error, 1)}
	if s.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, errors.Join(fmt.Errorf("floor: %w", err), l.Close())
	}
	go s.serve(l)
	a, err := s.measure(ctx, l.Addr().String(), each)
	_, failed := unix.Write(s.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	err = errors.Join(err, failed, <-s.ended, unix.Close(s.wake), l.Close())
	return a, err
}

// bareServer is the server; wake is an event that ends it.
type bareServer struct {
	wake  int
	tid   chan int
	ended chan error
}

func (s *bareServer) measure(ctx context.Context, addr string, each time.Duration) (*Answers, error) {
	tid := <-s.tid
	if tid == 0 {
		return nil, errors.New("floor: the server did not start")
	}
	var server, all [2]time.Duration
	read := func(i int) func() error {
		return func() (err error) {
			if server[i], err = threadTime(tid); err != nil {
				return err
			}
			var u unix.Rusage
			err = unix.Getrusage(unix.RUSAGE_SELF, &u)
			all[i] = time.Duration(u.Utime.Nano() + u.Stime.Nano())
			return err
		}
	}
	r, err := load.Run(ctx, load.Options{
		Addrs: []string{addr}, Conns: answerConns, Warmup: each / 4, Duration: each, Work: bareWork{request: bare(requestBytes, "PUT / HTTP/1.1\r\n")},
		Begin: read(0), End: read(1),
	})
	if err != nil {
		return nil, fmt.Errorf("floor: %w", err)
	}
	if r.Ops == 0 {
		return nil, errors.New("floor: the server did not answer")
	}
	n := float64(r.Ops) * float64(time.Microsecond)
	used := server[1] - server[0]
	return &Answers{
		Conns: answerConns, Rate: float64(r.Ops) / r.Elapsed.Seconds(), ServerCPU: float64(used) / n,
		ClientCPU: max(0, float64(all[1]-all[0]-used)) / n,
	}, nil
}

// threadTime is the run time of a thread of this process.
func threadTime(tid int) (time.Duration, error) {
	text, err := os.ReadFile("/proc/self/task/" + strconv.Itoa(tid) + "/schedstat")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), " ")
	n, err := strconv.ParseInt(first, 10, 64)
	return time.Duration(n), err
}

// bare makes a message of a size, head and body.
func bare(size int, first string) []byte {
	head := first + "Content-Length: 000\r\n\r\n"
	body := size - len(head)
	return []byte(strings.Replace(head, "000", fmt.Sprintf("%03d", body), 1) + strings.Repeat("x", body))
}

// bareWork sends the same request again and again.
type bareWork struct{ request []byte }

// Append implements load.Work.
func (w bareWork) Append(b []byte, _ int, _ time.Duration) []byte { return append(b, w.request...) }

// Judge implements load.Work.
func (w bareWork) Judge(_ int, a *load.Answer) (load.Verdict, error) {
	if a.Status != 200 {
		return load.Verdict{}, fmt.Errorf("status %d", a.Status)
	}
	return load.Verdict{}, nil
}

// serve accepts the load's connections and answers, until woken.
func (s *bareServer) serve(l net.Listener) {
	runtime.LockOSThread() // and never unlocked: its time is the thread's
	var files []*os.File
	err := func() error {
		poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			s.tid <- 0
			return err
		}
		defer func() { _ = unix.Close(poll) }()
		listener, err := l.(*net.TCPListener).File()
		if err != nil {
			s.tid <- 0
			return err
		}
		files = append(files, listener)
		s.tid <- unix.Gettid()
		return s.loop(poll, int(listener.Fd()))
	}()
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	s.ended <- err
}

// loop is the server's life.
func (s *bareServer) loop(poll, listener int) error {
	var conns []int
	defer func() {
		for _, fd := range conns {
			_ = unix.Close(fd)
		}
	}()
	watch := func(fd int) error {
		return unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
	}
	if err := errors.Join(watch(listener), watch(s.wake), unix.SetNonblock(listener, true)); err != nil {
		return err
	}
	events := make([]unix.EpollEvent, answerConns)
	room, answer := make([]byte, requestBytes), bare(answerBytes, "HTTP/1.1 200 OK\r\n")
	for {
		n, err := unix.EpollWait(poll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		for _, e := range events[:max(n, 0)] {
			switch fd := int(e.Fd); fd {
			case s.wake:
				return nil
			case listener:
				fd, _, err := unix.Accept4(listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
				if errors.Is(err, unix.EAGAIN) {
					continue
				}
				if err == nil {
					conns = append(conns, fd)
					err = errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), watch(fd))
				}
				if err != nil {
					return err
				}
			default:
				// A request fits in what one read takes, and an answer in what a
				// socket of loopback holds.
				if got, err := unix.Read(fd, room); err != nil || got == 0 {
					_ = unix.EpollCtl(poll, unix.EPOLL_CTL_DEL, fd, nil) // the client has left
					continue
				}
				if _, err := unix.Write(fd, answer); err != nil {
					_ = unix.EpollCtl(poll, unix.EPOLL_CTL_DEL, fd, nil)
				}
			}
		}
	}
}
