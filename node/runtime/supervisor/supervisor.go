package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"drydock/node/runtime"
	"drydock/node/runtime/lease"
	"drydock/node/supervise"
	"drydock/node/unit"
	"drydock/node/world"
)

// Options say how a supervisor works. The zero value of each is usable.
type Options struct {
	// Dir is for sockets and for the records by which a next life of the agent
	// takes over what runs; best on a file system that a reboot empties. Without
	// one, nothing is taken over.
	Dir string
	// Groups names the control groups of this supervisor's units, below those of
	// the machine; no other supervisor may have the same. Empty, or on a machine
	// without control groups, units are kept in process groups.
	Groups string
	// Facts are what specifiers in unit files stand for.
	Facts unit.Facts
	// Provided are units of the machine that others may require, and that the
	// supervisor doesn't run ("network-online.target").
	Provided []string
	// JournalBytes bounds what is kept of a unit's output; zero is 256 KiB.
	JournalBytes int
	// Report is called when a unit's state has changed, by the supervisor's own
	// goroutine, which it must not hold up.
	Report func(runtime.State)
	// Program runs Become; empty is this program itself.
	Program string
	// Lease, if not nil, returns the lease (package lease) that a unit's processes
	// need: one that doesn't hold any more when a process is about to run its program
	// keeps it from doing so. Empty is for a unit that needs none.
	Lease func(unit string) string
}

// Supervisor runs units with processes of its own. It implements runtime.Runtime.
type Supervisor struct {
	opt     Options
	boot    string   // the system's, empty if it isn't known
	parents []string // of control groups
	origin  time.Time
	inbox   inbox
	ended   chan struct{}

	// What follows belongs to the loop.
	machine *supervise.Machine
	units   map[string]*running
	procs   map[supervise.ProcID]*process
	answers map[supervise.Token]func(runtime.Outcome)
	last    supervise.Token
	polling time.Duration // pause between looks at groups, zero if none is due
	lookAt  time.Time     // when the next look is
	closing bool

	// mu guards what callers see.
	mu       sync.Mutex
	states   map[string]runtime.State
	journals map[string]*journal
}

var _ runtime.Runtime = (*Supervisor)(nil)

// running is what the supervisor has of a unit.
type running struct {
	name    string
	hash    unit.Hash
	context *unit.Context
	journal *journal
	// The rest is there while the unit may have processes.
	group      group
	invocation string
	output     *output
	notify     *notifySocket
	listeners  *listeners
	adopted    []*process
	// seeking is a daemon that is looked for.
	seeking *supervise.Adopt
	mainID  supervise.ProcID
	// saved is the record as it is on disk.
	saved []byte
}

// New returns a supervisor that runs nothing yet. It must be shut down or closed.
func New(opt Options) (*Supervisor, error) {
	if opt.JournalBytes <= 0 {
		opt.JournalBytes = 256 << 10
	}
	if opt.Program == "" {
		self, err := selfPath()
		if err != nil {
			return nil, fmt.Errorf("supervisor: %w", err)
		}
		opt.Program = self
	}
	s := &Supervisor{
		opt: opt, origin: time.Now(), ended: make(chan struct{}),
		machine: supervise.New(supervise.Config{Provided: opt.Provided}),
		units:   make(map[string]*running), procs: make(map[supervise.ProcID]*process),
		answers: make(map[supervise.Token]func(runtime.Outcome)),
		states:  make(map[string]runtime.State), journals: make(map[string]*journal),
	}
	s.inbox.wake = make(chan struct{}, 1)
	if boot, err := lease.BootID(); err == nil {
		s.boot = boot
	}
	if opt.Dir != "" {
		if err := os.MkdirAll(opt.Dir, 0o711); err != nil {
			return nil, fmt.Errorf("supervisor: %w", err)
		}
	}
	if opt.Groups != "" {
		s.parents = controlParents(opt.Groups)
		sweep(s.parents)
	}
	go s.loop()
	return s, nil
}

// Contained says what keeps a unit's processes together: "control groups" or
// "process groups".
func (s *Supervisor) Contained() string {
	if len(s.parents) > 0 {
		return "control groups"
	}
	return "process groups"
}

// inbox is what the loop has to do next. It has no bound of its own: what comes in
// is bounded by the units, their processes and the callers.
type inbox struct {
	mu     sync.Mutex
	queue  []func()
	closed bool
	wake   chan struct{}
}

