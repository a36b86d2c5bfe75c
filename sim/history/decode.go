package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Version is the file format's version, the value of the header's
// "drydock-history".
const Version = 1

// Bounds of a history file.
const (
	lineBytesMax = 16 << 20
	opsMax       = 10_000_000
)

// Header is the optional first object of a history file.
type Header struct {
	Version  int    `json:"drydock-history"`
	Scenario string `json:"scenario,omitempty"`
	Seed     string `json:"seed,omitempty"`
}

// FormatError is a fault in a history file.
type FormatError struct {
	File string
	Line int
	// Field is the JSON name of the field at fault, "" for the whole line.
	Field string
	Why   string
}

func (e *FormatError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Why)
	}
	return fmt.Sprintf("%s:%d: %s: %s", e.File, e.Line, e.Field, e.Why)
}

// Options relax what Decode asks of a history.
type Options struct {
	// Overlap lets a client have several answered operations open at once.
	Overlap bool
	_       struct{}
}

// Read reads a history file; name is the file's, for errors. Every error in
// the file's content is a *FormatError, and the first one ends the reading.
func Read(r io.Reader, name string) ([]Op, error) {
	_, ops, err := Decode(r, name, Options{})
	return ops, err
}

// Decode is Read with the header, the zero Header if there is none.
func Decode(r io.Reader, name string, opt Options) (Header, []Op, error) {
	d := &decoder{name: name, opt: opt, ids: map[int]int{}}
	in := bufio.NewReaderSize(r, 1<<16)
	for {
		line, err := d.line(in)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return d.header, d.ops, d.finish()
			}
			return d.header, nil, err
		}
		text := bytes.TrimSpace(line)
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		if err := d.object(text); err != nil {
			return d.header, nil, err
		}
	}
}

type decoder struct {
	name   string
	opt    Options
	at     int // number of the current line, from 1
	header Header
	began  bool // an object was seen
	ops    []Op
	lines  []int       // of each op
	ids    map[int]int // id → line
}

func (d *decoder) fault(field, format string, args ...any) error {
	return &FormatError{File: d.name, Line: d.at, Field: field, Why: fmt.Sprintf(format, args...)}
}

// line returns the next line, valid until the next call, or io.EOF.
func (d *decoder) line(in *bufio.Reader) ([]byte, error) {
	d.at++
	var long []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(long)+len(part) > lineBytesMax {
			return nil, d.fault("", "a line is longer than %d MiB", lineBytesMax>>20)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, part...)
		case err != nil && !errors.Is(err, io.EOF):
			return nil, fmt.Errorf("%s:%d: %w", d.name, d.at, err)
		case err != nil && len(long)+len(part) == 0:
			return nil, io.EOF
		case long == nil:
			return part, nil
		default:
			return append(long, part...), nil
		}
	}
}

func (d *decoder) object(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return d.fault("", "not a JSON object: %s", excerpt(text))
	}
	first := !d.began
	d.began = true
	op := Op{}
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return d.fault("", "not valid JSON: %v", err)
		}
		name, _ := t.(string)
		if seen[name] {
			return d.fault(name, "is given twice")
		}
		seen[name] = true
		if name == "drydock-history" {
			if !first || len(seen) > 1 {
				return d.fault(name, "a header must be the first object, and this its first field")
			}
			return d.readHeader(text)
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return d.fault(name, "not valid JSON: %v", err)
		}
		if err := d.field(&op, name, raw, seen); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return d.fault("", "not valid JSON: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return d.fault("", "something follows the object; one object a line")
	}
	return d.add(op, seen)
}

func excerpt(text []byte) string {
	if len(text) > 40 {
		return string(text[:40]) + "…"
	}
	return string(text)
}

func (d *decoder) readHeader(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d.header); err != nil {
		return d.fault("", "header: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if dec.More() {
		return d.fault("", "something follows the header; one object a line")
	}
	if d.header.Version != Version {
		return d.fault("drydock-history", "version %d of the format is not known; %d is", d.header.Version, Version)
	}
	return nil
}

// target returns where the field of that name goes, and how its type is called.
func target(op *Op, name string) (any, string) {
	switch name {
	case "client":
		return &op.Client, "a text"
	case "node":
		return &op.Node, "a text"
	case "op":
		return &op.Kind, "a text"
	case "key":
		return &op.Key, "a text"
	case "token":
		return &op.Token, "a text"
	case "value":
		return &op.Value, "a text"
	case "prevValue":
		return &op.PrevValue, "a text"
	case "out":
		return &op.Out, "a text"
	case "status":
		return &op.Status, "a text"
	case "settled":
		return &op.Settled, "a text"
	case "error":
		return &op.Error, "a text"
	case "stale":
		return &op.Stale, "true or false"
	case "refresh":
		return &op.Refresh, "true or false"
	case "fresh":
		return &op.Fresh, "true or false"
	case "id":
		return &op.ID, "a whole number"
	case "code":
		return &op.Code, "a whole number"
	case "call":
		return &op.Call, "a whole number of nanoseconds"
	case "return":
		return &op.Return, "a whole number of nanoseconds"
	}
	return counter(op, name)
}

func counter(op *Op, name string) (any, string) {
	const number = "a whole number, not negative"
	switch name {
	case "prevIndex":
		return &op.PrevIndex, number
	case "ttl":
		return &op.TTL, number
	case "left":
		return &op.Left, number
	case "revision":
		return &op.Revision, number
	case "index":
		return &op.Index, number
	case "modified":
		return &op.Modified, number
	case "created":
		return &op.Created, number
	case "settledRevision":
		return &op.SettledRevision, number
	}
	return nil, ""
}

func (d *decoder) field(op *Op, name string, raw json.RawMessage, seen map[string]bool) error {
	if name == "items" {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&op.Items); err != nil {
			return d.fault(name, `must be a list of {"key","value","created"}: %s`, strings.TrimPrefix(err.Error(), "json: "))
		}
		return nil
	}
	to, what := target(op, name)
	if to == nil {
		return d.fault(name, "is no field of an operation")
	}
	if string(raw) == "null" {
		delete(seen, name)
		return nil
	}
	if err := json.Unmarshal(raw, to); err != nil {
		return d.fault(name, "must be %s, not %s", what, excerpt(raw))
	}
	return nil
}
