package unit

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of a unit file.
const (
	// MaxLine is the length at which a line is too long, in bytes without its
	// end: systemd's LINE_MAX, to which fleet held its users.
	MaxLine = 2048
	// MaxText is the size of the largest file, in bytes.
	MaxText = 128 << 10
)

// Option is one assignment of a unit file.
type Option struct {
	Section, Name string
	// Value is as written, without the blanks around it; continued lines keep
	// their backslashes and ends.
	Value string
	// Line is where it begins, counted from 1; 0 if it came without a text.
	Line int
}

// lexer reads a unit file as go-systemd's deserializer does, because its result,
// written again, is what fleet hashes. Each method takes what it names off rest.
type lexer struct {
	rest    string
	line    int
	section string
	options []Option
	// remarks has what is read and has no effect.
	remarks []Problem
}

// lex takes a text apart. Its errors are Problems.
func lex(text string) (options []Option, remarks []Problem, err error) {
	if err := checkText(text); err != nil {
		return nil, nil, err
	}
	l := &lexer{rest: text, line: 1}
	if err := l.preamble(); err != nil {
		return nil, nil, err
	}
	for l.rest != "" {
		if err := l.item(); err != nil {
			return nil, nil, err
		}
	}
	return l.options, l.remarks, nil
}

// checkText finds what no unit file may hold, wherever it stands.
func checkText(text string) error {
	if len(text) > MaxText {
		return Problem{What: "unit file is too long"}.hint("at most %d bytes", MaxText)
	}
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		switch {
		case !utf8.ValidString(line):
			return Problem{Line: number, What: "not UTF-8"}
		case strings.ContainsRune(line, 0):
			return Problem{Line: number, What: "a zero byte"}
		}
		for part := range strings.SplitSeq(line, "\r") {
			if len(part) >= MaxLine {
				return Problem{Line: number, What: "line too long (max 2048 bytes)"}.
					hint("end it with a backslash and go on in the next")
			}
		}
	}
	return nil
}

// next takes one character off.
func (l *lexer) next() rune {
	r, size := utf8.DecodeRuneInString(l.rest)
	l.rest = l.rest[size:]
	if r == '\n' {
		l.line++
	}
	return r
}

// toEOL takes the rest of the line off, and returns it without its end.
func (l *lexer) toEOL() (line string, eof bool) {
	line, l.rest, eof = cut(l.rest)
	if !eof {
		l.line++
	} else {
		line = strings.TrimSuffix(line, "\r")
	}
	return line, eof
}

func cut(text string) (line, rest string, eof bool) {
	line, rest, found := strings.Cut(text, "\n")
	return line, rest, !found
}

// preamble takes off what stands before the first section: comments, and text
// that has no effect.
func (l *lexer) preamble() error {
	said := false
	for l.rest != "" {
		start := l.line
		switch r := l.next(); {
		case r == '[':
			return l.header()
		case r == '#' || r == ';':
			l.comment()
		case !unicode.IsSpace(r) && r != '\ufeff' && !said:
			said = true
			l.remarks = append(l.remarks, Problem{Line: start, What: "text before the first section does nothing"})
		}
	}
	return nil
}

// item takes a section's header, a comment, an option or a blank off.
func (l *lexer) item() error {
	switch r, _ := utf8.DecodeRuneInString(l.rest); {
	case unicode.IsSpace(r):
		l.next()
		return nil
	case r == '[':
		l.next()
		return l.header()
	case r == '#' || r == ';':
		l.next()
		l.comment()
		return nil
	}
	return l.option()
}

// header takes a section's name off, behind its bracket.
func (l *lexer) header() error {
	start := l.line
	line, _ := l.toEOL()
	name, garbage, found := strings.Cut(line, "]")
	if !found {
		return Problem{Line: start, What: "unable to find end of section"}.
			hint("a section's name ends in \"]\" on the same line")
	}
	if garbage = strings.TrimSpace(garbage); garbage != "" {
		return Problem{Line: start, Section: name, What: "found garbage after section name: " + quote(garbage)}.
			hint("give a comment its own line")
	}
	l.section = name
	return nil
}

// comment takes a comment off, behind its first character. It is continued by a
// backslash, as an option is.
func (l *lexer) comment() {
	for {
		line, eof := l.toEOL()
		if eof || !strings.HasSuffix(strings.TrimSuffix(line, " "), `\`) {
			return
		}
	}
}

// option takes an assignment off.
func (l *lexer) option() error {
	o := Option{Section: l.section, Line: l.line}
	end := strings.IndexAny(l.rest, "=\r\n")
	if end < 0 || l.rest[end] != '=' {
		line, _ := l.toEOL()
		p := at(o, "unexpected newline encountered while parsing option name: %s", quote(strings.TrimSpace(line)))
		return p.hint("an option is written Name=value")
	}
	o.Name = strings.TrimSpace(l.rest[:end])
	l.rest = l.rest[end+1:]
	var err error
	if o.Value, err = l.value(o); err != nil {
		return err
	}
	if o.Name == "" {
		l.remarks = append(l.remarks, at(o, "a value without a name does nothing"))
	}
	l.options = append(l.options, o)
	return nil
}

// value takes a value off, with the lines that continue it. A blank line ends a
// continued value, and the value then keeps the line end before it.
func (l *lexer) value(o Option) (string, error) {
	var b strings.Builder
	for {
		number := l.line
		line, eof := l.toEOL()
		if strings.TrimSpace(line) == "" {
			break
		}
		b.WriteString(line)
		if !strings.HasSuffix(line, `\`) {
			// Written again, this backslash would end its line, and swallow the next.
			if strings.HasSuffix(strings.TrimSpace(line), `\`) {
				o.Line = number
				return "", at(o, "the backslash continues nothing, because a blank or a carriage return follows it")
			}
			break
		}
		if eof {
			l.remarks = append(l.remarks, at(o, "the backslash at the end of the file continues nothing"))
			break
		}
		b.WriteByte('\n')
	}
	value := strings.TrimSpace(b.String())
	if strings.HasSuffix(b.String(), "\n") {
		value += "\n"
	}
	return value, nil
}

// quote writes a piece of a file in an error, cut where it is long.
func quote(s string) string {
	const limit = 60
	if runes := []rune(s); len(runes) > limit {
		s = string(runes[:limit]) + "…"
	}
	return `"` + s + `"`
}