// post has the loop call f, and says whether it will.
func (b *inbox) post(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.queue = append(b.queue, f)
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return true
}

func (b *inbox) take() []func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.queue
	b.queue = nil
	return taken
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.queue = true, nil
}

// loop turns the machine until the supervisor is closed.
func (s *Supervisor) loop() {
	defer close(s.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !s.closing {
		select {
		case <-s.inbox.wake:
			for _, f := range s.inbox.take() {
				f()
				if s.closing {
					break
				}
			}
		case <-timer.C:
		}
		// Looked at each time: who is busy must not be late.
		if !s.closing && s.polling > 0 && !time.Now().Before(s.lookAt) {
			s.look()
			s.lookAt = time.Now().Add(s.polling)
		}
		if next, ok := s.machine.Next(); !s.closing && ok && next <= time.Since(s.origin) {
			s.step(supervise.Tick{})
		}
		timer.Reset(s.pause())
	}
	s.inbox.close()
}

// pause is how long the loop may sleep.
func (s *Supervisor) pause() time.Duration {
	pause := time.Hour
	if next, ok := s.machine.Next(); ok {
		pause = min(pause, max(0, next-time.Since(s.origin)))
	}
	if s.polling > 0 {
		pause = min(pause, max(0, time.Until(s.lookAt)))
	}
	return pause
}

// step tells the machine what has happened and does what it wants done.
func (s *Supervisor) step(ev supervise.Event) {
	now := world.Instant{Mono: time.Since(s.origin), Wall: time.Now().UnixNano()}
	for _, a := range s.machine.Step(now, ev) {
		s.act(a)
	}
}

// call has the loop call f, and waits until it has.
func (s *Supervisor) call(f func()) error {
	done := make(chan struct{})
	if !s.inbox.post(func() { defer close(done); f() }) {
		return runtime.ErrClosed
	}
	select {
	case <-done:
		return nil
	case <-s.ended:
	}
	select {
	case <-done:
		return nil
	default:
		return runtime.ErrClosed
	}
}

// Check implements runtime.Runtime.
func (s *Supervisor) Check(u *unit.Unit) error {
	_, err := s.define(u)
	return err
}

func (s *Supervisor) define(u *unit.Unit) (*unit.Definition, error) {
	def, err := u.Define(s.opt.Facts)
	if err == nil {
		err = supervise.Check(def)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.Name(), err)
	}
	return def, nil
}

// Load implements runtime.Runtime.
func (s *Supervisor) Load(u *unit.Unit) error {
	select {
	case <-s.ended:
		return runtime.ErrClosed
	default:
	}
	def, err := s.define(u)
	if err != nil {
		return err
	}
	return s.call(func() {
		r := s.units[def.Name]
		fresh := r == nil
		if fresh {
			r = &running{name: def.Name, journal: newJournal(s.opt.JournalBytes)}
			s.units[def.Name] = r
			s.mu.Lock()
			s.journals[def.Name] = r.journal
			s.mu.Unlock()
		}
		r.hash = u.Hash()
		if def.Service != nil {
			r.context = &def.Service.Context
		}
		s.step(supervise.Load{Unit: def})
		if fresh && def.Service != nil {
			s.takeOver(r)
		}
	})
}

// request posts an event that carries a token, and has done called with its end.
func (s *Supervisor) request(done func(runtime.Outcome), event func(supervise.Token) supervise.Event) {
	posted := s.inbox.post(func() {
		token := supervise.Token(0)
		if done != nil {
			s.last++
			token = s.last
			s.answers[token] = done
		}
		s.step(event(token))
	})
	if !posted && done != nil {
		done(runtime.Outcome{Result: string(supervise.JobCanceled), Reason: runtime.ErrClosed.Error()})
	}
}

// Start implements runtime.Runtime.
func (s *Supervisor) Start(name string, done func(runtime.Outcome)) {
	s.request(done, func(t supervise.Token) supervise.Event { return supervise.Start{Name: name, Token: t} })
}

// Stop implements runtime.Runtime.
func (s *Supervisor) Stop(name string, done func(runtime.Outcome)) {
	s.request(done, func(t supervise.Token) supervise.Event { return supervise.Stop{Name: name, Token: t} })
}

