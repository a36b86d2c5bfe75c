package supervisor

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"drydock/node/runtime"
)

// maxLine bounds a line of a journal; what is longer is cut into several.
const maxLine = 16 << 10

// lineCost is what a line takes besides its text.
const lineCost = 96

// journal keeps the last lines of a unit within a bound.
type journal struct {
	mu    sync.Mutex
	lines []runtime.Line
	bytes int // text and cost of lines
	bound int // of bytes
	last  uint64
	grown chan struct{} // closed when a line comes, then replaced
}

func newJournal(bound int) *journal {
	return &journal{bound: bound, grown: make(chan struct{})}
}

// add appends a line, and drops the oldest ones beyond the bound.
func (j *journal) add(source, text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	j.lines = append(j.lines, runtime.Line{Number: j.last, Time: time.Now(), Source: source, Text: text})
	j.bytes += len(text) + lineCost
	drop := 0
	for j.bytes > j.bound && drop < len(j.lines)-1 {
		j.bytes -= len(j.lines[drop].Text) + lineCost
		drop++
	}
	if drop > 0 {
		clear(j.lines[:drop])
		j.lines = j.lines[drop:]
	}
	close(j.grown)
	j.grown = make(chan struct{})
}

// tail returns the last n lines with a number above after.
func (j *journal) tail(after uint64, n int) []runtime.Line {
	j.mu.Lock()
	defer j.mu.Unlock()
	from := max(0, len(j.lines)-n)
	for from < len(j.lines) && j.lines[from].Number <= after {
		from++
	}
	return append([]runtime.Line(nil), j.lines[from:]...)
}

// wait returns when there is a line with a number above after.
func (j *journal) wait(ctx context.Context, after uint64) error {
	for {
		j.mu.Lock()
		last, grown := j.last, j.grown
		j.mu.Unlock()
		if last > after {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// copy reads lines until the end.
func (j *journal) copy(r io.Reader, source string) {
	buffered := bufio.NewReaderSize(r, maxLine)
	for {
		text, err := buffered.ReadSlice('\n')
		if n := len(text); n > 0 {
			if text[n-1] == '\n' {
				n--
			}
			j.add(source, string(text[:n]))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}
