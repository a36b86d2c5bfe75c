package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
)

// Unit is one machine of a ground, as drivers make them. The methods mean what the
// ground's of the same name do.
type Unit interface {
	Boot(ctx context.Context) error
	Halt(ctx context.Context) error
	Cut() error
	// Retire cuts the machine's power for good: it is not switched on again, also not by
	// who has waited to.
	Retire() error
	StartNode() error
	KillNode() error
	PauseNode() error
	ResumeNode() error
	Freeze() error
	Thaw() error
	Vitals() Vitals
	Access() (Access, error)
	Control() string
}

// Table is a ground's machines by their names: the part of Ground that is about one
// machine. The zero Table is empty. Its methods may be called by several goroutines.
type Table struct {
	mu    sync.RWMutex
	units map[string]Unit
}

// Put takes a machine in, in the place of one of that name, which is retired.
func (t *Table) Put(name string, u Unit) error {
	if err := t.retire(name); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.units == nil {
		t.units = map[string]Unit{}
	}
	t.units[name] = u
	return nil
}

// retire retires a machine, if there is one of that name.
func (t *Table) retire(name string) error {
	if t.Unit(name) == nil {
		return nil
	}
	return t.with(name, Unit.Retire)
}

// Drop gives a machine up, which is retired.
func (t *Table) Drop(name string) error {
	err := t.retire(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.units, name)
	return err
}

// Unit is a machine; nil if there is none of that name.
func (t *Table) Unit(name string) Unit {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.units[name]
}

// Units are all machines by their names.
func (t *Table) Units() map[string]Unit {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return maps.Clone(t.units)
}

// with does something to a machine, and says whose error it is.
func (t *Table) with(name string, do func(Unit) error) error {
	u := t.Unit(name)
	if u == nil {
		return fmt.Errorf("%s: %w", name, ErrNoMachine)
	}
	if err := do(u); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Boot implements Ground.
func (t *Table) Boot(ctx context.Context, m *Machine) error {
	return t.with(m.Name, func(u Unit) error { return u.Boot(ctx) })
}

// Halt implements Ground.
func (t *Table) Halt(ctx context.Context, name string) error {
	return t.with(name, func(u Unit) error { return u.Halt(ctx) })
}

// Cut implements Ground.
func (t *Table) Cut(name string) error { return t.with(name, Unit.Cut) }

// StartNode implements Ground.
func (t *Table) StartNode(name string) error { return t.with(name, Unit.StartNode) }

// KillNode implements Ground.
func (t *Table) KillNode(name string) error { return t.with(name, Unit.KillNode) }

// PauseNode implements Ground.
func (t *Table) PauseNode(name string) error { return t.with(name, Unit.PauseNode) }

// ResumeNode implements Ground.
func (t *Table) ResumeNode(name string) error { return t.with(name, Unit.ResumeNode) }

// Freeze implements Ground.
func (t *Table) Freeze(name string) error { return t.with(name, Unit.Freeze) }

// Thaw implements Ground.
func (t *Table) Thaw(name string) error { return t.with(name, Unit.Thaw) }

// Vitals implements Ground.
func (t *Table) Vitals(name string) Vitals {
	if u := t.Unit(name); u != nil {
		return u.Vitals()
	}
	return Vitals{Power: PowerOff}
}

// Access implements Ground.
func (t *Table) Access(name string) (a Access, err error) {
	err = t.with(name, func(u Unit) (err error) { a, err = u.Access(); return err })
	return a, err
}

// Control implements Ground.
func (t *Table) Control(name string) string {
	if u := t.Unit(name); u != nil {
		return u.Control()
	}
	return ""
}

// RetireAll gives all machines up.
func (t *Table) RetireAll() error {
	var errs []error
	for name := range t.Units() { // any order: each by itself
		errs = append(errs, t.retire(name))
	}
	return errors.Join(errs...)
}
