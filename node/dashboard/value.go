package dashboard

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxShown is how much of a value is shown.
	maxShown = 64 << 10
	// maxEdited is the longest value that can be edited in the page.
	maxEdited = 256 << 10
)

// The ways in which a text field carries a value.
const (
	asText = "text"
	// asCRLF is text whose lines end as in DOS.
	asCRLF = "crlf"
	// asHex is hexadecimal digits.
	asHex = "hex"
)

// value is what a key holds, ready to be shown and edited.
type value struct {
	// Kind is text, JSON or data, if it is not text.
	Kind string
	// Shown is the value for reading; Cut says that it is only the beginning.
	Shown string
	Cut   bool
	// Size is the length in words.
	Size string
	// Form is the way of the text field, Field what is in it; Long says that
	// the value is too long for one.
	Form, Field string
	Long        bool
	Empty       bool
}

func readValue(v string) value {
	r := value{Kind: "text", Size: plural(len(v), "byte"), Form: fieldForm(v), Empty: v == "", Long: len(v) > maxEdited}
	head := v
	if len(head) > maxShown {
		head, r.Cut = head[:maxShown], true
	}
	switch r.Form {
	case asHex:
		r.Kind, r.Shown = "data", hex.Dump([]byte(head))
		if !r.Long {
			r.Field = spacedHex(v)
		}
		return r
	case asCRLF, asText:
		r.Shown = strings.ToValidUTF8(head, "") // the cut may go through a character
	}
	if !r.Long {
		r.Field = v
	}
	if text, ok := pretty(v); ok && !r.Cut {
		r.Kind, r.Shown = "JSON", text
	}
	return r
}

// fieldForm says how a text field can carry v and give it back unaltered: a
// browser sends every line's end as CR LF and cannot hold control characters.
func fieldForm(v string) string {
	if !utf8.ValidString(v) {
		return asHex
	}
	for _, c := range v {
		if c != '\n' && c != '\r' && c != '\t' && (unicode.IsControl(c) || c == utf8.RuneError || c == '\ufeff') {
			return asHex
		}
	}
	ends := strings.Count(v, "\r\n")
	switch {
	case strings.Count(v, "\r") != ends:
		return asHex
	case ends == 0:
		return asText
	case strings.Count(v, "\n") == ends:
		return asCRLF
	}
	return asHex
}

// errHex is matched when a field of digits holds something else.
var errHex = errors.New("not hexadecimal digits")

// fieldValue is the value that a field of the given form carries.
func fieldValue(field, form string) (string, error) {
	switch form {
	case asHex:
		b, err := hex.DecodeString(strings.Join(strings.Fields(field), ""))
		if err != nil {
			return "", fmt.Errorf("%w: %w", errHex, err)
		}
		return string(b), nil
	case asCRLF:
		return strings.ReplaceAll(lines(field), "\n", "\r\n"), nil
	}
	return lines(field), nil
}

// lines undoes what a browser does to the ends of lines.
func lines(field string) string { return strings.ReplaceAll(field, "\r\n", "\n") }

// spacedHex writes bytes as digits, sixteen bytes to the line.
func spacedHex(v string) string {
	var b strings.Builder
	for i := range len(v) {
		switch {
		case i == 0:
		case i%16 == 0:
			b.WriteByte('\n')
		default:
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%02x", v[i])
	}
	return b.String()
}

// pretty indents a JSON object or list. Numbers and strings stay as written.
func pretty(v string) (string, bool) {
	v = strings.TrimSpace(v)
	if v == "" || len(v) > maxShown || (v[0] != '{' && v[0] != '[') || depth(v) > maxDepth {
		return "", false
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(v), "", "  "); err != nil {
		return "", false
	}
	return b.String(), true
}

// maxDepth is how deep JSON may nest to be indented: the indentation grows with
// the square of it.
const maxDepth = 64

// depth is how deep JSON nests.
func depth(v string) (deepest int) {
	now, quoted, escaped := 0, false, false
	for i := range len(v) {
		switch c := v[i]; {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

// glimpse is the beginning of a value, for a line of a list.
func glimpse(v string) string {
	const most = 120
	if fieldForm(v) == asHex {
		return shorten(fmt.Sprintf("%x", v[:min(len(v), most)]), most) + " (bytes)"
	}
	v = strings.ToValidUTF8(v[:min(len(v), 4*most)], "")
	return shorten(strings.Join(strings.Fields(v), " "), most)
}
