package wire

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"drydock/vmlab/wire/fabric"
)

// ErrClosed is returned by what is asked of a switch after Close.
var ErrClosed = errors.New("wire: the switch is closed")

// Config is what a switch is made with.
type Config struct {
	Fabric fabric.Config
	// QueueFrames and QueueBytes bound what waits to be written to each port,
	// beside what the fabric delays (4096 frames, 4 MiB).
	QueueFrames, QueueBytes int
	// Log is told what is plugged in and out; nil: nobody is.
	Log *slog.Logger
}

// Switch is an Ethernet switch. Its methods may be called from any goroutine.
type Switch struct {
	cfg   Config
	log   *slog.Logger
	began time.Time
	rearm chan struct{} // something is due earlier than it was
	done  chan struct{}
	wg    sync.WaitGroup

	mu       sync.Mutex
	fabric   *fabric.Fabric
	sockets  []*socket // by the fabric's numbers; nil where there is no port
	captures []*Capture
	armed    time.Duration // when the clock's goroutine wakes; 0: never
	closed   bool
	// listeners accept machines.
	listeners []net.Listener
}

// socket is a port with what is plugged in.
type socket struct {
	name     string
	plug     *plug // nil while nothing is
	overflow uint64
}

// New starts a switch without ports.
func New(cfg Config) *Switch {
	if cfg.QueueFrames <= 0 {
		cfg.QueueFrames = 4096
	}
	if cfg.QueueBytes <= 0 {
		cfg.QueueBytes = 4 << 20
	}
	s := &Switch{cfg: cfg, log: cfg.Log, began: time.Now(), rearm: make(chan struct{}, 1), done: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.fabric = fabric.New(cfg.Fabric, s.deliver)
	s.wg.Go(s.clock)
	return s
}

// now is the fabric's time.
func (s *Switch) now() time.Duration { return time.Since(s.began) }

// Close unplugs everything and ends all goroutines. Captures end, too.
func (s *Switch) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.done)
	var open []io.Closer
	for _, l := range s.listeners {
		open = append(open, l)
	}
	for _, k := range s.sockets {
		if k != nil && k.plug != nil {
			open = append(open, k.plug)
		}
	}
	captures := slices.Clone(s.captures)
	s.mu.Unlock()
	var errs []error
	for _, c := range open {
		errs = append(errs, c.Close())
	}
	for _, c := range captures {
		_, err := c.Stop()
		errs = append(errs, err)
	}
	s.wg.Wait()
	return errors.Join(errs...)
}

// AddPort adds a port with nothing plugged in. Errors match fabric.ErrPort.
func (s *Switch) AddPort(p fabric.Port) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	n, err := s.fabric.AddPort(p)
	if err != nil {
		return err
	}
	for len(s.sockets) <= n {
		s.sockets = append(s.sockets, nil)
	}
	s.sockets[n] = &socket{name: p.Name}
	return nil
}

// RemovePort unplugs what is in a port and removes it.
func (s *Switch) RemovePort(name string) error {
	s.mu.Lock()
	n, k, err := s.find(name)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	plug := k.plug
	s.fabric.RemovePort(s.now(), n)
	s.sockets[n] = nil
	s.mu.Unlock()
	if plug != nil {
		return plug.Close()
	}
	return nil
}

// find returns a port's number and socket. The lock is held.
func (s *Switch) find(name string) (int, *socket, error) {
	if s.closed {
		return 0, nil, ErrClosed
	}
	n, ok := s.fabric.Find(name)
	if !ok {
		return 0, nil, fmt.Errorf("%w: there is no port %q", fabric.ErrPort, name)
	}
	return n, s.sockets[n], nil
}

