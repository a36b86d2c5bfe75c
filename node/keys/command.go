package keys

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// The bounds of a command.
const (
	// MaxPathBytes is the length of the longest path that a command may name.
	MaxPathBytes = 8192
	// MaxValueBytes is the length of the longest value, as the longest form
	// that a client may send.
	MaxValueBytes = 10 << 20
	// inOrderBytes is what an in-order creation adds to its path: a slash and
	// twenty digits.
	inOrderBytes = 21
)

// Kind is what a Command does.
type Kind uint8

// The kinds of commands.
const (
	kindInvalid Kind = iota
	// Set writes a file, or makes a directory where none is; a file gives way
	// to either.
	Set
	// Create makes a file or directory that must not exist.
	Create
	// Update replaces the value and ttl of a file, or the ttl of a directory.
	Update
	// CompareAndSwap is Update of a file under a condition.
	CompareAndSwap
	// CreateInOrder makes a child of Path, named by its index.
	CreateInOrder
	// Delete removes a file or a directory.
	Delete
	// CompareAndDelete removes a file under a condition.
	CompareAndDelete
	// Expire removes what is due, MaxExpiriesPerCommand nodes at most.
	Expire
	kindEnd
)

var kindNames = [kindEnd]string{
	"invalid", "set", "create", "update", "compareAndSwap", "createInOrder", "delete", "compareAndDelete", "expire",
}

// String names the kind as traces print it.
func (k Kind) String() string {
	if k >= kindEnd {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// Command is one replicated write, after its request has been decoded. An
// Expire has no other field set.
type Command struct {
	Kind Kind
	// Path is the key, clean: "/" or "/a/b".
	Path string
	// Value is what a file is to hold. A directory takes none.
	Value string
	// Dir makes a directory (Set, Create, CreateInOrder) or allows one (Delete).
	Dir bool
	// Recursive lets Delete take a directory that is not empty.
	Recursive bool
	// Refresh renews the ttl and keeps the value; watchers don't hear of it.
	Refresh bool
	// PrevValue, unless empty, is the value that the node must have.
	PrevValue string
	// PrevIndex, unless zero, is the modified index that the node must have.
	PrevIndex uint64
	// HasTTL says that the node is to expire, TTL seconds after the write.
	HasTTL bool
	TTL    uint64
}

// Flags of an encoded command.
const (
	flagDir = 1 << iota
	flagRecursive
	flagRefresh
	flagTTL
	flagsEnd
)

// AppendBinary appends the command's encoding to b: kind, flags, path, value,
// previous value, previous index and, if there is one, the ttl.
func (c *Command) AppendBinary(b []byte) []byte {
	var flags byte
	for i, on := range [...]bool{c.Dir, c.Recursive, c.Refresh, c.HasTTL} {
		if on {
			flags |= 1 << i
		}
	}
	b = append(b, byte(c.Kind), flags)
	b = appendString(b, c.Path)
	b = appendString(b, c.Value)
	b = appendString(b, c.PrevValue)
	b = binary.AppendUvarint(b, c.PrevIndex)
	if c.HasTTL {
		b = binary.AppendUvarint(b, c.TTL)
	}
	return b
}

// DecodeCommand reads what AppendBinary wrote. A command has one encoding; it
// refuses anything else, and every command that Apply would not take, with an
// error that matches ErrCorrupt.
func DecodeCommand(b []byte) (Command, error) {
	r := reader{b: b}
	var c Command
	c.Kind = Kind(r.byte())
	flags := r.byte()
	c.Dir, c.Recursive = flags&flagDir != 0, flags&flagRecursive != 0
	c.Refresh, c.HasTTL = flags&flagRefresh != 0, flags&flagTTL != 0
	c.Path = r.string(MaxPathBytes)
	c.Value = r.string(MaxValueBytes)
	c.PrevValue = r.string(MaxValueBytes)
	c.PrevIndex = r.uvarint()
	if c.HasTTL {
		c.TTL = r.uvarint()
	}
	if flags >= flagsEnd {
		r.fail("unknown flags %#x", flags)
	}
	if err := r.end(); err != nil {
		return Command{}, fmt.Errorf("command: %w", err)
	}
	if why := c.invalid(); why != "" {
		return Command{}, fmt.Errorf("command: %s: %w", why, ErrCorrupt)
	}
	return c, nil
}

// invalid says why Apply may not take the command, or nothing.
func (c *Command) invalid() string {
	switch {
	case c.Kind == kindInvalid || c.Kind >= kindEnd:
		return fmt.Sprintf("unknown kind %d", uint8(c.Kind))
	case c.Kind == Expire:
		if *c != (Command{Kind: Expire}) {
			return "an expiry with arguments"
		}
		return ""
	case len(c.Path) > MaxPathBytes:
		return fmt.Sprintf("path of %d bytes, limit %d", len(c.Path), MaxPathBytes)
	case len(c.Value) > MaxValueBytes || len(c.PrevValue) > MaxValueBytes:
		return fmt.Sprintf("value of %d bytes, limit %d", max(len(c.Value), len(c.PrevValue)), MaxValueBytes)
	case !IsClean(c.Path):
		return fmt.Sprintf("path %q is not clean", c.Path)
	case c.TTL != 0 && !c.HasTTL:
		return fmt.Sprintf("ttl %d without HasTTL", c.TTL)
	}
	return ""
}

// IsClean reports whether path has the only form that the store takes: "/", or
// components that are neither empty, "." nor "..", each after one slash.
func IsClean(path string) bool {
	if path == "/" {
		return true
	}
	if path == "" || path[0] != '/' {
		return false
	}
	for rest := path[1:]; ; {
		name, more, found := strings.Cut(rest, "/")
		if name == "" || name == "." || name == ".." {
			return false
		}
		if !found {
			return true
		}
		rest = more
	}
}
