package units

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"drydock/node/runtime"
	"drydock/node/supervise"
	"drydock/node/unit"
	"drydock/node/world"
	"drydock/sim/event"
)

// ErrNoManager is of a call while no agent's process lives.
var ErrNoManager = errors.New("sim/units: the manager is dead")

// Config is what a machine's units need of the world.
type Config struct {
	// Name, ID and Boot name the machine for specifiers.
	Name, ID, Boot string
	Queue          *event.Queue
	Rand           *rand.Rand
	// Now reads the machine's clocks, When says at which world time its monotonic
	// one reads mono.
	Now  func() world.Instant
	When func(mono time.Duration) time.Duration
	// Report is told when a unit's state has changed, as far as a manager knows.
	Report func(runtime.State)
	// Began and Ended are told of runs.
	Began func(Run)
	Ended func(Run, Cause)
	// Fails and Hangs say whether a fault keeps a unit from starting, or from
	// ending when it is told to. Nil says that none does.
	Fails, Hangs func(unit string) bool
}

// Units are all units of one machine.
type Units struct {
	cfg    Config
	groups map[string]*group
	runs   int

	// What follows is the manager's and dies with it.
	machine *supervise.Machine
	life    int
	paused  bool
	held    []func()
	loaded  map[string]*loaded
	answers map[supervise.Token]func(runtime.Outcome)
	last    supervise.Token
	timer   event.Handle
	wanted  time.Duration
}

type loaded struct {
	hash unit.Hash
}

// group is the processes of one unit.
type group struct {
	run   Run
	procs []*process // in the order of their start
	cause Cause
}

// process is one simulated process.
type process struct {
	g    *group
	id   supervise.ProcID // zero: no manager knows it
	main bool
	does program
	// dying says that its end is under way.
	dying bool
	over  event.Handle
	exit  supervise.Exit
}

// New returns a machine without units or manager.
func New(cfg Config) *Units {
	return &Units{cfg: cfg, groups: make(map[string]*group)}
}

// Rise begins a manager's life: it knows no unit yet.
func (u *Units) Rise(boot string) {
	u.cfg.Boot = boot
	u.life++
	u.machine = supervise.New(supervise.Config{})
	u.loaded = make(map[string]*loaded)
	u.answers = make(map[supervise.Token]func(runtime.Outcome))
	u.paused, u.held = false, nil
}

// Die ends the manager; processes live on.
func (u *Units) Die() {
	u.life++
	u.machine, u.loaded, u.answers, u.held, u.paused = nil, nil, nil, nil, false
	u.cfg.Queue.Cancel(u.timer)
	for _, name := range u.Present() {
		for _, p := range u.groups[name].procs {
			p.id = 0
		}
	}
}

// Pause stops the manager, Resume lets it go on with what has happened meanwhile.
func (u *Units) Pause() { u.paused = true }

// Resume undoes Pause.
func (u *Units) Resume() {
	u.paused = false
	held := u.held
	u.held = nil
	for _, fn := range held {
		fn()
	}
}

// Present are the names of units that have a process, sorted.
func (u *Units) Present() []string { return slices.Sorted(maps.Keys(u.groups)) }

// Cut ends everything: the machine has no power.
func (u *Units) Cut() {
	u.Die()
	for _, name := range u.Present() {
		g := u.groups[name]
		for _, p := range g.procs {
			u.cfg.Queue.Cancel(p.over)
		}
		g.procs, g.cause = nil, Cut
		u.ended(g)
	}
}

// Guard kills all processes of the units that are not spared.
func (u *Units) Guard(spare func(name string) bool) {
	for _, name := range u.Present() {
		if !spare(name) {
			u.signalAll(u.groups[name], supervise.SIGKILL, Guarded)
		}
	}
}

// Strike kills a unit's main process, as a fault, and says whether there is one.
func (u *Units) Strike(name string) bool {
	g := u.groups[name]
	if g == nil {
		return false
	}
	for _, p := range g.procs {
		if p.main && !p.dying {
			g.blame(Struck)
			u.signal(p, supervise.SIGKILL)
			return true
		}
	}
	return false
}

