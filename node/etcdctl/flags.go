package etcdctl

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// kind is what a flag takes for a value.
type kind uint8

const (
	boolean kind = iota
	text
	number
	span
	// list may be given several times, and with commas.
	list
)

// flag describes one flag of a command.
type flag struct {
	// names has the long one first; a single letter is a short form.
	names []string
	kind  kind
	// value is the default as typed; help says it.
	value string
	// holder stands for the value in help.
	holder, usage string
}

// values are the flags that were given, by their first names, as typed.
type values struct {
	specs []flag
	given map[string]string
}

// spec finds a flag by any of its names.
func (v *values) spec(name string) *flag {
	for i := range v.specs {
		for _, n := range v.specs[i].names {
			if n == name {
				return &v.specs[i]
			}
		}
	}
	return nil
}

// has tells whether a flag was given.
func (v *values) has(name string) bool {
	_, ok := v.given[name]
	return ok
}

// text returns a flag's value or its default.
func (v *values) text(name string) string {
	if s, ok := v.given[name]; ok {
		return s
	}
	return v.spec(name).value
}

// bool, number and span return values that set has checked.
func (v *values) bool(name string) bool { return v.text(name) == "true" }

func (v *values) number(name string) int {
	n, _ := strconv.ParseInt(v.text(name), 0, 64)
	return int(n)
}

func (v *values) span(name string) time.Duration {
	d, _ := time.ParseDuration(v.text(name))
	return d
}

// set checks a value and keeps it.
func (v *values) set(f *flag, written, value string) error {
	var err error
	switch f.kind {
	case boolean:
		var on bool
		if on, err = strconv.ParseBool(value); err != nil {
			return fmt.Errorf("invalid boolean value %q for -%s: parse error", value, written)
		}
		value = strconv.FormatBool(on)
	case number:
		_, err = strconv.ParseInt(value, 0, 64)
	case span:
		_, err = time.ParseDuration(value)
	}
	if err != nil {
		why := "parse error"
		if errors.Is(err, strconv.ErrRange) {
			why = "value out of range"
		}
		return fmt.Errorf("invalid value %q for flag -%s: %s", value, written, why)
	}
	if f.kind == list && v.has(f.names[0]) {
		value = v.given[f.names[0]] + "," + value
	}
	v.given[f.names[0]] = value
	return nil
}

// errHelp asks for help instead of the command.
var errHelp = errors.New("help requested")

// parse takes flags off arguments and returns the others. Flags begin with one or
// two dashes; a value follows after "=" or as the next argument. "--" ends them: it
// is kept if keepDashes is set, for commands that have a use for it.
//
// With interspersed, flags may come after other arguments. What looks like a flag
// there, and is none, is an argument, so that a value may begin with a dash.
func parse(specs []flag, args []string, interspersed, keepDashes bool) (*values, []string, error) {
	v := &values{specs: specs, given: map[string]string{}}
	var rest []string
	for len(args) > 0 {
		arg := args[0]
		switch {
		case arg == "--":
			if !keepDashes {
				args = args[1:]
			}
			return v, append(rest, args...), nil
		case len(arg) < 2 || arg[0] != '-':
			if !interspersed {
				return v, args, nil
			}
			rest, args = append(rest, arg), args[1:]
			continue
		}
		used, err := v.take(args, len(rest) > 0)
		if err != nil {
			return v, nil, err
		}
		if used == 0 {
			rest, used = append(rest, arg), 1
		}
		args = args[used:]
	}
	return v, rest, nil
}

// take reads the flag at the head of args and returns how many it took: none if it
// is no flag, which only late ones may be.
func (v *values) take(args []string, late bool) (int, error) {
	name := strings.TrimPrefix(strings.TrimPrefix(args[0], "-"), "-")
	name, value, valued := strings.Cut(name, "=")
	f := v.spec(name)
	switch {
	case f == nil && late:
		return 0, nil
	case f == nil && (name == "help" || name == "h"):
		return 0, errHelp
	case f == nil:
		return 0, fmt.Errorf("flag provided but not defined: -%s", name)
	case valued:
		return 1, v.set(f, name, value)
	case f.kind == boolean:
		return 1, v.set(f, name, "true")
	case len(args) < 2:
		return 0, fmt.Errorf("flag needs an argument: -%s", name)
	}
	return 2, v.set(f, name, args[1])
}
