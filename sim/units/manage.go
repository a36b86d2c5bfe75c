package units

import (
	"slices"
	"time"

	"drydock/node/runtime"
	"drydock/node/supervise"
	"drydock/node/unit"
)

// How long the machine's kernel takes.
const (
	spawnLeast = 500 * time.Microsecond
	spawnMore  = 3 * time.Millisecond
	killTime   = 300 * time.Microsecond
)

// request asks the manager for something that has an end.
func (u *Units) request(done func(runtime.Outcome), event func(supervise.Token) supervise.Event) {
	if u.machine == nil {
		return
	}
	u.last++
	u.answers[u.last] = done
	u.step(event(u.last))
}

// step tells the manager what has happened, now or when it goes on again.
func (u *Units) step(ev supervise.Event) {
	if u.machine == nil {
		return
	}
	if u.paused {
		u.held = append(u.held, func() { u.step(ev) })
		return
	}
	life := u.life
	for _, a := range u.machine.Step(u.cfg.Now(), ev) {
		if u.life != life {
			return
		}
		u.act(a)
	}
	if u.life == life {
		u.setTimer()
	}
}

func (u *Units) setTimer() {
	next, ok := u.machine.Next()
	if u.cfg.Queue.Pending(u.timer) {
		if ok && next == u.wanted {
			return
		}
		u.cfg.Queue.Cancel(u.timer)
	}
	if ok {
		u.arm(next)
	}
}

func (u *Units) arm(mono time.Duration) {
	u.wanted = mono
	life := u.life
	u.timer = u.cfg.Queue.At(max(u.cfg.When(mono), u.cfg.Queue.Now()), func() {
		if u.life == life {
			u.step(supervise.Tick{})
		}
	})
}

// later has the manager told of an event after what is going on now.
func (u *Units) later(d time.Duration, ev supervise.Event) {
	life := u.life
	u.cfg.Queue.After(d, func() {
		if u.life == life {
			u.step(ev)
		}
	})
}

func (u *Units) act(a supervise.Action) {
	switch a := a.(type) {
	case supervise.Spawn:
		u.spawn(a)
	case supervise.SendSignal:
		u.send(a)
	case supervise.Adopt:
		u.later(0, supervise.Adopted{Proc: a.Proc, Err: "no process is left"})
	case supervise.Listen:
		u.later(0, supervise.Listening{Unit: a.Unit})
	case supervise.Report:
		state := u.state(a.Status)
		if a.Status.Load == "not-found" {
			delete(u.loaded, a.Status.Name)
		}
		u.cfg.Report(state)
	case supervise.Done:
		if done := u.answers[a.Token]; done != nil {
			delete(u.answers, a.Token)
			done(runtime.Outcome{Result: string(a.Result), Reason: a.Reason})
		}
	}
}

// spawn begins a process. It exists from now on.
func (u *Units) spawn(a supervise.Spawn) {
	g := u.groups[a.Unit]
	if g != nil && len(g.procs) == 0 && !u.stopping(a.Unit) {
		u.ended(g) // the manager starts the unit again at the very moment of its end
		g = nil
	}
	if g == nil {
		u.runs++
		g = &group{run: Run{Unit: a.Unit, Number: u.runs}}
		if l := u.loaded[a.Unit]; l != nil {
			g.run.Hash = l.hash
		}
		u.groups[a.Unit] = g
		u.cfg.Began(g.run)
	}
	p := &process{g: g, id: a.Proc, main: a.Role == supervise.RoleMain}
	p.does = programOf(a.Command.Args, a.Role, u.cfg.Rand)
	g.procs = append(g.procs, p)
	took := spawnLeast + time.Duration(u.cfg.Rand.Int64N(int64(spawnMore)))
	if p.main && u.cfg.Fails != nil && u.cfg.Fails(a.Unit) {
		p.does.life, p.does.code = took, 1
	}
	if p.does.life > 0 {
		p.exit = supervise.Exit{Code: p.does.code}
		p.over = u.cfg.Queue.After(took+p.does.life, func() {
			g.blame(Exited)
			u.end(p)
		})
	}
	u.cfg.Queue.After(took, func() { u.tell(p, supervise.Spawned{Proc: p.id}) })
	if a.Notify && p.main {
		u.cfg.Queue.After(took+p.does.up, func() {
			u.tell(p, supervise.Notified{Unit: a.Unit, From: supervise.FromMain, Ready: true})
		})
	}
}

// stopping says whether the manager is about a unit's end, which may take commands.
func (u *Units) stopping(name string) bool {
	s, _ := u.machine.Status(name)
	return s.Sub.Active() == supervise.ActiveDeactivating
}

// tell tells the manager of something that a process does, if it knows the process.
func (u *Units) tell(p *process, ev supervise.Event) {
	if p.id != 0 && slices.Contains(p.g.procs, p) {
		u.step(ev)
	}
}

// send carries out a signal of the manager's.
func (u *Units) send(a supervise.SendSignal) {
	g := u.groups[a.Unit]
	if g == nil {
		return
	}
	g.blame(Stopped)
	u.told(g)
	for _, p := range slices.Clone(g.procs) {
		if a.Proc == 0 || a.Proc == p.id {
			u.signal(p, a.Signal)
		}
	}
}

func (u *Units) signalAll(g *group, sig unit.Signal, why Cause) {
	g.blame(why)
	u.told(g)
	for _, p := range slices.Clone(g.procs) {
		u.signal(p, sig)
	}
}

// told notes when a group was first told to end.
func (u *Units) told(g *group) {
	if g.run.Told == 0 {
		g.run.Told = u.cfg.Queue.Now()
	}
}

// signal lets a process end, unless it takes no notice. What ends it sooner counts.
func (u *Units) signal(p *process, sig unit.Signal) {
	took := killTime
	if sig != supervise.SIGKILL {
		if p.dying || p.does.hangs || u.cfg.Hangs != nil && u.cfg.Hangs(p.g.run.Unit) {
			return
		}
		took = p.does.down
	}
	p.dying = true
	p.exit = supervise.Exit{Signal: sig}
	u.cfg.Queue.Cancel(p.over)
	p.over = u.cfg.Queue.After(took, func() { u.end(p) })
}

// end takes a process away.
func (u *Units) end(p *process) {
	g := p.g
	g.procs = slices.DeleteFunc(g.procs, func(q *process) bool { return q == p })
	empty := len(g.procs) == 0
	switch {
	case p.id != 0:
		u.step(supervise.Exited{Proc: p.id, Exit: p.exit, Empty: empty})
	case empty:
		u.step(supervise.Emptied{Unit: g.run.Unit})
	}
	// The manager may have begun the next one already.
	if u.groups[g.run.Unit] == g && len(g.procs) == 0 {
		u.ended(g)
	}
}

func (u *Units) ended(g *group) {
	delete(u.groups, g.run.Unit)
	u.cfg.Ended(g.run, g.cause)
}

// blame notes why the group ends: the first cause counts, but that what was asked
// to stop may be killed.
func (g *group) blame(why Cause) {
	if g.cause == "" || g.cause == Stopped && why == Guarded {
		g.cause = why
	}
}
