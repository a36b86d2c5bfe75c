package agent

import (
	"cmp"
	"slices"
	"time"

	"drydock/node/link"
	"drydock/node/unit"
	"drydock/node/world"
)

// Agent is one machine's side. It isn't safe for concurrent use.
type Agent struct {
	cfg Config
	// now is the step's time, out its effects.
	now time.Duration
	out *Effects

	peers   peers
	session session
	lease   lease
	orders  orders
	report  report

	// units are those that are ordered, or that anything may be left of, by name.
	units   []*local
	ops     map[uint64]*local
	lastOp  uint64
	lives   uint64
	started bool
	// leave is set once the agent is to end, and why; byes counts the goodbyes said,
	// the next being due at byeAt; left says that it is done.
	leave, left bool
	why         string
	byes        int
	byeAt       time.Duration
	// stale says that something changed that units are reconciled with.
	stale bool
	// unkept says that the record is behind, urgent that it must not be; keepAt is when
	// a change that isn't urgent is kept.
	unkept, urgent bool
	keepAt         time.Duration
}

// keepEvery is how long a change may stay unrecorded that a next life could do
// without.
const keepEvery = 100 * time.Millisecond

// New returns an agent that knows what an earlier life has left. The first Step
// says what to do about it.
func New(cfg Config, at world.Instant, was Remains) *Agent {
	a := &Agent{cfg: cfg, now: at.Mono, out: &Effects{}, stale: true, ops: make(map[uint64]*local)}
	a.session.nonce = cfg.Life
	a.peers.set(cfg.Peers)
	if r := was.Record; r != nil && r.Cluster == cfg.Cluster && r.Machine == cfg.Machine.ID && r.Boot == cfg.Machine.Boot {
		a.resume(r, was.Deadline)
	}
	for _, name := range was.Found {
		if l := a.unit(name); l == nil {
			a.add(&local{name: name, held: true, unsure: true, touched: true})
		}
	}
	a.keep(true)
	return a
}

// resume takes over what a record tells of.
func (a *Agent) resume(r *Record, deadline time.Duration) {
	a.lives = r.Lives + 1
	a.session.id, a.orders.floor = r.Session, r.Version
	a.lease.terms = terms{beat: r.Beat, lease: r.Lease, drift: r.Drift, keep: r.Keep}
	a.lease.extend(deadline)
	for i := range r.Units {
		k := &r.Units[i]
		l := &local{
			name: k.Unit, held: true, unsure: true, touched: true, text: k.Text, hash: k.Hash,
			gen: k.Gen, startGen: k.Gen, kick: k.Kick, begun: k.Begun, launched: k.Launched, ending: k.Ending,
		}
		if file, err := unit.Parse(k.Unit, []byte(k.Text)); err == nil {
			l.file, l.req = file, file.Fleet()
			l.revive = k.Up && restarts(file)
		}
		a.add(l)
	}
}

// restarts says whether a unit asks to be started again when it has ended. How it has
// ended isn't known of one that did so while there was no agent.
func restarts(file *unit.Unit) bool {
	def, err := file.Define(unit.AnyFacts())
	return err == nil && def.Service != nil && def.Service.Restart != unit.RestartNo && def.Service.Restart != ""
}

// Step lets inputs happen, in order, and returns what is to be done. At must not be
// before that of an earlier step; its Mono is a clock that counts the time that
// the machine is suspended.
func (a *Agent) Step(at world.Instant, in ...Input) *Effects {
	a.now, a.out = max(a.now, at.Mono), &Effects{}
	if !a.started {
		a.started = true
		a.peers.next(a)
	}
	// Time first: what has passed has passed, whatever the inputs bring.
	a.passed()
	for _, i := range in {
		a.input(i)
	}
	if a.left {
		a.out.Left, a.out.Wake = true, Never
		return a.out
	}
	a.reconcile()
	a.farewell()
	a.talk()
	a.flush()
	a.keepRecord()
	a.out.Wake = a.wake()
	return a.out
}

