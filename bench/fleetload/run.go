package fleetload

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"drydock/bench/consensus"
	"drydock/node"
	bare "drydock/node/consensus"
	"drydock/node/control"
	"drydock/node/fleet"
	"drydock/node/host"
)

// Run measures one cluster. All fields are needed.
type Run struct {
	Members, Machines, Units int
	// Submitters is how many commands of the fill are under way at once.
	Submitters int
	// Reports has machines report each unit as running.
	Reports bool
	// Replicas has as many units made by templates, in another cluster.
	Replicas bool
	// Increments and Losses are how many are measured in the full cluster, Rest is how
	// long it is watched at rest.
	Increments, Losses int
	Rest               time.Duration
	Storage            consensus.Storage
	Links              consensus.Links
	// Dir is where members on the disk have their files.
	Dir string
	// Progress is told what is measured next.
	Progress func(what string)

	_ struct{}
}

// templateUnits are the units that share a text: instances of a template.
const templateUnits = 1000

// templateSubmitters wait each for a command that makes that many units: an entry with
// hundreds of them is applied for longer than members wait for their leader's next word.
const templateSubmitters = 16

// settleWait bounds waiting for what has no reason not to come.
const settleWait = 30 * time.Second

// timers are etcd's: all members and the load share this machine's cores, and a member
// that doesn't get one for a quarter of a second hasn't failed.
var timers = consensus.Timers{Heartbeat: 100 * time.Millisecond, Election: time.Second}

// bench is a run under way.
type bench struct {
	*Run
	cluster  *consensus.Cluster
	machines *machines
	texts    []string
	result   Result
	lost     int // units that came in addition
	// templates says that templates are submitted, not each unit.
	templates bool
}

// Measure runs all phases.
func (r *Run) Measure(ctx context.Context) (res *Result, err error) {
	b := &bench{Run: r, result: Result{
		Members: r.Members, Machines: r.Machines, Units: r.Units, Submitters: r.Submitters, Reported: r.Reports,
		Storage: r.Storage, Links: r.Links,
	}}
	r.Progress("members")
	if b.cluster, err = consensus.Open(ctx, r.Members, r.Storage, r.Links, r.Dir, timers); err != nil {
		return nil, err
	}
	store, err := b.measure(ctx)
	term := b.cluster.Totals().Term
	if err = errors.Join(err, b.cluster.Close()); err != nil {
		return nil, err
	}
	r.Progress("decisions alone")
	if err := b.decide(store, term); err != nil {
		return nil, err
	}
	if r.Replicas {
		if b.result.Replicas, err = r.replicas(ctx); err != nil {
			return nil, fmt.Errorf("by templates: %w", err)
		}
	}
	return &b.result, nil
}

// replicas fills another cluster with as many units, which templates make.
func (r *Run) replicas(ctx context.Context) (*Fill, error) {
	r.Progress("by templates: members")
	cluster, err := consensus.Open(ctx, r.Members, r.Storage, r.Links, r.Dir, timers)
	if err != nil {
		return nil, err
	}
	b := &bench{Run: r, cluster: cluster, templates: true}
	_, err = b.measure(ctx)
	return &b.result.Fill, errors.Join(err, cluster.Close())
}

// measure runs what needs members. It returns the replicated state of the one that led,
// for nobody to use before that is stopped.
func (b *bench) measure(ctx context.Context) (store *fleet.Store, err error) {
	for i := range (b.Units + templateUnits - 1) / templateUnits {
		text := fmt.Sprintf("[Unit]\nDescription=Service %d\n\n[Service]\nExecStart=/usr/bin/service --shard=%d\nRestart=always\n", i, i)
		if b.templates {
			text += fmt.Sprintf("\n[X-Fleet]\nReplicas=%d\n", min(templateUnits, b.Units-i*templateUnits))
		}
		b.texts = append(b.texts, text)
	}
	b.machines = newMachines(b.cluster.ID(), b.Machines, b.Reports, b.cluster.Leader)
	for _, h := range b.cluster.Hosts() {
		h.SetMachines(b.machines)
	}
	running, stop := context.WithCancel(ctx)
	var generator sync.WaitGroup
	generator.Go(func() { b.machines.run(running) })
	defer generator.Wait()
	defer stop()
	if err := b.phases(ctx); err != nil {
		return nil, err
	}
	err = b.cluster.Leader().Look(func(n *node.Node) { store = n.State().Fleet() })
	return store, err
}

func (b *bench) phases(ctx context.Context) error {
	term := b.cluster.Totals().Term
	for _, phase := range []struct {
		what string
		run  func(context.Context) error
		all  bool // units one by one and templates
	}{
		{"sessions", b.open, true},
		{"fill", b.fill, true},
		{"rest", b.rest, false},
		{"increments", b.increments, false},
		{"losses", b.losses, false},
		{"check", b.check, true},
	} {
		if b.templates && !phase.all {
			continue
		}
		if b.templates {
			b.Progress("by templates: " + phase.what)
		} else {
			b.Progress(phase.what)
		}
		if err := phase.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", phase.what, err)
		}
	}
	if now := b.cluster.Totals().Term; now != term {
		return fmt.Errorf("the leader has changed: term %d, was %d", now, term)
	}
	return nil
}

