package transport

import (
	"crypto/tls"
	"log"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
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
		s.ErrorLog = log.New(&complaints{log: logger}, "", 0)
	}
	return s
}

// complaints logs what the server has to say, a failed TLS handshake most often,
// once for each caller: callers try again and again.
type complaints struct {
	log  *slog.Logger
	once once
}

// port is what differs between two attempts of one caller.
var port = regexp.MustCompile(`:\d+: `)

// Write implements io.Writer.
func (c *complaints) Write(line []byte) (int, error) {
	text := printable(strings.TrimSpace(string(line)))
	if c.once.say(port.ReplaceAllString(text, ": ")) {
		c.log.Warn("peer port", "reason", text)
	}
	return len(line), nil
}

// maxSaid bounds the memory of what was said, each thing for saidFor.
const (
	maxSaid = 256
	saidFor = 10 * time.Minute
)

// once remembers what was said, so that it isn't said in a loop.
type once struct {
	mu   sync.Mutex
	said map[string]time.Time
}

// say reports whether to say something.
func (o *once) say(what string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if last, known := o.said[what]; known && time.Since(last) < saidFor {
		return false
	}
	if o.said == nil || len(o.said) >= maxSaid {
		o.said = make(map[string]time.Time)
	}
	o.said[what] = time.Now()
	return true
}