func (a *Agent) input(i Input) {
	switch i := i.(type) {
	case Tick:
	case Received:
		a.received(i.Frame)
	case Unreachable:
		a.peers.lost(a, i.URL, i.Why)
	case Peers:
		a.peers.set(i.URLs)
	case Reported:
		a.reported(i.Status)
	case Ended:
		a.ended(i)
	case Bitten:
		a.doom()
	case Leave:
		if !a.leave {
			a.leave, a.why, a.stale = true, i.Why, true
			a.tell("", "leaving: "+i.Why)
		}
	}
}

// received takes a frame from a member. What isn't meant for this machine, or can't
// be read, is as good as lost.
func (a *Agent) received(b []byte) {
	f, err := link.Decode(b)
	if err != nil {
		a.tell("", err.Error())
		return
	}
	if f.Cluster != a.cfg.Cluster || f.Machine != a.cfg.Machine.ID {
		return
	}
	if f.Redirect != nil {
		a.peers.redirect(a, f.Redirect)
		return
	}
	a.peers.heard(a)
	switch {
	case f.Welcome != nil:
		a.welcome(f.Welcome)
	case f.Sorry != nil:
		a.sorry(f.Sorry)
	case f.Ack != nil:
		a.ack(f.Ack)
	case f.Orders != nil:
		a.take(f.Orders)
	case f.Texts != nil:
		a.takeTexts(f.Texts.Texts)
	case f.Noted != nil:
		a.noted(f.Noted)
	case f.Closed != nil:
		a.closed(f.Closed)
	}
}

// unit returns what there is of a unit, nil if there is nothing.
func (a *Agent) unit(name string) *local {
	i, ok := a.find(name)
	if !ok {
		return nil
	}
	return a.units[i]
}

func (a *Agent) find(name string) (int, bool) {
	return slices.BinarySearchFunc(a.units, name, func(l *local, name string) int { return cmp.Compare(l.name, name) })
}

func (a *Agent) add(l *local) {
	i, _ := a.find(l.name)
	a.units = slices.Insert(a.units, i, l)
}

func (a *Agent) send(f link.Frame) {
	f.Cluster, f.Machine = a.cfg.Cluster, a.cfg.Machine.ID
	a.out.Sends = append(a.out.Sends, f.Encode())
}

func (a *Agent) tell(name, text string) {
	a.out.News = append(a.out.News, News{Unit: name, Text: text})
}

// keep has the record renewed: within this step if it is urgent.
func (a *Agent) keep(urgent bool) {
	if !a.unkept {
		a.keepAt = a.now + keepEvery
	}
	a.unkept, a.urgent = true, a.urgent || urgent
}

func (a *Agent) keepRecord() {
	if !a.unkept || !a.urgent && a.now < a.keepAt {
		return
	}
	a.unkept, a.urgent = false, false
	r := &Record{
		Cluster: a.cfg.Cluster, Machine: a.cfg.Machine.ID, Boot: a.cfg.Machine.Boot,
		Session: a.session.id, Version: max(a.orders.have, a.orders.floor), Lives: a.lives,
		Beat: a.lease.terms.beat, Lease: a.lease.terms.lease, Drift: a.lease.terms.drift, Keep: a.lease.terms.keep,
	}
	for _, l := range a.units {
		if l.held || l.touched {
			r.Units = append(r.Units, Kept{
				Unit: l.name, Text: l.text, Hash: l.hash, Global: l.global(),
				Gen: l.startGen, Kick: l.kick, Begun: l.begun, Launched: l.launched, Ending: l.ending, Up: l.moving() || l.revive,
			})
		}
	}
	a.out.Record = r
}

// wake is when something is due without any input.
func (a *Agent) wake() time.Duration {
	at := Never
	due := func(t time.Duration) { at = min(at, t) }
	due(a.nextTalk())
	due(a.nextReport())
	if a.unkept {
		due(a.keepAt)
	}
	due(a.nextFence())
	for _, l := range a.units {
		due(l.nextTry(a.now))
	}
	due(a.nextBye())
	return max(at, a.now)
}
