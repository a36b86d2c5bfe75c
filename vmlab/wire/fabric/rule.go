package fabric

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"drydock/chaos"
	"drydock/sim/dist"
)

// ErrRule is matched by the errors about rules that say nothing, or nonsense.
var ErrRule = errors.New("bad rule")

// RuleID names a rule; ids grow, and none is given twice.
type RuleID uint64

// What rules have where they leave it open.
const (
	// DefaultWindow is for how long frames are held back at most, as for the
	// fault "reorder" of scenario files.
	DefaultWindow = 50 * time.Millisecond
	// DefaultBacklog is how long frames wait for a rate at most.
	DefaultBacklog = 200 * time.Millisecond
)

// Rule says what happens on some links.
type Rule struct {
	// Name is for people: what the rule is there for.
	Name string `json:"name,omitempty"`
	// Pairs are the links that it is about; none is all of them.
	Pairs  []Pair `json:"pairs,omitempty"`
	Effect Effect `json:"effect"`
	// Base marks what the lab is like without faults: healing leaves it.
	Base bool `json:"base,omitempty"`
}

// Pair names links in one direction by their ends. An end is a machine, which is
// all its ports; the name of one port; or empty, which is all.
type Pair struct {
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// Effect is what a rule does to frames. What is zero does nothing.
type Effect struct {
	// Cut: nothing passes, and what is on its way does not arrive.
	Cut bool `json:"cut,omitempty"`
	// Delay is added to each frame, and on top of it an exponentially
	// distributed time with mean Jitter, cut at 20 times that.
	Delay  time.Duration `json:"delay,omitempty"`
	Jitter time.Duration `json:"jitter,omitempty"`
	// Spread is a distribution of more delay in place of Jitter, as dist.Parse
	// reads it: "pareto mean=2ms max=1s tail=0.5".
	Spread string `json:"spread,omitempty"`
	// Loss, Duplicate, Reorder and Corrupt are chances of each frame. One that is
	// reordered is held back by up to Window (50ms), and one that is corrupted
	// has a bit turned behind its Ethernet header.
	Loss      chaos.Probability `json:"loss,omitempty"`
	Duplicate chaos.Probability `json:"duplicate,omitempty"`
	Reorder   chaos.Probability `json:"reorder,omitempty"`
	Window    time.Duration     `json:"window,omitempty"`
	Corrupt   chaos.Probability `json:"corrupt,omitempty"`
	// Rate is bits a second, of whole frames from the destination's address to
	// the end of the payload, for all links of the rule together. Frames that
	// would wait for longer than Backlog (200ms) are dropped.
	Rate    int64         `json:"rate,omitempty"`
	Backlog time.Duration `json:"backlog,omitempty"`
	// Up and Down cut the links and mend them in turns, beginning with a cut:
	// each time lasts half to one and a half of what is given, drawn for each.
	Up   time.Duration `json:"up,omitempty"`
	Down time.Duration `json:"down,omitempty"`
}

// Bounds of rates, in bits a second.
const (
	leastRate = 1_000
	mostRate  = 1_000_000_000_000
)

// Check says what is wrong with an effect. Its errors match ErrRule.
func (e Effect) Check() error {
	if e == (Effect{}) {
		return fmt.Errorf("%w: it has no effect", ErrRule)
	}
	for _, c := range []struct {
		name   string
		chance chaos.Probability
	}{{"loss", e.Loss}, {"duplicate", e.Duplicate}, {"reorder", e.Reorder}, {"corrupt", e.Corrupt}} {
		if !(c.chance >= 0 && c.chance <= 1) { // not a number is neither
			return fmt.Errorf("%w: %s is %v, must be 0%% to 100%%", ErrRule, c.name, c.chance)
		}
	}
	for _, c := range []struct {
		name string
		time time.Duration
	}{{"delay", e.Delay}, {"jitter", e.Jitter}, {"window", e.Window}, {"backlog", e.Backlog}, {"up", e.Up}, {"down", e.Down}} {
		if c.time < 0 || c.time > dist.MaxDelay/20 {
			return fmt.Errorf("%w: %s is %v, must be 0 to %v", ErrRule, c.name, c.time, dist.MaxDelay/20)
		}
	}
	switch {
	case e.Window > 0 && e.Reorder == 0:
		return fmt.Errorf("%w: a window without reorder", ErrRule)
	case e.Backlog > 0 && e.Rate == 0:
		return fmt.Errorf("%w: a backlog without a rate", ErrRule)
	case e.Rate != 0 && (e.Rate < leastRate || e.Rate > mostRate):
		return fmt.Errorf("%w: rate is %d bit/s, must be %d to %d", ErrRule, e.Rate, leastRate, mostRate)
	case (e.Up > 0) != (e.Down > 0):
		return fmt.Errorf("%w: up and down go together", ErrRule)
	case e.Cut && e.Up > 0:
		return fmt.Errorf("%w: cut, and cut and mended in turns", ErrRule)
	case e.Spread != "" && e.Jitter > 0:
		return fmt.Errorf("%w: both jitter and spread", ErrRule)
	}
	if e.Spread == "" {
		return nil
	}
	if _, err := dist.Parse(e.Spread); err != nil {
		return fmt.Errorf("%w: spread: %w", ErrRule, err)
	}
	return nil
}

// String writes the effect for people: "loss 5%, delay 100ms".
func (e Effect) String() string {
	var parts []string
	add := func(yes bool, format string, args ...any) {
		if yes {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(e.Cut, "cut")
	add(e.Up > 0, "cut for about %v, mended for about %v, in turns", e.Down, e.Up)
	add(e.Delay > 0, "delay %v", e.Delay)
	add(e.Jitter > 0, "jitter %v", e.Jitter)
	add(e.Spread != "", "delay %s", e.Spread)
	add(e.Loss > 0, "loss %v", e.Loss)
	add(e.Duplicate > 0, "duplicate %v", e.Duplicate)
	add(e.Reorder > 0, "reorder %v within %v", e.Reorder, orDefault(e.Window, DefaultWindow))
	add(e.Corrupt > 0, "corrupt %v", e.Corrupt)
	add(e.Rate > 0, "rate %s", Rate(e.Rate))
	return strings.Join(parts, ", ")
}

// Rate is a number of bits a second.
type Rate int64

// String writes the rate with the greatest unit that leaves no fraction: 10 Mbit/s.
func (r Rate) String() string {
	units := []string{"bit/s", "kbit/s", "Mbit/s", "Gbit/s"}
	for len(units) > 1 && r%1000 == 0 && r != 0 {
		r, units = r/1000, units[1:]
	}
	return strconv.FormatInt(int64(r), 10) + " " + units[0]
}

// String writes the pair as faults are written: n1>n2, with * for all.
func (p Pair) String() string {
	star := func(name string) string {
		if name == "" {
			return "*"
		}
		return name
	}
	return star(p.From) + ">" + star(p.To)
}

// listPairs writes pairs for people; of many, the first few.
func listPairs(pairs []Pair) string {
	const most = 6
	if len(pairs) == 0 {
		return "all links"
	}
	var parts []string
	for _, p := range pairs[:min(most, len(pairs))] {
		parts = append(parts, p.String())
	}
	if len(pairs) > most {
		parts = append(parts, fmt.Sprintf("and %d more", len(pairs)-most))
	}
	return strings.Join(parts, " ")
}
