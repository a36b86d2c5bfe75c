package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"drydock/chaos"
	"drydock/node"
	"drydock/node/checkpoint"
	"drydock/node/state"
	"drydock/node/world"
	"drydock/sim/event"
	"drydock/sim/history"
	"drydock/sim/stream"
)

// World is one run.
type World struct {
	cfg        Config
	queue      event.Queue
	src        *stream.Source
	trace      *trace
	machines   []*machine
	byName     map[string]*machine
	byID       map[world.MemberID]*machine
	founders   map[string]world.MemberID // the ids they were founded with
	isVoter    map[string]bool           // as last known, at votersAt
	votersAt   uint64
	clusterID  uint64
	epoch      int64 // wall time at the run's start, ns
	net        *network
	fleet      *fleetWorld // nil where nothing runs units
	clients    []*client
	watchers   []*watcher
	watches    []*history.Watch
	holds      []*history.Hold
	referee    *referee
	recorder   *recorder
	audit      *audit
	conductor  *chaos.Conductor
	ops        []*history.Op
	result     Result
	commit     uint64 // highest index that any member applied, and its term
	commitTerm uint64
	released   state.Release     // the cluster's, as far as members have shown
	changing   int               // changes of membership under way
	joining    map[*machine]bool // asked to be voters, and are not yet
	over       bool              // a member broke: the evidence is in
}

// Run simulates one configuration from boot to end. The error says that the
// world could not be made or was cancelled; what nodes do wrong is in the
// result.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	w, err := newWorld(cfg)
	if err != nil {
		return nil, err
	}
	defer w.close()
	if err := w.found(); err != nil {
		return nil, err
	}
	w.begin()
	for i := 0; !w.over; i++ {
		if i%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		at, ok := w.queue.Next()
		if !ok || at > w.end() {
			break
		}
		w.queue.Step()
		w.recorder.look()
	}
	w.finish()
	return &w.result, nil
}

func newWorld(cfg Config) (*World, error) {
	if len(cfg.Voters) == 0 || cfg.Load.Clients < 1 || cfg.Load.Keys < 1 || len(cfg.Load.Mix) == 0 {
		return nil, errors.New("sim: a run needs voters, clients, keys and a mix")
	}
	w := &World{
		cfg: cfg, src: stream.New(cfg.Seed),
		byName: make(map[string]*machine), byID: make(map[world.MemberID]*machine),
		founders: make(map[string]world.MemberID), isVoter: make(map[string]bool), joining: make(map[*machine]bool),
		epoch: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano(),
	}
	w.trace = newTrace(w)
	w.clusterID = w.src.Stream("cluster").Uint64() | 1
	disks, err := cfg.syncTimes()
	if err != nil {
		return nil, fmt.Errorf("sim: disk: %w", err)
	}
	for i, name := range cfg.Nodes {
		m := w.newMachine(i, name)
		m.times.sync, m.times.measured = disks, cfg.Measured != nil
		w.machines = append(w.machines, m)
		w.byName[name] = m
	}
	if len(w.byID) != len(w.machines) {
		return nil, errors.New("sim: two machines drew the same id")
	}
	if w.net, err = newNetwork(w); err != nil {
		return nil, err
	}
	w.referee, w.recorder, w.audit = newReferee(w), newRecorder(w), newAudit(w)
	w.conductor = chaos.NewConductor(cfg.Plan, target{w}, host{w})
	if w.fleet, err = newFleet(w); err != nil {
		return nil, err
	}
	return w, w.makeClients()
}

// end is when the run is over, unless it ends itself.
func (w *World) end() time.Duration {
	if w.cfg.Until > 0 {
		return min(w.cfg.Until, w.cfg.Duration)
	}
	return w.cfg.Duration
}

func (w *World) now() time.Duration { return w.queue.Now() }

// found prepares the disks of the first members, as an installer would.
func (w *World) found() error {
	var founders []state.Member
	for _, name := range w.cfg.Voters {
		w.isVoter[name], w.founders[name] = true, w.byName[name].id
		founders = append(founders, state.Member{ID: w.byName[name].id, Name: name})
	}
	for _, name := range w.cfg.Voters {
		m := w.byName[name]
		if err := node.Found(m.disk, m.config(), checkpoint.Store{}, founders); err != nil {
			return fmt.Errorf("sim: %s: %w", name, err)
		}
	}
	return nil
}

// begin schedules all that happens by itself: boots, clients, faults, healing
// and the end of the load.
func (w *World) begin() {
	w.referee.note("", fmt.Sprintf("boot %d members", len(w.cfg.Voters)), MarkInfo)
	boots := w.src.Stream("boot")
	for _, name := range w.cfg.Voters {
		m := w.byName[name]
		m.status = down
		w.queue.After(time.Duration(boots.Int64N(int64(50*time.Millisecond))), m.start)
	}
	if len(w.cfg.Learners) > 0 {
		w.queue.After(time.Second, w.joinLearners)
	}
	w.queue.After(measurePeriod, w.measure)
	w.startClients()
	if w.fleet != nil {
		w.fleet.begin()
	}
	w.showPlan()
	w.conductor.Start()
	if w.cfg.HealAt > 0 {
		w.queue.At(w.cfg.HealAt, func() {
			w.result.HealedAt = w.now()
			w.conductor.Heal()
		})
	}
	stop := max(w.cfg.Duration-w.cfg.Load.Timeout-200*time.Millisecond, 0)
	if f := w.cfg.Fleet; f != nil && f.RestFrom > 0 {
		stop = min(stop, f.RestFrom)
	}
	w.queue.At(stop, w.stopClients)
}

