package docker

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"drydock/node/runtime"
)

// Pauses between looks at what is to go.
const (
	lookFirst = 5 * time.Millisecond
	lookLast  = time.Second
)

// report hears of a unit from what runs it.
func (d *Docker) report(s runtime.State) {
	d.mu.Lock()
	e := d.units[s.Name]
	if e == nil {
		d.mu.Unlock()
		d.tell(s)
		return
	}
	d.noteProcess(e, s)
	over := hasEnded(s)
	news := over && !e.ended && len(e.record.Starts) > 0
	e.ended = over
	held := news || over && e.cleaning
	if held {
		e.held = &s
	}
	d.mu.Unlock()
	switch {
	case held:
		d.clean(s.Name, goal{ended: s.Load == "not-found", before: time.Now()})
		return
	case s.Sub == "auto-restart":
		d.sweep(s.Name)
	}
	d.tell(s)
}

// noteProcess notes that a unit was started again by itself; d.mu is held.
func (d *Docker) noteProcess(e *entry, s runtime.State) {
	if s.MainPID == 0 || s.MainPID == e.pid {
		return
	}
	again := e.pid != 0
	e.pid = s.MainPID
	if again {
		e.record.started(s.Since)
		d.goLocked(func() { _ = d.save(e) })
	}
}

func (d *Docker) tell(s runtime.State) {
	if d.opt.Report != nil {
		d.opt.Report(s)
	}
}

// goLocked starts a goroutine, unless the runtime was closed; d.mu is held.
func (d *Docker) goLocked(f func()) bool {
	if d.closed {
		return false
	}
	d.tasks.Go(f)
	return true
}

// clean removes containers of a unit's, and until they have gone has the unit not
// count as ended.
func (d *Docker) clean(name string, g goal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.units[name]
	if e == nil || d.closed {
		return
	}
	if e.cleaning {
		e.goal.add(g)
	} else {
		e.goal = g
	}
	e.cleaning, e.again = true, true
	if !e.working {
		e.working = d.goLocked(func() { d.cleaner(e) })
	}
}

// cleaner does clean's work, and then what has waited for it.
func (d *Docker) cleaner(e *entry) {
	for pause := lookFirst; ; pause = min(2*pause, lookLast) {
		d.mu.Lock()
		e.again = false
		g := e.goal
		d.mu.Unlock()
		left, err := d.remove(e, g)
		if err == nil && left == 0 {
			if d.rest(e) {
				return
			}
			pause = lookFirst / 2
			continue
		}
		if err != nil {
			d.trouble(e, err)
		}
		select {
		case <-time.After(pause):
		case <-d.ctx.Done():
			return
		}
	}
}

// trouble says why a unit's end takes long.
func (d *Docker) trouble(e *entry, err error) {
	d.mu.Lock()
	e.problem = err.Error()
	news := e.held != nil && e.told != e.problem
	var s runtime.State
	if news {
		e.told = e.problem
		s = e.busy(*e.held)
	}
	d.mu.Unlock()
	if news {
		d.tell(s)
	}
}

// rest ends the cleaning and does what has waited. It returns false if there is
// more to clean, at once or after that.
func (d *Docker) rest(e *entry) bool {
	d.mu.Lock()
	if e.again {
		d.mu.Unlock()
		return false
	}
	held := e.held
	e.held, e.problem, e.told, e.cleaning = nil, "", "", false
	if e.goal.ended {
		d.forget(e)
	}
	d.mu.Unlock()
	if held != nil {
		d.tell(*held)
	}
	for {
		d.mu.Lock()
		if e.cleaning {
			d.mu.Unlock()
			return false
		}
		if len(e.later) == 0 {
			e.working = false
			d.mu.Unlock()
			return true
		}
		f := e.later[0]
		e.later = e.later[1:]
		d.mu.Unlock()
		f()
	}
}

// forget drops a unit that was unloaded; d.mu is held.
func (d *Docker) forget(e *entry) {
	if d.units[e.record.Unit] == e {
		delete(d.units, e.record.Unit)
		_ = os.Remove(recordFile(d.opt.Dir, e.record.Unit))
	}
}

// sweep removes what still runs of a unit's that will be started again in a moment.
func (d *Docker) sweep(name string) {
	g := goal{before: time.Now()}
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.units[name]; e != nil {
		d.goLocked(func() { _, _ = d.remove(e, g) }) // the next end has another try
	}
}

// tidyLimit bounds how long a start is held up by what it would do without.
const tidyLimit = 5 * time.Second

// tidy removes what was made for a unit and has never run, before its next start: a
// docker command that is killed early leaves that, maybe after the unit's end, and
// its name would be taken.
func (d *Docker) tidy(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.units[name]
	if e == nil || e.working || len(e.record.Starts) == 0 {
		return
	}
	e.goal = goal{}
	e.working = d.goLocked(func() {
		ctx, cancel := context.WithTimeout(d.ctx, tidyLimit)
		_, _ = d.removeWithin(ctx, e, goal{unused: true}) // without it the start says what is wrong
		cancel()
		if !d.rest(e) {
			d.cleaner(e)
		}
	})
}

// remove removes containers of a unit's and returns how many there were.
func (d *Docker) remove(e *entry, g goal) (int, error) { return d.removeWithin(d.ctx, e, g) }

func (d *Docker) removeWithin(ctx context.Context, e *entry, g goal) (int, error) {
	d.mu.Lock()
	records := make([]record, 0, len(d.units)+1)
	name := e.record.Unit
	if d.units[name] != e {
		records = append(records, e.record)
	}
	// any order: it shows only where two units claim one name
	for _, other := range d.units {
		records = append(records, other.record)
	}
	d.mu.Unlock()
	return removeOwned(ctx, d.engine, records, g, func(owner string) bool { return owner == name })
}

// removeOwned removes those containers of the units that are wanted away, as far as
// the goal goes, and returns how many there were. On a machine without an engine
// there are none.
func removeOwned(ctx context.Context, eng *engine, units []record, g goal, wanted func(unit string) bool) (int, error) {
	containers, err := eng.list(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	known := containers[:0]
	for _, c := range containers {
		here := true
		owner := byWord(units, c)
		// A list has times in seconds, and no arguments.
		if owner != "" && wanted(owner) && !g.before.IsZero() || owner == "" && mayFit(units, c) {
			if c, here, err = eng.inspect(ctx, c); err != nil {
				return 0, err
			}
		}
		if here {
			known = append(known, c)
		}
	}
	owned := owners(units, known)
	n := 0
	var errs []error
	for _, c := range known {
		owner := owned[c.ID]
		if owner == "" || !wanted(owner) || !g.includes(c) {
			continue
		}
		n++
		errs = append(errs, eng.remove(ctx, c.ID))
	}
	return n, errors.Join(errs...)
}

// includes says whether a container of the right unit's is to go.
func (g goal) includes(c container) bool {
	return (c.Unused || !g.unused && (c.Running || g.ended)) && (g.before.IsZero() || c.Created.Before(g.before))
}