// wait calls ready every so often until it says true.
func wait(ctx context.Context, what string, every time.Duration, ready func() (bool, error)) error {
	t := time.NewTicker(every)
	defer t.Stop()
	late := time.NewTimer(settleWait)
	defer late.Stop()
	for {
		if ok, err := ready(); ok || err != nil {
			return err
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			return fmt.Errorf("%s: not within %v", what, settleWait)
		}
	}
}

// open gives all machines sessions, which takes a cluster that has machines.
func (b *bench) open(ctx context.Context) error {
	began := time.Now()
	err := wait(ctx, "sessions of all machines", 10*time.Millisecond, func() (bool, error) {
		return b.machines.sessions() == len(b.machines.list), nil
	})
	b.result.OpenSeconds = time.Since(began).Seconds()
	return err
}

// name is that of the i-th unit.
func name(i int) string {
	return "service-" + strconv.Itoa(i/templateUnits) + "@" + strconv.Itoa(i%templateUnits) + ".service"
}

// put starts a unit, and waits until it is known.
func (b *bench) put(ctx context.Context, h *host.Host, name, text string) error {
	launched := fleet.Launched
	a := h.Fleet(ctx, &fleet.Command{Put: &fleet.Put{Name: name, Text: text, Desired: &launched}})
	switch {
	case a.Status != bare.Done:
		return fmt.Errorf("unit %s: %v: %s", name, a.Status, a.Reason)
	case a.Refusal != nil:
		return fmt.Errorf("unit %s: %w", name, a.Refusal)
	case !a.Fleet.Created:
		return fmt.Errorf("unit %s was there", name)
	}
	return nil
}

// submit starts all units.
func (b *bench) submit(ctx context.Context) error {
	commands, submitters := b.Units, b.Submitters
	command := func(i int) (unit, text string) { return name(i), b.texts[i/templateUnits] }
	if b.templates {
		commands, submitters = len(b.texts), min(submitters, templateSubmitters)
		command = func(i int) (unit, text string) { return "service-" + strconv.Itoa(i) + "@.service", b.texts[i] }
	}
	lead := b.cluster.Leader()
	if lead == nil {
		return errors.New("there is no leader")
	}
	var next atomic.Int64
	var all sync.WaitGroup
	var once sync.Once
	var failed error
	for range submitters {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= commands {
					return
				}
				unit, text := command(i)
				if err := b.put(ctx, lead, unit, text); err != nil {
					once.Do(func() { failed = err })
					next.Store(int64(commands))
					return
				}
			}
		})
	}
	all.Wait()
	return failed
}

// placed returns how many members have applied a place for n units.
func (b *bench) placed(n int) (members int, err error) {
	for _, h := range b.cluster.Hosts() {
		err = errors.Join(err, h.Look(func(m *node.Node) {
			if m.State().Fleet().Placements() == n {
				members++
			}
		}))
	}
	return members, err
}

