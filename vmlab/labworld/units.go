package labworld

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"drydock/chaos"
	"drydock/node/runtime/lease"
	"drydock/scenarios/runner"
	"drydock/sim/history"
	"drydock/vmlab/lab"
	"drydock/vmlab/work"
)

// guestWork is where machines have the program that units run.
const guestWork = "/srv/drydock"

// fleetSide is a run's machines that run units, and the units.
type fleetSide struct {
	r      *run
	places []*place
	by     map[string]*place
	users  *users
	// base is when the run began, by package lease's clock.
	base time.Duration

	mu     sync.Mutex
	over   bool
	lives  []*living
	wishes []history.FleetWish
	hangs  []unitFault
	fails  []unitFault
	looked time.Duration
	// rest of the record, by finish.
	record history.Fleet
}

// place is a machine that runs units.
type place struct {
	name, id string
	dir      string // of its share
	observer *work.Observer
	heard    heard
	// cuts are when it lost its power, the last one's end far away while that goes on.
	cuts []window
}

// window is a stretch of time.
type window struct{ from, to time.Duration }

// living is a process of a unit, which may have ended.
type living struct {
	at      *place
	process *work.Process
	ended   bool
	life    life
}

// noUnits refuses what is about units where a driver's machines can't be watched.
func noUnits(d lab.Driver, what string) error {
	return &lab.MissingError{What: what, Driver: d.Name(), Why: "units are watched through memory that their machines share with the host: netns and nspawn do"}
}

// newFleetSide prepares the machines that run units: it adds to the site. It is nil
// where none does.
func newFleetSide(r *run) (_ *fleetSide, err error) {
	machines := r.s.FleetMachines()
	if len(machines) == 0 {
		return nil, nil
	}
	if r.world.driver.Capabilities().Has(lab.HasKernel) {
		return nil, noUnits(r.world.driver, "units")
	}
	f := &fleetSide{r: r, by: make(map[string]*place)}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	program := ""
	for i := range machines {
		m := r.site.Machine(machines[i].Name)
		p := &place{name: m.Name, id: m.ID, dir: filepath.Join(r.site.Dir, "units", m.Name), heard: heard{lease: leaseOf(r.s)}}
		machines[i].ID = m.ID
		if program, err = install(r.site.Binary, program, p.dir); err != nil {
			return nil, err
		}
		if p.observer, err = work.Observe(p.dir, ear{f, p}); err != nil {
			return nil, err
		}
		m.Shares = append(m.Shares, lab.Share{Host: p.dir, Guest: guestWork})
		f.places, f.by[p.name] = append(f.places, p), p
	}
	f.record.Machines, f.record.Units = machines, r.s.FleetUnits()
	f.users = newUsers(f)
	return f, nil
}

