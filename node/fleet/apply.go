package fleet

import (
	"fmt"
)

// Outcome is what a command that wasn't refused came to.
type Outcome struct {
	// Changed says that anything is different now.
	Changed bool
	// Created says that a Put made the unit, NewText that it changed the text of one
	// that was there.
	Created, NewText bool
	// Session is what an Open opened.
	Session uint64
	// Refused are the moves of a Place that had no effect.
	Refused []Refused
}

// Refused is a move that had no effect.
type Refused struct {
	// Index is the move's place in Place.Moves.
	Index int
	// Why matches ErrStale.
	Why error
}

// Apply applies one command. An error says why the command had no effect; it
// matches one of this package's or package unit's.
func (s *Store) Apply(env Env, c *Command) (Outcome, error) {
	s.env = env
	out, err := s.apply(c)
	out.Changed = s.mutated
	s.settle()
	return out, err
}

func (s *Store) apply(c *Command) (Outcome, error) {
	if err := c.Check(); err != nil {
		return Outcome{}, err
	}
	switch {
	case c.Put != nil:
		return s.put(c.Put)
	case c.Destroy != nil:
		return Outcome{}, s.destroyUnit(c.Destroy.Name)
	case c.Patch != nil:
		return Outcome{}, s.patch(c.Patch)
	case c.Drain != nil:
		return Outcome{}, s.drain(c.Drain)
	case c.Open != nil:
		return s.open(c.Open)
	case c.Close != nil:
		return Outcome{}, s.close(c.Close)
	case c.Report != nil:
		return Outcome{}, s.report(c.Report)
	}
	return s.move(c.Place)
}

// stale returns an error that matches ErrStale.
func stale(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrStale, fmt.Sprintf(format, args...))
}

// thisTerm refuses what the leader of another term has decided.
func (s *Store) thisTerm(term uint64) error {
	if term != s.env.Term {
		return stale("decided in term %d, logged in %d", term, s.env.Term)
	}
	return nil
}
