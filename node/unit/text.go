package unit

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Hash is the SHA-1 of a unit's normalised text. It names contents, and guards
// nothing.
type Hash [sha1.Size]byte

// String writes the hash in hex digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Short writes the seven digits that lists show.
func (h Hash) Short() string { return h.String()[:7] }

// ParseHash reads what String wrote.
func ParseHash(s string) (h Hash, err error) {
	raw, err := hex.DecodeString(s)
	switch {
	case err != nil:
		return Hash{}, fmt.Errorf("hash %s: %w", quote(s), err)
	case len(raw) != len(h):
		return Hash{}, fmt.Errorf("hash %s: %w", quote(s), errHashLength)
	}
	copy(h[:], raw)
	return h, nil
}

var errHashLength = errors.New("a hash has 40 hex digits")

// render writes options as fleet does: sections in the order in which they first
// appear, an empty line between them, nothing else.
func render(options []Option) string {
	var sections []string
	lines := make(map[string][]string)
	for _, o := range options {
		if _, seen := lines[o.Section]; !seen {
			sections = append(sections, o.Section)
		}
		lines[o.Section] = append(lines[o.Section], o.Name+"="+o.Value+"\n")
	}
	for i, s := range sections {
		sections[i] = "[" + s + "]\n" + strings.Join(lines[s], "")
	}
	return strings.Join(sections, "\n")
}
