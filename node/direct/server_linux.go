package direct

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Server serves the connections that it is given.
type Server struct {
	o      Options
	most   bounds
	shards []*shard
	next   atomic.Uint32
	wait   sync.WaitGroup
}

// errDraining says that no more connections are taken.
var errDraining = errors.New("direct: no more connections are taken")

// New starts the shards.
func New(o Options) (*Server, error) {
	if o.Shards <= 0 {
		o.Shards = max(1, runtime.GOMAXPROCS(0)/2)
	}
	if o.BodyTime == 0 {
		o.BodyTime = defaultBodyTime
	}
	s := &Server{o: o, most: o.bounds()}
	for range o.Shards {
		p, err := newPoller()
		if err != nil {
			for _, x := range s.shards {
				_ = x.poll.file.Close()
			}
			return nil, fmt.Errorf("direct: %w", err)
		}
		s.shards = append(s.shards, newShard(s, p))
	}
	for _, x := range s.shards {
		s.wait.Go(x.run)
	}
	return s, nil
}

// Adopt takes a connection over; owner stands for it in what Options call. If there
// is an error, the connection is the caller's still.
func (s *Server) Adopt(c *net.TCPConn, owner any) error {
	x := s.shards[int(s.next.Add(1)%uint32(len(s.shards)))]
	if x.isDraining() {
		return errDraining
	}
	remote := c.RemoteAddr()
	fd, err := take(c)
	if err != nil {
		return fmt.Errorf("direct: %w", err)
	}
	if !x.leave(adopted{fd: fd, owner: owner, remote: remote}) {
		_ = unix.Close(fd)
		s.o.Closed(owner)
	}
	return nil
}

// EndWatches ends the watches that there are, and those to come.
func (s *Server) EndWatches() {
	for _, x := range s.shards {
		x.order(quit)
	}
}

// Drain takes no more connections and lets go of those that there are: idle ones are
// closed, those whose request is not complete are handed over, others closed after
// their answer. It returns when the first two have been done.
func (s *Server) Drain() {
	for _, x := range s.shards {
		x.order(drain)
	}
	for _, x := range s.shards {
		<-x.drained
	}
}

// Close drains, waits for the answers that are due as long as ctx allows, and then
// cuts off those that are left.
func (s *Server) Close(ctx context.Context) error {
	s.Drain()
	done := make(chan struct{})
	go func() { s.wait.Wait(); close(done) }()
	var err error
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		err = fmt.Errorf("direct: stopping: %w", ctx.Err())
	}
	for _, x := range s.shards {
		x.order(cut)
	}
	<-done
	return err
}