// fill starts all units and waits until they have places.
func (b *bench) fill(ctx context.Context) error {
	before := heap()
	counters := b.counters()
	from, err := use(b.cluster)
	if err != nil {
		return err
	}
	if err := b.submit(ctx); err != nil {
		return err
	}
	submitted := time.Now()
	err = wait(ctx, "places of all units", 2*time.Millisecond, func() (bool, error) {
		n, err := b.placed(b.Units)
		return n > b.Members/2, err
	})
	if err != nil {
		return fmt.Errorf("%w: %s", err, b.describe())
	}
	to, err := use(b.cluster)
	if err != nil {
		return err
	}
	if err := b.settle(ctx, b.Units); err != nil {
		return err
	}
	settled, err := use(b.cluster)
	if err != nil {
		return err
	}
	after := b.counters()
	n := float64(b.Units)
	b.result.Fill = Fill{
		Seconds: to.at.Sub(from.at).Seconds(), SubmitSeconds: submitted.Sub(from.at).Seconds(), SettledSeconds: settled.at.Sub(from.at).Seconds(),
		Rate: n / to.at.Sub(from.at).Seconds(),
		CPU:  micros(to.cpu-from.cpu) / n, SettledCPU: micros(settled.cpu-from.cpu) / n,
		Allocated: float64(to.allocated-from.allocated) / n,
		Syncs:     to.totals.Syncs - from.totals.Syncs, Sent: float64(to.totals.Sent-from.totals.Sent) / n,
		Moves: after.Moves - counters.Moves, RefusedMoves: after.RefusedMoves - counters.RefusedMoves, Pushes: after.Pushes - counters.Pushes,
		Pushed: float64(b.machines.pushed.Load()) / n,
	}
	b.result.Memory.HeapPerUnit = float64(heap()-before) / n
	return nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// settle waits until all members have places for n units, and machines their orders.
func (b *bench) settle(ctx context.Context, n int) error {
	err := wait(ctx, "places on all members", 10*time.Millisecond, func() (bool, error) {
		members, err := b.placed(n)
		return members == b.Members, err
	})
	if err != nil {
		return err
	}
	var wrong error
	err = wait(ctx, "orders of all machines", 50*time.Millisecond, func() (bool, error) {
		wrong = b.checkOrders()
		return wrong == nil, nil
	})
	return errors.Join(err, wrong)
}

// counters are the leader's.
func (b *bench) counters() (c control.Counters) {
	if h := b.cluster.Leader(); h != nil {
		_ = h.Look(func(n *node.Node) { c = n.View().Fleet.Counters })
	}
	return c
}

// describe says how things stand, for who waits in vain.
func (b *bench) describe() string {
	var words []string
	for _, h := range b.cluster.Hosts() {
		_ = h.Look(func(n *node.Node) {
			v, s := n.View(), n.State().Fleet()
			words = append(words, fmt.Sprintf("member %d: term %d, leads %t, applied %d, checkpoint %d, %d units, %d places, %+v",
				v.ID, v.Role.Term, v.Fleet.Leads, v.Applied, v.Checkpointed, s.Units(), s.Placements(), v.Fleet.Counters))
		})
	}
	return fmt.Sprintf("%d machines with sessions; %s", b.machines.sessions(), strings.Join(words, "; "))
}

// rest watches a cluster of which nobody asks anything.
func (b *bench) rest(ctx context.Context) error {
	watch := func(d time.Duration) (cores, beats float64, err error) {
		from, err := use(b.cluster)
		if err != nil {
			return 0, 0, err
		}
		n := b.machines.beats.Load()
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
		to, err := use(b.cluster)
		return to.cores(from), float64(b.machines.beats.Load()-n) / to.at.Sub(from.at).Seconds(), err
	}
	r := &b.result.Rest
	var err error
	if r.Beats, r.BeatsPerSecond, err = watch(b.Rest); err != nil {
		return err
	}
	// Shorter than leases last: none ends.
	b.machines.silent.Store(true)
	defer b.machines.silent.Store(false)
	if r.Silent, _, err = watch(min(b.Rest, maxSilence)); err != nil {
		return err
	}
	r.BeatMicros = (r.Beats - r.Silent) / max(r.BeatsPerSecond, 1) * 1e6
	return nil
}

// maxSilence is how long machines may be silent without losing their leases.
const maxSilence = 2 * time.Second

// increments starts single units and waits for their places.
func (b *bench) increments(ctx context.Context) error {
	lead := b.cluster.Leader()
	all := newTimes()
	for i := range b.Increments {
		unit := "single-" + strconv.Itoa(i) + ".service"
		began := time.Now()
		if err := b.put(ctx, lead, unit, b.texts[0]); err != nil {
			return err
		}
		if err := awaitPlace(ctx, lead, unit); err != nil {
			return err
		}
		all.add(time.Since(began))
	}
	b.lost = b.Increments
	b.result.Increment = all.latency()
	return b.settle(ctx, b.Units+b.lost)
}

// awaitPlace waits until a unit's place is applied.
func awaitPlace(ctx context.Context, h *host.Host, unit string) error {
	for {
		placed, revision := false, uint64(0)
		a := h.ReadFleet(ctx, true, func(s *fleet.Store) {
			u, ok := s.Unit(unit)
			placed, revision = ok && len(u.Places) > 0, s.Revision()
		})
		switch {
		case a.Status != bare.Done:
			return fmt.Errorf("look at unit %s: %v: %s", unit, a.Status, a.Reason)
		case placed:
			return nil
		}
		h.WaitFleet(ctx, revision)
	}
}

// losses takes machines away, one after another.
func (b *bench) losses(ctx context.Context) error {
	commit, units := newTimes(), 0
	for i := range b.Losses {
		one := b.machines.list[(i*7919+1)%len(b.machines.list)]
		n, took, err := b.lose(one)
		if err != nil {
			return err
		}
		units += n
		commit.add(took)
		b.machines.comeBack(one)
		if err := b.open(ctx); err != nil {
			return err
		}
	}
	b.result.Loss.Units, b.result.Loss.Commit = float64(units)/float64(max(b.Losses, 1)), commit.latency()
	return b.settle(ctx, b.Units+b.lost)
}

// lose takes a machine away, and returns how many units it had and how long it took,
// from the applied end of its session until they all have another place.
func (b *bench) lose(one *machine) (units int, took time.Duration, err error) {
	lead := b.cluster.Leader()
	all := b.Units + b.lost
	if err := lead.Look(func(n *node.Node) { units = len(n.State().Fleet().PlacedOn(one.id)) }); err != nil {
		return 0, 0, err
	}
	b.machines.leave(one)
	var over, placed bool
	var ended time.Time
	look := func(n *node.Node) {
		s := n.State().Fleet()
		m, _ := s.Machine(one.id)
		over = m.Session == 0
		placed = s.Placements() == all
	}
	for late := time.Now().Add(settleWait); time.Now().Before(late); {
		if err := lead.Look(look); err != nil {
			return 0, 0, err
		}
		switch {
		case over && ended.IsZero():
			ended = time.Now()
		case !ended.IsZero() && placed:
			return units, time.Since(ended), nil
		}
	}
	return 0, 0, errors.New("units of a lost machine have no other place")
}
