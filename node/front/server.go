package front

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"drydock/node/direct"
)

// backstopTime ends answers that no deadline of their own bounds. It is far above
// what the node takes at the slowest settings.
const backstopTime = 5 * time.Minute

// Server serves a Front on listeners.
type Server struct {
	front *Front
	http  *http.Server
	conns *gate
	// direct is nil where everything goes by net/http; other takes what it leaves.
	direct *direct.Server
	other  *handoff
	wait   sync.WaitGroup
	errs   chan error
}

// Listener is where clients come in.
type Listener struct {
	net.Listener
	// TLS, if not nil, secures the connections. Its protocols are replaced.
	TLS *tls.Config
}

// Serve begins to serve on listeners, which it owns from here on.
func (f *Front) Serve(listeners ...Listener) *Server {
	s := &Server{front: f, conns: newGate(f), errs: make(chan error, len(listeners)+1)}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	s.http = &http.Server{
		Handler:           f,
		Protocols:         protocols,
		ReadHeaderTimeout: f.limits.HeaderTime,
		WriteTimeout:      backstopTime,
		IdleTimeout:       f.limits.IdleTime,
		// The Front's own bound answers in words; this one is behind it.
		MaxHeaderBytes: 2 * f.limits.HeaderBytes,
		ErrorLog:       slog.NewLogLogger(f.log.Handler(), slog.LevelDebug),
		ConnState:      s.conns.state,
		ConnContext:    withConn,
	}
	s.other = newHandoff()
	if s.direct = f.serveDirectly(s.other); s.direct != nil {
		s.serve(s.other)
	}
	for _, l := range listeners {
		guarded := s.conns.guard(l)
		if s.direct != nil && l.TLS == nil {
			guarded = &directListener{guarded, s.direct}
		}
		s.serve(guarded)
	}
	return s
}

func (s *Server) serve(l net.Listener) {
	s.wait.Go(func() {
		err := s.http.Serve(l)
		if err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.errs <- fmt.Errorf("front: serving on %v: %w", l.Addr(), err)
		}
	})
}

// Err tells when a listener has failed.
func (s *Server) Err() <-chan error { return s.errs }

// Shutdown takes no more connections, ends the watches, and waits for the other
// requests as long as ctx allows; then it cuts them off.
func (s *Server) Shutdown(ctx context.Context) error {
	s.front.EndWatches()
	if s.direct != nil {
		// What is handed over now has to be known to net/http before it counts.
		s.direct.Drain()
		s.other.settle()
	}
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("front: stopping: %w", err), s.http.Close())
	}
	if s.direct != nil {
		err = errors.Join(err, s.direct.Close(ctx))
	}
	s.wait.Wait()
	s.conns.wait.Wait()
	return err
}
