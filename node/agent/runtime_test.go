package agent_test

import (
	"maps"
	"slices"
	"strings"
	"time"

	"drydock/node/agent"
	"drydock/node/unit"
)

// runtime is what runs units on a machine: processes that live on without it, and
// what it knows of them.
type runtime struct {
	m     *machine
	units map[string]*process
}

// process is a unit on a machine.
type process struct {
	name string
	// proc says that it runs, file what it runs or was last loaded as.
	proc bool
	file *unit.Unit
	// known says that the runtime has it loaded; the rest is what it says then.
	known          bool
	active, result string
	// job is under way; what was begun in an earlier epoch doesn't happen any more.
	job   *agent.Op
	epoch int
	// began is the generation and wish that the last start was for, unless something
	// has happened since that has to be made good by another one.
	began [2]uint64
	// owed says that it was ended on demand, and not started since.
	owed bool
}

func (r *runtime) names() []string { return slices.Sorted(maps.Keys(r.units)) }

// found names what a new life of the agent finds.
func (r *runtime) found() []string {
	var found []string
	for _, name := range r.names() {
		if r.units[name].proc {
			found = append(found, name)
		}
	}
	return found
}

// forget is the end of the agent's process, and of the runtime in it.
func (r *runtime) forget() {
	for _, name := range r.names() {
		p := r.units[name]
		p.epoch++
		p.known, p.job, p.began = false, nil, [2]uint64{}
	}
}

// tell hands the agent something, in order.
func (r *runtime) tell(in agent.Input) {
	life := r.m.life
	r.m.u.after(2*time.Millisecond, func() {
		if r.m.life == life {
			r.m.input(in)
		}
	})
}

func (r *runtime) status(p *process) agent.Status {
	if !p.known {
		return agent.Status{Unit: p.name, Load: "not-found"}
	}
	s := agent.Status{Unit: p.name, Load: "loaded", Active: p.active, Result: p.result}
	s.Sub = map[string]string{"inactive": "dead", "active": "running", "failed": "failed"}[p.active]
	return s
}

func (r *runtime) set(p *process, active, result string) {
	p.active, p.result = active, result
	if p.known {
		r.tell(agent.Reported{Status: r.status(p)})
	}
}

// begin begins an operation.
func (r *runtime) begin(op agent.Op) {
	p := r.units[op.Unit]
	if p == nil {
		p = &process{name: op.Unit, active: "inactive", result: "success"}
		r.units[op.Unit] = p
	}
	if op.Kind == agent.Kill {
		r.kill(p, op)
		return
	}
	if p.job != nil {
		starting := p.job.Kind == agent.Start || p.job.Kind == agent.Restart
		if ending := op.Kind == agent.Stop || op.Kind == agent.Unload; !starting || !ending {
			r.m.u.violate("%s: %v is begun on %s while %v is under way", r.m.id, op.Kind, op.Unit, p.job.Kind)
		}
		r.end(p, "canceled")
	}
	r.judge(p, op.Kind)
	p.job = &op
	p.epoch++
	u := r.m.u
	switch op.Kind {
	case agent.Load:
		r.soon(p, u.span(20*time.Millisecond), func() { r.load(p, op) })
	case agent.Start:
		r.soon(p, u.span(20*time.Millisecond), func() { r.start(p, op) })
	case agent.Stop, agent.Unload:
		r.stop(p, func() {
			if op.Kind == agent.Unload {
				p.known = false
			}
			r.end(p, "done")
		})
	case agent.Restart:
		r.stop(p, func() { r.start(p, op) })
	}
}

// judge says whether a start has a cause.
func (r *runtime) judge(p *process, kind agent.OpKind) {
	if kind != agent.Start && kind != agent.Restart {
		p.began = [2]uint64{}
		return
	}
	gen, kick, _ := r.m.agent.Ordered(p.name)
	if now := [2]uint64{gen, kick}; p.began == now {
		r.m.u.violate("%s is started again on %s without a cause", p.name, r.m.id)
	} else {
		p.began = now
	}
}

// wished forgets about starts of units that have been ordered otherwise since.
func (r *runtime) wished() {
	for _, name := range r.names() {
		if _, _, launched := r.m.agent.Ordered(name); !launched {
			r.units[name].began = [2]uint64{}
		}
	}
}

// soon does something unless the process's course has changed by then.
func (r *runtime) soon(p *process, d time.Duration, do func()) {
	epoch := p.epoch
	r.m.u.after(d, func() {
		if p.epoch == epoch {
			do()
		}
	})
}

// end ends the operation under way.
func (r *runtime) end(p *process, result string) {
	if op := p.job; op != nil {
		p.job = nil
		reason := ""
		if result != "done" {
			reason = "it is " + result
		}
		r.tell(agent.Ended{Op: op.ID, Result: result, Reason: reason, Status: r.status(p)})
	}
}

