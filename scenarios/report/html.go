package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// view is a page with what the template needs besides.
type view struct {
	*Page
	CSS  template.CSS
	JS   template.JS
	Data *data
}

// Drawn says whether there is a timeline to draw.
func (v view) Drawn() bool { return v.Data != nil }

// Members says whether there are members to draw.
func (v view) Members() bool { return v.Data != nil && len(v.Data.Nodes) > 0 }

// HTML writes the page as one self-contained file.
func (p *Page) HTML(w io.Writer) error {
	// The style and the script are this package's own files.
	v := view{Page: p, CSS: template.CSS(pageCSS), JS: template.JS(pageJS), Data: p.data}
	if err := pageTemplate.Execute(w, v); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// Link is the fragment that leads to a time of this run.
func (p *Page) Link(at string) string {
	if p.Seed == "" {
		return "#t=" + at
	}
	return "#seed=" + p.Seed + "&t=" + at
}

func fmtSeed(seed uint64) string { return fmt.Sprint(seed) }