// install puts the program into a share: another name of the one that another share
// has, or of the original, or a copy.
func install(binary, other, dir string) (string, error) {
	to := filepath.Join(dir, work.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if other != "" {
		return other, os.Link(other, to)
	}
	if os.Link(binary, to) == nil {
		return to, nil
	}
	in, err := os.Open(binary)
	if err != nil {
		return "", err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err == nil {
		_, err = io.Copy(out, in)
		err = errors.Join(err, out.Close())
	}
	return to, errors.Join(err, in.Close())
}

// close ends the observers; a nil side has none.
func (f *fleetSide) close() error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	f.over = true
	f.mu.Unlock()
	var errs []error
	for _, p := range f.places {
		if p.observer != nil {
			errs = append(errs, p.observer.Close())
		}
	}
	return errors.Join(errs...)
}

// begin has users come and leases read until ctx ends.
func (f *fleetSide) begin(ctx context.Context) {
	f.mu.Lock()
	f.base = lease.Now() - time.Since(f.r.stage.began)
	f.looked = lease.Now()
	f.mu.Unlock()
	f.users.begin(ctx)
}

// follow reads leases until ctx ends.
func (f *fleetSide) follow(ctx context.Context) {
	for rest(ctx, lookEvery) == nil {
		f.look()
	}
}

func (f *fleetSide) look() {
	type said struct {
		p    *place
		word lease.Until
	}
	var words []said
	for _, p := range f.places {
		dir := f.runDir(p)
		if dir == "" {
			continue
		}
		if word, err := lease.Peek(filepath.Join(dir, "lease")); err == nil {
			words = append(words, said{p, word})
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := lease.Now()
	if now-f.looked > lookEvery+starved || crowded() {
		for _, p := range f.places {
			p.heard.awake = now
		}
	}
	f.looked = now
	for _, w := range words {
		w.p.heard.hear(w.p.name, w.word, now, f.base)
	}
}

// ear hears of one machine's processes. It implements work.Watcher.
type ear struct {
	f *fleetSide
	p *place
}

// Called implements work.Watcher.
func (e ear) Called(p *work.Process) (fails, hangs bool) {
	f := e.f
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lives = append(f.lives, &living{at: e.p, process: p, life: life{machine: e.p.name, unit: p.Unit, hash: f.users.hashOf(p.Unit, p.Edition)}})
	f.tell(e.p, fmt.Sprintf("%s runs %s", e.p.name, p.Unit))
	match := func(u unitFault) bool { return u.strikes(e.p.name, p.Unit) }
	return slices.ContainsFunc(f.fails, match), slices.ContainsFunc(f.hangs, match)
}

// Gone implements work.Watcher. How things stand is looked up at once: the end is
// explained by it.
func (e ear) Gone(p *work.Process) {
	f, seen := e.f, p.Seen()
	guards := seen.Exits == 0 && f.guarding(e.p, seen.Beat, lease.Now())
	f.mu.Lock()
	defer f.mu.Unlock()
	at := slices.IndexFunc(f.lives, func(l *living) bool { return l.process == p })
	if f.over || at < 0 {
		return
	}
	l, h, now := f.lives[at], &e.p.heard, lease.Now()
	l.ended, l.life.seen, l.life.guarded = true, seen, guards
	l.life.power = slices.ContainsFunc(e.p.cuts, func(w window) bool { return seen.Beat <= w.to && seen.Gone >= w.from })
	l.life.cut, l.life.reborn = h.isCut(seen.Began, now), h.dead || h.reborn >= seen.Began
	l.life.awake = !h.dead && !h.paused && now-h.awake >= wakeful
	f.tell(e.p, fmt.Sprintf("%s on %s has ended: %s", p.Unit, e.p.name, l.life.why()))
}

// tell puts a line about units into the timeline of a run that has few of them.
func (f *fleetSide) tell(p *place, text string) {
	if len(f.record.Units) > 24 || len(f.places) > 12 || f.over || f.base == 0 {
		return
	}
	at := f.r.stage.now()
	// Processes begin and end where nobody may wait for the stage.
	go f.r.stage.post(func() { f.r.mark(at, p.name, text, runner.MarkInfo) })
}

// busy says whether a machine has a process of a unit.
func (f *fleetSide) busy(name string) bool {
	if f == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.lives, func(l *living) bool { return !l.ended && l.at.name == name })
}

// runs says whether a machine runs units.
func (f *fleetSide) runs(name string) bool { return f != nil && f.by[name] != nil }

// striking is told of a fault before it strikes; the answer is to be called afterwards
// with what came of it.
func (f *fleetSide) striking(fault chaos.Fault) (struck func(err error)) {
	if f == nil {
		return func(error) {}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	before := lease.Now()
	var places []*place
	for _, name := range fault.Nodes {
		if p := f.by[name]; p != nil {
			places = append(places, p)
		}
	}
	power := losesPower(fault)
	for _, p := range places {
		if power {
			p.cuts = append(p.cuts, window{before, forever})
		}
	}
	return func(err error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		now := lease.Now()
		for _, p := range places {
			if power {
				p.cuts[len(p.cuts)-1].to = now
			}
			f.struck(p, fault.Kind, err, before, now)
		}
	}
}

const forever = time.Duration(1<<63 - 1)

// losesPower says whether a fault takes machines' power.
func losesPower(f chaos.Fault) bool {
	switch p := f.Params.(type) {
	case *chaos.Crash:
		return p.LoseUnsynced
	case *chaos.PowerLoss:
		return p.LoseUnsynced
	}
	return false
}

// struck notes what a fault has done to a machine's agent.
func (f *fleetSide) struck(p *place, kind chaos.Kind, err error, before, now time.Duration) {
	h := &p.heard
	switch {
	case err != nil:
	case (kind == chaos.KindCrash || kind == chaos.KindPowerLoss) && !h.dead:
		h.died(p.name, before, f.base)
	case kind == chaos.KindRestart && h.dead:
		h.lives(now, f.base)
	case kind == chaos.KindPause:
		h.paused, h.awake = true, now
	}
}

// resumed is told that a pause of machines has ended.
func (f *fleetSide) resumed(fault chaos.Fault) {
	if f == nil || fault.Kind != chaos.KindPause {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range fault.Nodes {
		if p := f.by[name]; p != nil {
			p.heard.paused, p.heard.awake = false, lease.Now()
		}
	}
}
