package fleet

import (
	"errors"
	"fmt"
)

// Refusals of commands. Errors of package unit, about a name or a text, come
// through as they are.
var (
	// ErrNotFound says that there is no such unit, and nothing to make one of.
	ErrNotFound = errors.New("unit does not exist")
	// ErrExists says that a unit that was to be made is there with another text.
	ErrExists = errors.New("unit exists with another text")
	// ErrTemplate says that a template can't be loaded or launched; TemplateError
	// has fleet's words.
	ErrTemplate = errors.New("cannot activate template")
	// ErrNotLaunched says that a unit that was to be restarted isn't launched.
	ErrNotLaunched = errors.New("unit is not launched")
	// ErrReplica says that a unit is one of its template's replicas.
	ErrReplica = errors.New("unit is a replica of its template")
	// ErrNoMachine says that no machine has that id.
	ErrNoMachine = errors.New("no such machine")
	// ErrMachine says that what was told of a machine can't be stored.
	ErrMachine = errors.New("bad machine")
	// ErrMetadata says that a key or value can't be stored.
	ErrMetadata = errors.New("bad metadata")
	// ErrDesired says that no unit can be in the state that is desired.
	ErrDesired = errors.New("no state to desire")
	// ErrTooLarge says that a text, list or value is longer than the state takes.
	ErrTooLarge = errors.New("too large")
	// ErrFull says that there are as many units or machines as the state takes.
	ErrFull = errors.New("the fleet is full")
	// ErrStale says that a command is of another term, or was decided on a state
	// that is no more.
	ErrStale = errors.New("out of date")
)

// TemplateError says that a template that makes no replicas was to be active. It
// matches ErrTemplate.
type TemplateError struct {
	// Name is the template's.
	Name string
}

// Error is fleet's message.
func (e *TemplateError) Error() string { return fmt.Sprintf("cannot activate template %q", e.Name) }

// Is says what the error matches.
func (e *TemplateError) Is(target error) bool { return target == ErrTemplate }
