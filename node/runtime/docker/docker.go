package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"drydock/node/runtime"
	"drydock/node/unit"
)

// Options say where the engine is and what else there is to know.
type Options struct {
	// Socket is the engine's Unix socket; empty is DefaultSocket.
	Socket string
	// Dir is for records; another runtime may have its own in it. It is needed.
	Dir string
	// Facts are what specifiers in unit files stand for.
	Facts unit.Facts
	// Report is called when a unit's state has changed, by a goroutine of the
	// runtime, which it must not hold up.
	Report func(runtime.State)
}

// Docker is another runtime that sees to containers, too. It implements
// runtime.Runtime.
type Docker struct {
	runtime.Runtime // who runs units
	opt             Options
	engine          *engine
	ctx             context.Context
	cancel          context.CancelFunc
	tasks           sync.WaitGroup
	// saving is held while a record is written.
	saving sync.Mutex

	// mu guards what follows.
	mu     sync.Mutex
	closed bool
	units  map[string]*entry
}

var _ runtime.Runtime = (*Docker)(nil)

// entry is a unit that has containers, or may have.
type entry struct {
	record record
	// pid is the main process that was last reported, ended that an end was.
	pid   int
	ended bool
	// working says that somebody removes containers, or does what has waited for
	// that: later. cleaning says that until now the unit doesn't count as ended;
	// problem is why that takes long, told what was said of it.
	working, cleaning bool
	problem, told     string
	later             []func()
	// What the cleaning is to remove may grow meanwhile; again says that it has.
	goal  goal
	again bool
	// held is the last report that waits for the end of the cleaning.
	held *runtime.State
}

// goal is which of a unit's containers are to go.
type goal struct {
	// ended ones go, too: the unit is unloaded.
	ended bool
	// unused ones go and no others: those that have never run.
	unused bool
	// before is when they must have been made, unless it is zero: others belong to
	// a start after the end that is cleaned up after.
	before time.Time
}

// add has the goal take in another.
func (g *goal) add(other goal) {
	g.ended = g.ended || other.ended
	switch {
	case other.before.IsZero():
		g.before = time.Time{}
	case !g.before.IsZero() && g.before.Before(other.before):
		g.before = other.before
	}
}

// Wrap makes a runtime with inner, which is handed the function to report to, and
// stands around it. It must be shut down or closed, which does so to inner.
func Wrap(opt Options, inner func(report func(runtime.State)) (runtime.Runtime, error)) (*Docker, error) {
	if opt.Dir == "" {
		return nil, errors.New("docker: a directory for records is needed")
	}
	if err := os.MkdirAll(opt.Dir, 0o711); err != nil {
		return nil, fmt.Errorf("docker: %w", err)
	}
	d := &Docker{opt: opt, engine: newEngine(opt.Socket), units: make(map[string]*entry)}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	records, err := readRecords(opt.Dir)
	if err != nil {
		return nil, fmt.Errorf("docker: %w", err)
	}
	for _, r := range records {
		d.units[r.Unit] = &entry{record: r}
	}
	d.Runtime, err = inner(d.report)
	if err != nil {
		return nil, err
	}
	for _, s := range d.Runtime.List() {
		d.report(s)
	}
	return d, nil
}

// Load implements runtime.Runtime.
func (d *Docker) Load(u *unit.Unit) error {
	if err := d.remember(u); err != nil {
		return fmt.Errorf("%s: %w", u.Name(), err)
	}
	return d.Runtime.Load(u)
}

// remember notes what a unit's commands say of containers.
func (d *Docker) remember(u *unit.Unit) error {
	var list []claim
	speaks := false
	// What this can't read the other runtime judges.
	if def, err := u.Define(d.opt.Facts); err == nil {
		list, speaks = claims(def)
	}
	name := u.Name().String()
	d.mu.Lock()
	e := d.units[name]
	if e == nil && !speaks {
		d.mu.Unlock()
		return nil
	}
	if e == nil {
		e = &entry{record: record{Unit: name}}
		d.units[name] = e
	}
	// What the text before has made may still run.
	for _, old := range e.record.Claims {
		if len(e.record.Starts) > 0 && !slices.ContainsFunc(list, old.equals) {
			list = append(list, old)
		}
	}
	e.record.Claims = list
	d.mu.Unlock()
	return d.save(e)
}

func (cl claim) equals(other claim) bool {
	return cl.Name == other.Name && cl.Image == other.Image && cl.Open == other.Open && slices.Equal(cl.Args, other.Args)
}

// save writes a unit's record.
func (d *Docker) save(e *entry) error {
	d.saving.Lock()
	defer d.saving.Unlock()
	d.mu.Lock()
	r := e.record
	r.Claims, r.Starts = slices.Clone(r.Claims), slices.Clone(r.Starts)
	d.mu.Unlock()
	return r.save(d.opt.Dir)
}

// entryOf returns what is known of a unit's containers, nil if it has none.
func (d *Docker) entryOf(name string) *entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.units[name]
}

// after calls f when no containers of a unit are being removed, in order, or at
// once.
func (d *Docker) after(name string, f func()) {
	d.mu.Lock()
	if e := d.units[name]; e != nil && e.working {
		e.later = append(e.later, f)
		d.mu.Unlock()
		return
	}
	d.mu.Unlock()
	f()
}

