package systemd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"

	"drydock/node/runtime"
	"drydock/node/unit"
)

// ErrTaken is of a unit whose name systemd has for something that isn't the node's.
var ErrTaken = errors.New("systemd has a unit of this name already")

// Options say which manager to use and how. Dir is needed.
type Options struct {
	// Address is where the manager listens, a D-Bus address. Empty is the system's
	// manager, which only root may use; UserAddress has that of a user's. An address
	// that doesn't end in "/systemd/private" is a bus with a manager behind it.
	Address string
	// Dir is for the unit files of this node; no other may have the same.
	Dir string
	// JournalFiles is a directory of journal files; empty is the machine's.
	JournalFiles string
	// UserUnits says that the manager is a user's, which the journal keeps apart.
	UserUnits bool
	// Allowed, if not nil, is asked right before systemd is told to start a unit, which
	// may be long after the request, and by its error keeps that from being done.
	Allowed func(name string) error
	// Report is called when a unit's state has changed, by a goroutine of the
	// runtime, which it must not hold up.
	Report func(runtime.State)
}

// SystemAddress is where the system's manager listens.
const SystemAddress = "unix:path=/run/systemd/private"

// UserAddress is where a user's manager listens, given the user's XDG_RUNTIME_DIR.
func UserAddress(runtimeDir string) string { return "unix:path=" + runtimeDir + "/systemd/private" }

// Systemd runs units by systemd. It implements runtime.Runtime.
type Systemd struct {
	opt    Options
	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	// refreshing is held while states are read, so that they are told in order.
	refreshing sync.Mutex
	// wakeRefresh and wakeReload have one place each: there is something to do.
	wakeRefresh, wakeReload chan struct{}

	// mu guards what follows.
	mu     sync.Mutex
	closed bool
	// link is the connection, nil while there is none; linked is closed when there
	// is one again.
	link   *link
	linked chan struct{}
	units  map[string]*entry
	// stale units' states are to be read again; unread are those whose files are.
	stale, unread map[string]bool
	// written counts changes of unit files, read those that systemd has seen;
	// settled is closed when read has grown, then replaced.
	written, read uint64
	settled       chan struct{}
}

var _ runtime.Runtime = (*Systemd)(nil)

// entry is a unit that is loaded.
type entry struct {
	name    string
	hash    unit.Hash
	state   runtime.State
	told    runtime.State // what was reported last
	install bool          // its file has an Install section
	// jobs are the requests under way, oldest first; queue holds those that systemd
	// has not been told of, and running says that somebody works on it.
	jobs    []*job
	queue   []func()
	running bool
	// unloading units take no request but the one that unloads them.
	unloading bool
	killing   bool
	journal   journal
}

type job struct{ kind string }

