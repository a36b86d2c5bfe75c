package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// chart is a drawing with its words. Its size is that of its narrowest place, a small
// screen, so that its letters are never drawn smaller than they are meant.
type chart struct {
	// Title is what it shows, with its unit; Note what to look at.
	Title, Note string
	// Width and Height are those of the drawing.
	Width, Height int
	// Label says what is drawn to those who can't see it.
	Label  string
	Legend []key
	Shapes []shape
}

// key is an entry of a legend; a ring stands for points, else it is a line.
type key struct {
	Class, Name string
	Ring        bool
}

// shape is a part of a drawing: a rect, a line, a path, a dot or a text.
type shape struct {
	Kind, Class          string
	X, Y, X2, Y2         string
	W, H, R              string
	D                    string
	Text, Anchor, Rotate string
	// Title is shown when it is pointed at.
	Title string
}

// chartWidth is the width of all drawings, in their own units.
const chartWidth = 360

func px(v float64) string {
	return strings.TrimSuffix(strings.TrimSuffix(fmt.Sprintf("%.2f", v), "0"), ".0")
}

func (c *chart) rect(class string, x, y, w, h float64, title string) {
	c.Shapes = append(c.Shapes, shape{Kind: "rect", Class: class, X: px(x), Y: px(y), W: px(math.Max(w, 0.5)), H: px(h), Title: title})
}

func (c *chart) line(class string, x, y, x2, y2 float64) {
	c.Shapes = append(c.Shapes, shape{Kind: "line", Class: class, X: px(x), Y: px(y), X2: px(x2), Y2: px(y2)})
}

func (c *chart) dot(class string, x, y, r float64, title string) {
	c.Shapes = append(c.Shapes, shape{Kind: "dot", Class: class, X: px(x), Y: px(y), R: px(r), Title: title})
}

func (c *chart) text(class, anchor string, x, y float64, text string) {
	c.Shapes = append(c.Shapes, shape{Kind: "text", Class: class, Anchor: anchor, X: px(x), Y: px(y), Text: text})
}

// axis maps values to places of a drawing.
type axis struct {
	from, to   float64 // values
	start, end float64 // places
	log        bool
}

// Values beyond these are no measurements; an axis leaves them at its ends.
const (
	least = 1e-9
	most  = 1e15
)

// newAxis spans some values. A linear one begins at 0, a logarithmic one, which is for
// values above 0, at a power of ten or half of one.
func newAxis(values []float64, start, end float64, log bool) axis {
	a := axis{start: start, end: end, log: log}
	values = slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return math.IsNaN(v) || v > most || v < 0 || log && v < least })
	if len(values) == 0 {
		values = []float64{1}
	}
	a.to = slices.Max(values)
	if !log {
		a.to = math.Max(a.to*1.02, 1e-9)
		return a
	}
	a.from = slices.Min(values) / 1.25
	a.to *= 1.25
	return a
}

func (a axis) at(v float64) float64 {
	share := (v - a.from) / (a.to - a.from)
	if a.log {
		share = math.Log(math.Max(v, a.from)/a.from) / math.Log(a.to/a.from)
	}
	return a.start + math.Min(math.Max(share, 0), 1)*(a.end-a.start)
}

// ticks are round values on the axis, about as many as there is room for.
func (a axis) ticks(about int) []float64 {
	var list []float64
	if a.log {
		for _, steps := range [][]float64{{1, 2, 3, 4, 5, 6, 8}, {1, 2, 5}, {1, 3}, {1}} {
			list = list[:0]
			for e := math.Floor(math.Log10(a.from)); e <= math.Log10(a.to); e++ {
				for _, s := range steps {
					if v := s * math.Pow(10, e); v >= a.from && v <= a.to {
						list = append(list, v)
					}
				}
			}
			if len(list) <= about {
				break
			}
		}
		return list
	}
	step := math.Pow(10, math.Floor(math.Log10(a.to/float64(about))))
	for _, s := range []float64{1, 2, 5, 10} {
		if a.to/(step*s) <= float64(about) {
			step *= s
			break
		}
	}
	for i := range about + 1 {
		if v := float64(i) * step; v <= a.to {
			list = append(list, v)
		}
	}
	return list
}

