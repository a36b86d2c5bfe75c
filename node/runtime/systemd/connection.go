package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// Time limits of calls, which systemd answers at once unless it is busy reading
// unit files, and the pauses between attempts to connect.
const (
	dialLimit  = 5 * time.Second
	callLimit  = 30 * time.Second
	retryFirst = 50 * time.Millisecond
	retryLast  = 2 * time.Second
)

// updatesBound is how many changes may wait; what is beyond has all units read.
const updatesBound = 4096

var (
	errNoLink = errors.New("there is no connection to systemd")
	errLost   = errors.New("the connection to systemd was lost")
)

// link is a connection to a manager, with signals turned on.
type link struct {
	conn    *systemd.Conn
	lost    <-chan struct{} // closed at its end
	updates chan *systemd.PropertiesUpdate
	missed  chan error
}

// connect opens a link that lasts until it breaks, or ctx ends.
func connect(ctx context.Context, address string) (*link, error) {
	ctx, cancel := context.WithCancel(ctx)
	// A manager that hangs takes connections and says nothing.
	impatient := time.AfterFunc(dialLimit, cancel)
	l := &link{updates: make(chan *systemd.PropertiesUpdate, updatesBound), missed: make(chan error, 1)}
	conn, err := systemd.NewConnection(func() (*dbus.Conn, error) {
		c, err := dial(ctx, address)
		if err == nil {
			// Whichever connection ends first, the link has: the end of the one ends
			// the other's context.
			context.AfterFunc(c.Context(), cancel)
		}
		return c, err
	})
	if err == nil {
		l.conn, l.lost = conn, ctx.Done()
		conn.SetPropertiesSubscriber(l.updates, l.missed)
		err = conn.Subscribe()
	}
	if !impatient.Stop() && err == nil {
		err = context.DeadlineExceeded
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("connecting to systemd at %s: %w", address, err)
	}
	return l, nil
}

func (l *link) close() { l.conn.Close() }

// dial opens one D-Bus connection and says who we are.
func dial(ctx context.Context, address string) (*dbus.Conn, error) {
	conn, err := dbus.Dial(address, dbus.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	err = conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Getuid()))})
	switch {
	case err != nil:
	case strings.HasSuffix(address, "/systemd/private"):
		err = nudge(ctx, conn)
	default:
		err = conn.Hello()
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// nudgePause is how long the first answer may take before systemd is asked again.
const nudgePause = 20 * time.Millisecond

// nudge waits for systemd's first answer on a connection. If the end of the
// authentication and a first message reach it in one piece, it leaves the message
// lying until something else comes: so something else does.
func nudge(ctx context.Context, conn *dbus.Conn) error {
	answers := make(chan *dbus.Call, dialLimit/nudgePause+1)
	manager := conn.Object("org.freedesktop.systemd1", "/org/freedesktop/systemd1")
	for range cap(answers) {
		manager.GoWithContext(ctx, "org.freedesktop.DBus.Peer.Ping", 0, answers)
		select {
		case call := <-answers:
			return call.Err
		case <-time.After(nudgePause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.New("systemd doesn't answer")
}

// harmless are errors of a unit that has no process: nobody is left to signal, there is
// no such unit any more, or units of its type never have any.
var harmless = []string{
	"org.freedesktop.systemd1.NoSuchUnit", "org.freedesktop.systemd1.NoSuchProcess",
	"org.freedesktop.DBus.Error.NotSupported",
}

// kill sends a signal to all processes of a unit, if it has any.
func (l *link) kill(ctx context.Context, name string, sig syscall.Signal) error {
	err := l.conn.KillUnitWithTarget(ctx, name, systemd.All, int32(sig))
	var refused dbus.Error
	if errors.As(err, &refused) && slices.Contains(harmless, refused.Name) {
		return nil
	}
	return err
}

// connected returns the link, and waits for one if there is none.
func (s *Systemd) connected(ctx context.Context) (*link, error) {
	for {
		s.mu.Lock()
		s.dropIfLost()
		l, linked := s.link, s.linked
		s.mu.Unlock()
		if l != nil {
			return l, nil
		}
		select {
		case <-linked:
		case <-ctx.Done():
			return nil, errNoLink
		}
	}
}

// setLink has others use a new link.
func (s *Systemd) setLink(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropIfLost()
	s.link = l
	close(s.linked)
}

// dropIfLost forgets a link that broke; s.mu is held.
func (s *Systemd) dropIfLost() {
	if s.link == nil {
		return
	}
	select {
	case <-s.link.lost:
		s.link, s.linked = nil, make(chan struct{})
	default:
	}
}

// tend hears what the manager signals, and connects again when a link breaks, as
// it does when systemd is replaced by a newer one.
func (s *Systemd) tend() {
	s.mu.Lock()
	l := s.link
	s.mu.Unlock()
	for {
		s.listen(l)
		l.close()
		if s.ctx.Err() != nil {
			return
		}
		if l = s.reconnect(); l == nil {
			return
		}
		s.setLink(l)
		s.markAll()
	}
}

// reconnect tries until it has a link; nil if the runtime was closed.
func (s *Systemd) reconnect() *link {
	for pause := retryFirst; ; pause = min(2*pause, retryLast) {
		l, err := connect(s.ctx, s.opt.Address)
		if err == nil {
			return l
		}
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
			return nil
		}
	}
}

// listen marks the units that change, until the link breaks.
func (s *Systemd) listen(l *link) {
	for {
		select {
		case u := <-l.updates:
			s.mark(u.UnitName)
		case <-l.missed:
			s.markAll()
		case <-l.lost:
			return
		}
	}
}
