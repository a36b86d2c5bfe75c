//go:build unix

package load

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// poller tells which connections have something to read.
type poller interface {
	// add watches a socket under a number.
	add(fd, id int) error
	// wait returns the numbers of the sockets that are ready, in ready's memory,
	// or none after patience.
	wait(patience time.Duration, ready []int) ([]int, error)
	close() error
}

// scanner waits by poll, which every system has. Waits below a millisecond spin.
type scanner struct {
	fds []unix.PollFd
	ids []int
}

func (p *scanner) add(fd, id int) error {
	p.fds = append(p.fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	p.ids = append(p.ids, id)
	return nil
}

func (p *scanner) wait(patience time.Duration, ready []int) ([]int, error) {
	_, err := unix.Poll(p.fds, int(patience/time.Millisecond))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return nil, err
	}
	ready = ready[:0]
	for i := range p.fds {
		if err == nil && p.fds[i].Revents != 0 {
			ready = append(ready, p.ids[i])
		}
	}
	return ready, nil
}

func (p *scanner) close() error { return nil }
