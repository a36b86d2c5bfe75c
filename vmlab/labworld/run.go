package labworld

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"drydock/chaos"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/sim/history"
	"drydock/vmlab/evidence"
	"drydock/vmlab/inject"
	"drydock/vmlab/lab"
	"drydock/vmlab/load"
)

// Times of a run's beginning and end.
const (
	// readyTime is how long machines may take until they are healthy, at the start, and
	// bootTime those that boot a system of their own.
	readyTime = 60 * time.Second
	bootTime  = 4 * time.Minute
	// lastTime is how long each member may take for the last write and read.
	lastTime = 30 * time.Second
	// haltTime is how long machines may take to halt.
	haltTime = 45 * time.Second
	// lastClient begins the names of those who ask after the run's end.
	lastClient = "end"
	// dialTime is a client's patience with a machine that doesn't answer at all.
	dialTime = 250 * time.Millisecond
)

// run is one run of a scenario.
type run struct {
	world world
	spec  runner.Spec
	s     *scenario.Scenario
	site  *lab.Site

	ground   lab.Ground
	injector *inject.Injector
	http     *http.Client // of the run itself
	stage    *stage
	rec      *load.Recorder
	conduct  *chaos.Conductor
	leaders  *watch
	logs     *evidence.Disks
	seats    map[string]*seat  // of members, by name
	glances  map[string]glance // of machines, by name; the stage's
	// changes guards joined: the machines that were set up anew, to join the cluster.
	changes sync.Mutex
	joined  map[string]bool
	// errands are what the operator is about beside the stage.
	errands sync.WaitGroup
	// stall is the longest time that the machine stood still; use: pulse, and then the
	// run's end.
	stall struct{ longest, at time.Duration }
	res   *runner.Result
	fleet *fleetSide // nil where no machine runs units
	// open are the faults, by their place in the result, that leave no majority.
	open []int
}

func newRun(w world, spec runner.Spec, dir string) (*run, error) {
	site, err := siteOf(w, spec.Scenario, spec.Seed, dir)
	if err != nil {
		return nil, err
	}
	r := &run{world: w, spec: spec, s: spec.Scenario, site: site, res: &runner.Result{Nodes: append(spec.Scenario.Nodes(), spec.Scenario.Workers()...)}}
	r.newSeats()
	r.glances = map[string]glance{}
	r.logs = r.disks()
	r.fleet, err = newFleetSide(r)
	return r, err
}

