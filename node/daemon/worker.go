package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/coreos/go-systemd/v22/daemon"

	"drydock/node/discovery"
	"drydock/node/ui"
	"drydock/node/worker"
)

// fullError is what becomes of a discovery that needs no more members; whoever
// gets it may serve those as a worker.
type fullError struct {
	peers []string // URLs of the members' peer ports
	err   error
}

// Error implements error.
func (e *fullError) Error() string { return e.err.Error() }

// Unwrap gives discovery.ErrFull.
func (e *fullError) Unwrap() error { return e.err }

func full(res *discovery.Result, err error) error {
	if !errors.Is(err, discovery.ErrFull) {
		return err
	}
	e := &fullError{err: err}
	for _, p := range res.Founders {
		e.peers = append(e.peers, p.PeerURLs...)
	}
	return e
}

// runWorker runs the node without a vote: for the cluster at --join, or for the
// members that a discovery has named.
func runWorker(ctx context.Context, cfg *Config, env *ui.Env, log *slog.Logger, files []*os.File, found *fullError) error {
	own := *cfg
	own.ListenPeerURLs = nil // a worker has no peers to listen for
	s, err := loadSecrets(&own, log)
	if err != nil {
		return err
	}
	held, err := heldSockets(files)
	if err != nil {
		return err
	}
	sockets, err := listen(ctx, "listen-client-urls", cfg.ListenClientURLs, held)
	if err != nil {
		return err
	}
	o := worker.Options{
		Name: cfg.Name, DataDir: cfg.DataDir, Token: cfg.JoinToken,
		TLS: s.clientClient, PeerTLS: s.peerClient, Logger: log,
		Ready: func(st worker.Status) {
			notify(log, daemon.SdNotifyReady)
			workerBanner(env.Stderr, cfg, &st)
		},
	}
	fleet, err := newFleetMachine(cfg, s, log)
	if err != nil {
		return errors.Join(err, sockets.close())
	}
	failed := make(chan error, 1)
	if fleet != nil {
		o.Machine, o.Known = fleet, fleet.known(failed)
	}
	if cfg.Join != "" {
		o.Join = strings.Split(cfg.Join, ",")
	}
	if found != nil {
		o.Peers = found.peers
	}
	for _, l := range sockets {
		var ln net.Listener = l.Listener
		if l.secure {
			ln = tls.NewListener(ln, s.clientServer)
		}
		o.Listeners = append(o.Listeners, ln)
	}
	socket, err := listenFleet(ctx, cfg, held, log)
	if err != nil {
		return errors.Join(err, sockets.close())
	}
	if socket != nil {
		o.Listeners = append(o.Listeners, socket)
	}
	closeHeld(held, log)
	inner, stop := context.WithCancel(ctx)
	defer stop()
	// A worker has no reactor that could hang; that the process is there is all
	// that can be said.
	go watchdog(inner, log, func() bool { return true })
	told := make(chan struct{})
	context.AfterFunc(inner, func() {
		defer close(told)
		notify(log, daemon.SdNotifyStopping)
	})
	err = workUntil(ctx, o, fleet, failed)
	stop()
	<-told // or the process may be gone before systemd has heard
	return errors.Join(err, fleet.close())
}

// workUntil runs a worker until ctx is over and its units have stopped, or its machine
// has failed.
func workUntil(ctx context.Context, o worker.Options, fleet *fleetMachine, failed <-chan error) error {
	running, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	go func() {
		select {
		case <-ctx.Done():
			end(fleet.leave("the node stops"))
		case err := <-failed:
			end(err)
		case <-running.Done():
		}
	}()
	err := worker.Run(running, o)
	if why := context.Cause(running); why != nil && !errors.Is(why, context.Canceled) {
		err = errors.Join(err, why)
	}
	return err
}

func workerBanner(w io.Writer, cfg *Config, st *worker.Status) {
	who := "a proxy"
	if st.Worker != "" {
		who = "worker " + st.Worker
	}
	fmt.Fprintf(w, "\n  %s   %s of cluster %s   members %s\n\n", cfg.Name, who, st.Cluster, strings.Join(st.Members, ", "))
	fmt.Fprintf(w, "  clients    %s   (passed on to the members)\n\n", strings.Join(cfg.ListenClientURLs, "  "))
}
