package ui

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Table writes rows with aligned columns, two spaces apart and without
// trailing space. Cells must not contain tabs.
type Table struct {
	out io.Writer
	b   strings.Builder
	w   *tabwriter.Writer
}

// NewTable returns a table that Flush writes to out.
func NewTable(out io.Writer) *Table {
	t := &Table{out: out}
	t.w = tabwriter.NewWriter(&t.b, 0, 0, 2, ' ', 0)
	return t
}

// Row adds a row.
func (t *Table) Row(cells ...string) {
	_, _ = fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

// Flush writes the table.
func (t *Table) Flush() {
	_ = t.w.Flush()
	for line := range strings.Lines(t.b.String()) {
		_, _ = fmt.Fprintln(t.out, strings.TrimRight(line, " \n"))
	}
	t.b.Reset()
}