// thousands writes a tick.
func thousands(v float64) string {
	switch {
	case v >= 1e6:
		return plain(v/1e6) + "M"
	case v >= 1e4:
		return plain(v/1e3) + "k"
	}
	return plain(v)
}

func plain(v float64) string {
	if v != 0 && v < 1 {
		return fmt.Sprintf("%.1g", v)
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
}

// bar is one system's part of a row of bars.
type bar struct {
	Class, Name string
	Value       float64
	// Low and High are its interval; none if both are 0.
	Low, High float64
	// Busy are readings of rounds under pressure.
	Busy []float64
}

// barRow is what bars are compared of.
type barRow struct {
	Name, Ratio string
	Bars        []bar
	// Floor is what none can be below, 0 for none.
	Floor float64
}

// barChart draws rows of bars from the left, with the numbers at their ends.
func barChart(title, note string, rows []barRow) chart {
	const head, thick, gap, right = 15, 11, 9, 52
	var values []float64
	for _, r := range rows {
		for _, b := range r.Bars {
			values = append(values, b.Value, b.High)
		}
	}
	a := newAxis(values, 2, chartWidth-right, false)
	c := chart{Title: title, Note: note, Width: chartWidth}
	seen := make(map[string]bool)
	y, floors, busy := 0.0, false, false
	for _, r := range rows {
		c.text("name", "start", 2, y+11, r.Name)
		c.text("ratio", "end", chartWidth-2, y+11, r.Ratio)
		y += head
		top := y
		for _, b := range r.Bars {
			if !seen[b.Name] {
				seen[b.Name] = true
				c.Legend = append(c.Legend, key{Class: b.Class, Name: b.Name})
			}
			c.rect(b.Class, a.start, y, a.at(b.Value)-a.start, thick-2, fmt.Sprintf("%s, %s: %s", r.Name, b.Name, Short(b.Value)))
			end := a.at(b.Value)
			if b.High > b.Low {
				c.line("whisker", a.at(b.Low), y+4.5, a.at(b.High), y+4.5)
				end = math.Max(end, a.at(b.High))
			}
			for _, v := range b.Busy {
				c.dot("busy", a.at(v), y+4.5, 2.2, "a round under pressure: "+Short(v))
				busy = true
			}
			c.text("value", "start", end+4, y+9, Short(b.Value))
			y += thick
		}
		if r.Floor > 0 {
			c.line("floor", a.at(r.Floor), top-2, a.at(r.Floor), y)
			floors = true
		}
		y += gap
	}
	if floors {
		c.Legend = append(c.Legend, key{Class: "floor", Name: "the floor"})
	}
	if busy {
		c.Legend = append(c.Legend, key{Class: "busy", Name: "a round under pressure", Ring: true})
	}
	c.Height = int(y)
	c.Label = describeBars(title, rows)
	return c
}

func describeBars(title string, rows []barRow) string {
	var b strings.Builder
	b.WriteString(title)
	for i, r := range rows {
		fmt.Fprintf(&b, "%s%s", [...]string{": ", "; "}[min(i, 1)], r.Name)
		for _, one := range r.Bars {
			fmt.Fprintf(&b, ", %s %s", one.Name, Short(one.Value))
		}
	}
	return b.String()
}

// point is a reading at a place.
type point struct {
	X, Y, Low, High float64
	Title           string
}

// series is a line of a chart; without a line it is dots.
type series struct {
	Name, Class string
	// Style is the line's: solid, dash, dots, or none.
	Style  string
	Points []point
}

// lineChart draws series over two axes.
type lineChart struct {
	Title, Note, X, Y string
	LogX, LogY        bool
	Series            []series
	// Floor is drawn across if it is above 0, with its name.
	Floor     float64
	FloorName string
	// TicksX are the ticks of the x axis, if it is to have others than round ones.
	TicksX []float64
}

// draw makes the chart.
func (l lineChart) draw() chart {
	const left, right, top, bottom, height = 38, 12, 18, 30, 230
	c := chart{Title: l.Title, Note: l.Note, Width: chartWidth, Height: height}
	var xs, ys []float64
	for _, s := range l.Series {
		for _, p := range s.Points {
			xs, ys = append(xs, p.X), append(ys, p.Y)
			if p.High > 0 {
				ys = append(ys, p.Low, p.High)
			}
		}
	}
	if l.Floor > 0 {
		ys = append(ys, l.Floor)
	}
	x := newAxis(xs, left, chartWidth-right, l.LogX)
	y := newAxis(ys, height-bottom, top, l.LogY)
	c.frame(l, x, y)
	for _, s := range l.Series {
		if len(s.Points) == 0 {
			continue
		}
		c.Legend = append(c.Legend, key{Class: s.Class + " " + s.Style, Name: s.Name, Ring: s.Style == "none"})
		c.series(s, x, y)
	}
	if l.Floor > 0 {
		c.line("floor", left, y.at(l.Floor), chartWidth-right, y.at(l.Floor))
		c.Legend = append(c.Legend, key{Class: "floor", Name: l.FloorName})
	}
	c.Label = l.describe()
	return c
}

// frame draws the axes.
func (c *chart) frame(l lineChart, x, y axis) {
	for _, v := range y.ticks(6) {
		c.line("grid", x.start, y.at(v), x.end, y.at(v))
		c.text("tick", "end", x.start-4, y.at(v)+3.5, thousands(v))
	}
	ticks := l.TicksX
	if ticks == nil {
		ticks = x.ticks(6)
	}
	for _, v := range ticks {
		c.line("grid", x.at(v), y.start, x.at(v), y.start+4)
		c.text("tick", "middle", x.at(v), y.start+14, thousands(v))
	}
	c.text("axis", "start", 2, 10, l.Y)
	c.text("axis", "end", x.end, y.start+27, l.X)
}

func (c *chart) series(s series, x, y axis) {
	var d strings.Builder
	for i, p := range s.Points {
		fmt.Fprintf(&d, "%s%s %s", [...]string{"M", "L"}[min(i, 1)], px(x.at(p.X)), px(y.at(p.Y)))
	}
	if s.Style != "none" && len(s.Points) > 1 {
		c.Shapes = append(c.Shapes, shape{Kind: "path", Class: "line " + s.Class + " " + s.Style, D: d.String()})
	}
	for _, p := range s.Points {
		if p.High > p.Low {
			c.line("range "+s.Class, x.at(p.X), y.at(p.Low), x.at(p.X), y.at(p.High))
		}
		title := p.Title
		if title == "" {
			title = fmt.Sprintf("%s: %s at %s", s.Name, Short(p.Y), Short(p.X))
		}
		c.dot(s.Class+" "+s.Style, x.at(p.X), y.at(p.Y), 3, title)
	}
}

func (l lineChart) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s; %s over %s", l.Title, l.Y, l.X)
	for _, s := range l.Series {
		fmt.Fprintf(&b, "; %s:", s.Name)
		for _, p := range s.Points {
			fmt.Fprintf(&b, " %s at %s", Short(p.Y), Short(p.X))
		}
	}
	return b.String()
}

