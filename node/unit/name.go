package unit

import (
	"fmt"
	"slices"
	"strings"
)

// MaxName is the length of the longest name, in bytes.
const MaxName = 256

type unitType struct {
	name      string
	templates bool
}

// types are the suffixes that a name may have, and whether such a unit may be a
// template or an instance.
var types = []unitType{
	{"automount", false},
	{"busname", false},
	{"device", false},
	{"mount", false},
	{"path", true},
	{"scope", false},
	{"service", true},
	{"slice", false},
	{"snapshot", false},
	{"socket", true},
	{"swap", false},
	{"target", true},
	{"timer", true},
}

// Name is a unit's name, taken apart. The zero Name is no name; others come from
// ParseName.
type Name struct {
	full string
	// at is the place of the first "@", or -1; dot that of the last ".".
	at, dot int
}

// nameError is a refusal in fleet's words.
type nameError string

func (e nameError) Error() string        { return string(e) }
func (e nameError) Is(target error) bool { return target == ErrName }

// ParseName checks a name by fleet's rules and takes it apart. Errors are in
// fleet's words and match ErrName.
func ParseName(s string) (Name, error) {
	if s == "" {
		return Name{}, nameError("unit name cannot be empty")
	}
	if len(s) > MaxName {
		return Name{}, nameError(fmt.Sprintf("unit name exceeds maximum length (%d)", MaxName))
	}
	dot := strings.LastIndexByte(s, '.')
	switch {
	case dot < 0:
		return Name{}, nameError(`unit name must contain "."`)
	case dot == len(s)-1:
		return Name{}, nameError(`unit name cannot end in "."`)
	}
	suffix := s[dot+1:]
	i := slices.IndexFunc(types, func(t unitType) bool { return t.name == suffix })
	if i < 0 {
		return Name{}, nameError(fmt.Sprintf("invalid unit type: %q", suffix))
	}
	at := strings.IndexByte(s[:dot], '@')
	if at >= 0 && !types[i].templates {
		return Name{}, nameError(fmt.Sprintf("invalid unit type for template: %q", suffix))
	}
	for _, r := range s[:dot] {
		if !inName(r) {
			return Name{}, nameError(fmt.Sprintf("invalid character %q in unit name", r))
		}
	}
	if at == 0 {
		return Name{}, nameError(`unit name cannot start in "@"`)
	}
	return Name{s, at, dot}, nil
}

func inName(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune(`:_.\@-`, r)
}

// String returns the whole name, which is the specifier %n.
func (n Name) String() string { return n.full }

// Stem returns the name without its suffix: %N.
func (n Name) Stem() string { return n.full[:n.dot] }

// Type returns the suffix without its dot, such as "service".
func (n Name) Type() string {
	if n.full == "" {
		return ""
	}
	return n.full[n.dot+1:]
}

// Prefix returns what stands before the first "@", or the stem: %p.
func (n Name) Prefix() string {
	if n.at < 0 {
		return n.Stem()
	}
	return n.full[:n.at]
}

// Instance returns what stands between the first "@" and the suffix, empty for a
// template and for a plain unit: %i.
func (n Name) Instance() string {
	if n.full == "" || n.at < 0 {
		return ""
	}
	return n.full[n.at+1 : n.dot]
}

// IsTemplate says whether instances can be made of it: foo@.service.
func (n Name) IsTemplate() bool { return n.full != "" && n.at == n.dot-1 }

// IsInstance says whether it was made of a template: foo@1.service.
func (n Name) IsInstance() bool { return n.Instance() != "" }

// Template returns the name of the template that an instance is made of, and a
// template's own; ok is false for a plain unit.
func (n Name) Template() (template Name, ok bool) {
	if n.full == "" || n.at < 0 {
		return Name{}, false
	}
	full := n.full[:n.at+1] + n.full[n.dot:]
	return Name{full, n.at, n.at + 1}, true
}

// With returns the instance of a template's, or of an instance's template.
func (n Name) With(instance string) (Name, error) {
	template, ok := n.Template()
	if !ok {
		return Name{}, fmt.Errorf("%s is no template: %w", n, ErrName)
	}
	return ParseName(template.full[:template.dot] + instance + template.full[template.dot:])
}

// Complete adds .service to what a user typed, as fleetctl does, unless it ends
// in one of the suffixes that fleetctl knows. It doesn't check the rest.
func Complete(typed string) string {
	for _, suffix := range []string{".service", ".socket", ".timer", ".path", ".device", ".mount", ".automount"} {
		if strings.HasSuffix(typed, suffix) {
			return typed
		}
	}
	return typed + ".service"
}
