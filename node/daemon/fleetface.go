package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"drydock/node"
	"drydock/node/fleetapi/serve"
	"drydock/node/state"
)

// noFleetSocket is the value of --fleet-socket that asks for none.
const noFleetSocket = "none"

// listenFleet opens the Unix socket of the fleet API, or takes the one that systemd
// holds open at the path; nil if there is to be none. The one in the data directory,
// which nobody has asked for, is left out where its path is too long for a socket.
func listenFleet(ctx context.Context, cfg *Config, held map[string]net.Listener, log *slog.Logger) (net.Listener, error) {
	path := cfg.FleetSocket
	switch {
	case held[path] != nil:
		l := held[path]
		delete(held, path)
		return l, nil
	case path == noFleetSocket:
		return nil, nil
	case path == "":
		path = filepath.Join(cfg.DataDir, "fleet.sock")
		if len(path) > serve.MaxSocketPath {
			log.Debug("no socket for the fleet API: its path would be too long", "path", path)
			return nil, nil
		}
		// A worker's is made later than this.
		if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
			return nil, cfg.errorf("data-dir", "%w", err)
		}
	}
	l, err := serve.Listen(ctx, path)
	if err != nil {
		return nil, cfg.errorf("fleet-socket", "%w", err)
	}
	return l, nil
}

// closeSocket closes l, which may be nil.
func closeSocket(l net.Listener) error {
	if l == nil {
		return nil
	}
	return l.Close()
}

// fleetOptions are those of the fleet API, judged by g if that isn't nil.
func (m *member) fleetOptions(g serve.Guard) serve.Options {
	return serve.Options{
		Host: m.host, Local: m.machine, Guard: g, Client: m.ask, Token: m.cfg.JoinToken, Member: m.isMember,
		Stop: m.ending, Log: m.log,
	}
}

// isMember says whether a client URL is a member's.
func (m *member) isMember(url string) (is bool) {
	_ = m.host.Look(func(n *node.Node) {
		is = slices.ContainsFunc(n.State().Members(), func(o state.Member) bool { return slices.Contains(o.ClientURLs, url) })
	})
	return is
}

// socketServer serves the fleet API at the Unix socket: whoever may open that may do
// all.
type socketServer struct{ http *http.Server }

// serveFleet begins to serve l, which may be nil.
func serveFleet(l net.Listener, h http.Handler, log *slog.Logger, failed chan<- error) *socketServer {
	if l == nil {
		return nil
	}
	s := &socketServer{http: &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			select {
			case failed <- err:
			default:
			}
		}
	}()
	return s
}

// close ends it, waiting for requests as long as ctx allows.
func (s *socketServer) close(ctx context.Context) error {
	if s == nil {
		return nil
	}
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(err, s.http.Close())
	}
	return nil
}
