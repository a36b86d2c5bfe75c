package fabric

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"drydock/sim/event"
	"drydock/sim/stream"
)

// Bounds of a fabric that has no others.
const (
	// MaxFrame is the longest frame: 64 KiB behind an Ethernet header.
	MaxFrame = 64<<10 + headerBytes
	// MaxPorts is how many ports a fabric has at most.
	MaxPorts = 1024

	defaultAddresses   = 8192
	defaultAge         = 5 * time.Minute
	defaultHold        = time.Second
	defaultQueueFrames = 16 << 10
	defaultQueueBytes  = 64 << 20
)

// headerBytes is the length of an Ethernet header: two addresses and a type.
const headerBytes = 14

// ErrPort is matched by the errors about ports: a bad or a taken name, no such
// port, too many of them.
var ErrPort = errors.New("bad port")

// Config is what a fabric is made with. A field that is zero has the value that
// is given with it.
type Config struct {
	// Seed decides every draw.
	Seed uint64
	// Addresses is how many learned addresses the table holds (8192); the frames
	// to those beyond go everywhere.
	Addresses int
	// Age is how long an address is known that is silent (5m).
	Age time.Duration
	// Hold is how long an address stays where it was heard, when frames from it
	// come in elsewhere (1s).
	Hold time.Duration
	// QueueFrames and QueueBytes bound what waits for each port (16384, 64 MiB).
	QueueFrames, QueueBytes int
}

// Port is one machine's end of one link.
type Port struct {
	// Name is the machine's name, or "MACHINE/LINK" if it has more than one.
	Name string `json:"name"`
	// MAC belongs to this port alone: no frame from it is taken elsewhere, and
	// frames to it go here from the start. Zero: none does.
	MAC MAC `json:"mac,omitzero"`
}

// Fabric is a switch. It belongs to one goroutine, or to a lock.
type Fabric struct {
	cfg     Config
	source  *stream.Source
	queue   event.Queue
	ports   []*port // by number; nil where one was removed
	table   table
	rules   []*rule // in the order of their ids
	newest  RuleID
	deliver func(port int, frame []byte)
	watch   func(Event)
}

// port is a Port with its state.
type port struct {
	Port
	number int
	up     bool
	gone   bool
	to     []*line // by the other port's number; nil until used
	// waiting and waitingBytes are frames on their way to the port.
	waiting, waitingBytes int
	counts                PortCounts
}

// New returns a fabric without ports. It hands the frames that leave to deliver,
// which must not call the fabric.
func New(cfg Config, deliver func(port int, frame []byte)) *Fabric {
	cfg.Addresses = orDefault(cfg.Addresses, defaultAddresses)
	cfg.Age = orDefault(cfg.Age, defaultAge)
	cfg.Hold = orDefault(cfg.Hold, defaultHold)
	cfg.QueueFrames = orDefault(cfg.QueueFrames, defaultQueueFrames)
	cfg.QueueBytes = orDefault(cfg.QueueBytes, defaultQueueBytes)
	return &Fabric{
		cfg: cfg, source: stream.New(cfg.Seed), deliver: deliver,
		table: newTable(cfg.Addresses, cfg.Age, cfg.Hold),
	}
}

func orDefault[T int | time.Duration](value, standard T) T {
	if value <= 0 {
		return standard
	}
	return value
}

// AddPort adds a port, which is down, and returns its number. Numbers of removed
// ports are given again.
func (f *Fabric) AddPort(p Port) (int, error) {
	if err := checkName(p.Name); err != nil {
		return 0, err
	}
	if _, ok := f.Find(p.Name); ok {
		return 0, fmt.Errorf("%w: there is a port %s already", ErrPort, p.Name)
	}
	if p.MAC.group() {
		return 0, fmt.Errorf("%w: %s: %v is the address of a group", ErrPort, p.Name, p.MAC)
	}
	if owner := f.table.owner(p.MAC); p.MAC != (MAC{}) && owner != nil {
		return 0, fmt.Errorf("%w: %s: %v is the address of %s", ErrPort, p.Name, p.MAC, owner.Name)
	}
	n := slices.Index(f.ports, nil)
	if n < 0 {
		if len(f.ports) == MaxPorts {
			return 0, fmt.Errorf("%w: %s: a switch has at most %d ports", ErrPort, p.Name, MaxPorts)
		}
		n = len(f.ports)
		f.ports = append(f.ports, nil)
	}
	f.ports[n] = &port{Port: p, number: n}
	if p.MAC != (MAC{}) {
		f.table.pin(p.MAC, f.ports[n])
	}
	return n, nil
}