// Restart implements runtime.Runtime.
func (s *Supervisor) Restart(name string, done func(runtime.Outcome)) {
	s.request(done, func(t supervise.Token) supervise.Event { return supervise.RestartUnit{Name: name, Token: t} })
}

// Reload implements runtime.Runtime.
func (s *Supervisor) Reload(name string, done func(runtime.Outcome)) {
	s.request(done, func(t supervise.Token) supervise.Event { return supervise.Reload{Name: name, Token: t} })
}

// Unload implements runtime.Runtime.
func (s *Supervisor) Unload(name string, done func(runtime.Outcome)) {
	s.request(done, func(t supervise.Token) supervise.Event { return supervise.Unload{Name: name, Token: t} })
}

// ResetFailed implements runtime.Runtime.
func (s *Supervisor) ResetFailed(name string) {
	s.inbox.post(func() { s.step(supervise.ResetFailed{Name: name}) })
}

// Kill implements runtime.Runtime.
func (s *Supervisor) Kill(name string) {
	s.inbox.post(func() { s.step(supervise.Halt{Name: name}) })
}

// Signal implements runtime.Runtime.
func (s *Supervisor) Signal(name string, sig unit.Signal) error {
	var result error
	err := s.call(func() {
		r := s.units[name]
		switch {
		case r == nil:
			result = fmt.Errorf("%s: %w", name, runtime.ErrNotFound)
		case sig.Number() == 0:
			result = fmt.Errorf("there is no signal %q", string(sig))
		case r.group != nil:
			result = r.group.signal(number(sig))
		}
	})
	return errors.Join(err, result)
}

// State implements runtime.Runtime.
func (s *Supervisor) State(name string) (runtime.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state, ok := s.states[name]
	if !ok {
		return runtime.State{Name: name, Load: "not-found"}, fmt.Errorf("%s: %w", name, runtime.ErrNotFound)
	}
	return state, nil
}

// Journal implements runtime.Runtime.
func (s *Supervisor) Journal(name string, after uint64, n int) ([]runtime.Line, error) {
	j, err := s.journalOf(name)
	if err != nil {
		return nil, err
	}
	return j.tail(after, n), nil
}

// Follow implements runtime.Runtime.
func (s *Supervisor) Follow(ctx context.Context, name string, after uint64) error {
	j, err := s.journalOf(name)
	if err != nil {
		return err
	}
	return j.wait(ctx, after)
}

func (s *Supervisor) journalOf(name string) (*journal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j, ok := s.journals[name]; ok {
		return j, nil
	}
	return nil, fmt.Errorf("%s: %w", name, runtime.ErrNotFound)
}

// Shutdown implements runtime.Runtime.
func (s *Supervisor) Shutdown(ctx context.Context) error {
	var names []string
	if err := s.call(func() { names = s.machine.Names() }); err != nil {
		return nil // closed already
	}
	ends := make(chan string, len(names))
	for _, name := range names {
		s.Stop(name, func(runtime.Outcome) { ends <- name })
	}
	left := make(map[string]bool, len(names))
	for _, name := range names {
		left[name] = true
	}
	for len(left) > 0 {
		select {
		case name := <-ends:
			delete(left, name)
		case <-ctx.Done():
			err := s.Close()
			return errors.Join(fmt.Errorf("%w; still stopping: %s", ctx.Err(), strings.Join(sortedKeys(left), ", ")), err)
		}
	}
	return s.Close()
}

// Close implements runtime.Runtime.
func (s *Supervisor) Close() error {
	if err := s.call(s.letGo); err != nil {
		return nil // closed already
	}
	<-s.ended
	sweep(s.parents)
	var errs []error
	for _, parent := range s.parents {
		// Others keep it: units that go on running.
		if err := os.Remove(parent); err != nil && !errors.Is(err, fs.ErrNotExist) && !busy(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// letGo closes what belongs to this life of the supervisor.
func (s *Supervisor) letGo() {
	s.closing = true
	for _, done := range s.answers {
		done(runtime.Outcome{Result: string(supervise.JobCanceled), Reason: runtime.ErrClosed.Error()})
	}
	clear(s.answers)
	for _, r := range s.units {
		r.closeFiles()
	}
}

func (s *Supervisor) path(kind, name string) string { return filepath.Join(s.opt.Dir, kind+"-"+name) }
