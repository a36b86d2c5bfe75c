package jepsen

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"drydock/sim/history"
)

// lineBytesMax bounds a line.
const lineBytesMax = 1 << 20

// kinds are the functions that are understood.
var kinds = map[string]history.Kind{
	":read": history.RegRead, ":write": history.RegWrite, ":cas": history.CAS,
	":acquire": history.Acquire, ":release": history.Release,
	":enqueue": history.Enqueue, ":dequeue": history.Dequeue,
}

// Read reads a log; name is the file's, for errors. Errors in its content are
// *history.FormatError.
func Read(r io.Reader, name string) ([]history.Op, error) {
	p := &parser{name: name, open: map[string]int{}}
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 1<<16), lineBytesMax)
	for in.Scan() {
		p.line++
		if err := p.take(in.Text()); err != nil {
			return nil, err
		}
	}
	if err := in.Err(); err != nil {
		p.line++
		if errors.Is(err, bufio.ErrTooLong) {
			return nil, p.fault("", "a line is longer than %d bytes", lineBytesMax)
		}
		return nil, fmt.Errorf("%s:%d: %w", name, p.line, err)
	}
	return p.ops, nil
}

type parser struct {
	name string
	line int
	ops  []history.Op
	// open is, by process, the operation that has not ended.
	open map[string]int
}

func (p *parser) fault(field, format string, args ...any) error {
	return &history.FormatError{File: p.name, Line: p.line, Field: field, Why: fmt.Sprintf(format, args...)}
}

// event is one line's operation.
type event struct {
	process, kind, function string
	rest                    string // value and error
}

// take handles one line.
func (p *parser) take(line string) error {
	e, ok, err := p.event(line)
	if err != nil || !ok {
		return err
	}
	kind, known := kinds[e.function]
	if !known {
		return p.fault("function", "%q is not understood; :read, :write, :cas, :acquire, :release, :enqueue and :dequeue are", e.function)
	}
	value, told, err := p.value(e.rest)
	if err != nil {
		return err
	}
	if e.kind == ":invoke" {
		return p.invoke(e.process, kind, value)
	}
	return p.end(e, kind, value, told)
}

// event finds the operation in a line. A line has one if a process number is
// followed by a word that begins with a colon.
func (p *parser) event(line string) (e event, ok bool, err error) {
	words := strings.Fields(line)
	if slices.Contains(words, ":nemesis") {
		return e, false, nil
	}
	at := slices.IndexFunc(words, func(w string) bool {
		return w == ":invoke" || w == ":ok" || w == ":fail" || w == ":info"
	})
	if at < 0 {
		for i := 1; i < len(words); i++ {
			if isProcess(words[i-1]) && words[i][0] == ':' {
				return e, false, p.fault("type", "%q is none of :invoke, :ok, :fail and :info", words[i])
			}
		}
		return e, false, nil
	}
	if at == 0 || !isProcess(words[at-1]) {
		return e, false, p.fault("process", "no process number before %s", words[at])
	}
	if at+1 >= len(words) {
		return e, false, p.fault("function", "nothing follows %s", words[at])
	}
	e = event{process: words[at-1], kind: words[at], function: words[at+1]}
	e.rest = strings.Join(words[at+2:], " ")
	return e, true, nil
}

func isProcess(word string) bool {
	_, err := strconv.ParseUint(word, 10, 63)
	return err == nil
}

// atoms is a value: one word or none (nil), or the pair of a cas.
type atoms struct {
	list []*string
	pair bool
}

func (a atoms) equal(b atoms) bool {
	return a.pair == b.pair && slices.EqualFunc(a.list, b.list, func(x, y *string) bool {
		return x == nil && y == nil || x != nil && y != nil && *x == *y
	})
}

// value reads the value at the front of text; told is what follows it.
func (p *parser) value(text string) (v atoms, told string, err error) {
	if !strings.HasPrefix(text, "[") {
		word, told, err := p.atom(text, "")
		return atoms{list: []*string{word}}, told, err
	}
	v.pair = true
	text = strings.TrimLeft(text[1:], " ,")
	for !strings.HasPrefix(text, "]") {
		if text == "" || text[0] == '[' {
			return v, "", p.fault("value", "a pair must be [old new]")
		}
		word, rest, err := p.atom(text, "],")
		if err != nil {
			return v, "", err
		}
		v.list = append(v.list, word)
		text = strings.TrimLeft(rest, " ,")
	}
	if len(v.list) != 2 {
		return v, "", p.fault("value", "a pair must have 2 values, not %d", len(v.list))
	}
	return v, strings.TrimSpace(text[1:]), nil
}

// atom reads one word, up to a space or one of the stops; nil is no word.
func (p *parser) atom(text, stops string) (word *string, rest string, err error) {
	if strings.HasPrefix(text, `"`) {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return nil, "", p.fault("value", "a quoted text has no end")
		}
		plain, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, "", p.fault("value", "%s is not a quoted text", quoted)
		}
		return &plain, strings.TrimSpace(text[len(quoted):]), nil
	}
	end := strings.IndexAny(text, " "+stops)
	if end < 0 {
		end = len(text)
	}
	plain := text[:end]
	rest = strings.TrimLeft(text[end:], " ")
	if plain == "" || plain == "nil" {
		return nil, rest, nil
	}
	return &plain, rest, nil
}

// invoke begins an operation.
func (p *parser) invoke(process string, kind history.Kind, v atoms) error {
	if i, busy := p.open[process]; busy {
		return p.fault("process", "%s invokes while its operation of line %d is open", process, p.ops[i].Call)
	}
	op := history.Op{
		ID: len(p.ops) + 1, Client: process, Kind: kind, Status: history.Unknown, Call: int64(p.line),
	}
	if v.pair != (kind == history.CAS) {
		return p.fault("value", ":cas takes a pair [old new], and only :cas")
	}
	switch kind {
	case history.CAS:
		if v.list[1] == nil {
			return p.fault("value", "a cas to nil is not understood")
		}
		op.PrevValue, op.Value = v.list[0], *v.list[1]
	case history.RegWrite, history.Enqueue:
		if v.list[0] == nil {
			return p.fault("value", "%s of nil is not understood", kind)
		}
		op.Value = *v.list[0]
	}
	p.open[process] = len(p.ops)
	p.ops = append(p.ops, op)
	return nil
}

// end finishes an operation.
func (p *parser) end(e event, kind history.Kind, v atoms, told string) error {
	i, busy := p.open[e.process]
	if !busy {
		return p.fault("process", "%s has no operation open that could be %s", e.process, e.kind)
	}
	op := &p.ops[i]
	if op.Kind != kind {
		return p.fault("function", "%s ends the :%s of line %d", e.function, op.Kind, op.Call)
	}
	delete(p.open, e.process)
	op.Error = told
	switch e.kind {
	case ":fail":
		op.Status, op.Return = history.Refused, int64(p.line)
		return nil
	case ":info":
		return nil // its time of return is not known
	}
	op.Status, op.Return = history.OK, int64(p.line)
	switch kind {
	case history.RegRead, history.Dequeue:
		if v.pair {
			return p.fault("value", "a %s of a pair is not understood", kind)
		}
		op.Out = v.list[0]
	case history.CAS, history.RegWrite, history.Enqueue:
		asked := atoms{list: []*string{&op.Value}}
		if kind == history.CAS {
			asked = atoms{list: []*string{op.PrevValue, &op.Value}, pair: true}
		}
		if !v.equal(asked) {
			return p.fault("value", "%q is not what line %d asked for", e.rest, op.Call)
		}
	}
	return nil
}
