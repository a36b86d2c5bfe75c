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
)

// backstopTime ends answers that no deadline of their own bounds. It is far above
// what the node takes at the slowest settings.
const backstopTime = 5 * time.Minute

// Server serves a Front on listeners.
type Server struct {
	front *Front
	http  *http.Server
	conns *gate
	wait  sync.WaitGroup
	errs  chan error
}

// Listener is where clients come in.
type Listener struct {
	net.Listener
	// TLS, if not nil, secures the connections. Its protocols are replaced.
	TLS *tls.Config
}

// Serve begins to serve on listeners, which it owns from here on.
func (f *Front) Serve(listeners ...Listener) *Server {
	s := &Server{front: f, conns: newGate(f), errs: make(chan error, len(listeners))}
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
	for _, l := range listeners {
		s.wait.Go(func() {
			err := s.http.Serve(s.conns.guard(l))
			if err != nil && !errors.Is(err, http.ErrServerClosed) {
				s.errs <- fmt.Errorf("front: serving on %v: %w", l.Addr(), err)
			}
		})
	}
	return s
}

// Err tells when a listener has failed.
func (s *Server) Err() <-chan error { return s.errs }

// Shutdown takes no more connections, ends the watches, and waits for the other
// requests as long as ctx allows; then it cuts them off.
func (s *Server) Shutdown(ctx context.Context) error {
	s.front.EndWatches()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("front: stopping: %w", err), s.http.Close())
	}
	s.wait.Wait()
	s.conns.wait.Wait()
	return err
}