// Check says why a unit can't be run.
func (u *Units) Check(f *unit.Unit) error {
	_, err := u.define(f)
	return err
}

func (u *Units) define(f *unit.Unit) (*unit.Definition, error) {
	def, err := f.Define(facts(u.cfg.Name, u.cfg.ID, u.cfg.Boot))
	if err == nil {
		err = supervise.Check(def)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return def, nil
}

// Load makes a unit known, and takes over what runs of it.
func (u *Units) Load(f *unit.Unit) error {
	if u.machine == nil {
		return ErrNoManager
	}
	def, err := u.define(f)
	if err != nil {
		return err
	}
	l, known := u.loaded[def.Name]
	if !known {
		l = new(loaded)
		u.loaded[def.Name] = l
	}
	l.hash = f.Hash()
	u.step(supervise.Load{Unit: def})
	if !known && u.groups[def.Name] != nil && def.Service != nil {
		u.takeOver(u.groups[def.Name])
	}
	return nil
}

func (u *Units) takeOver(g *group) {
	main := supervise.ProcID(0)
	for _, p := range g.procs {
		if p.main && main == 0 {
			main = u.machine.Reserve()
			p.id = main
		}
	}
	u.step(supervise.Resume{Unit: g.run.Unit, Proc: main})
}

// Start has a unit run; done is told of the end of the request.
func (u *Units) Start(name string, done func(runtime.Outcome)) {
	u.request(done, func(t supervise.Token) supervise.Event { return supervise.Start{Name: name, Token: t} })
}

// Stop ends a unit.
func (u *Units) Stop(name string, done func(runtime.Outcome)) {
	u.request(done, func(t supervise.Token) supervise.Event { return supervise.Stop{Name: name, Token: t} })
}

// Restart stops a unit, if it runs, and starts it.
func (u *Units) Restart(name string, done func(runtime.Outcome)) {
	u.request(done, func(t supervise.Token) supervise.Event { return supervise.RestartUnit{Name: name, Token: t} })
}

// Unload stops a unit that runs, and forgets it.
func (u *Units) Unload(name string, done func(runtime.Outcome)) {
	u.request(done, func(t supervise.Token) supervise.Event { return supervise.Unload{Name: name, Token: t} })
}

// ResetFailed forgets that a unit has failed.
func (u *Units) ResetFailed(name string) { u.step(supervise.ResetFailed{Name: name}) }

// Kill ends all that a unit has, at once. A unit that the manager hasn't been told
// of is killed, too.
func (u *Units) Kill(name string) {
	g := u.groups[name]
	if g != nil {
		g.blame(Killed)
	}
	if u.machine == nil {
		return
	}
	if u.loaded[name] == nil && g != nil {
		u.signalAll(g, supervise.SIGKILL, Killed)
		return
	}
	u.step(supervise.Halt{Name: name})
}

// State is what a unit is, as far as the manager knows; false if it knows none.
func (u *Units) State(name string) (runtime.State, bool) {
	if u.machine == nil {
		return runtime.State{}, false
	}
	s, ok := u.machine.Status(name)
	return u.state(s), ok
}

func (u *Units) state(s supervise.Status) runtime.State {
	out := runtime.State{
		Name: s.Name, Description: s.Description, Load: s.Load, Active: string(s.Active), Sub: string(s.Sub),
		Result: string(s.Result), Text: s.Text, Restarts: s.Restarts, Job: s.Job, MainPID: int(s.Main),
	}
	if l := u.loaded[s.Name]; l != nil {
		out.Hash = l.hash
	}
	if s.Exit != nil {
		out.Exit = s.Exit.String()
	}
	return out
}

// Names are the names of the units that the manager knows, sorted.
func (u *Units) Names() []string {
	if u.machine == nil {
		return nil
	}
	return u.machine.Names()
}

// Runs says whether a unit has some process.
func (u *Units) Runs(name string) bool { return u.groups[name] != nil }

// ClockChanged sets the manager's timer anew.
func (u *Units) ClockChanged() {
	if u.cfg.Queue.Cancel(u.timer) {
		u.arm(u.wanted)
	}
}
