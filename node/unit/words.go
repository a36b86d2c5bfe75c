package unit

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// word is a word of a line, after systemd's rules of quoting.
type word struct {
	text string
	// bare is the word as it was written.
	bare string
	// odd says that it has an escape that isn't known, which is kept as it is.
	odd bool
}

const blanks = " \t\r\n"

var errQuote = errors.New("a quote is not closed")

// splitWords splits a line at blanks. Quotes of both kinds keep blanks and may
// stand anywhere in a word; backslashes escape as in C, and \s is a blank.
func splitWords(line string) ([]word, error) {
	var words []word
	for {
		line = strings.TrimLeft(line, blanks)
		if line == "" {
			return words, nil
		}
		w, err := firstWord(line)
		if err != nil {
			return nil, err
		}
		words = append(words, w)
		line = line[len(w.bare):]
	}
}

// firstWord takes a word off the front of a line that begins with one.
func firstWord(line string) (w word, err error) {
	var b strings.Builder
	quote := byte(0)
	i := 0
	for ; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\':
			n, ok := escape(&b, line[i+1:])
			if !ok {
				b.WriteByte(c)
				w.odd = true
			}
			i += n
			continue
		case quote != 0 && c == quote:
			quote = 0
			continue
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
			continue
		case quote != 0 || strings.IndexByte(blanks, c) < 0:
			b.WriteByte(c)
			continue
		}
		break
	}
	if quote != 0 {
		return word{}, errQuote
	}
	w.text, w.bare = b.String(), line[:i]
	return w, nil
}

// escape writes what the characters behind a backslash stand for, and returns
// how many they are; none if that isn't known.
func escape(b *strings.Builder, s string) (n int, ok bool) {
	if s == "" {
		return 0, false
	}
	if i := strings.IndexByte(`abfnrtv\"'s`, s[0]); i >= 0 {
		b.WriteByte("\a\b\f\n\r\t\v\\\"' "[i])
		return 1, true
	}
	// The digits that follow: their number, their base, and where they begin.
	digits, base, from := 3, 8, 0
	switch s[0] {
	case 'x':
		digits, base, from = 2, 16, 1
	case 'u':
		digits, base, from = 4, 16, 1
	case 'U':
		digits, base, from = 8, 16, 1
	}
	end := from + digits
	if len(s) < end {
		return 0, false
	}
	code, err := strconv.ParseUint(s[from:end], base, 32)
	if err != nil || code == 0 {
		return 0, false
	}
	switch wide := digits > 3; {
	case wide && utf8.ValidRune(rune(code)):
		b.WriteRune(rune(code))
	case !wide && code <= 0xff:
		b.WriteByte(byte(code))
	default:
		return 0, false
	}
	return end, true
}

// joinLines makes one line of a continued value: a backslash and the line's end
// are a blank, and comments between the lines are none of it.
func joinLines(s string) string {
	if !strings.Contains(s, "\\\n") {
		return strings.TrimSuffix(s, "\\\n")
	}
	var b strings.Builder
	for i, line := range strings.Split(s, "\n") {
		if trimmed := strings.TrimLeft(line, blanks); i > 0 && strings.IndexAny(trimmed, "#;") == 0 {
			continue
		}
		if text, continued := strings.CutSuffix(line, `\`); continued {
			b.WriteString(text + " ")
		} else {
			b.WriteString(line)
		}
	}
	return strings.TrimSpace(b.String())
}
