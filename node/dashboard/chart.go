package dashboard

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// The size of a chart's drawing, in its own units.
const (
	chartWidth, chartHeight = 240, 48
	// span is the time that a chart shows.
	span = kept * time.Second
)

// chart is a number over the last two minutes.
type chart struct {
	// Name says what is counted, with its unit; Now is the newest number.
	Name, Now string
	// Peak is the largest number drawn.
	Peak string
	// Line is the curve and Area what is below it, as SVG path data.
	Line, Area string
	// Label says it all to those who can't see it.
	Label string
}

// point is a number at a moment.
type point struct {
	at    time.Time
	value float64
}

// gauge is a number at each sample.
func gauge(samples []sample, of func(*sample) float64) []point {
	var points []point
	for i := range samples {
		if samples[i].view != nil {
			points = append(points, point{samples[i].at, of(&samples[i])})
		}
	}
	return points
}

// speed is how fast a counter grew between samples, per second. A counter that
// went back began anew.
func speed(samples []sample, of func(*sample) uint64) []point {
	var points []point
	for i := 1; i < len(samples); i++ {
		was, is := &samples[i-1], &samples[i]
		took := is.at.Sub(was.at).Seconds()
		if was.view == nil || is.view == nil || took <= 0 {
			continue
		}
		before, after := of(was), of(is)
		if after < before {
			before = 0
		}
		points = append(points, point{is.at, float64(after-before) / took})
	}
	return points
}

// draw makes a chart; the newest point is at the right edge.
func draw(name string, points []point) chart {
	c := chart{Name: name, Now: "0", Peak: "0"}
	if len(points) == 0 {
		c.Label = name + ": nothing yet"
		return c
	}
	last := points[len(points)-1]
	peak := 0.0
	for _, p := range points {
		peak = max(peak, p.value)
	}
	c.Now, c.Peak = rate(last.value), rate(peak)
	c.Label = fmt.Sprintf("%s: %s now, at most %s in the last two minutes", name, c.Now, c.Peak)
	// A quiet curve is not blown up to the full height.
	scale := (chartHeight - 4) / max(peak, 1)
	var line strings.Builder
	for i, p := range points {
		x := chartWidth * (1 - float64(last.at.Sub(p.at))/float64(span))
		y := chartHeight - 2 - p.value*scale
		fmt.Fprintf(&line, "%s%s %s", [...]string{"M", "L"}[min(i, 1)], coordinate(max(x, 0)), coordinate(y))
	}
	c.Line = line.String()
	first := chartWidth * (1 - float64(last.at.Sub(points[0].at))/float64(span))
	c.Area = fmt.Sprintf("%sL%d %dL%s %dZ", c.Line, chartWidth, chartHeight, coordinate(max(first, 0)), chartHeight)
	return c
}

// coordinate writes a number with one digit after the point.
func coordinate(x float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", math.Round(x*10)/10), ".0")
}
