package calibrate

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"time"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// Sizes of drawings.
const (
	chartWidth = 820
	chartLeft  = 150
	chartRight = 20
	rowHeight  = 46
	axisHeight = 26
)

// chart is a measure's drawing: a row of readings for each world.
type chart struct {
	Side
	Width, Height int
	Rows          []chartRow
	Ticks         []tick
	Words         string
}

// chartRow is one world's readings.
type chartRow struct {
	Name, Class string
	Y, Text     float64
	// From and To are the tenth and the ninetieth of a hundred, Middle the median;
	// Bar says that there are any.
	From, To, Middle float64
	Bar              bool
	Figures          string
	Dots             []dot
}

// Span is the bar's width.
func (r chartRow) Span() float64 { return round(r.To - r.From) }

// Bottom is where the row ends.
func (r chartRow) Bottom() float64 { return r.Y + 32 }

// dot is a reading.
type dot struct {
	X, Y   float64
	Hollow bool
	Title  string
}

// tick is a mark of the axis.
type tick struct {
	X    float64
	Name string
}

// HTML writes a comparison as one page without scripts.
func (c *Comparison) HTML(w io.Writer) error {
	p := struct {
		*Comparison
		Charts []chart
		Says   string
		When   string
		Share  string
		Others string
		Lasted time.Duration
		// Noisy says that the profile is others' as well.
		Noisy bool
	}{Comparison: c, When: c.Began.Format("2 January 2006, 15:04 UTC"), Share: fmt.Sprintf("%.0f%%", 100*c.Within), Others: fmt.Sprintf("%.0f%%", 100*c.Pressure), Lasted: c.Took.Round(time.Second), Noisy: c.Pressure > calmForeign}
	switch c.Verdict() {
	case Agrees:
		p.Says = "What the simulator predicted came true within " + p.Share
	case Differs:
		p.Says = "The simulator's medians and the lab's are more than " + p.Share + " apart"
	default:
		p.Says = "Too few calm trials to judge the simulator by"
	}
	for i := range c.Measures {
		p.Charts = append(p.Charts, chartOf(&c.Measures[i]))
	}
	if err := pageTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("calibrate: %w", err)
	}
	return nil
}

// chartOf draws a measure.
func chartOf(m *Side) chart {
	longest := time.Duration(1)
	for _, list := range [][]Reading{m.Sim, m.Lab} {
		for i := range list {
			longest = max(longest, list[i].Value)
		}
	}
	step := niceStep(longest)
	most := step * time.Duration(math.Ceil(float64(longest)/float64(step)))
	x := func(d time.Duration) float64 {
		return round(chartLeft + float64(d)/float64(most)*(chartWidth-chartLeft-chartRight))
	}
	c := chart{Side: *m, Width: chartWidth, Words: m.words()}
	for i, world := range []struct {
		name, class string
		spread      Spread
		list        []Reading
	}{{"predicted", "sim", m.Predicted, m.Sim}, {"measured", "lab", m.Measured, m.Lab}} {
		top := float64(i*rowHeight + 8)
		row := chartRow{
			Name: world.name, Class: world.class, Y: top, Text: top + 18, Bar: world.spread.N > 0,
			From: x(world.spread.P10), To: x(world.spread.P90), Middle: x(world.spread.P50),
		}
		row.Figures = world.spread.words()
		for k := range world.list {
			r := &world.list[k]
			d := dot{X: x(r.Value), Y: top + float64(4+(k*7)%22), Hollow: !r.Calm(), Title: fmt.Sprintf("%s, seed %d at %.1fs", Short(r.Value), r.Seed, r.At.Seconds())}
			if d.Hollow {
				d.Title += fmt.Sprintf(", others had %.0f%% of the CPUs, a sleep was %s late", 100*r.Pressure.Foreign, Short(r.Pressure.Late))
			}
			row.Dots = append(row.Dots, d)
		}
		c.Rows = append(c.Rows, row)
	}
	for d := time.Duration(0); d <= most; d += step {
		c.Ticks = append(c.Ticks, tick{X: x(d), Name: Short(d)})
	}
	c.Height = len(c.Rows)*rowHeight + axisHeight
	return c
}

// words are a spread's figures; none of no readings.
func (s Spread) words() string {
	if s.N == 0 {
		return ""
	}
	return fmt.Sprintf("%s (%s - %s) of %d", Short(s.P50), Short(s.P10), Short(s.P90), s.N)
}

// Aside are the figures of the trials under pressure.
func (c chart) Aside() string { return c.Pressed.words() }

// niceStep is a round time of which four to ten make a longest time.
func niceStep(longest time.Duration) time.Duration {
	unit := time.Duration(1)
	for unit*10 <= longest/4 {
		unit *= 10
	}
	for _, times := range []time.Duration{1, 2, 5} {
		if longest/(unit*times) < 10 {
			return unit * times
		}
	}
	return unit * 10
}

func round(v float64) float64 { return math.Round(v*10) / 10 }
