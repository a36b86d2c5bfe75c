package machine

import (
	"context"
	"errors"
	"io"
	"sync"

	"drydock/node/agent"
	"drydock/node/machine/tether"
)

// Bounds of a line.
const (
	maxAhead   = 64 // frames that wait for the connection to be there
	maxArrived = 32 // frames that wait for the agent; then the member has to
)

// line is the connection to one member, or the attempt at one.
type line struct {
	url    string
	frames chan []byte
	ctx    context.Context
	cut    context.CancelFunc

	mu     sync.Mutex
	stream *tether.Stream
	ahead  [][]byte
}

// call begins to talk to a member.
func (m *Machine) call(url string) *line {
	l := &line{url: url, frames: make(chan []byte, maxArrived)}
	l.ctx, l.cut = context.WithCancel(m.ctx)
	m.wait.Go(func() {
		err := m.talk(l)
		if l.ctx.Err() == nil {
			m.log.Debug("no connection with a member", "url", url, "err", err)
			m.inbox.post(item{line: l, in: agent.Unreachable{URL: url, Why: err.Error()}})
		}
		l.cut()
	})
	return l
}

// errEnded says plainly what the end of a file means here.
var errEnded = errors.New("the member hung up")

// talk connects, and hands over what the member sends until there is no more.
func (m *Machine) talk(l *line) error {
	stream, err := tether.Dial(l.ctx, tether.DialOptions{
		URL: l.url, Cluster: m.o.Cluster, Machine: m.o.Self.ID, Release: m.o.Self.Version, Token: m.o.Token, TLS: m.o.TLS,
	})
	if err != nil {
		if r, ok := errors.AsType[*tether.Refusal](err); ok {
			m.log.Warn("a member refuses this machine", "url", l.url, "reason", r.Text)
		}
		return err
	}
	defer stream.Close()
	defer context.AfterFunc(l.ctx, stream.Close)()
	l.mu.Lock()
	for _, frame := range l.ahead {
		stream.Send(frame)
	}
	l.stream, l.ahead = stream, nil
	l.mu.Unlock()
	for {
		frame, err := stream.Receive()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return errEnded
			}
			return err
		}
		select {
		case l.frames <- frame:
		case <-l.ctx.Done():
			return l.ctx.Err()
		}
	}
}

// send queues a frame, or drops it.
func (l *line) send(frame []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.stream != nil:
		l.stream.Send(frame)
	case len(l.ahead) < maxAhead:
		l.ahead = append(l.ahead, frame)
	}
}
