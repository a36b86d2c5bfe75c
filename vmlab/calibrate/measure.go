package calibrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"drydock/chaos"
	"drydock/scenarios/scenario"
	"drydock/vmlab/lab"
)

// How a lab is measured.
const (
	// probePort is where probes answer one another.
	probePort = 7099
	// usualDelay is what the lab's wire is told to delay messages by, as in the runs of
	// scenarios: what is measured is what they take beyond it.
	usualDelay = time.Millisecond
	// messageBytes is a message's size: that of an append of a few small commands.
	messageBytes = 512
	// What is measured comes at a quiet pace, so that nothing waits for what was
	// measured before it.
	messageEvery = 1 * time.Millisecond
	syncEvery    = 3 * time.Millisecond
	requestEvery = 2 * time.Millisecond
	// pollEvery is how often a starting node is asked, readyTime how long the lab may
	// take to be healthy.
	pollEvery = time.Millisecond
	readyTime = 3 * time.Minute
)

// Options are what is measured, and how thoroughly.
type Options struct {
	Driver lab.Driver
	// Binary is the program that nodes run; Images the directory of images, for
	// drivers that take one.
	Binary, Images string
	// Nodes is how many members the lab has, at least 2.
	Nodes int
	// Messages are measured on each link, Syncs on each disk, Requests to each member;
	// each member is started anew Starts times, its machine half as often.
	Messages, Syncs, Requests, Starts int
	// Tell, unless nil, is told what is being done.
	Tell func(what string)

	_ struct{}
}

// Measurement is a lab's profile, with where it was taken.
type Measurement struct {
	Profile *scenario.Profile `json:"-"`
	Links   []Place           `json:"links"`
	Disks   []Place           `json:"disks"`
	Members []Place           `json:"requests"`
	Starts  []Place           `json:"starts"`
	Boots   []Place           `json:"boots"`
	// Halves says that both ways of a link are half of the time for both.
	Halves bool          `json:"halves,omitempty"`
	Took   time.Duration `json:"took"`
}

// Place is what was measured in one place.
type Place struct {
	Name   string          `json:"name"`
	Spread scenario.Spread `json:"spread"`
}

// labOf is a lab that is measured.
type labOf struct {
	o      *Options
	site   lab.Site
	ground lab.Ground
	http   *http.Client
}

