package ui

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestColored(t *testing.T) {
	tests := []struct {
		color string
		tty   bool
		vars  map[string]string
		want  bool
	}{
		{"auto", true, nil, true},
		{"auto", false, nil, false},
		{"auto", true, map[string]string{"NO_COLOR": "1"}, false},
		{"auto", true, map[string]string{"TERM": "dumb"}, false},
		{"always", false, map[string]string{"NO_COLOR": "1"}, true},
		{"never", true, nil, false},
	}
	for _, tt := range tests {
		e := &Env{Color: tt.color, OutTTY: tt.tty, Getenv: func(k string) string { return tt.vars[k] }}
		if got := e.Colored(); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
		if got := e.Paint("ok", Green, Bold); (got != "ok") != tt.want || !strings.Contains(got, "ok") {
			t.Errorf("%+v: painted %q", tt, got)
		}
	}
}

func TestExitCodes(t *testing.T) {
	cause := errors.New("cause")
	tests := []struct {
		err  error
		want int
	}{
		{nil, 0},
		{Exit(Held, nil), 0},
		{cause, Usage},
		{Exit(Unknown, cause), Unknown},
		{fmt.Errorf("wrapped: %w", Exit(WorldFailed, cause)), WorldFailed},
		{Exit(Violated, nil), Violated},
	}
	for _, tt := range tests {
		if got := Code(tt.err); got != tt.want {
			t.Errorf("%v: code %d, want %d", tt.err, got, tt.want)
		}
	}
	if !errors.Is(Exit(Unknown, cause), cause) {
		t.Error("the cause is lost")
	}
	if Exit(Violated, nil).Error() != "" {
		t.Error("an exit without words has words")
	}
}

func TestExcerpt(t *testing.T) {
	text := []byte("steps:\n  - at: 3s\n    node: n9\n")
	p := Problem{File: "bad.yaml", Line: 3, Column: 11, Width: 2, What: `"n9" is not in this cluster`, Hint: "n1 to n5"}
	want := `bad.yaml:3:11: "n9" is not in this cluster
  2 |   - at: 3s
  3 |     node: n9
    |           ^^
hint: n1 to n5
`
	if got := p.Excerpt(text); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, odd := range []Problem{{File: "f", Line: 99, Column: 1}, {File: "f", Line: 3, Column: 400, Width: 9}, {File: "f"}} {
		if got := odd.Excerpt(text); !strings.HasPrefix(got, "f") {
			t.Errorf("%+v: %q", odd, got)
		}
	}
	evil := Problem{File: "f", Line: 1, Column: 1}.Excerpt([]byte("a\x1b[2Jb\x9bc\xff"))
	if strings.ContainsRune(evil, 0x1b) || strings.IndexByte(evil, 0x9b) >= 0 {
		t.Errorf("control characters reach the terminal: %q", evil)
	}
}

func TestNearest(t *testing.T) {
	words := []string{"partition", "pause", "crash", "at"}
	for written, want := range map[string]string{
		"partiton": "partition", "PAUSE": "pause", "crahs": "crash", "ta": "at", "members": "", "x": "",
	} {
		if got := Nearest(written, words); got != want {
			t.Errorf("%q: %q, want %q", written, got, want)
		}
	}
}

func TestProgress(t *testing.T) {
	show := func(tty, quiet bool, vars map[string]string) string {
		var b strings.Builder
		now := time.Unix(0, 0)
		e := &Env{Stderr: &b, ErrTTY: tty, Width: 20, Getenv: func(k string) string { return vars[k] }}
		p := NewProgress(e, quiet, func() time.Time { return now })
		for range 300 {
			now = now.Add(50 * time.Millisecond)
			p.Update(strings.Repeat("x", 30))
		}
		p.Clear()
		return b.String()
	}
	if got := show(true, false, nil); strings.Count(got, "\r") != 151 || strings.Contains(got, strings.Repeat("x", 20)) {
		t.Errorf("terminal: %d redraws: %q", strings.Count(got, "\r"), got[:60])
	}
	for name, got := range map[string]string{
		"no terminal": show(false, false, nil),
		"CI":          show(true, false, map[string]string{"CI": "true"}),
		"dumb":        show(true, false, map[string]string{"TERM": "dumb"}),
	} {
		if strings.ContainsAny(got, "\r\x1b") || strings.Count(got, "\n") != 1 {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := show(true, true, nil); got != "" {
		t.Errorf("quiet: %q", got)
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	table := NewTable(&b)
	table.Row("name", "why")
	table.Row("leader-crash", "")
	table.Flush()
	if got, want := b.String(), "name          why\nleader-crash\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
