package unit

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Infinity is the duration that "infinity" means: for ever.
const Infinity = time.Duration(math.MaxInt64)

// maxAmount bounds amounts, so that sums over a machine's units can't overflow.
const maxAmount = int64(1) << 56

// ParseAmount reads an amount of a resource: cores for CPU ("1.5", "150%"),
// bytes for Memory and Disk ("512M", "1.5GiB"; K is 1024), a decimal number for
// any other. The result is in the units of Resource.Amount.
func ParseAmount(resource, s string) (int64, error) {
	switch resource {
	case Memory, Disk:
		return parseSize(s)
	case CPU:
		if percent, ok := strings.CutSuffix(s, "%"); ok {
			return scaled(percent, 10)
		}
	}
	return scaled(s, 1000)
}

// parseSize reads a number of bytes with one of systemd's suffixes, of which the
// B, and the i before it, may be added.
func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "BiKMGTPE")
	factor := int64(1)
	if suffix := strings.TrimSuffix(strings.TrimSuffix(s[len(digits):], "B"), "i"); suffix != "" {
		i := strings.Index("KMGTPE", suffix)
		if i < 0 || len(suffix) > 1 {
			return 0, fmt.Errorf("%s is no size such as 512M or 2G", quote(s))
		}
		factor <<= 10 * (i + 1)
	} else if strings.Contains(s, "i") {
		return 0, fmt.Errorf("%s is no size such as 512M or 2G", quote(s))
	}
	n, err := scaled(strings.TrimSpace(digits), factor)
	if err != nil {
		return 0, fmt.Errorf("%s is no size such as 512M or 2G: %w", quote(s), errors.Unwrap(err))
	}
	return n, nil
}

// plainSize reads a size as systemd does, which has B but no KB or KiB.
func plainSize(s string) (int64, error) {
	const digits = "0123456789."
	if suffix := strings.TrimLeft(s, digits); len(suffix) > 1 {
		return 0, fmt.Errorf("%s is no size such as 512M or 2G", quote(s))
	}
	return parseSize(s)
}

var (
	errNumber   = errors.New("not a number from 0 up")
	errTooLarge = errors.New("too large")
)

// scaled reads a decimal number from 0 up, times factor, rounded up: a
// reservation is never less than what was written.
func scaled(s string, factor int64) (int64, error) {
	whole, fraction, _ := strings.Cut(s, ".")
	if s == "" || s == "." || strings.Trim(whole, "0123456789") != "" || strings.Trim(fraction, "0123456789") != "" {
		return 0, fmt.Errorf("%s: %w", quote(s), errNumber)
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v*float64(factor) > float64(maxAmount) {
		return 0, fmt.Errorf("%s: %w", quote(s), errTooLarge)
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n * factor, nil // exact, where a float might not be
	}
	return int64(math.Ceil(v*float64(factor) - 1e-9)), nil
}

// spans are systemd's names of time spans.
var spans = []struct {
	names string
	unit  time.Duration
}{
	{"us usec µs μs", time.Microsecond},
	{"ms msec", time.Millisecond},
	{"s sec second seconds", time.Second},
	{"m min minute minutes", time.Minute},
	{"h hr hour hours", time.Hour},
	{"d day days", 24 * time.Hour},
	{"w week weeks", 7 * 24 * time.Hour},
	{"M month months", 2629800 * time.Second},
	{"y year years", 31557600 * time.Second},
}

// parseSpan reads a time span as systemd does: "90", "1min 30s", "infinity"; a
// bare number counts seconds.
func parseSpan(s string) (time.Duration, error) {
	bad := fmt.Errorf("%s is no time span such as 90, 1min 30s or infinity", quote(s))
	rest := strings.TrimSpace(s)
	switch rest {
	case "infinity":
		return Infinity, nil
	case "":
		return 0, bad
	}
	var total time.Duration
	for rest != "" {
		digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789."))]
		rest = strings.TrimLeft(rest[len(digits):], " \t")
		name := rest
		if i := strings.IndexAny(rest, "0123456789. \t"); i >= 0 {
			name = rest[:i]
		}
		rest = strings.TrimLeft(rest[len(name):], " \t")
		unit, ok := spanUnit(name)
		v, err := strconv.ParseFloat(digits, 64)
		if !ok || err != nil || strings.HasSuffix(digits, ".") {
			return 0, bad
		}
		v *= float64(unit)
		if v >= float64(Infinity-total) {
			return 0, fmt.Errorf("%s: %w", quote(s), errTooLarge)
		}
		total += time.Duration(math.Round(v))
	}
	return total, nil
}

func spanUnit(name string) (time.Duration, bool) {
	if name == "" {
		return time.Second, true
	}
	for _, span := range spans {
		for n := range strings.FieldsSeq(span.names) {
			if n == name {
				return span.unit, true
			}
		}
	}
	return 0, false
}

// parseBool reads systemd's words for true and false.
func parseBool(s string) (value bool, err error) {
	switch strings.ToLower(s) {
	case "1", "yes", "y", "true", "t", "on":
		return true, nil
	case "0", "no", "n", "false", "f", "off":
		return false, nil
	}
	return false, fmt.Errorf("%s is neither yes nor no", quote(s))
}
