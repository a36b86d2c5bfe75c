package unit

import (
	"fmt"
	"strconv"
	"strings"
)

// Facts are what a machine puts in the place of specifiers that a unit's name
// doesn't decide.
type Facts struct {
	// MachineID and BootID are in 32 hex digits (%m, %b).
	MachineID, BootID string
	// Hostname is the machine's name (%H); %l is its first label.
	Hostname string
	// Kernel is the kernel's release (%v), Arch systemd's name of the processor,
	// such as "x86-64" (%a).
	Kernel, Arch string
	// User, UID, Group, GID, Home and Shell are those of the supervisor itself
	// (%u %U %g %G %h %s), as in systemd, not those of the unit's User option.
	User, UID, Group, GID, Home, Shell string
}

// AnyFacts returns facts to find errors with at submit, when no machine is known.
func AnyFacts() Facts {
	id := strings.Repeat("0", 32)
	return Facts{
		MachineID: id, BootID: id, Hostname: "localhost", Kernel: "0", Arch: "x86-64",
		User: "root", UID: "0", Group: "root", GID: "0", Home: "/", Shell: "/bin/sh",
	}
}

// Expand replaces systemd's specifiers; "%%" is a percent sign, and so is one
// that no letter follows. A specifier that isn't known is an error.
func Expand(s string, name Name, f Facts) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "%")
		b.WriteString(before)
		switch {
		case !found:
			return b.String(), nil
		case rest == "" || !isLetter(rest[0]) && rest[0] != '%':
			b.WriteByte('%')
			s = rest
			continue
		}
		v, ok := specifier(rest[0], name, f)
		if !ok {
			return "", fmt.Errorf("the specifier %%%c is not known; write %%%% for a percent sign", rest[0])
		}
		b.WriteString(v)
		s = rest[1:]
	}
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// specifier returns what stands for a letter.
func specifier(letter byte, name Name, f Facts) (string, bool) {
	switch letter {
	case 'n':
		return name.String(), true
	case 'N':
		return name.Stem(), true
	case 'p':
		return name.Prefix(), true
	case 'P':
		return unescape(name.Prefix()), true
	case 'i':
		return name.Instance(), true
	case 'I':
		return unescape(name.Instance()), true
	case 'j', 'J':
		last := name.Prefix()[strings.LastIndexByte(name.Prefix(), '-')+1:]
		if letter == 'J' {
			last = unescape(last)
		}
		return last, true
	case 'f':
		from := name.Instance()
		if from == "" {
			from = name.Prefix()
		}
		return "/" + strings.TrimPrefix(unescape(from), "/"), true
	}
	return fact(letter, f)
}

// fact returns what stands for a letter that the machine decides.
func fact(letter byte, f Facts) (string, bool) {
	short, _, _ := strings.Cut(f.Hostname, ".")
	i := strings.IndexByte("%mbHlvauUgGhstSCLETV", letter)
	if i < 0 {
		return "", false
	}
	return [...]string{
		"%", f.MachineID, f.BootID, f.Hostname, short, f.Kernel, f.Arch, f.User, f.UID, f.Group, f.GID, f.Home, f.Shell,
		"/run", "/var/lib", "/var/cache", "/var/log", "/etc", "/tmp", "/var/tmp",
	}[i], true
}

// unescape undoes systemd-escape: a dash is a slash, \x2d a dash.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '-':
			b.WriteByte('/')
		case strings.HasPrefix(s[i:], `\x`) && len(s) >= i+4:
			if n, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
