package ui

import (
	"fmt"
	"strings"
	"time"
)

// How often progress is written: on a terminal it is redrawn, elsewhere a
// plain line comes now and then, so logs stay short.
const (
	redrawEvery = 100 * time.Millisecond
	lineEvery   = 10 * time.Second
)

// Progress shows one line of progress on stderr. It is not safe for use by
// several goroutines at once.
type Progress struct {
	env   *Env
	now   func() time.Time
	quiet bool
	last  time.Time
	drawn bool
}

// NewProgress returns a progress line; quiet shows nothing. The clock is a
// parameter for tests; commands pass time.Now.
func NewProgress(env *Env, quiet bool, now func() time.Time) *Progress {
	return &Progress{env: env, now: now, quiet: quiet, last: now()}
}

// Update offers a new text; it is shown if it is time to.
func (p *Progress) Update(text string) {
	if p.quiet {
		return
	}
	every := lineEvery
	if p.env.Redraw() {
		every = redrawEvery
	}
	now := p.now()
	if now.Sub(p.last) < every {
		return
	}
	p.last = now
	if !p.env.Redraw() {
		_, _ = fmt.Fprintln(p.env.Stderr, text)
		return
	}
	if limit := p.env.Width - 1; len(text) > limit && limit > 0 {
		text = text[:limit]
	}
	_, _ = fmt.Fprint(p.env.Stderr, "\r\x1b[K"+text)
	p.drawn = true
}

// Clear removes a drawn line, before other output and at the end.
func (p *Progress) Clear() {
	if p.drawn {
		_, _ = fmt.Fprint(p.env.Stderr, "\r\x1b[K")
		p.drawn = false
	}
}

// Rate writes a count per second with a sensible number of digits.
func Rate(n int, took time.Duration) string {
	if took <= 0 {
		return "-"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/took.Seconds()), ".0")
}