// checkName takes "machine" and "machine/link" of letters, digits, dots, dashes
// and underscores.
func checkName(name string) error {
	machine, link, several := strings.Cut(name, "/")
	for _, part := range []string{machine, link} {
		odd := strings.IndexFunc(part, func(r rune) bool {
			return r != '-' && r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		})
		if odd >= 0 || len(part) > 64 {
			return fmt.Errorf("%w: name %q: must be MACHINE or MACHINE/LINK of letters, digits, '-', '_' and '.'", ErrPort, name)
		}
	}
	if machine == "" || several && link == "" {
		return fmt.Errorf("%w: name %q: must be MACHINE or MACHINE/LINK", ErrPort, name)
	}
	return nil
}

// Find returns the number of a port.
func (f *Fabric) Find(name string) (int, bool) {
	n := slices.IndexFunc(f.ports, func(p *port) bool { return p != nil && p.Name == name })
	return n, n >= 0
}

// RemovePort removes a port with what waits for it and all that is known of it.
// It returns false if there is none.
func (f *Fabric) RemovePort(now time.Duration, number int) bool {
	f.Advance(now)
	p := f.port(number)
	if p == nil {
		return false
	}
	p.gone, p.up = true, false
	f.table.forget(p, true)
	f.ports[number] = nil
	for _, other := range f.ports {
		if other != nil && number < len(other.to) {
			other.to[number] = nil
		}
	}
	return true
}

// SetUp says whether something is plugged into a port from now on. Frames to a
// port that is down are dropped; the addresses that were learned there are
// forgotten.
func (f *Fabric) SetUp(now time.Duration, number int, up bool) {
	f.Advance(now)
	p := f.port(number)
	if p == nil {
		return
	}
	if p.up && !up {
		f.table.forget(p, false)
	}
	p.up = up
}

func (f *Fabric) port(number int) *port {
	if number < 0 || number >= len(f.ports) {
		return nil
	}
	return f.ports[number]
}

// Watch shows every frame that comes in, leaves or is dropped to fn, which must
// not call the fabric; nil ends it.
func (f *Fabric) Watch(fn func(Event)) { f.watch = fn }

// Next returns when something is due, and false if nothing is.
func (f *Fabric) Next() (time.Duration, bool) { return f.queue.Next() }

// Advance moves the time on and delivers what is due by then. Time that goes back
// stands still.
func (f *Fabric) Advance(now time.Duration) {
	if now > f.queue.Now() {
		f.queue.RunUntil(now)
	}
}

// Receive takes a frame from a port. Nobody may change the frame from now on: it
// is delivered to several at once, without a copy.
func (f *Fabric) Receive(now time.Duration, number int, frame []byte) {
	f.Advance(now)
	p := f.port(number)
	if p == nil {
		return
	}
	p.counts.Frames++
	p.counts.Bytes += uint64(len(frame))
	if f.watch != nil {
		f.watch(Event{Kind: Received, From: p.number, To: p.number, Frame: frame})
	}
	if why := f.refuse(p, frame); why != "" {
		f.dropped(p, p, frame, why)
		return
	}
	to := MAC(frame[:6])
	if to.group() {
		f.flood(p, frame)
		return
	}
	switch q := f.table.find(f.queue.Now(), to); {
	case q == nil:
		p.counts.Unknown++
		f.flood(p, frame)
	case q == p:
		p.counts.Local++
		f.dropped(p, p, frame, WhyLocal)
	default:
		f.between(p, q).send(f, frame)
	}
}

// refuse says why a frame goes no further, and learns its sender if it does.
func (f *Fabric) refuse(p *port, frame []byte) Why {
	if len(frame) < headerBytes || len(frame) > MaxFrame {
		p.counts.Malformed++
		return WhyLength
	}
	to, from := MAC(frame[:6]), MAC(frame[6:12])
	if from.group() {
		p.counts.Malformed++
		return WhySource
	}
	if to.control() {
		p.counts.Control++
		return WhyControl
	}
	if from != (MAC{}) && !f.table.learn(f.queue.Now(), from, p) {
		p.counts.Strays++
		return WhyStray
	}
	return ""
}

// flood sends a frame to all other ports with something plugged in.
func (f *Fabric) flood(p *port, frame []byte) {
	for _, q := range f.ports {
		if q != nil && q != p && q.up {
			f.between(p, q).send(f, frame)
		}
	}
}

// dropped shows a frame that goes no further.
func (f *Fabric) dropped(from, to *port, frame []byte, why Why) {
	if f.watch != nil {
		f.watch(Event{Kind: Dropped, From: from.number, To: to.number, Frame: frame, Why: why})
	}
}

// Named says whether a name, as rules have it, means a port.
func Named(port, name string) bool {
	machine, _, _ := strings.Cut(port, "/")
	return name == "" || name == port || name == machine
}
