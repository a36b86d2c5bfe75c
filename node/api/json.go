package api

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"drydock/node/keys"
)

// appendEvent appends an event as a line of JSON. Times to live count from at.
func appendEvent(b []byte, ev *keys.Event, at time.Duration) []byte {
	b = append(b, `{"action":`...)
	b = appendString(b, string(ev.Action))
	b = append(b, `,"node":`...)
	b = appendNode(b, ev.Node, at, !ev.Action.Removes())
	if ev.PrevNode != nil {
		b = append(b, `,"prevNode":`...)
		b = appendNode(b, ev.PrevNode, at, true)
	}
	return append(b, "}\n"...)
}

// appendNode appends a node. A file's value is shown, even an empty one, if
// withValue; the root has neither key nor indexes.
func appendNode(b []byte, n *keys.Node, at time.Duration, withValue bool) []byte {
	b = append(b, '{')
	if n.Key != "/" {
		b = append(b, `"key":`...)
		b = appendString(b, n.Key)
		b = append(b, ',')
	}
	if n.Dir {
		b = append(b, `"dir":true,`...)
	} else if withValue {
		b = append(b, `"value":`...)
		b = appendString(b, n.Value)
		b = append(b, ',')
	}
	if n.HasTTL {
		b = append(b, `"expiration":"`...)
		b = time.Unix(0, n.Expiration).UTC().AppendFormat(b, time.RFC3339Nano)
		b = append(b, `",`...)
		if ttl := n.TTL(at); ttl > 0 {
			b = append(b, `"ttl":`...)
			b = strconv.AppendInt(b, ttl, 10)
			b = append(b, ',')
		}
	}
	if len(n.Nodes) > 0 {
		b = append(b, `"nodes":`...)
		sep := byte('[')
		for _, kid := range n.Nodes {
			b = append(b, sep)
			b = appendNode(b, kid, at, true)
			sep = ','
		}
		b = append(b, `],`...)
	}
	if n.Key != "/" {
		b = append(b, `"modifiedIndex":`...)
		b = strconv.AppendUint(b, n.Modified, 10)
		b = append(b, `,"createdIndex":`...)
		b = strconv.AppendUint(b, n.Created, 10)
		return append(b, '}')
	}
	// Every field but the last pair ends in a comma; the root has no such pair.
	b[len(b)-1] = '}'
	return b
}

const hexDigits = "0123456789abcdef"

// appendString appends s as encoding/json does: markup and line separators
// escaped, bytes that are not UTF-8 replaced.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	i := 0
	for i < len(s) && s[i] < utf8.RuneSelf && plain[s[i]] {
		i++
	}
	start := 0
	for i < len(s) {
		if c := s[i]; c < utf8.RuneSelf {
			if plain[c] {
				i++
				continue
			}
			b = append(b, s[start:i]...)
			b = appendEscape(b, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(b, s[start:i]...)
			b = append(b, `\ufffd`...)
			start = i + size
		case r == '\u2028' || r == '\u2029':
			b = append(b, s[start:i]...)
			b = append(b, `\u202`...)
			b = append(b, hexDigits[r&0xf])
			start = i + size
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// plain says which ASCII characters stand for themselves.
var plain = func() (is [utf8.RuneSelf]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		is[c] = strings.IndexByte(`"\<>&`, c) < 0
	}
	return is
}()

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}
