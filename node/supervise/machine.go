package supervise

import (
	"slices"
	"time"

	"drydock/node/unit"
	"drydock/node/world"
)

// never is a deadline that doesn't come.
const never = Infinity

// Infinity is a time span that never ends.
const Infinity = unit.Infinity

// Config says what a machine offers to its units.
type Config struct {
	// Provided are units that others may require and that this machine doesn't
	// run by itself: they count as active for good ("network-online.target").
	Provided []string
	// Boot is when the machine started, on its monotonic clock: what OnBootSec
	// counts from.
	Boot time.Duration
}

// Machine is all units of one machine. It isn't safe for concurrent use.
type Machine struct {
	provided map[string]bool
	boot     time.Duration
	units    map[string]*entry
	names    []string // of units, sorted
	procs    map[ProcID]*entry
	lastProc ProcID
	now      world.Instant
	out      []Action
	ends     []Action // answers, which come after the reports
	notes    []note
	touched  []*entry
}

// entry is a unit and what it is doing.
type entry struct {
	def   *unit.Definition
	links links
	sub   Sub
	since time.Duration
	job   *job
	// gone forgets the unit once it has ended.
	gone bool

	// result is the first thing that went wrong since the last start.
	result Result
	text   string
	// deadline ends the present state; patience is when a watchdog bites.
	deadline, patience time.Duration

	// main and control are the processes that the rules follow; populated says
	// that some process, followed or not, may be left.
	main, control ProcID
	populated     bool
	// pending are the commands that come after the one that runs; mainCmd and
	// controlCmd are those that run, or ran last.
	pending             []unit.Command
	mainCmd, controlCmd unit.Command
	// loose says that a daemon was left and nobody knows which process is it.
	loose bool
	// stuck says that SIGKILL has left something, and that this was said.
	stuck bool
	// overdue is when the service will have run for as long as it may.
	overdue time.Duration
	// exit is how the last main process ended.
	exit *Exit
	// adopting is the number promised to a daemon that is looked for.
	adopting ProcID
	// reloaded is how the last reload went.
	reloaded Result

	// stopping says that somebody wants it down, so that nothing restarts it;
	// halted that it is killed without regard to its wishes.
	stopping, halted bool
	// restartDue says that the pause before a restart is over.
	restartDue bool
	restarts   int
	starts     starts

	timer    timerState
	reported Status
	dirty    bool
}

// starts counts the starts within a window.
type starts struct {
	begin time.Duration
	n     int
}

// note is a change of a unit's state that others may care for.
type note struct {
	e        *entry
	from, to Sub
}

// New returns a machine without units.
func New(cfg Config) *Machine {
	m := &Machine{
		provided: make(map[string]bool), boot: cfg.Boot,
		units: make(map[string]*entry), procs: make(map[ProcID]*entry),
	}
	for _, name := range cfg.Provided {
		m.provided[name] = true
	}
	return m
}

// Step lets an event happen, and what is due, and returns what is to be done, in
// order. Events about what the machine doesn't know (any more) change nothing.
func (m *Machine) Step(now world.Instant, ev Event) []Action {
	m.now, m.out, m.ends = now, nil, nil
	m.handle(ev)
	m.settle()
	m.expire()
	m.settle()
	m.report()
	return append(m.out, m.ends...)
}

// Next returns when the next Tick is due on the monotonic clock, and false if
// nothing waits for time to pass.
func (m *Machine) Next() (time.Duration, bool) {
	next := never
	for _, name := range m.names {
		e := m.units[name]
		next = min(next, e.deadline, e.patience)
	}
	return next, next != never
}

// Status returns what can be told of a unit, and false if there is none.
func (m *Machine) Status(name string) (Status, bool) {
	e, ok := m.units[name]
	if !ok {
		return Status{Name: name, Load: "not-found", Active: ActiveInactive, Sub: SubDead}, false
	}
	return e.status(), true
}

// Names returns the names of all units, sorted.
func (m *Machine) Names() []string { return slices.Clone(m.names) }

// Reserve returns a number for a process that Resume will tell of.
func (m *Machine) Reserve() ProcID {
	m.lastProc++
	return m.lastProc
}

func (m *Machine) handle(ev Event) {
	switch ev := ev.(type) {
	case Load:
		m.load(ev.Unit)
	case Unload:
		m.unload(ev.Name, ev.Token)
	case Start:
		m.request(jobStart, ev.Name, ev.Token)
	case Stop:
		m.request(jobStop, ev.Name, ev.Token)
	case RestartUnit:
		m.request(jobRestart, ev.Name, ev.Token)
	case Reload:
		m.request(jobReload, ev.Name, ev.Token)
	case ResetFailed:
		m.resetFailed(ev.Name)
	case Halt:
		m.halt(ev.Name)
	case Spawned:
		m.spawned(ev.Proc)
	case Exited:
		m.exited(ev)
	case Adopted:
		m.adopted(ev.Proc, ev.Err)
	case Emptied:
		m.emptied(ev.Unit)
	case Notified:
		m.notified(ev)
	case Listening:
		m.listening(ev.Unit, ev.Err)
	case Incoming:
		m.called(ev.Unit)
	case Resume:
		m.resume(ev.Unit, ev.Proc)
	case Tick:
	}
}