// Impair has a rule hold from the next frame on, and returns its id. Errors match
// fabric.ErrRule.
func (s *Switch) Impair(r fabric.Rule) (fabric.RuleID, error) {
	ids, err := s.ImpairAll([]fabric.Rule{r})
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

// ImpairAll has rules hold from one instant on: all of them, or none if one is
// refused.
func (s *Switch) ImpairAll(rules []fabric.Rule) ([]fabric.RuleID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	now := s.now()
	var ids []fabric.RuleID
	for _, r := range rules {
		id, err := s.fabric.Impair(now, r)
		if err != nil {
			for _, id := range ids {
				s.fabric.Heal(now, id)
			}
			return nil, err
		}
		ids = append(ids, id)
	}
	s.arm()
	return ids, nil
}

// Heal ends rules, and returns how many of them still held.
func (s *Switch) Heal(ids ...fabric.RuleID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, healed := s.now(), 0
	for _, id := range ids {
		if s.fabric.Heal(now, id) {
			healed++
		}
	}
	return healed
}

// HealAll ends all rules but those of the lab itself (Rule.Base), and returns
// how many.
func (s *Switch) HealAll() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fabric.HealAll(s.now())
}

// Report is the state of a switch.
type Report struct {
	fabric.Report
	// Sockets are in the order of Ports.
	Sockets []SocketReport `json:"sockets"`
}

// SocketReport says what is plugged into a port.
type SocketReport struct {
	Name string `json:"name"`
	// Cable names what is plugged in; empty: nothing is.
	Cable string `json:"cable,omitempty"`
	// Queued is how many frames wait to be written, Overflow how many were
	// dropped because too many did.
	Queued   int    `json:"queued"`
	Overflow uint64 `json:"overflow"`
}

// Report returns the state.
func (s *Switch) Report() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := Report{Report: s.fabric.Report(s.now()), Sockets: []SocketReport{}}
	for _, k := range s.sockets {
		if k == nil {
			continue
		}
		report := SocketReport{Name: k.name, Overflow: k.overflow}
		if k.plug != nil {
			report.Cable = k.plug.cable.String()
			report.Queued = k.plug.out.len()
		}
		r.Sockets = append(r.Sockets, report)
	}
	return r
}

// String writes the report as tables.
func (r Report) String() string {
	var text strings.Builder
	text.WriteString(r.Report.String())
	w := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "\nSOCKET\tCABLE\tQUEUED\tOVERFLOW")
	for _, k := range r.Sockets {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\n", k.Name, cmp.Or(k.Cable, "-"), k.Queued, k.Overflow)
	}
	w.Flush() // a builder doesn't fail
	return text.String()
}

// receive puts frames through the fabric.
func (s *Switch) receive(p *plug, frames [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || p.socket.plug != p {
		return
	}
	now := s.now()
	for _, frame := range frames {
		s.fabric.Receive(now, p.number, frame)
	}
	if next, ok := s.fabric.Next(); ok && next <= now+time.Microsecond {
		s.fabric.Advance(s.now())
	}
	s.arm()
}

// deliver has a frame written to a port. The fabric calls it, under the lock.
func (s *Switch) deliver(port int, frame []byte) {
	k := s.sockets[port]
	if k == nil || k.plug == nil {
		return
	}
	if !k.plug.out.put(frame) {
		k.overflow++
	}
}

// arm wakes the clock's goroutine if it would sleep for too long. The lock is
// held.
func (s *Switch) arm() {
	next, ok := s.fabric.Next()
	if !ok || s.armed != 0 && s.armed <= next {
		return
	}
	s.armed = next
	select {
	case s.rearm <- struct{}{}:
	default: // it has been told and has not looked yet
	}
}

// clock delivers what was delayed, when its time has come.
func (s *Switch) clock() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-s.rearm:
		case <-timer.C:
		}
		wait := time.Hour
		s.mu.Lock()
		s.fabric.Advance(s.now())
		s.armed = 0
		if next, ok := s.fabric.Next(); ok {
			s.armed = max(next, 1)
			wait = next - s.now()
		}
		s.mu.Unlock()
		timer.Reset(wait)
	}
}
