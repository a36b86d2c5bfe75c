package ui

import (
	"errors"
	"fmt"
)

// Exit codes of all commands.
const (
	// Held: all that was asked held.
	Held = 0
	// Violated: a check failed.
	Violated = 1
	// Usage: the call or a file was wrong.
	Usage = 2
	// Unknown: a checker or a run hit its bound before a verdict.
	Unknown = 3
	// WorldFailed: the world that should have run it failed.
	WorldFailed = 4
	// Interrupted: a signal ended it early.
	Interrupted = 130
)

// exitError is an error that carries the process's exit code.
type exitError struct {
	code int
	err  error
}

// Error implements error; empty for an exit that has nothing left to say.
func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// Unwrap gives the error beneath.
func (e *exitError) Unwrap() error { return e.err }

// Exit returns an error that ends the process with code. A nil err prints
// nothing: the command has said all itself. Code 0 with a nil err is no error.
func Exit(code int, err error) error {
	if code == Held && err == nil {
		return nil
	}
	return &exitError{code: code, err: err}
}

// Usagef returns a formatted error with exit code Usage.
func Usagef(format string, args ...any) error {
	return Exit(Usage, fmt.Errorf(format, args...))
}

// Code returns the exit code that err asks for: 0 for nil, Usage for an error
// without a code, as those come from the parsing of the command line.
func Code(err error) int {
	var exit *exitError
	switch {
	case err == nil:
		return Held
	case errors.As(err, &exit):
		return exit.code
	}
	return Usage
}