// strip is a row of a chart of trials.
type strip struct {
	Name, Class string
	Trials      []float64
	Middle      float64
}

// stripChart draws each trial as a dot, and their median.
func stripChart(title, note, unit string, rows []strip) chart {
	const left, right, each = 84, 44, 26
	var values []float64
	for _, r := range rows {
		values = append(values, r.Trials...)
	}
	a := newAxis(values, left, chartWidth-right, false)
	c := chart{Title: title, Note: note, Width: chartWidth, Height: each*len(rows) + 30}
	bottom := float64(each * len(rows))
	for _, v := range a.ticks(6) {
		c.line("grid", a.at(v), 0, a.at(v), bottom)
		c.text("tick", "middle", a.at(v), bottom+12, thousands(v))
	}
	c.text("axis", "end", a.end, bottom+26, unit)
	var label strings.Builder
	label.WriteString(title)
	for i, r := range rows {
		y := float64(each*i) + each/2
		c.text("name", "start", 2, y+4, r.Name)
		for k, v := range r.Trials {
			// A little apart, so that trials that took as long are both seen.
			c.dot(r.Class+" trial", a.at(v), y+float64(k%5-2)*2.4, 2.6, fmt.Sprintf("%s: %s", r.Name, Short(v)))
		}
		c.line("middle", a.at(r.Middle), y-9, a.at(r.Middle), y+9)
		c.text("value", "start", a.end+5, y+4, Short(r.Middle))
		fmt.Fprintf(&label, "; %s: median %s of %d", r.Name, Short(r.Middle), len(r.Trials))
	}
	c.Label = label.String()
	return c
}
