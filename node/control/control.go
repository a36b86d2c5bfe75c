package control

import (
	"errors"
	"fmt"
	"time"

	"drydock/node/fleet"
	"drydock/node/link"
	"drydock/node/scheduler"
)

// Config holds what a Control must be told. Zero fields get their default.
type Config struct {
	// Cluster is the cluster's id, as frames carry it.
	Cluster uint64
	// Beat is how often machines beat (default 500 ms), Lease how long an
	// acknowledged beat is good for (default 3 s). All members must have the same
	// Lease: a leader waits for what its predecessor has granted. Where it is changed
	// from member to member, machines take the new one with a leader's first answer; one
	// that hears none from the first leader with a shorter one relies on the longer.
	Beat, Lease time.Duration
	// Drift bounds how far the rate of any machine's clock is off, in parts per
	// million (default 1000).
	Drift int
	// Gather is the least time between the beginnings of two quorum rounds
	// (default a tenth of the lease): the beats of a few machines that come apart share
	// one, which spares a cluster at rest most of what its machines cost it.
	Gather time.Duration
	// Keep has machines go on running their units when their lease passes. Units
	// may then run twice.
	Keep bool

	_ struct{}
}

// ErrConfig is matched by every error of Validate.
var ErrConfig = errors.New("control: configuration")

func (c *Config) setDefaults() {
	def(&c.Beat, 500*time.Millisecond)
	def(&c.Lease, 3*time.Second)
	def(&c.Drift, 1000)
	def(&c.Gather, c.Lease/10)
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	c.setDefaults()
	switch {
	case c.Drift < 0 || c.Drift > 100_000:
		return fmt.Errorf("%w: a drift of %d parts per million, want 0 to 100000", ErrConfig, c.Drift)
	case c.Beat < 10*time.Millisecond:
		return fmt.Errorf("%w: a beat every %v, at least 10ms", ErrConfig, c.Beat)
	case c.Lease < 4*c.Beat:
		return fmt.Errorf("%w: a lease of %v is below four beats of %v", ErrConfig, c.Lease, c.Beat)
	case c.Gather < 0 || c.Gather > c.Lease/8:
		return fmt.Errorf("%w: gathering beats for %v, at most an eighth of the lease %v", ErrConfig, c.Gather, c.Lease)
	}
	return nil
}

// Send is a frame for a machine.
type Send struct {
	Machine string
	Frame   []byte
}

// Proposal is a command to log. Settled or Ended must be told its end, by Seq.
type Proposal struct {
	Seq     uint64
	Command *fleet.Command
}

// Output is what Run asks for. It is valid until the next Run.
type Output struct {
	Sends     []Send
	Proposals []Proposal
	// Round, if not 0, asks for a quorum round that begins now; Confirmed or
	// RoundEnded must be told of it by this number.
	Round uint64
	// More says that work is left: Run is to be called again soon.
	More bool
}

// Counters count since the Control was made. They are for observers.
type Counters struct {
	// Machines have a session now.
	Machines int
	// Frames came from machines, Refused of them couldn't be read.
	Frames, Refused uint64
	Beats, Acks     uint64
	Rounds          uint64
	// Opened and Closed sessions, Reports, and Moves are those proposed.
	Opened, Closed, Reports, Moves uint64
	// RefusedMoves had no effect, since the state had gone on.
	RefusedMoves uint64
	// Pushes are orders sent, in parts.
	Pushes uint64
	// Waiting are commands that are proposed and not decided.
	Waiting int
}

// Control is the leader's side of the fleet. It is not safe for concurrent use.
type Control struct {
	cfg Config
	// lease is how long this side waits for a machine's lease to have passed.
	lease time.Duration
	now   time.Duration
	term  uint64
	store *fleet.Store // nil while this member doesn't lead
	sched *scheduler.Scheduler

	table   table
	rounds  rounds
	flights flights
	records map[string]*record
	// dirty are units whose place is to be compared with the scheduler's.
	dirty  queue
	pushes []*session
	orders []fleet.Order    // what order sends, used again
	moves  []scheduler.Move // what was decided, likewise
	// late are sessions whose orders wait though they may be sent; see hasten.
	late []*session
	// pushesLeft says that some of them wait for the next Run for no other reason.
	pushesLeft bool
	timers     timers
	taking     *takeover
	changed    queue // units to tell the scheduler of, during a takeover
	busy       bool  // the scheduler has work left
	unlooked   bool  // there are units that are dirty, for no other reason than the bound
	// rebalancing says that a timer for it runs.
	rebalancing bool

	// out gathers what is to be done, handed is what Run returned last.
	out, handed Output
	count       Counters
}

// New returns a Control that doesn't lead yet.
func New(cfg Config) (*Control, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.setDefaults()
	return &Control{cfg: cfg, lease: link.Stretch(cfg.Lease, cfg.Drift)}, nil
}

// Leads says whether the Control is between Lead and Resign.
func (c *Control) Leads() bool { return c.store != nil }

// Term returns the term that the Control leads in.
func (c *Control) Term() uint64 { return c.term }

// Counters returns what was counted so far.
func (c *Control) Counters() Counters {
	n := c.count
	n.Machines, n.Waiting = len(c.table.byID), len(c.flights.byID)+c.flights.waiting()
	return n
}