func (r *runtime) load(p *process, op agent.Op) {
	switch {
	case strings.Contains(op.File.Text(), "Bad"):
		r.end(p, "invalid")
	case !r.m.u.calm && r.m.u.chance(0.1):
		r.end(p, "failed")
	default:
		p.known = true
		if !p.proc || p.file == nil {
			p.file = op.File
		}
		switch {
		case p.proc:
			p.active, p.result = "active", "success"
		case p.active != "failed":
			p.active, p.result = "inactive", "success"
		}
		r.end(p, "done")
	}
}

func (r *runtime) start(p *process, op agent.Op) {
	m := r.m
	if !p.known {
		m.u.violate("%s: start of %s, which isn't loaded", m.id, op.Unit)
		return
	}
	if m.paused || m.mono() >= op.By { // a host that doesn't get to run begins nothing
		if m.paused {
			r.soon(p, 10*time.Millisecond, func() { r.start(p, op) })
			return
		}
		p.began = [2]uint64{}
		r.end(p, "canceled")
		return
	}
	if !p.proc {
		r.live(p)
	}
	r.set(p, "activating", "success")
	fails := !m.u.calm && m.u.chance(0.1)
	r.soon(p, m.u.span(300*time.Millisecond), func() {
		if fails {
			r.gone(p)
			r.set(p, "failed", "exit-code")
			r.end(p, "failed")
			return
		}
		r.set(p, "active", "success")
		r.end(p, "done")
	})
}

// stop ends a process in good order, which may take for ever.
func (r *runtime) stop(p *process, then func()) {
	u := r.m.u
	if !p.proc {
		r.soon(p, time.Millisecond, func() {
			r.set(p, "inactive", "success")
			then()
		})
		return
	}
	r.set(p, "deactivating", "success")
	d := u.span(1500 * time.Millisecond)
	if !u.calm && u.chance(0.1) {
		d = time.Hour
	}
	r.soon(p, d, func() {
		r.gone(p)
		p.owed = true
		r.set(p, "inactive", "success")
		then()
	})
}

func (r *runtime) kill(p *process, op agent.Op) {
	r.judge(p, op.Kind)
	r.m.u.after(r.m.u.span(40*time.Millisecond), func() {
		if r.units[p.name] != p {
			return // the machine was booted anew
		}
		r.die(p.name, "a kill")
		r.end(p, "canceled")
		p.epoch++
		r.tell(agent.Ended{Op: op.ID, Result: "done", Status: r.status(p)})
	})
}

// die ends a process by SIGKILL; what was under way with it fails.
func (r *runtime) die(name, why string) {
	p := r.units[name]
	if !p.proc {
		return
	}
	r.m.u.note("%s %s dies by %s", r.m.id[:2], name, why)
	r.gone(p)
	p.owed = why == "a kill" || why == "the guard"
	p.epoch++
	r.set(p, "failed", "signal")
	if job := p.job; job != nil {
		result := "failed"
		if job.Kind == agent.Stop || job.Kind == agent.Unload {
			result = "done"
			if job.Kind == agent.Unload {
				p.known = false
			}
		}
		r.end(p, result)
	}
}

// live begins a process, and looks whether it may be.
func (r *runtime) live(p *process) {
	u := r.m.u
	p.proc, p.owed = true, false
	u.note("%s %s RUNS", r.m.id[:2], p.name)
	mine := p.file.Fleet()
	for _, m := range u.machines {
		if o := m.runtime.units[p.name]; m != r.m && o != nil && o.proc && !mine.Global && !o.file.Fleet().Global {
			u.violate("%s runs on %s and on %s", p.name, m.id, r.m.id)
		}
	}
	used := make(map[string]int64)
	for _, name := range r.names() {
		o := r.units[name]
		if !o.proc {
			continue
		}
		theirs := o.file.Fleet()
		if o != p && (globbed(mine.Conflicts, name) || globbed(theirs.Conflicts, p.name)) {
			u.violate("%s runs on %s beside %s, with which it is in conflict", p.name, r.m.id, name)
		}
		for _, want := range theirs.Resources {
			used[want.Name] += want.Amount
			if total, ok := r.m.resist[want.Name]; ok && used[want.Name] > total {
				u.violate("%s of %s is overcommitted when %s starts", want.Name, r.m.id, p.name)
			}
		}
	}
}

func (r *runtime) gone(p *process) {
	if p.proc {
		r.m.u.note("%s %s ENDS", r.m.id[:2], p.name)
	}
	p.proc = false
}

func globbed(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(g string) bool { return unit.Glob(g, name) })
}