// Measure makes a lab, measures it and removes it.
func Measure(ctx context.Context, o Options) (m *Measurement, err error) {
	if o.Tell == nil {
		o.Tell = func(string) {}
	}
	if o.Nodes < 2 || o.Nodes > lab.MaxMembers {
		return nil, fmt.Errorf("%d machines: a link has two ends, and a cluster at most %d members", o.Nodes, lab.MaxMembers)
	}
	dir, err := os.MkdirTemp("", "drydock-calibrate-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	l, err := newLab(ctx, &o, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	watch := WatchPressure()
	defer watch.Stop()
	began := time.Now()
	if err := l.boot(ctx); err != nil {
		return nil, err
	}
	m = new(Measurement)
	calm := time.Now()
	links, err := l.links(ctx, m)
	if err != nil {
		return nil, err
	}
	disks, err := l.disks(ctx, m)
	if err != nil {
		return nil, err
	}
	requests, err := l.requests(ctx, m)
	if err != nil {
		return nil, err
	}
	pressure := watch.Between(calm, time.Now())
	starts, boots, err := l.lives(ctx, m)
	if err != nil {
		return nil, err
	}
	m.Took = time.Since(began)
	m.Profile = &scenario.Profile{
		Version: scenario.ProfileVersion, Driver: o.Driver.Name(), Machines: o.Nodes, Host: Host(), Made: began.UTC().Format(time.RFC3339),
		Pressure: chaos.Probability(pressure.Foreign), Link: links, Fsync: disks, Request: requests, Start: starts, Boot: boots,
	}
	return m, nil
}

// newLab opens a lab of members in a directory.
func newLab(ctx context.Context, o *Options, dir string) (*labOf, error) {
	images, err := filepath.Abs(o.Images)
	if err != nil {
		return nil, err
	}
	spec := lab.Default(o.Nodes)
	spec.Name, spec.Driver = "calibrate", o.Driver.Name()
	spec.Links = []lab.Link{{Delay: usualDelay}}
	l := &labOf{o: o, site: lab.Site{
		Lab: "calibrate", Dir: filepath.Join(dir, "labs", "calibrate"), Binary: lab.Program(o.Binary), Spec: spec,
		Machines: spec.MachineList(), Token: "calibrate", JoinToken: "calibrate", Images: images,
	}}
	for i := range l.site.Machines {
		l.site.Machines[i].Ports = nil
		if err := os.MkdirAll(l.site.MachineDir(l.site.Machines[i].Name), 0o755); err != nil {
			return nil, err
		}
	}
	ground, err := o.Driver.Open(ctx, l.site)
	if err != nil {
		return nil, err
	}
	l.ground = ground
	l.http = &http.Client{Timeout: time.Second, Transport: &http.Transport{DialContext: ground.Dial, MaxIdleConnsPerHost: 1}}
	return l, nil
}

func (l *labOf) close() error {
	l.http.CloseIdleConnections()
	return l.ground.Close()
}

// each does something with every machine at once, and gathers what it gives.
func each[T any](l *labOf, do func(m *lab.Machine) (T, error)) ([]T, error) {
	out, errs := make([]T, len(l.site.Machines)), make([]error, len(l.site.Machines))
	var wait sync.WaitGroup
	for i := range l.site.Machines {
		wait.Go(func() { out[i], errs[i] = do(&l.site.Machines[i]) })
	}
	wait.Wait()
	return out, errors.Join(errs...)
}

// boot switches all machines on until all are healthy.
func (l *labOf) boot(ctx context.Context) error {
	l.o.Tell(fmt.Sprintf("booting %d machines", l.o.Nodes))
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	_, err := each(l, func(m *lab.Machine) (struct{}, error) {
		if err := l.ground.Boot(ctx, m); err != nil {
			return struct{}{}, fmt.Errorf("%s: %w", m.Name, err)
		}
		return struct{}{}, l.until(ctx, m, "/health", 20*time.Millisecond)
	})
	return err
}

// until asks a member until it answers a request well.
func (l *labOf) until(ctx context.Context, m *lab.Machine, path string, every time.Duration) error {
	for {
		err := l.get(ctx, m, path)
		if err == nil {
			return nil
		}
		if waited := pause(ctx, every); waited != nil {
			return fmt.Errorf("%s does not answer %s (%w); its console is %s: %w", m.Name, path, err, l.site.Console(m.Name), waited)
		}
	}
}

// get asks a member for a page.
func (l *labOf) get(ctx context.Context, m *lab.Machine, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.ClientURL()+path, nil)
	if err != nil {
		return err
	}
	resp, err := l.http.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return err
}

// links measures every pair of machines, one after another.
func (l *labOf) links(ctx context.Context, m *Measurement) (scenario.Spread, error) {
	var all []time.Duration
	list := l.site.Machines
	for i := range list {
		for j := i + 1; j < len(list); j++ {
			l.o.Tell(fmt.Sprintf("%d messages between %s and %s", l.o.Messages, list[i].Name, list[j].Name))
			w, err := l.ways(ctx, &list[i], &list[j])
			if err != nil {
				return scenario.Spread{}, err
			}
			m.Halves = m.Halves || w.Halves
			beyond(w.There)
			beyond(w.Back)
			m.Links = append(m.Links, place(list[i].Name+" → "+list[j].Name, w.There), place(list[j].Name+" → "+list[i].Name, w.Back))
			all = append(append(all, w.There...), w.Back...)
		}
	}
	return spread(all), nil
}

// beyond takes the wire's delay from times.
func beyond(times []time.Duration) {
	for i := range times {
		times[i] = max(times[i]-usualDelay, 1) // none is no time
	}
}

// disks measures all disks at once, as members use them.
func (l *labOf) disks(ctx context.Context, m *Measurement) (scenario.Spread, error) {
	l.o.Tell(fmt.Sprintf("%d syncs on each disk", l.o.Syncs))
	lists, err := each(l, func(one *lab.Machine) ([]time.Duration, error) { return l.syncs(ctx, one) })
	if err != nil {
		return scenario.Spread{}, err
	}
	m.Disks = l.places(lists)
	return spread(slices.Concat(lists...)), nil
}