// carryOut makes the lab, plays the scenario and gathers the evidence.
func (r *run) carryOut(ctx context.Context) (res *runner.Result, err error) {
	defer func() { err = errors.Join(err, r.fleet.close()) }()
	if r.ground, err = r.world.driver.Open(ctx, *r.site); err != nil {
		return nil, err
	}
	closed := false
	closeAll := func() error {
		if closed {
			return nil
		}
		closed = true
		return r.ground.Close()
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	r.injector = &inject.Injector{Site: r.site, Driver: r.world.controlled(), Ground: r.ground}
	r.http = &http.Client{Timeout: time.Second, Transport: &http.Transport{DialContext: r.dial, MaxIdleConnsPerHost: 2}}
	defer r.http.CloseIdleConnections()
	if err := r.usual(); err != nil {
		return nil, err
	}
	if err := r.boot(ctx); err != nil {
		return nil, err
	}
	if err := r.fleet.ready(ctx); err != nil {
		return nil, err
	}
	if r.logs.Founders, err = r.founders(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := r.play(ctx); err != nil {
		return nil, err
	}
	if err := r.gather(ctx); err != nil {
		return nil, err
	}
	if err := r.halt(); err != nil {
		return nil, err
	}
	if err := closeAll(); err != nil {
		return nil, err
	}
	return r.result()
}

// boot switches all machines on and waits until every member is healthy.
func (r *run) boot(outer context.Context) error {
	ctx, cancel := context.WithTimeout(outer, r.patience())
	defer cancel()
	errs := make(chan error, len(r.site.Machines))
	for i := range r.site.Machines {
		m := &r.site.Machines[i]
		go func() {
			var err error
			if !m.Joins {
				err = r.bootOne(ctx, outer, m)
			}
			errs <- err
		}()
	}
	var all []error
	for range r.site.Machines {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

// patience is how long machines may take until they are healthy.
func (r *run) patience() time.Duration {
	if r.world.near() {
		return readyTime
	}
	return bootTime
}

// bootOne boots one machine, and waits for a member's health. An error that isn't the
// caller's end shows the end of the machine's console.
func (r *run) bootOne(ctx, outer context.Context, m *lab.Machine) error {
	err := r.ground.Boot(ctx, m)
	for err == nil && m.Role == lab.RoleMember && !r.healthy(ctx, m) {
		if rest(ctx, 20*time.Millisecond) != nil {
			err = fmt.Errorf("it is not healthy after %s", r.patience())
		}
	}
	switch {
	case err == nil:
		return nil
	case outer.Err() != nil:
		return outer.Err()
	}
	// The deadline is the machine's, and not the run's.
	return fmt.Errorf("%s does not come up: %v; the end of its console:\n%s", m.Name, err, lastLines(r.site.Console(m.Name)))
}

// play has clients ask while faults strike, heals, and ends with every member
// answering once more.
func (r *run) play(ctx context.Context) error {
	began := time.Now()
	r.rec = load.NewRecorder(began, nil)
	inner, calm := context.WithCancel(ctx)
	defer calm()
	r.stage = newStage(inner, began, r.spec.Seed, r.note)
	t := target{r}
	r.conduct = chaos.NewConductor(r.s.Plan(r.spec.Seed, r.world.Supports), t, r.stage)
	r.leaders = newWatch(r)
	var group, asked sync.WaitGroup
	group.Go(func() { r.leaders.follow(inner) })
	group.Go(func() { r.leaders.applied(inner) })
	group.Go(func() { r.pulse(inner) })
	asking, quiet := context.WithCancel(inner)
	r.clients(asking, &asked)
	if r.fleet != nil {
		r.fleet.begin(asking)
		group.Go(func() { r.fleet.follow(inner) })
	}
	if r.s.Rest > 0 {
		ceases := time.AfterFunc(time.Until(began.Add(r.s.Duration-r.s.Rest)), quiet)
		defer ceases.Stop()
	}
	r.stage.post(r.conduct.Start)
	err := r.stage.run(r.s.HealAt)
	if err == nil {
		r.conduct.Heal()
		r.res.HealedAt = r.stage.now()
		// Machines that are slow to be struck and healed get the whole of the rest.
		err = r.stage.run(max(r.s.Duration, r.res.HealedAt+r.s.Duration-r.s.HealAt))
	}
	r.res.Simulated = r.stage.now()
	quiet()
	asked.Wait() // what they asked for is over before anything else is asked
	if r.fleet != nil {
		r.fleet.users.end()
		r.res.Fleet = r.fleet.finish(ctx)
	}
	if err == nil && ctx.Err() == nil {
		r.last(ctx)
	}
	calm()
	group.Wait()
	r.errands.Wait()
	return err
}

// last has every member answer a write and then a read: what was promised before is
// by then known to be committed, and on the disks.
func (r *run) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastTime)
	defer cancel()
	// They are no part of the run, whose end has come.
	rec := load.NewRecorder(r.stage.began, nil)
	for round := range 2 {
		for i := range (members{r}).Size() {
			name := r.site.Machines[i].Name
			if r.seats[name].outside.Load() {
				continue
			}
			c := load.NewClient(fmt.Sprintf("%s%d-%s", lastClient, round+1, name), members{r}, rec, load.Options{Seed: r.spec.Seed, Dial: r.dial, Pinned: true})
			for _, kind := range []history.Kind{history.Put, history.Get} {
				if op := c.Insist(ctx, i, kind); op.Status != history.OK {
					r.res.Broken = append(r.res.Broken, fmt.Sprintf("healed, %s answers no %s within %v: %s, %s", name, kind, lastTime, op.Status, op.Error))
				}
			}
			c.Close()
		}
	}
}

// halt stops the members in good order, so that their logs can be read. The others hold
// nothing that anybody reads, and a unit that hangs may keep a systemd for long.
func (r *run) halt() error {
	ctx, cancel := context.WithTimeout(context.Background(), haltTime)
	defer cancel()
	errs := make(chan error, len(r.site.Machines))
	for i := range r.site.Machines {
		name, reads := r.site.Machines[i].Name, r.site.Machines[i].Role == lab.RoleMember && r.world.near()
		go func() {
			var err error
			switch {
			case r.ground.Vitals(name).Power == lab.PowerOff:
			case !reads:
				err = r.ground.Cut(name)
			default:
				if err = r.ground.Halt(ctx, name); errors.Is(err, context.DeadlineExceeded) {
					err = fmt.Errorf("%s has not halted after %s", name, haltTime) // it is no end of the run's time
				}
			}
			errs <- err
		}()
	}
	var all []error
	for range r.site.Machines {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

// disks are the members' logs.
func (r *run) disks() *evidence.Disks {
	var names, dirs []string
	for i := range r.site.Machines {
		if m := &r.site.Machines[i]; m.Role == lab.RoleMember {
			names, dirs = append(names, m.Name), append(dirs, r.dataDir(m))
		}
	}
	return evidence.New(names, dirs)
}

// guestData is where a machine's directory has what its node keeps.
const guestData = "root" + lab.GuestData

// dataDir is a machine's data directory on the host, or what was gathered of it.
func (r *run) dataDir(m *lab.Machine) string {
	if !r.world.near() {
		return filepath.Join(r.site.Dir, gatheredDir, m.Name)
	}
	return inject.DataDir(r.site, m)
}

// dial connects from the lab's network, where nobody answers not for long.
func (r *run) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	return r.ground.Dial(ctx, network, address)
}

// members are where clients find the cluster: the machines of members, of whom those
// that are not in it are left out.
type members struct{ r *run }

// Size implements load.Cluster.
func (m members) Size() int { return len(m.r.seats) }

// Name implements load.Cluster.
func (m members) Name(i int) string { return m.at(i).Name }

// URL implements load.Cluster.
func (m members) URL(i int) string { return m.at(i).ClientURL() }

// at is the i-th machine, or the next that is in the cluster.
func (m members) at(i int) *lab.Machine {
	for k := range m.Size() {
		if one := &m.r.site.Machines[(i+k)%m.Size()]; !m.r.seats[one.Name].outside.Load() {
			return one
		}
	}
	return &m.r.site.Machines[i]
}

func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
