package cloudconfig

import (
	"fmt"
	"slices"
	"strings"
)

// MaxBytes is the length of the longest user-data that is read.
const MaxBytes = 1 << 20

// Header is the first line of every cloud-config.
const Header = "#cloud-config"

// Variables are what the text's variables stand for; "" is not known.
type Variables struct {
	PrivateIPv4, PublicIPv4 string
}

// Config is what a cloud-config asks for. The zero Config asks for nothing.
type Config struct {
	// Hostname is the machine's name; "" leaves it as it is.
	Hostname string
	// Keys are lines of an authorized_keys file, for the user core.
	Keys  []string
	Files []File
	// Etcd and Fleet are settings in the order of the text, names with underscores.
	Etcd, Fleet []Setting
	Units       []Unit
}

// File is a file to write. Directories above it are made.
type File struct {
	// Path is absolute and clean.
	Path string
	Text string
	// Mode has nothing but permission bits, with set-user-id and the like as chmod(1)
	// writes them.
	Mode uint32
	// Owner is user or user:group; "" is root.
	Owner string
}

// Setting is one of etcd's or fleet's.
type Setting struct {
	Name, Value string
}

// Unit is a unit of systemd.
type Unit struct {
	Name string
	// Text is the unit file; "" takes the one that is there.
	Text    string
	DropIns []DropIn
	// Mask, Enable and Runtime are as systemctl has them: Runtime is gone after a
	// reboot.
	Mask, Enable, Runtime bool
	// Command is start, stop, restart, reload, try-restart, reload-or-restart or
	// reload-or-try-restart; "" is none.
	Command string
}

// DropIn is a piece of a unit's configuration.
type DropIn struct {
	Name, Text string
}

// Problem is one thing that is wrong.
type Problem struct {
	// Line and Column count from 1; 0 where there is none.
	Line, Column int
	What         string
}

// Error is all that is wrong with a text, in its order.
type Error struct {
	Problems []Problem
}

// Error has a line for each problem.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.What
		if p.Line > 0 {
			lines[i] = fmt.Sprintf("line %d: %s", p.Line, p.What)
		}
	}
	return strings.Join(lines, "\n")
}

// Merge lays a later document over this one: its settings, units and files replace
// those of the same name, its keys are added.
func (c *Config) Merge(later *Config) {
	if later.Hostname != "" {
		c.Hostname = later.Hostname
	}
	for _, key := range later.Keys {
		if !slices.Contains(c.Keys, key) {
			c.Keys = append(c.Keys, key)
		}
	}
	c.Files = merge(c.Files, later.Files, func(f File) string { return f.Path })
	c.Etcd = merge(c.Etcd, later.Etcd, func(s Setting) string { return s.Name })
	c.Fleet = merge(c.Fleet, later.Fleet, func(s Setting) string { return s.Name })
	c.Units = merge(c.Units, later.Units, func(u Unit) string { return u.Name })
}

// merge replaces what has the name of a later one where it stands, and adds the
// others.
func merge[T any](list, later []T, name func(T) string) []T {
	for _, one := range later {
		i := slices.IndexFunc(list, func(old T) bool { return name(old) == name(one) })
		if i < 0 {
			list = append(list, one)
		} else {
			list[i] = one
		}
	}
	return list
}
