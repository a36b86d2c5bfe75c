package power

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"drydock/vmlab/lab"
)

// Errors of what a machine is asked in the wrong state.
var (
	ErrOff    = errors.New("the machine is off")
	ErrOn     = errors.New("the machine is on already")
	ErrPaused = errors.New("the machine is paused")
	// ErrRetired: another has taken its place since, or none.
	ErrRetired = errors.New("the machine was given up")
)

// Life is a machine from being switched on until it is off. Part is what its driver has
// of it.
type Life[P any] struct {
	Part  P
	Since time.Time

	gone chan struct{}
}

// Gone is closed when all that ran of the life has ended.
func (l *Life[P]) Gone() <-chan struct{} { return l.gone }

// Ended says whether that is so.
func (l *Life[P]) Ended() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// Engine is what a driver does to a machine. Its methods are called by who holds the
// machine's Turn.
type Engine[P any] interface {
	// Begin makes all that a life takes, tells Begun as soon as something of it runs,
	// and returns when the machine does.
	Begin(ctx context.Context, l *Life[P]) error
	// End ends what a life has begun, whatever of it there is, and returns when it is
	// gone.
	End(l *Life[P]) error
	// AskToHalt asks a machine that runs to switch itself off.
	AskToHalt(ctx context.Context, l *Life[P]) error
	// Hold stops all that runs on the machine, or lets it go on.
	Hold(l *Life[P], stop bool) error
}

// Machine is the part of a lab.Unit that is about its power. Engine is set before
// anything else is done with it. Its methods may be called by several goroutines.
type Machine[P any] struct {
	Engine Engine[P]

	// Turn is held while the machine is switched on or off, paused, or must stay as it
	// is. Methods of the name ...Held are for who holds it.
	Turn sync.Mutex
	// retired is the Turn's.
	retired bool

	mu     sync.Mutex
	life   *Life[P] // nil while nothing of one is there
	on     bool     // its beginning is done
	paused bool
	ended  string // how it has ended last
}

// Boot implements lab.Unit.
func (m *Machine[P]) Boot(ctx context.Context) error {
	m.Turn.Lock()
	defer m.Turn.Unlock()
	if err := ctx.Err(); err != nil {
		return err // who asked has gone while it waited for its turn
	}
	if m.retired {
		return ErrRetired
	}
	if _, err := m.Running(); !errors.Is(err, ErrOff) {
		return ErrOn
	}
	return m.BeginHeld(ctx, m.Engine.Begin)
}

// BeginHeld has a life begin in the machine's place of one, if there is one.
func (m *Machine[P]) BeginHeld(ctx context.Context, begin func(context.Context, *Life[P]) error) error {
	if err := m.CutHeld(); err != nil {
		return err
	}
	m.mu.Lock()
	m.ended = "" // of a life before
	m.mu.Unlock()
	l := &Life[P]{Since: time.Now(), gone: make(chan struct{})}
	if err := begin(ctx, l); err != nil {
		return errors.Join(err, m.finish(l))
	}
	m.mu.Lock()
	m.on = true
	m.mu.Unlock()
	return nil
}

// Begun says that something of a life runs, paused or not; wait returns when that has
// ended, and how.
func (m *Machine[P]) Begun(l *Life[P], paused bool, wait func() string) {
	m.mu.Lock()
	m.life, m.on, m.paused = l, false, paused
	m.mu.Unlock()
	go func() {
		how := wait()
		m.mu.Lock()
		m.ended = how
		m.mu.Unlock()
		close(l.gone)
	}()
}

func (m *Machine[P]) finish(l *Life[P]) error {
	err := m.Engine.End(l)
	m.mu.Lock()
	m.life, m.on, m.paused = nil, false, false
	m.mu.Unlock()
	return err
}

// Life is the machine's life, which may have ended by itself; nil if none is left.
func (m *Machine[P]) Life() *Life[P] {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.life
}

// Running returns the machine's life if it is on, with ErrPaused if it is paused. One
// that is being switched on is off: its beginning may fail yet.
func (m *Machine[P]) Running() (*Life[P], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.life == nil || !m.on || m.life.Ended():
		return nil, ErrOff
	case m.paused:
		return m.life, ErrPaused
	}
	return m.life, nil
}

// Cut implements lab.Unit. It is no error if the machine is off.
func (m *Machine[P]) Cut() error {
	m.Turn.Lock()
	defer m.Turn.Unlock()
	return m.CutHeld()
}

// CutHeld is Cut.
func (m *Machine[P]) CutHeld() error {
	if l := m.Life(); l != nil {
		return m.finish(l)
	}
	return nil
}

// Retire implements lab.Unit.
func (m *Machine[P]) Retire() error {
	m.Turn.Lock()
	defer m.Turn.Unlock()
	m.retired = true
	return m.CutHeld()
}

// Halt implements lab.Unit. What can't be asked to halt loses its power, too.
func (m *Machine[P]) Halt(ctx context.Context) error {
	m.Turn.Lock()
	defer m.Turn.Unlock()
	l, err := m.Running()
	if errors.Is(err, ErrPaused) {
		err = m.HoldHeld(false)
	}
	if err != nil {
		return err
	}
	if err := m.Engine.AskToHalt(ctx, l); err != nil {
		return errors.Join(fmt.Errorf("it can't be asked to halt: %w", err), m.finish(l))
	}
	select {
	case <-l.gone:
	case <-ctx.Done():
		err = fmt.Errorf("it has not halted: %w", ctx.Err())
	}
	return errors.Join(err, m.finish(l))
}

// Freeze implements lab.Unit.
func (m *Machine[P]) Freeze() error {
	m.Turn.Lock()
	defer m.Turn.Unlock()
	return m.HoldHeld(true)
}

// Thaw implements lab.Unit.
func (m *Machine[P]) Thaw() error {
	m.Turn.Lock()
	defer m.Turn.Unlock()
	return m.HoldHeld(false)
}

// HoldHeld pauses the machine, or lets it go on.
func (m *Machine[P]) HoldHeld(stop bool) error {
	l, err := m.Running()
	if errors.Is(err, ErrOff) || stop && err != nil {
		return err
	}
	if err := m.Engine.Hold(l, stop); err != nil {
		return err
	}
	m.mu.Lock()
	m.paused = stop
	m.mu.Unlock()
	return nil
}

// Look says how the machine is; fill adds what its driver knows of one that is on.
func (m *Machine[P]) Look(fill func(*Life[P], *lab.Vitals)) lab.Vitals {
	m.mu.Lock()
	l, paused, ended := m.life, m.paused, m.ended
	off := l == nil || !m.on || l.Ended()
	m.mu.Unlock()
	if off {
		return lab.Vitals{Power: lab.PowerOff, Ended: ended}
	}
	v := lab.Vitals{Power: lab.PowerOn, Since: l.Since}
	if paused {
		v.Power = lab.PowerPaused
	}
	fill(l, &v)
	return v
}
