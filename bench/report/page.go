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

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// section is a part of the page: drawings of one kind, and what they mean.
type section struct {
	ID, Title string
	// Lead says what is seen, How how it was taken, Falsify what would show it wrong.
	Lead, How, Falsify string
	Charts             []chart
	Tables             []table
	// Marks are what a reader must know before believing it.
	Marks []string
}

// table is rows of words.
type table struct {
	Title string
	Head  []string
	Rows  [][]string
	// Fold hides it until it is asked for; it has a title then.
	Fold bool
}

// fact is a line about the run.
type fact struct{ Name, Value string }

// page is what the template is given.
type page struct {
	CSS       template.CSS
	Title     string
	When      string
	Product   string
	Quick     bool
	Broken    []fact
	Headlines table
	Compared  *section
	Sections  []section
	Facts     []fact
}

// HTML writes a file as one page without scripts: what was measured, drawn, with how it
// was taken and what would show it to be wrong. The comparison may be nil.
func HTML(w io.Writer, f *File, c *Comparison) error {
	p := &page{
		CSS:     template.CSS(pageCSS), // this package's own
		Product: f.Product, Quick: f.Quick, Headlines: f.headlineTable(), Facts: f.facts(),
		Title: fmt.Sprintf("Benchmarks of drydock %s", f.Product), When: f.Began.UTC().Format("2 January 2006, 15:04 UTC"),
	}
	for _, kind := range Kinds {
		if why := f.Broken[kind]; why != "" {
			p.Broken = append(p.Broken, fact{kind, why})
		}
	}
	if c != nil {
		p.Compared = c.section()
	}
	if f.KV != nil {
		p.Sections = append(p.Sections, f.kvSections()...)
	}
	if f.Consensus != nil {
		p.Sections = append(p.Sections, f.coreSection())
	}
	if f.Scheduler != nil {
		p.Sections = append(p.Sections, f.Scheduler.section())
	}
	if f.Sim != nil {
		p.Sections = append(p.Sections, f.Sim.section())
	}
	if f.Floor != nil {
		p.Sections = append(p.Sections, f.floorSection())
	}
	if err := pageTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