// begin notes a start, and says why it can't be.
func (d *Docker) begin(name string) error {
	e := d.entryOf(name)
	if e == nil {
		return nil
	}
	d.mu.Lock()
	e.record.started(time.Now())
	d.mu.Unlock()
	return d.save(e)
}

// starting is for requests that may start a unit.
func (d *Docker) starting(name string, request func(string, func(runtime.Outcome)), done func(runtime.Outcome)) {
	d.tidy(name)
	d.after(name, func() {
		if err := d.begin(name); err != nil {
			if done != nil {
				done(runtime.Outcome{Result: "failed", Reason: err.Error()})
			}
			return
		}
		request(name, done)
	})
}

// Start implements runtime.Runtime.
func (d *Docker) Start(name string, done func(runtime.Outcome)) {
	d.starting(name, d.Runtime.Start, done)
}

// Restart implements runtime.Runtime. Of a unit with containers, those of before
// must have gone before there are new ones.
func (d *Docker) Restart(name string, done func(runtime.Outcome)) {
	if d.entryOf(name) == nil {
		d.Runtime.Restart(name, done)
		return
	}
	d.Stop(name, func(o runtime.Outcome) {
		if o.Done() {
			d.Start(name, done)
		} else if done != nil {
			done(o)
		}
	})
}

// Stop implements runtime.Runtime.
func (d *Docker) Stop(name string, done func(runtime.Outcome)) {
	d.after(name, func() {
		d.Runtime.Stop(name, d.cleaned(name, goal{}, done))
	})
}

// Unload implements runtime.Runtime.
func (d *Docker) Unload(name string, done func(runtime.Outcome)) {
	d.after(name, func() {
		d.Runtime.Unload(name, d.cleaned(name, goal{ended: true}, done))
	})
}

// cleaned has done called when the unit has no containers any more.
func (d *Docker) cleaned(name string, g goal, done func(runtime.Outcome)) func(runtime.Outcome) {
	if d.entryOf(name) == nil {
		return done
	}
	return func(o runtime.Outcome) {
		// One that an earlier life has left may be known by its containers alone.
		if _, err := d.Runtime.State(name); errors.Is(err, runtime.ErrNotFound) && g.ended {
			o = runtime.Outcome{Result: "done"}
		}
		if o.Done() {
			g.before = time.Now()
			d.clean(name, g)
		}
		d.after(name, func() {
			if done != nil {
				done(o)
			}
		})
	}
}

// Kill implements runtime.Runtime.
func (d *Docker) Kill(name string) {
	d.Runtime.Kill(name)
	if d.entryOf(name) != nil {
		d.clean(name, goal{})
	}
}

// State implements runtime.Runtime.
func (d *Docker) State(name string) (runtime.State, error) {
	s, err := d.Runtime.State(name)
	if shown, busy := d.shown(s); busy {
		return shown, nil
	}
	return s, err
}

// List implements runtime.Runtime.
func (d *Docker) List() []runtime.State {
	list := d.Runtime.List()
	known := make(map[string]bool)
	for i, s := range list {
		list[i], _ = d.shown(s)
		known[s.Name] = true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(d.units)) {
		if e := d.units[name]; (e.cleaning || len(e.record.Starts) > 0) && !known[name] {
			list = append(list, e.busy(runtime.State{Name: name}))
		}
	}
	slices.SortFunc(list, func(a, b runtime.State) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// shown is a unit's state as callers see it, and whether its containers make it
// another than what runs it says.
func (d *Docker) shown(s runtime.State) (runtime.State, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.units[s.Name]; e != nil && e.cleaning && hasEnded(s) {
		return e.busy(s), true
	}
	return s, false
}

// busy is the state of a unit that has ended but for its containers.
func (e *entry) busy(s runtime.State) runtime.State {
	s.Load, s.Active, s.Sub = "loaded", "deactivating", "final-sigkill"
	if e.problem != "" {
		s.Text = e.problem
	}
	return s
}

func hasEnded(s runtime.State) bool {
	return s.Load == "not-found" || s.Active == "inactive" || s.Active == "failed"
}

// Shutdown implements runtime.Runtime.
func (d *Docker) Shutdown(ctx context.Context) error {
	err := d.Runtime.Shutdown(ctx)
	d.mu.Lock()
	names := slices.Sorted(maps.Keys(d.units))
	d.mu.Unlock()
	gone := make(chan struct{}, len(names))
	for _, name := range names {
		d.clean(name, goal{})
		d.after(name, func() { gone <- struct{}{} })
	}
	for range names {
		select {
		case <-gone:
			continue
		case <-ctx.Done():
			err = errors.Join(err, fmt.Errorf("containers of units are still there: %w", ctx.Err()))
		}
		break
	}
	return errors.Join(err, d.stop())
}

// Close implements runtime.Runtime.
func (d *Docker) Close() error { return errors.Join(d.Runtime.Close(), d.stop()) }

// stop ends the runtime's own goroutines, and whoever waits for one is told.
func (d *Docker) stop() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.tasks.Wait()
	d.engine.close()
	var later []func()
	d.mu.Lock()
	for _, name := range slices.Sorted(maps.Keys(d.units)) {
		e := d.units[name]
		later = append(later, e.later...)
		e.working, e.cleaning, e.later = false, false, nil
	}
	d.mu.Unlock()
	for _, f := range later {
		f()
	}
	return nil
}