// settle lets changes have their consequences until there are none.
func (m *Machine) settle() {
	for {
		if len(m.notes) > 0 {
			n := m.notes[0]
			m.notes = m.notes[1:]
			m.notice(n)
			continue
		}
		if !m.dispatch() {
			return
		}
	}
}

// expire does what is due.
func (m *Machine) expire() {
	for _, name := range slices.Clone(m.names) {
		e := m.units[name]
		if e.deadline <= m.now.Mono {
			e.deadline = never
			m.due(e)
		}
		if e.patience <= m.now.Mono {
			e.patience = never
			m.bite(e)
		}
	}
}

// due ends a state whose time is over.
func (m *Machine) due(e *entry) {
	switch {
	case e.def.Service != nil:
		m.serviceDue(e)
	case e.def.Timer != nil:
		m.timerDue(e)
	}
}

// set moves a unit to another state, which has no deadline yet.
func (m *Machine) set(e *entry, to Sub) {
	from := e.sub
	if e.sub == to {
		return
	}
	if from.Active() != to.Active() {
		e.since = m.now.Mono
	}
	e.sub, e.deadline = to, never
	m.touch(e)
	m.notes = append(m.notes, note{e, from, to})
}

// arm sets the deadline of a unit's state; zero is none, as in unit files.
func (m *Machine) arm(e *entry, span time.Duration) {
	if span <= 0 {
		span = Infinity
	}
	e.deadline = m.after(span)
}

// after returns the instant a span from now, which Infinity never reaches.
func (m *Machine) after(span time.Duration) time.Duration {
	if span >= never-m.now.Mono {
		return never
	}
	return m.now.Mono + span
}

func (m *Machine) do(a Action) { m.out = append(m.out, a) }

func (m *Machine) log(e *entry, text string) { m.do(Log{Unit: e.def.Name, Text: text}) }

// touch has the unit reported at the end of the step.
func (m *Machine) touch(e *entry) {
	if !e.dirty {
		e.dirty = true
		m.touched = append(m.touched, e)
	}
}

// report tells what has changed, in the order in which it first did.
func (m *Machine) report() {
	for _, e := range m.touched {
		e.dirty = false
		status := e.status()
		if m.units[e.def.Name] != e {
			status.Load = "not-found"
		}
		if !same(status, e.reported) {
			e.reported = status
			m.do(Report{status})
		}
	}
	m.touched = m.touched[:0]
}

func same(a, b Status) bool {
	exits := a.Exit == b.Exit || a.Exit != nil && b.Exit != nil && *a.Exit == *b.Exit
	a.Exit, b.Exit = nil, nil
	return exits && a == b
}

func (e *entry) status() Status {
	s := Status{
		Name: e.def.Name, Description: e.def.Description, Load: "loaded", Active: e.sub.Active(), Sub: e.sub,
		Result: e.result, Text: e.text, Main: e.main, Exit: e.exit, Restarts: e.restarts, Since: e.since,
	}
	if e.job != nil {
		s.Job = e.job.kind.String()
	}
	if e.def.Timer != nil && e.sub == SubWaiting && e.timer.next != never {
		s.Next = e.timer.next
	}
	return s
}

// alive says whether some process of the unit may be left.
func (e *entry) alive() bool { return e.main != 0 || e.control != 0 || e.populated }

// fail notes what went wrong, if nothing has before.
func (m *Machine) fail(e *entry, r Result) {
	if e.result == Success && r != Success {
		e.result = r
		m.touch(e)
	}
}

func (m *Machine) load(def *unit.Definition) {
	e, ok := m.units[def.Name]
	if !ok {
		e = &entry{sub: SubDead, result: Success, deadline: never, patience: never, overdue: never, since: m.now.Mono}
		e.timer.next = never
		m.units[def.Name] = e
		i, _ := slices.BinarySearch(m.names, def.Name)
		m.names = slices.Insert(m.names, i, def.Name)
	}
	e.def, e.gone = def, false
	m.relink()
	m.touch(e)
}

func (m *Machine) unload(name string, token Token) {
	e, ok := m.units[name]
	if !ok {
		m.answer(token, name, JobDone, "")
		return
	}
	e.gone = true
	if e.sub.ended() && e.job == nil && !e.alive() {
		m.forget(e)
		m.answer(token, name, JobDone, "")
		return
	}
	m.request(jobStop, name, token)
}

func (m *Machine) forget(e *entry) {
	delete(m.units, e.def.Name)
	i, _ := slices.BinarySearch(m.names, e.def.Name)
	m.names = slices.Delete(m.names, i, i+1)
	m.relink()
	m.touch(e)
}

func (m *Machine) resetFailed(name string) {
	e, ok := m.units[name]
	if !ok {
		return
	}
	e.starts, e.restarts = starts{}, 0
	if e.sub == SubFailed {
		e.result = Success
		m.set(e, SubDead)
	}
	m.touch(e)
}

// mayStart counts a start, and says whether the unit may have it.
func (m *Machine) mayStart(e *entry) bool {
	span, burst := e.def.StartLimitInterval, e.def.StartLimitBurst
	if span <= 0 || burst <= 0 {
		return true
	}
	if e.starts.n == 0 || m.now.Mono-e.starts.begin > span {
		e.starts = starts{begin: m.now.Mono}
	}
	if e.starts.n >= burst {
		return false
	}
	e.starts.n++
	return true
}