// requests measures requests that a member answers by itself, one member at a time,
// and counts half of each for either way.
func (l *labOf) requests(ctx context.Context, m *Measurement) (scenario.Spread, error) {
	l.o.Tell(fmt.Sprintf("%d requests to each member", l.o.Requests))
	lists := make([][]time.Duration, len(l.site.Machines))
	for i := range l.site.Machines {
		one := &l.site.Machines[i]
		if err := l.get(ctx, one, "/version"); err != nil { // the connection is there after it
			return scenario.Spread{}, fmt.Errorf("%s: %w", one.Name, err)
		}
		for range l.o.Requests {
			if err := pause(ctx, requestEvery); err != nil {
				return scenario.Spread{}, err
			}
			began := time.Now()
			if err := l.get(ctx, one, "/version"); err != nil {
				return scenario.Spread{}, fmt.Errorf("%s: %w", one.Name, err)
			}
			lists[i] = append(lists[i], time.Since(began)/2)
		}
	}
	m.Members = l.places(lists)
	return spread(slices.Concat(lists...)), nil
}

// lives kills members, one at a time, starts them again and waits until they answer;
// and so with whole machines, whose power it cuts.
func (l *labOf) lives(ctx context.Context, m *Measurement) (starts, boots scenario.Spread, err error) {
	if m.Starts, starts, err = l.again(ctx, "start", l.o.Starts, l.ground.KillNode, func(_ context.Context, one *lab.Machine) error {
		return l.ground.StartNode(one.Name)
	}); err != nil {
		return starts, boots, err
	}
	m.Boots, boots, err = l.again(ctx, "boot", (l.o.Starts+1)/2, l.ground.Cut, l.ground.Boot)
	return starts, boots, err
}

// again ends and starts each member so often, one at a time.
func (l *labOf) again(ctx context.Context, what string, rounds int, end func(name string) error, start func(context.Context, *lab.Machine) error) ([]Place, scenario.Spread, error) {
	lists := make([][]time.Duration, len(l.site.Machines))
	for round := range rounds {
		l.o.Tell(fmt.Sprintf("%s %d of %d of each member", what, round+1, rounds))
		for i := range l.site.Machines {
			one := &l.site.Machines[i]
			if err := end(one.Name); err != nil {
				return nil, scenario.Spread{}, fmt.Errorf("%s: %w", one.Name, err)
			}
			took, err := l.start(ctx, one, start)
			if err != nil {
				return nil, scenario.Spread{}, err
			}
			lists[i] = append(lists[i], took)
		}
	}
	return l.places(lists), spread(slices.Concat(lists...)), nil
}

// start starts a member that has ended; it is healthy again when this returns.
func (l *labOf) start(ctx context.Context, m *lab.Machine, start func(context.Context, *lab.Machine) error) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	l.http.CloseIdleConnections()
	began := time.Now()
	if err := start(ctx, m); err != nil {
		return 0, fmt.Errorf("%s: %w", m.Name, err)
	}
	if err := l.until(ctx, m, "/version", pollEvery); err != nil {
		return 0, err
	}
	took := time.Since(began)
	return took, l.until(ctx, m, "/health", 10*time.Millisecond)
}

// places names what was measured on each machine.
func (l *labOf) places(lists [][]time.Duration) []Place {
	var out []Place
	for i := range lists {
		out = append(out, place(l.site.Machines[i].Name, lists[i]))
	}
	return out
}

func place(name string, times []time.Duration) Place { return Place{Name: name, Spread: spread(times)} }

// spread sums up times, of which there is one at least, to three digits.
func spread(times []time.Duration) scenario.Spread {
	sorted := slices.Sorted(slices.Values(times))
	for i, d := range sorted {
		unit := time.Duration(1)
		for d/unit >= 1000 {
			unit *= 10
		}
		sorted[i] = d.Round(unit)
	}
	return scenario.SpreadOf(sorted)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
