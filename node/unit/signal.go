package unit

import (
	"fmt"
	"strconv"
	"strings"
)

// Signal is a signal by its name, such as "SIGTERM".
type Signal string

// signals are Linux's, by number.
var signals = [...]string{
	"", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
	"STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
	"PWR", "SYS",
}

// Number returns the signal's number on Linux, 0 if it has none.
func (s Signal) Number() int {
	name := strings.TrimPrefix(string(s), "SIG")
	for n, known := range signals {
		if n > 0 && known == name {
			return n
		}
	}
	base, offset, ok := 34, "", false
	if offset, ok = strings.CutPrefix(name, "RTMIN"); !ok {
		base = 64
		if offset, ok = strings.CutPrefix(name, "RTMAX"); !ok {
			return 0
		}
	}
	n, err := strconv.Atoi(offset)
	if offset == "" {
		n, err = 0, nil
	}
	if n += base; err != nil || n < 34 || n > 64 {
		return 0
	}
	return n
}

// parseSignal reads a signal's name, with or without SIG, or its number.
func parseSignal(s string) (Signal, error) {
	if n, err := strconv.Atoi(s); err == nil && n > 0 && n < len(signals) {
		return Signal("SIG" + signals[n]), nil
	}
	if sig := Signal("SIG" + strings.TrimPrefix(s, "SIG")); sig.Number() > 0 {
		return sig, nil
	}
	return "", fmt.Errorf("%s is no signal such as SIGTERM", quote(s))
}

// exitNames are the codes that systemd has names for, those of sysexits.
var exitNames = []struct {
	name string
	code int
}{
	{"SUCCESS", 0},
	{"FAILURE", 1},
	{"USAGE", 64},
	{"DATAERR", 65},
	{"NOINPUT", 66},
	{"NOUSER", 67},
	{"NOHOST", 68},
	{"UNAVAILABLE", 69},
	{"SOFTWARE", 70},
	{"OSERR", 71},
	{"OSFILE", 72},
	{"CANTCREAT", 73},
	{"IOERR", 74},
	{"TEMPFAIL", 75},
	{"PROTOCOL", 76},
	{"NOPERM", 77},
	{"CONFIG", 78},
}

// add reads an exit code, its name or a signal into the set.
func (e *ExitSet) add(s string) error {
	for _, known := range exitNames {
		if known.name == s {
			e.Codes = append(e.Codes, known.code)
			return nil
		}
	}
	if n, err := strconv.Atoi(s); err == nil {
		if n < 0 || n > 255 {
			return fmt.Errorf("%s is no exit code, which are 0 to 255", quote(s))
		}
		e.Codes = append(e.Codes, n)
		return nil
	}
	sig, err := parseSignal(s)
	if err != nil {
		return fmt.Errorf("%s is neither an exit code nor a signal", quote(s))
	}
	e.Signals = append(e.Signals, sig)
	return nil
}
