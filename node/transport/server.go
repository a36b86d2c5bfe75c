package transport

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// maxRequests bounds connections of a peer port that are not members' streams.
const maxRequests = 256

// NewServer returns an HTTP server for a peer port: a caller that is slow to say
// what it wants is cut, and connections that are not yet streams are bounded. If
// config is not nil, use ServeTLS with empty file names.
func NewServer(handler http.Handler, config *tls.Config, logger *slog.Logger) *http.Server {
	var open atomic.Int64
	s := &http.Server{
		Handler: handler, TLSConfig: config,
		ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 60 * time.Second, MaxHeaderBytes: 32 << 10,
		ConnState: func(conn net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				if open.Add(1) > maxRequests {
					_ = conn.Close()
				}
			case http.StateHijacked, http.StateClosed:
				open.Add(-1)
			}
		},
	}
	if logger != nil {
		s.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelDebug)
	}
	return s
}
