package unit

import (
	"crypto/sha1"
	"errors"
	"slices"
	"strings"
)

// Unit is a unit file under a name. It doesn't change.
type Unit struct {
	name    Name
	options []Option
	text    string
	fleet   Requirements
	remarks []Problem
}

// Parse reads a unit file. It fails with an *Error if the name is none, the text
// can't be read, or an option of [X-Fleet] has a value that can't be meant. What
// fleet takes is taken, contradictions too: Requirements.Validate finds those.
func Parse(name string, text []byte) (*Unit, error) {
	n, err := ParseName(name)
	if err != nil {
		return nil, err
	}
	options, remarks, err := lex(string(text))
	if err != nil {
		return nil, wrap(err)
	}
	return build(n, options, remarks)
}

// FromOptions makes a unit of options that came without a text, as fleet's API
// has them. An option that couldn't be read back from the text is an error: it
// would be another option on the machine.
func FromOptions(name string, options []Option) (*Unit, error) {
	n, err := ParseName(name)
	if err != nil {
		return nil, err
	}
	read, remarks, err := lex(render(options))
	if err != nil {
		return nil, wrap(err)
	}
	ordered := bySection(options)
	for i, o := range ordered {
		if i >= len(read) || !same(o, read[i]) {
			o.Line = 0
			return nil, &Error{[]Problem{at(o, "the value %s can't be written in a unit file", quote(o.Value))}}
		}
	}
	return build(n, read, remarks)
}

// bySection orders options as render writes them.
func bySection(options []Option) []Option {
	first := make(map[string]int)
	for i, o := range options {
		if _, seen := first[o.Section]; !seen {
			first[o.Section] = i
		}
	}
	ordered := slices.Clone(options)
	slices.SortStableFunc(ordered, func(a, b Option) int { return first[a.Section] - first[b.Section] })
	return ordered
}

func same(a, b Option) bool { return a.Section == b.Section && a.Name == b.Name && a.Value == b.Value }

// build puts a unit together.
func build(name Name, options []Option, remarks []Problem) (*Unit, error) {
	u := &Unit{name: name, options: options, text: render(options)}
	fleet, more, err := parseFleet(name, u.Section(FleetSection))
	if err != nil {
		return nil, err
	}
	u.fleet = fleet
	u.remarks = slices.Concat(remarks, u.misnamed(), more)
	slices.SortStableFunc(u.remarks, func(a, b Problem) int { return a.Line - b.Line })
	return u, nil
}

// misnamed remarks on sections that look like fleet's and aren't.
func (u *Unit) misnamed() (remarks []Problem) {
	for _, o := range u.options {
		bare := strings.ToLower(strings.TrimSpace(o.Section))
		if o.Section != FleetSection && (bare == "x-fleet" || bare == "fleet") {
			remarks = append(remarks, at(o, "does nothing: fleet's section is [%s]", FleetSection))
		}
	}
	return remarks
}

// wrap makes an *Error of the problem that lex returned.
func wrap(err error) error {
	if p, ok := errors.AsType[Problem](err); ok {
		return &Error{[]Problem{p}}
	}
	return err
}

// Name returns the unit's name.
func (u *Unit) Name() Name { return u.name }

// Options returns the assignments, in the order of the file. They must not be
// changed.
func (u *Unit) Options() []Option { return u.options }

// Section returns the assignments of one section.
func (u *Unit) Section(name string) []Option {
	var found []Option
	for _, o := range u.options {
		if o.Section == name {
			found = append(found, o)
		}
	}
	return found
}

// Text returns the normalised text: without comments, repeated sections merged
// in the order of their first lines, one empty line between sections.
func (u *Unit) Text() string { return u.text }

// Hash returns the hash of the text, the one that fleet 1.0 computes.
func (u *Unit) Hash() Hash { return sha1.Sum([]byte(u.text)) }

// Fleet returns what the [X-Fleet] section asks for.
func (u *Unit) Fleet() Requirements { return u.fleet }

// Remarks returns what was read and does nothing, and what is likely meant
// otherwise, in the order of the file.
func (u *Unit) Remarks() []Problem { return u.remarks }

// Description returns the first description that [Unit] has, or "".
func (u *Unit) Description() string {
	for _, o := range u.options {
		if o.Section == "Unit" && o.Name == "Description" {
			return o.Value
		}
	}
	return ""
}

// Instantiate returns the same file under an instance's name: fleet stores an
// instance as a full copy of its template.
func (u *Unit) Instantiate(instance string) (*Unit, error) {
	name, err := u.name.With(instance)
	if err != nil {
		return nil, err
	}
	options, remarks, err := lex(u.text)
	if err != nil {
		return nil, wrap(err)
	}
	return build(name, options, remarks)
}
