package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

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
			return nil, errors.Join(fmt.Errorf("%w: --%s: can't listen at %s: %w", ErrListen, option, s, err), l.close())
		}
		l = append(l, socket{ln, u.Scheme == "https"})
	}
	return l, nil
}

// ErrListen is matched when an address can't be listened at.
var ErrListen = errors.New("listening")

func (l listeners) close() error {
	var errs []error
	for _, ln := range l {
		if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// heldSockets returns the sockets that systemd has opened, by address.
func heldSockets() (map[string]net.Listener, error) {
	list, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("socket activation: %w", err)
	}
	held := make(map[string]net.Listener)
	for _, ln := range list {
		if ln != nil {
			held[ln.Addr().String()] = ln
		}
	}
	return held, nil
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
