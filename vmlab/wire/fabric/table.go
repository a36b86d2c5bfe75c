package fabric

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// MAC is the address of a network card.
type MAC [6]byte

// ErrMAC is matched by the errors of ParseMAC.
var ErrMAC = errors.New("bad MAC address")

// ParseMAC reads six pairs of hex digits with colons between.
func ParseMAC(text string) (MAC, error) {
	var m MAC
	raw, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(raw) != len(m) || len(text) != 17 || strings.Count(text, ":") != 5 || MAC(raw).String() != strings.ToLower(text) {
		return m, fmt.Errorf("%w: %q, must be as 02:00:00:00:00:01", ErrMAC, text)
	}
	return MAC(raw), nil
}

// String writes the address as ParseMAC reads it.
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// MarshalText writes the address for JSON.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (m *MAC) UnmarshalText(text []byte) (err error) {
	*m, err = ParseMAC(string(text))
	return err
}

// group says that the address is of several machines, or of all.
func (m MAC) group() bool { return m[0]&1 != 0 }

// control says that bridges keep frames to the address to themselves (IEEE
// 802.1D, table 7-10): spanning tree, pause frames and their like.
func (m MAC) control() bool {
	return m[0] == 0x01 && m[1] == 0x80 && m[2] == 0xc2 && m[3] == 0 && m[4] == 0 && m[5]&0xf0 == 0
}

// table knows which port an address is at.
type table struct {
	most      int
	age, hold time.Duration
	// entries are in no order; index says where an address has its own. The map
	// is looked up, never ranged over.
	entries []entry
	index   map[MAC]int
	learned int // entries that are not pinned
	// full is when the table was last swept because it was full.
	full time.Duration
}

// entry is one address. A pinned one never leaves its port.
type entry struct {
	mac    MAC
	port   *port
	seen   time.Duration
	pinned bool
}

func newTable(most int, age, hold time.Duration) table {
	return table{most: most, age: age, hold: hold, index: make(map[MAC]int), full: -time.Second}
}

// owner returns the port that an address is pinned to, or nil.
func (t *table) owner(m MAC) *port {
	if i, ok := t.index[m]; ok && t.entries[i].pinned {
		return t.entries[i].port
	}
	return nil
}

// pin gives an address to a port for good.
func (t *table) pin(m MAC, p *port) {
	if i, ok := t.index[m]; ok {
		t.remove(i)
	}
	t.add(entry{mac: m, port: p, pinned: true})
}

// find returns the port of an address, or nil if it is not known or too old.
func (t *table) find(now time.Duration, m MAC) *port {
	i, ok := t.index[m]
	if !ok {
		return nil
	}
	e := &t.entries[i]
	if t.old(now, e) {
		t.remove(i)
		return nil
	}
	return e.port
}

func (t *table) old(now time.Duration, e *entry) bool { return !e.pinned && now-e.seen > t.age }

// learn hears of an address at a port. It returns false if the address belongs
// to another: pinned there, or heard there a moment ago.
func (t *table) learn(now time.Duration, m MAC, p *port) bool {
	i, ok := t.index[m]
	if !ok {
		if t.room(now) {
			t.add(entry{mac: m, port: p, seen: now})
		}
		return true
	}
	e := &t.entries[i]
	if e.port != p {
		if e.pinned || now-e.seen < t.hold {
			return false
		}
		e.port = p
	}
	e.seen = now
	return true
}

// room says whether one more address can be learned, and forgets the old ones if
// not, at most once a second.
func (t *table) room(now time.Duration) bool {
	if t.learned < t.most {
		return true
	}
	if now-t.full < time.Second {
		return false
	}
	t.full = now
	t.removeIf(func(e *entry) bool { return t.old(now, e) })
	return t.learned < t.most
}

// forget drops what was learned at a port; pinned addresses go if all is set.
func (t *table) forget(p *port, all bool) {
	t.removeIf(func(e *entry) bool { return e.port == p && (all || !e.pinned) })
}

func (t *table) removeIf(gone func(*entry) bool) {
	for i := 0; i < len(t.entries); {
		if gone(&t.entries[i]) {
			t.remove(i) // puts another in its place
		} else {
			i++
		}
	}
}

func (t *table) add(e entry) {
	t.index[e.mac] = len(t.entries)
	t.entries = append(t.entries, e)
	if !e.pinned {
		t.learned++
	}
}

func (t *table) remove(i int) {
	last := len(t.entries) - 1
	if !t.entries[i].pinned {
		t.learned--
	}
	delete(t.index, t.entries[i].mac)
	if i != last {
		t.entries[i] = t.entries[last]
		t.index[t.entries[i].mac] = i
	}
	t.entries[last] = entry{}
	t.entries = t.entries[:last]
}