// Lead begins a leader's time: this member has applied an entry of its term, and
// store is what it has applied. Only who leads may drain the store's changes.
func (c *Control) Lead(now time.Duration, term uint64, store *fleet.Store) {
	c.now, c.term, c.store = now, term, store
	c.sched = scheduler.New()
	c.records = make(map[string]*record)
	c.dirty, c.changed = newQueue(), newQueue()
	c.pushes, c.late, c.timers, c.busy, c.rebalancing = nil, nil, timers{}, false, false
	c.rounds.reset()
	c.flights.reset()
	c.table = newTable()
	store.Watch(true)
	c.beginTakeover()
}

// Resign ends it: another member may lead.
func (c *Control) Resign() {
	if c.store == nil {
		return
	}
	c.store.Watch(false)
	c.store, c.sched, c.records, c.taking = nil, nil, nil, nil
	c.dirty, c.changed, c.pushes, c.late, c.timers = queue{}, queue{}, nil, nil, timers{}
	c.rounds.reset()
	c.flights.reset()
	c.table = newTable()
	c.out = Output{}
}

// Receive takes a frame from a machine. Whoever carries it has made sure that it
// comes from there. A bad one is dropped: machines repeat what matters.
func (c *Control) Receive(now time.Duration, machine string, f *link.Frame) {
	if c.store == nil {
		return
	}
	c.now = now
	c.count.Frames++
	if f.Cluster != c.cfg.Cluster || f.Machine != machine {
		c.count.Refused++
		return
	}
	s := c.table.byID[machine]
	switch {
	case f.Beat != nil:
		c.beat(machine, s, f.Beat)
	case f.Report != nil:
		c.report(machine, s, &f.Report.Report)
	case f.Hello != nil:
		c.hello(machine, s, f.Hello)
	case f.Want != nil:
		c.want(machine, s, f.Want)
	case f.Bye != nil:
		c.bye(machine, s, f.Bye)
	default:
		c.count.Refused++
	}
}

// send has a frame sent to a machine.
func (c *Control) send(machine string, f *link.Frame) {
	f.Cluster, f.Machine = c.cfg.Cluster, machine
	c.out.Sends = append(c.out.Sends, Send{Machine: machine, Frame: f.Encode()})
}

// Bounds of one Run.
const (
	// decisions of the scheduler, units that are read in a takeover, and moves
	// of one proposal: twice as many, of a global unit, must still be one command.
	maxDecisions, maxRead, maxMoves = 512, 1024, fleet.MaxMoves / 2
	// maxCompared are units whose place is compared with the scheduler's.
	maxCompared = 4096
	// changed units that the scheduler is told of, and machines that get orders.
	maxFollowed, maxPushes = 1024, 256
)

// Run returns what is to be done as of now, with what the other calls since the last
// Run have led to. It is cheap when there is nothing to do.
func (c *Control) Run(now time.Duration) *Output {
	if c.store == nil {
		return c.hand()
	}
	c.now = now
	c.follow()
	c.expire()
	c.fire()
	switch {
	case c.taking != nil:
		c.takeOver()
	default:
		c.place()
	}
	c.push()
	c.propose()
	c.beginRound()
	c.out.More = c.taking != nil || c.busy || c.unlooked || len(c.changed.list) > 0 || c.pushesLeft
	return c.hand()
}

// Gathered returns what calls since Run have led to, without deciding anything.
func (c *Control) Gathered() *Output { return c.hand() }

// hand returns what has gathered, and begins anew.
func (c *Control) hand() *Output {
	clear(c.handed.Sends)
	clear(c.handed.Proposals)
	c.handed, c.out = c.out, Output{Sends: c.handed.Sends[:0], Proposals: c.handed.Proposals[:0]}
	return &c.handed
}

// follow takes in what has changed in the state.
func (c *Control) follow() {
	news := c.store.Changes()
	if news.All {
		c.startOver()
		return
	}
	for _, id := range news.Machines {
		c.followMachine(id)
	}
	n := 0
	for _, name := range news.Units { // each of them once
		if n < maxFollowed && c.taking == nil && len(c.changed.list) == 0 {
			n++
			c.followUnit(name)
			continue
		}
		c.changed.add(name)
	}
	for ; c.taking == nil && n < maxFollowed; n++ {
		name, ok := c.changed.take()
		if !ok {
			break
		}
		c.followUnit(name)
	}
	for _, at := range news.States {
		c.examine(at.Unit, at.Machine)
	}
}

// queue holds names once each, in the order in which they came.
type queue struct {
	list []string
	in   map[string]struct{}
}

func newQueue() queue { return queue{in: make(map[string]struct{})} }

func (q *queue) add(name string) {
	if _, ok := q.in[name]; !ok {
		q.in[name] = struct{}{}
		q.list = append(q.list, name)
	}
}

func (q *queue) take() (name string, ok bool) {
	if len(q.list) == 0 {
		return "", false
	}
	name = q.list[0]
	q.list[0] = ""
	if q.list = q.list[1:]; len(q.list) == 0 {
		q.list = nil
	}
	delete(q.in, name)
	return name, true
}
