package ui

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Problem is one error in a file of a user's.
type Problem struct {
	File string `json:"file"`
	// Line and Column count from 1; 0 is unknown. Width is the number of
	// characters that are wrong, at least 1.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	Width  int `json:"width,omitempty"`
	// What says what is wrong, Hint what was meant.
	What string `json:"what"`
	Hint string `json:"hint,omitempty"`
}

// Error writes the problem on one line: file:line:column: what.
func (p Problem) Error() string {
	switch {
	case p.Line == 0:
		return fmt.Sprintf("%s: %s", p.File, p.What)
	case p.Column == 0:
		return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.What)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.What)
}

// Excerpt writes the problem with the line before, the line itself, a caret
// below the place, and the hint.
func (p Problem) Excerpt(text []byte) string {
	var b strings.Builder
	b.WriteString(p.Error() + "\n")
	lines := strings.Split(string(text), "\n")
	if p.Line >= 1 && p.Line <= len(lines) {
		width := len(fmt.Sprint(p.Line)) + 2
		if p.Line > 1 && strings.TrimSpace(lines[p.Line-2]) != "" {
			fmt.Fprintf(&b, "%*d | %s\n", width, p.Line-1, clean(lines[p.Line-2]))
		}
		line := clean(lines[p.Line-1])
		fmt.Fprintf(&b, "%*d | %s\n", width, p.Line, line)
		if p.Column >= 1 {
			room := max(1, utf8.RuneCountInString(line)-p.Column+1)
			carets := strings.Repeat("^", min(max(1, p.Width), room))
			fmt.Fprintf(&b, "%*s | %s%s\n", width, "", strings.Repeat(" ", p.Column-1), carets)
		}
	}
	if p.Hint != "" {
		b.WriteString("hint: " + p.Hint + "\n")
	}
	return b.String()
}

// clean makes a line of a file safe to print, keeping its columns.
func clean(line string) string {
	line = strings.TrimRight(line, "\r")
	const limit = 200
	out := []rune(strings.ToValidUTF8(line, "?"))
	for i, r := range out {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			out[i] = ' '
		}
	}
	if len(out) > limit {
		out = append(out[:limit], '…')
	}
	return string(out)
}

// Nearest returns the word closest to what was written, or "" if none is near:
// at most a third of its letters, and never more than three, may differ.
func Nearest(written string, words []string) string {
	best, distance := "", min(3, max(1, len(written)/3))+1
	for _, w := range words {
		if d := editDistance(strings.ToLower(written), w); d < distance {
			best, distance = w, d
		}
	}
	return best
}

// editDistance counts insertions, removals, changes and swaps of neighbours.
func editDistance(a, b string) int {
	const tooLong = 64
	if len(a) > tooLong || len(b) > tooLong {
		return tooLong
	}
	var before, above []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above, row = above, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