// New connects to a manager and finds what an earlier life has left in opt.Dir.
// It must be shut down or closed.
func New(ctx context.Context, opt Options) (*Systemd, error) {
	if opt.Address == "" {
		opt.Address = SystemAddress
	}
	if opt.Dir == "" {
		return nil, errors.New("systemd: a directory for unit files is needed")
	}
	if err := os.MkdirAll(opt.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("systemd: %w", err)
	}
	s := &Systemd{
		opt: opt, wakeRefresh: make(chan struct{}, 1), wakeReload: make(chan struct{}, 1),
		linked: make(chan struct{}), settled: make(chan struct{}),
		units: make(map[string]*entry), stale: make(map[string]bool), unread: make(map[string]bool),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.begin(ctx); err != nil {
		s.cancel()
		return nil, fmt.Errorf("systemd: %w", err)
	}
	for _, f := range []func(){s.tend, s.refresher, s.reloader} {
		s.tasks.Go(f)
	}
	return s, nil
}

// begin connects, and takes over the units whose files are there.
func (s *Systemd) begin(ctx context.Context) error {
	l, err := connect(s.ctx, s.opt.Address)
	if err != nil {
		return err
	}
	s.setLink(l)
	call, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	err = s.recordGroup(call, l)
	if err == nil {
		err = s.adopt()
	}
	if err == nil {
		err = s.refresh(call, slices.Sorted(maps.Keys(s.units)))
	}
	if err != nil {
		l.close()
	}
	return err
}

// wake makes sure that whoever waits on a channel of one place goes on.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// unloadable are the types of units that systemd doesn't read from files.
var unloadable = []string{"scope", "snapshot", "busname", "device"}

// Check implements runtime.Runtime. systemd takes nearly all; what it makes of a
// unit's options it says when the unit is loaded.
func (s *Systemd) Check(u *unit.Unit) error {
	switch t := u.Name().Type(); {
	case slices.Contains(unloadable, t):
		return fmt.Errorf("%s: systemd has no files for units of type %q", u.Name(), t)
	case u.Name().IsTemplate():
		return fmt.Errorf("%s: a template can't run, only its instances can", u.Name())
	case strings.HasPrefix(u.Name().String(), "."):
		return fmt.Errorf("%s: the name of a unit file can't begin with a dot", u.Name())
	}
	return nil
}

// State implements runtime.Runtime.
func (s *Systemd) State(name string) (runtime.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.units[name]; e != nil {
		return e.shown(), nil
	}
	return runtime.State{Name: name, Load: "not-found"}, notFound(name)
}

func notFound(name string) error { return fmt.Errorf("%s: %w", name, runtime.ErrNotFound) }

// List implements runtime.Runtime.
func (s *Systemd) List() []runtime.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]runtime.State, 0, len(s.units))
	for _, name := range slices.Sorted(maps.Keys(s.units)) {
		list = append(list, s.units[name].shown())
	}
	return list
}

// Signal implements runtime.Runtime.
func (s *Systemd) Signal(name string, sig unit.Signal) error {
	if sig.Number() == 0 {
		return fmt.Errorf("there is no signal %q", string(sig))
	}
	s.mu.Lock()
	e, l := s.units[name], s.link
	s.mu.Unlock()
	switch {
	case e == nil:
		return notFound(name)
	case l == nil:
		return errNoLink
	}
	ctx, cancel := context.WithTimeout(s.ctx, callLimit)
	defer cancel()
	return l.kill(ctx, name, syscall.Signal(sig.Number()))
}

// ResetFailed implements runtime.Runtime.
func (s *Systemd) ResetFailed(name string) {
	s.enqueue(name, func(e *entry) {
		ctx, cancel := context.WithTimeout(s.ctx, callLimit)
		defer cancel()
		if l, err := s.connected(ctx); err == nil {
			// One that hasn't failed, or that systemd has let go of, is as it should be.
			_ = l.conn.ResetFailedUnitContext(ctx, e.name)
		}
	})
}

// Shutdown implements runtime.Runtime: units are unloaded, so that nothing of
// them stays in systemd.
func (s *Systemd) Shutdown(ctx context.Context) error {
	left := make(map[string]bool)
	for _, state := range s.List() {
		left[state.Name] = true
	}
	type end struct {
		name string
		runtime.Outcome
	}
	ends := make(chan end, len(left))
	for name := range left {
		s.Unload(name, func(o runtime.Outcome) { ends <- end{name, o} })
	}
	var errs []error
	for len(left) > 0 {
		select {
		case e := <-ends:
			delete(left, e.name)
			if !e.Done() {
				errs = append(errs, fmt.Errorf("%s: %s: %s", e.name, e.Result, e.Reason))
			}
		case <-ctx.Done():
			names := strings.Join(slices.Sorted(maps.Keys(left)), ", ")
			errs = append(errs, fmt.Errorf("%w; still stopping: %s", ctx.Err(), names))
			return errors.Join(append(errs, s.Close())...)
		}
	}
	return errors.Join(append(errs, s.Close())...)
}

// Close implements runtime.Runtime.
func (s *Systemd) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.tasks.Wait()
	return nil
}
