package unit

import (
	"errors"
	"fmt"
	"strings"
)

// Problem is something that is wrong, or that has no effect, at a place of a
// unit file. It is an error when it stands in an Error, else a remark.
type Problem struct {
	// Line counts from 1; 0 is the unit as a whole.
	Line int
	// Section and Option name the place, without brackets; either may be empty.
	Section, Option string
	// What says what is wrong, Hint what to write instead; Hint may be empty.
	What, Hint string
}

// Error writes the problem on one line, the place first.
func (p Problem) Error() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", p.Line)
	}
	if p.Section != "" {
		fmt.Fprintf(&b, "[%s] ", p.Section)
	}
	if p.Option != "" {
		b.WriteString(p.Option + ": ")
	}
	b.WriteString(p.What)
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

// at returns a problem at an option.
func at(o Option, format string, args ...any) Problem {
	return Problem{Line: o.Line, Section: o.Section, Option: o.Name, What: fmt.Sprintf(format, args...)}
}

// hint adds what to write instead.
func (p Problem) hint(format string, args ...any) Problem {
	p.Hint = fmt.Sprintf(format, args...)
	return p
}

// Error is why a unit can't be accepted: one problem or more, in the order of
// the file.
type Error struct {
	Problems []Problem
}

// Error writes the problems, one a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find a Problem.
func (e *Error) Unwrap() []error {
	errs := make([]error, len(e.Problems))
	for i, p := range e.Problems {
		errs[i] = p
	}
	return errs
}

// asError returns problems as an error, nil if there are none.
func asError(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &Error{problems}
}

// ErrName is what a refused name matches: it is none that systemd and fleet take.
var ErrName = errors.New("not a unit name")
