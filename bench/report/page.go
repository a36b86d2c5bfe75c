package report

import "io"

// HTML writes the page.
func HTML(w io.Writer, f *File, c *Comparison) error {
	_, err := io.WriteString(w, "<svg></svg>")
	return err
}