// joinLearners adds the members that have no vote at the start.
func (w *World) joinLearners() {
	var list []*machine
	for _, name := range w.cfg.Learners {
		m := w.byName[name]
		if err := node.Join(m.disk, m.config()); err != nil {
			w.referee.broken(m, err.Error())
			return
		}
		m.start()
		list = append(list, m)
	}
	o := &operation{w: w, achieved: hasAll(list, true)}
	for _, m := range list {
		o.changes = append(o.changes, state.MemberChange{Kind: state.AddLearner, Member: state.Member{ID: m.id, Name: m.name}})
	}
	o.once(func() { w.referee.note("", names(list)+" learn", MarkInfo) })
	o.run()
}

// finish collects the evidence.
func (w *World) finish() {
	r := &w.result
	r.Simulated = w.now()
	if !w.over {
		r.Simulated = w.end()
	}
	w.referee.note("", "end", MarkInfo)
	for _, op := range w.ops {
		if op.Status == "" {
			op.Status, op.Error = history.Unknown, "the run ended"
		}
		r.Ops = append(r.Ops, *op)
	}
	r.Watches = w.reportWatches()
	for _, h := range w.holds {
		r.Holds = append(r.Holds, *h)
	}
	if w.fleet != nil {
		w.fleet.referee.finish()
	}
	w.audit.report(r)
	r.Recording = w.recorder.report()
	for _, m := range w.machines {
		if m.status == up {
			r.Running = append(r.Running, m.name)
		}
	}
	r.Outcomes = w.conductor.Outcomes()
	r.Trace, r.Events, r.Tape = w.trace.sum(), w.trace.events, w.trace.taped()
}

func (w *World) close() {
	for _, m := range w.machines {
		// A memory file that can't be closed has nobody left to tell.
		_ = m.disk.Close()
	}
}

// leader returns the living machine that leads in the highest term.
func (w *World) leader() *machine {
	var best *machine
	for _, m := range w.machines {
		if m.alive() && m.role.Leader && (best == nil || m.role.Term > best.role.Term) {
			best = m
		}
	}
	return best
}

// newest returns the machine that has applied the most.
func (w *World) newest() *machine {
	var best *machine
	var at uint64
	for _, m := range w.machines {
		if m.node == nil {
			continue
		}
		if index, _ := m.node.State().Applied(); best == nil || index > at {
			best, at = m, index
		}
	}
	return best
}

// voters returns who votes, as the newest state that could be asked knows it.
func (w *World) voters() map[string]bool {
	m := w.newest()
	if m == nil {
		return w.isVoter
	}
	index, _ := m.node.State().Applied()
	if index <= w.votersAt {
		return w.isVoter
	}
	w.votersAt, w.isVoter = index, make(map[string]bool)
	for _, member := range m.node.State().Members() {
		if !member.Learner {
			w.isVoter[w.memberName(member.ID)] = true
		}
	}
	return w.isVoter
}

// memberName is the name of the machine that has an id now. An id that a
// machine had before it was replaced stands for itself: nobody lives under it.
func (w *World) memberName(id world.MemberID) string {
	if m := w.byID[id]; m != nil && m.id == id {
		return m.name
	}
	return fmt.Sprintf("%x", uint64(id))
}

// majorityLives says whether more than half of the voters run.
func (w *World) majorityLives() bool {
	voters, alive := w.voters(), 0
	for _, m := range w.machines {
		if voters[m.name] && m.status == up {
			alive++
		}
	}
	return alive > len(voters)/2
}

// revived ends the crashes that had left no majority, when there is one again.
func (w *World) revived() {
	if !w.majorityLives() {
		return
	}
	for i := range w.result.Faults {
		if f := &w.result.Faults[i]; f.NoQuorum && f.End == 0 {
			f.End = int64(w.now())
		}
	}
}

// states draws one letter for each machine.
func (w *World) states() string {
	leader := w.leader()
	b := make([]byte, 0, len(w.machines))
	for _, m := range w.machines {
		c := byte('.')
		switch m.status {
		case outside:
			c = 'o'
		case down:
			c = 'x'
		case booting:
			c = '^'
		case paused:
			c = 'p'
		default:
			if m == leader {
				c = 'L'
			}
		}
		b = append(b, c)
	}
	return string(b)
}

// announce tells the conductor of an event, after what is going on now.
func (w *World) announce(e chaos.Event, node string) {
	if w.conductor != nil {
		w.conductor.Event(string(e), node)
	}
}

// host is the world as a conductor needs it.
type host struct{ w *World }

// After implements chaos.Host.
func (h host) After(d time.Duration, fn func()) { h.w.queue.After(d, fn) }

// Rand implements chaos.Host.
func (h host) Rand(name string) *rand.Rand { return h.w.src.Stream("chaos/" + name) }

// Note implements chaos.Host.
func (h host) Note(node, text string) { h.w.referee.note(node, text, MarkFault) }
