package load

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// epoller waits by epoll.
type epoller struct {
	fd     int
	events []unix.EpollEvent
}

// newPoller returns the cheapest poller of this system. It is for the calling
// thread, whose timers it makes exact: the system may delay them by 50µs else.
func newPoller(conns int) (poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	return &epoller{fd: fd, events: make([]unix.EpollEvent, conns)}, nil
}

func (p *epoller) add(fd, id int) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(id)})
}

func (p *epoller) wait(patience time.Duration, ready []int) ([]int, error) {
	millis := int(patience / time.Millisecond)
	if patience%time.Millisecond != 0 {
		// epoll_wait counts in milliseconds; the wait itself is done by one that
		// doesn't.
		spec := unix.NsecToTimespec(int64(patience))
		_, err := unix.Ppoll([]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}, &spec, nil)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return nil, err
		}
		millis = 0
	}
	n, err := unix.EpollWait(p.fd, p.events, millis)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return nil, err
	}
	ready = ready[:0]
	for i := range max(n, 0) {
		ready = append(ready, int(p.events[i].Fd))
	}
	return ready, nil
}

func (p *epoller) close() error { return unix.Close(p.fd) }
