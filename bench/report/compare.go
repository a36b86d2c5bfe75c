package report

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"drydock/bench/pairs"
)

// Outcome is what a comparison says of a figure.
type Outcome string

// The outcomes.
const (
	Better      Outcome = "better"
	Worse       Outcome = "worse"
	Same        Outcome = "no difference"
	Undecided   Outcome = "undecided" // too few readings
	OneReading  Outcome = "one reading"
	OtherRate   Outcome = "not judged: asked at another rate"
	OtherWork   Outcome = "not judged: other settings"
	OtherPlace  Outcome = "not judged: another machine"
	NoneMissing Outcome = "not judged: no calm round"
)

// sameRate is by how much the rates may differ at which latencies were taken.
const sameRate = 0.1

// Change is a figure of two files.
type Change struct {
	Figure
	// Old and New are the medians, Ratio new by old.
	Old   float64     `json:"old"`
	New   float64     `json:"new"`
	Ratio pairs.Ratio `json:"ratio"`
	// Outcome is what that says; Marked that it is said though the machines or the
	// settings differ.
	Outcome Outcome `json:"outcome"`
	Marked  bool    `json:"marked,omitempty"`
}

// Comparison is what two files say of each other.
type Comparison struct {
	// Old and New are the builds.
	Old string `json:"old"`
	New string `json:"new"`
	// Machine is in what the machines differ, Settings the same of each kind.
	Machine  []Difference            `json:"machine,omitempty"`
	Settings map[string][]Difference `json:"settings,omitempty"`
	// Anyway says that figures are judged in spite of that, and marked.
	Anyway  bool     `json:"anyway,omitempty"`
	Changes []Change `json:"changes"`
	// OnlyOld and OnlyNew count figures that the other file hasn't.
	OnlyOld int `json:"onlyOld,omitempty"`
	OnlyNew int `json:"onlyNew,omitempty"`
}

// SettingsDiffer lists, by kind, in what the settings of two files differ that figures
// depend on.
func SettingsDiffer(now, old *File) map[string][]Difference {
	var differ map[string][]Difference
	before := old.flags()
	for kind, flags := range now.flags() { // any order: the result is a map
		was, has := before[kind]
		if !has {
			continue
		}
		if list := flags.differs(was); len(list) > 0 {
			if differ == nil {
				differ = make(map[string][]Difference)
			}
			differ[kind] = list
		}
	}
	return differ
}

func (f Flags) differs(old Flags) []Difference {
	names := maps.Clone(f.Settings)
	if names == nil {
		names = make(map[string]string)
	}
	maps.Copy(names, old.Settings)
	var list []Difference
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if f.Settings[name] != old.Settings[name] {
			list = append(list, Difference{"--" + name, old.Settings[name], f.Settings[name]})
		}
	}
	return list
}

// Compare says what changed from an old file to a new one. Anyway judges figures of
// another machine or of other settings as well, and marks them.
func Compare(now, old *File, anyway bool) (*Comparison, error) {
	c := &Comparison{
		Old: old.Product, New: now.Product, Machine: now.Machine.Differs(old.Machine), Settings: SettingsDiffer(now, old),
		Anyway: anyway, Changes: []Change{},
	}
	before := make(map[[5]string]Figure)
	for _, f := range old.Figures() {
		before[f.key()] = f
	}
	for _, f := range now.Figures() {
		was, has := before[f.key()]
		if !has {
			c.OnlyNew++
			continue
		}
		delete(before, f.key())
		change, err := c.change(f, was)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %s: %w", f.Kind, f.Case, f.Measure, err)
		}
		c.Changes = append(c.Changes, change)
	}
	c.OnlyOld = len(before)
	return c, nil
}

// change compares one figure.
func (c *Comparison) change(f, was Figure) (Change, error) {
	ch := Change{Figure: f, Old: was.Value, New: f.Value}
	if was.Value > 0 {
		ch.Ratio.Median = f.Value / was.Value
	}
	elsewhere, otherwise := len(c.Machine) > 0, len(c.Settings[f.Kind]) > 0
	switch {
	case elsewhere && !c.Anyway:
		ch.Outcome = OtherPlace
		return ch, nil
	case otherwise && !c.Anyway:
		ch.Outcome = OtherWork
		return ch, nil
	}
	ch.Marked = elsewhere || otherwise
	switch {
	case math.Abs(f.Asked-was.Asked) > sameRate*was.Asked && !c.Anyway:
		ch.Outcome = OtherRate
		return ch, nil
	case len(f.Readings) == 0 || len(was.Readings) == 0:
		ch.Outcome = NoneMissing
		return ch, nil
	case f.Exact:
		ch.Outcome = exactly(f, was)
		return ch, nil
	case len(f.Readings) == 1 && len(was.Readings) == 1:
		ch.Outcome = OneReading
		return ch, nil
	}
	var err error
	if ch.Ratio, err = pairs.Apart(f.Readings, was.Readings, 1); err != nil {
		return ch, err
	}
	ch.Outcome = outcome(ch.Ratio.Verdict, f.More)
	return ch, nil
}

// outcome says whether less or more is better.
func outcome(v pairs.Verdict, more bool) Outcome {
	switch {
	case v == pairs.Undecided:
		return Undecided
	case v == pairs.Same:
		return Same
	case (v == pairs.More) == more:
		return Better
	}
	return Worse
}

// exactly compares figures without a spread; what rounding leaves is none.
func exactly(f, was Figure) Outcome {
	const rounding = 1e-9
	switch d := f.Value - was.Value; {
	case math.Abs(d) <= rounding*math.Abs(was.Value):
		return Same
	case (d > 0) == f.More:
		return Better
	}
	return Worse
}

// Regressions are the product's figures that are worse by more than so many percent,
// with the whole of their interval: with a hundred figures, some intervals leave out 1
// by chance, and few by much.
func (c *Comparison) Regressions(percent float64) []Change {
	var list []Change
	for _, ch := range c.Changes {
		if ch.Outcome != Worse || ch.Control || ch.Marked {
			continue
		}
		near := 1 / ch.Ratio.Median
		switch {
		case ch.Exact && ch.Ratio.Median == 0: // from nothing, or to nothing
			near = math.Inf(1)
		case ch.Exact && !ch.More:
			near = ch.Ratio.Median
		case !ch.Exact && ch.More:
			near = 1 / ch.Ratio.High
		case !ch.Exact:
			near = ch.Ratio.Low
		}
		if near > 1+percent/100 {
			list = append(list, ch)
		}
	}
	return list
}

// Drift are the controls that have changed: figures of the other system in the same
// release, which no change of the product can move.
func (c *Comparison) Drift() []Change {
	return slices.DeleteFunc(slices.Clone(c.Changes), func(ch Change) bool {
		return !ch.Control || ch.Outcome != Better && ch.Outcome != Worse
	})
}
