package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
)

// socket is one address of a face.
type socket struct {
	net.Listener
	secure bool // its URL is https
}

// listeners are the sockets of one face.
type listeners []socket

// listen opens one socket for each URL. Sockets that systemd holds open for the
// process (socket activation, sd_listen_fds(3)) take the place of those at the
// same address.
func listen(ctx context.Context, option string, urls []string, held map[string]net.Listener) (l listeners, err error) {
	for _, s := range urls {
		u, err := url.Parse(s)
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		ln := takeHeld(held, u.Host)
		if ln == nil {
			ln, err = new(net.ListenConfig).Listen(ctx, "tcp", u.Host)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("--%s: %w at %s: %w%s", option, ErrListen, s, err, listenHint(err, option)), l.close())
		}
		l = append(l, socket{ln, u.Scheme == "https"})
	}
	return l, nil
}

// ErrListen is matched when an address can't be listened at.
var ErrListen = errors.New("can't listen")

// listenHint says what to do about an address that can't be listened at.
func listenHint(err error, option string) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf(": is a node running there already? Give this one other addresses with --%s", option)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Sprintf(": no interface of this machine has that address; listen at one of its own, or at 0.0.0.0, and give the other to --%s",
			strings.NewReplacer("listen-client", "advertise-client", "listen-peer", "initial-advertise-peer").Replace(option))
	}
	return ""
}

func (l listeners) close() error {
	var errs []error
	for _, ln := range l {
		if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// activated takes the sockets that systemd has opened for this process, once.
func activated() []*os.File { return activation.Files(true) }

// heldSockets returns listeners of the sockets that systemd has opened, by
// address. They are copies: a node that closes them, because it turns out to be a
// worker, can have them again.
func heldSockets(files []*os.File) (map[string]net.Listener, error) {
	held := make(map[string]net.Listener)
	for _, f := range files {
		ln, err := net.FileListener(f)
		if err != nil {
			return nil, fmt.Errorf("socket activation: %s is no socket that listens: %w", f.Name(), err)
		}
		held[ln.Addr().String()] = ln
	}
	return held, nil
}

// closeHeld closes what no URL has asked for, and says so.
func closeHeld(held map[string]net.Listener, log *slog.Logger) {
	for addr, ln := range held {
		log.Warn("a socket of systemd is at an address that no URL names: it is not used", "address", addr,
			"options", "--listen-client-urls, --listen-peer-urls")
		_ = ln.Close()
	}
}

// takeHeld finds the held socket for an address: of exactly that, or of that port
// at every address.
func takeHeld(held map[string]net.Listener, addr string) net.Listener {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil
	}
	for _, at := range []string{addr, strings.Replace(addr, "localhost:", "127.0.0.1:", 1), "[::]:" + port, "0.0.0.0:" + port} {
		if ln, ok := held[at]; ok {
			delete(held, at)
			return ln
		}
	}
	return nil
}

// loopback says whether a URL is reached from this machine only.
func loopback(s string) bool {
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback())
}
