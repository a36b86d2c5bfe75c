package dist

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Milli is a number in thousandths, so that a decimal in a file is what the
// arithmetic works with, to the last digit.
type Milli int64

// maxMilli bounds what ParseMilli accepts; no parameter needs more.
const maxMilli = 1_000_000_000

// ParseMilli reads a decimal with at most three digits behind the point, such
// as "1.25". Its errors match ErrSpec.
func ParseMilli(text string) (Milli, error) {
	whole, fraction, dotted := strings.Cut(text, ".")
	if dotted && fraction == "" || len(fraction) > 3 || !digits(whole) || !digits(fraction+"0") {
		return 0, fmt.Errorf("%w: %q is not a number with up to three decimals", ErrSpec, text)
	}
	n, err := strconv.ParseInt(whole+(fraction + "000")[:3], 10, 64)
	if err != nil || n > maxMilli {
		return 0, fmt.Errorf("%w: %q is too great", ErrSpec, text)
	}
	return Milli(n), nil
}

func digits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// String writes the shortest decimal that ParseMilli reads back.
func (m Milli) String() string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	text := fmt.Sprintf("%s%d.%03d", sign, m/1000, m%1000)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// Parse reads a spec as String writes it: the kind, then fields as key=value,
// in any order: "pareto mean=2ms min=200us max=1s tail=0.5". It checks what it
// has read; its errors match ErrSpec.
func Parse(text string) (Spec, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return Spec{}, fmt.Errorf("%w: empty; must begin with one of %s", ErrSpec, kindList())
	}
	spec := Spec{Kind: Kind(words[0])}
	seen := make(map[string]bool)
	for _, word := range words[1:] {
		key, value, ok := strings.Cut(word, "=")
		if !ok || seen[key] {
			return Spec{}, fmt.Errorf("%w: %q is not a new key=value", ErrSpec, word)
		}
		seen[key] = true
		if err := spec.set(key, value); err != nil {
			return Spec{}, err
		}
	}
	if _, err := New(spec); err != nil {
		return Spec{}, err
	}
	return spec, nil
}

func (s *Spec) set(key, value string) (err error) {
	switch key {
	case "mean":
		s.Mean, err = parseDelay(key, value)
	case "min":
		s.Min, err = parseDelay(key, value)
	case "max":
		s.Max, err = parseDelay(key, value)
	case "tail":
		s.Tail, err = ParseMilli(value)
	default:
		err = fmt.Errorf("%w: unknown key %q, must be mean, min, max or tail", ErrSpec, key)
	}
	return err
}

func parseDelay(key, value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil {
		return 0, fmt.Errorf("%w: %s is %q, must be a duration such as 1.5ms", ErrSpec, key, value)
	}
	return d, nil
}

// String writes the spec as Parse reads it; fields that are zero are left out.
func (s Spec) String() string {
	text := string(s.Kind)
	for _, f := range []struct {
		key   string
		value time.Duration
	}{{"mean", s.Mean}, {"min", s.Min}, {"max", s.Max}} {
		if f.value != 0 {
			text += " " + f.key + "=" + f.value.String()
		}
	}
	if s.Tail != 0 {
		text += " tail=" + s.Tail.String()
	}
	return text
}
