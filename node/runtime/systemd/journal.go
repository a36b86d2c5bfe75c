package systemd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"drydock/node/runtime"
)

const (
	// keep is how many lines of a unit are remembered, and read at first.
	keep = 1000
	// maxLine bounds a line; what is longer is cut.
	maxLine = 16 << 10
	// maxEntry bounds an entry of the journal, with all its fields.
	maxEntry = 4 << 20
)

// journal remembers the last lines of a unit, to give them numbers. Numbers begin
// anew with each life of the agent.
type journal struct {
	mu     sync.Mutex
	lines  []runtime.Line
	last   uint64
	cursor string // of the last line, "" before the first
}

// Journal implements runtime.Runtime.
func (s *Systemd) Journal(name string, after uint64, n int) ([]runtime.Line, error) {
	s.mu.Lock()
	e := s.units[name]
	s.mu.Unlock()
	if e == nil {
		return nil, notFound(name)
	}
	ctx, cancel := context.WithTimeout(s.ctx, callLimit)
	defer cancel()
	if err := s.fetch(ctx, e); err != nil {
		return nil, err
	}
	return e.journal.tail(after, n), nil
}

func (j *journal) tail(after uint64, n int) []runtime.Line {
	j.mu.Lock()
	defer j.mu.Unlock()
	from := max(0, len(j.lines)-n)
	for from < len(j.lines) && j.lines[from].Number <= after {
		from++
	}
	return append([]runtime.Line(nil), j.lines[from:]...)
}

// Follow implements runtime.Runtime.
func (s *Systemd) Follow(ctx context.Context, name string, after uint64) error {
	for {
		s.mu.Lock()
		e := s.units[name]
		s.mu.Unlock()
		if e == nil {
			return notFound(name)
		}
		err := s.fetch(ctx, e)
		e.journal.mu.Lock()
		last, cursor := e.journal.last, e.journal.cursor
		e.journal.mu.Unlock()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil || last > after {
			return err
		}
		if err := s.awaitLine(ctx, name, cursor); err != nil {
			return err
		}
	}
}

// journalctl is the command that reads a unit's journal from a cursor on.
func (s *Systemd) journalctl(ctx context.Context, name, cursor string, more ...string) *exec.Cmd {
	args := []string{"--quiet", "--no-pager", "--output=json"}
	if s.opt.UserUnits {
		args = append(args, "--user-unit="+name)
	} else {
		args = append(args, "--unit="+name)
	}
	if s.opt.JournalFiles != "" {
		args = append(args, "--directory="+s.opt.JournalFiles)
	}
	if cursor != "" {
		args = append(args, "--after-cursor="+cursor)
	}
	return exec.CommandContext(ctx, "journalctl", append(args, more...)...)
}

// fetch reads the lines that have come since the last time.
func (s *Systemd) fetch(ctx context.Context, e *entry) error {
	j := &e.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	cmd := s.journalctl(ctx, e.name, j.cursor, "--lines="+strconv.Itoa(keep))
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("reading the journal of %s: %w%s", e.name, err, said(&problem))
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, maxEntry)
	for lines.Scan() {
		line, cursor, err := parseEntry(lines.Bytes())
		if err != nil {
			return fmt.Errorf("reading the journal of %s: %w", e.name, err)
		}
		j.last++
		line.Number = j.last
		j.lines, j.cursor = append(j.lines, line), cursor
	}
	if extra := len(j.lines) - keep; extra > 0 {
		j.lines = append([]runtime.Line(nil), j.lines[extra:]...)
	}
	return lines.Err()
}

func said(problem *bytes.Buffer) string {
	if text := strings.TrimSpace(problem.String()); text != "" {
		return ": " + text
	}
	return ""
}

// awaitLine returns when there is an entry after a cursor.
func (s *Systemd) awaitLine(ctx context.Context, name, cursor string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	cmd := s.journalctl(ctx, name, cursor, "--follow", "--no-tail")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("following the journal of %s: %w", name, err)
	}
	_, readErr := out.Read(make([]byte, 1))
	outer := ctx.Err()
	cancel()
	err = cmd.Wait()
	switch {
	case s.ctx.Err() != nil:
		return runtime.ErrClosed
	case outer != nil:
		return outer
	case readErr != nil:
		return fmt.Errorf("following the journal of %s: %w", name, errors.Join(readErr, err))
	}
	return nil
}

// parseEntry reads one entry of journalctl's JSON.
func parseEntry(text []byte) (line runtime.Line, cursor string, err error) {
	var fields struct {
		Cursor     string          `json:"__CURSOR"`
		Micros     string          `json:"__REALTIME_TIMESTAMP"`
		Identifier json.RawMessage `json:"SYSLOG_IDENTIFIER"`
		Message    json.RawMessage `json:"MESSAGE"`
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		return runtime.Line{}, "", fmt.Errorf("an entry isn't as it should be: %w", err)
	}
	micros, err := strconv.ParseInt(fields.Micros, 10, 64)
	if err != nil || fields.Cursor == "" {
		return runtime.Line{}, "", errors.New("an entry has no cursor or no time")
	}
	line = runtime.Line{
		Time: time.UnixMicro(micros), Source: fieldText(fields.Identifier), Text: fieldText(fields.Message),
	}
	if len(line.Text) > maxLine {
		line.Text = strings.ToValidUTF8(line.Text[:maxLine], "")
	}
	return line, fields.Cursor, nil
}

// fieldText is a field's value: a string, or bytes as numbers if they aren't
// text; of one that is there several times, the first.
func fieldText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var numbers []byte
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return ""
	}
	for i, item := range list {
		var b uint8
		if json.Unmarshal(item, &b) == nil {
			numbers = append(numbers, b)
		} else if i == 0 {
			return fieldText(item)
		}
	}
	return strings.ToValidUTF8(string(numbers), "\uFFFD")
}
