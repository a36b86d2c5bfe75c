package dashboard

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// The size of the drawing of links.
const (
	ringWidth, ringHeight = 320, 220
	// maxRing is the most members that are drawn; more would be a tangle.
	maxRing = 9
)

// ring draws the members around a circle and this member's links to them.
type ring struct {
	Spots []spot
	Wires []wire
	// Top and Height are what of the drawing is used.
	Top, Height string
	// Label says it all to those who can't see it.
	Label string
}

// spot is a member in the drawing.
type spot struct {
	X, Y        string
	TextY       string
	Name, Class string
	Self        bool
}

// wire is a link in the drawing.
type wire struct {
	X1, Y1, X2, Y2, TextX, TextY string
	// PlateX, PlateY and PlateWidth are of what keeps the line off the text.
	PlateX, PlateY, PlateWidth string
	Text, Class                string
}

// ring places the members; this one is at the top.
func (s *sample) ring() ring {
	var r ring
	members := s.view.Members
	self := -1
	for i, m := range members {
		if m.ID == s.view.ID {
			self = i
		}
	}
	if self < 0 || len(members) < 2 || len(members) > maxRing {
		return r
	}
	at := func(i int) (x, y float64) {
		turn := 2 * math.Pi * float64((i-self+len(members))%len(members)) / float64(len(members))
		return ringWidth/2 + 105*math.Sin(turn), ringHeight/2 - 70*math.Cos(turn)
	}
	x0, y0 := at(self)
	bottom := y0
	var said []string
	for i, m := range members {
		x, y := at(i)
		row := s.row(m)
		p := spot{X: coordinate(x), Y: coordinate(y), Name: shorten(row.Name, 14), Class: row.Class, Self: row.Self}
		p.TextY = coordinate(y + 26)
		if y < ringHeight/2-1 {
			p.TextY = coordinate(y - 17)
		}
		r.Spots = append(r.Spots, p)
		bottom = max(bottom, y)
		if row.Self {
			continue
		}
		textX, textY := x0+(x-x0)*0.56, y0+(y-y0)*0.56
		width := 6.2*float64(utf8.RuneCountInString(row.Link)) + 6
		r.Wires = append(r.Wires, wire{
			X1: coordinate(x0), Y1: coordinate(y0), X2: coordinate(x), Y2: coordinate(y),
			TextX: coordinate(textX), TextY: coordinate(textY + 4), Text: row.Link, Class: row.LinkClass,
			PlateX: coordinate(textX - width/2), PlateY: coordinate(textY - 8), PlateWidth: coordinate(width),
		})
		said = append(said, fmt.Sprintf("%s: %s", row.Name, row.Link))
	}
	r.Top, r.Height = coordinate(y0-36), coordinate(bottom-y0+76)
	r.Label = fmt.Sprintf("Links of %s. %s.", s.view.Name, strings.Join(said, ", "))
	return r
}

// shorten cuts a text to at most n characters, the last of which then is an
// ellipsis.
func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)
	return string(runes[:n-1]) + "…"
}
