package fabric

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"drydock/sim/impair"
)

// EventKind is what happened to a frame.
type EventKind string

// The kinds of events.
const (
	Received  EventKind = "received"  // it came in at From
	Delivered EventKind = "delivered" // it left at To
	Dropped   EventKind = "dropped"   // it went no further on its way to To
)

// Why is the reason for a drop.
type Why string

// The reasons. Those up to WhyLocal are the switch's, the others a link's.
const (
	WhyLength   Why = "its length is none of a frame"
	WhySource   Why = "it comes from a group"
	WhyControl  Why = "it is for bridges alone"
	WhyStray    Why = "its sender's address belongs to another port"
	WhyLocal    Why = "it is for the side that it came from"
	WhyDown     Why = "nothing is plugged in there"
	WhyCut      Why = "cut"
	WhyLost     Why = "lost by chance"
	WhyRate     Why = "too much for the rate"
	WhyOverload Why = "too much is waiting"
)

// Event is shown to who watches. From and To are numbers of ports, and the same
// where one alone is concerned.
type Event struct {
	Kind     EventKind
	From, To int
	Frame    []byte
	Why      Why // of a drop
}

// PortCounts counts what a port saw. Frames and Bytes came in; of those,
// Malformed, Control, Strays and Local went no further, and Unknown went
// everywhere because their destination was not known. Delivered left.
type PortCounts struct {
	Frames         uint64 `json:"frames"`
	Bytes          uint64 `json:"bytes"`
	Delivered      uint64 `json:"delivered"`
	DeliveredBytes uint64 `json:"delivered_bytes"`
	Unknown        uint64 `json:"unknown,omitempty"`
	Malformed      uint64 `json:"malformed,omitempty"`
	Control        uint64 `json:"control,omitempty"`
	Strays         uint64 `json:"strays,omitempty"`
	Local          uint64 `json:"local,omitempty"`
}

// Counts counts what one port sent to another. Frames plus Duplicated is the sum
// of Delivered, Cut, Lost, Throttled, Overload, Down and what still waits;
// Delayed, Held and Corrupted count some of them once more.
type Counts struct {
	Frames         uint64 `json:"frames"`
	Bytes          uint64 `json:"bytes"`
	Delivered      uint64 `json:"delivered"`
	DeliveredBytes uint64 `json:"delivered_bytes"`
	Cut            uint64 `json:"cut,omitempty"`
	Lost           uint64 `json:"lost,omitempty"`
	Throttled      uint64 `json:"throttled,omitempty"`
	Overload       uint64 `json:"overload,omitempty"`
	Down           uint64 `json:"down,omitempty"`
	Duplicated     uint64 `json:"duplicated,omitempty"`
	Delayed        uint64 `json:"delayed,omitempty"`
	Held           uint64 `json:"held,omitempty"`
	Corrupted      uint64 `json:"corrupted,omitempty"`
}

// Report is the state of a fabric.
type Report struct {
	// Now is the fabric's time.
	Now   time.Duration `json:"now"`
	Ports []PortReport  `json:"ports"`
	Links []LinkReport  `json:"links"`
	Rules []RuleReport  `json:"rules"`
}

// PortReport is the state of a port. Waiting is the number of frames on their
// way to it.
type PortReport struct {
	Port
	Number  int        `json:"number"`
	Up      bool       `json:"up"`
	Waiting int        `json:"waiting"`
	Counts  PortCounts `json:"counts"`
}

// LinkReport is what one port has sent to another.
type LinkReport struct {
	From   string   `json:"from"`
	To     string   `json:"to"`
	Rules  []RuleID `json:"rules,omitempty"`
	Counts Counts   `json:"counts"`
}

// RuleReport is a rule that holds, with how often it struck.
type RuleReport struct {
	ID RuleID `json:"id"`
	Rule
	// Since is when it began to hold.
	Since time.Duration `json:"since"`
	Hits  RuleHits      `json:"hits"`
}

// RuleHits counts frames by what a rule did to them.
type RuleHits struct {
	impair.Hits
	Throttled uint64 `json:"throttled,omitempty"`
	Corrupted uint64 `json:"corrupted,omitempty"`
}

// Report returns the state: ports by number, links by their ports, rules by id.
func (f *Fabric) Report(now time.Duration) Report {
	f.Advance(now)
	r := Report{Now: f.queue.Now(), Ports: []PortReport{}, Links: []LinkReport{}, Rules: []RuleReport{}}
	for _, p := range f.ports {
		if p != nil {
			r.Ports = append(r.Ports, PortReport{Port: p.Port, Number: p.number, Up: p.up, Waiting: p.waiting, Counts: p.counts})
		}
	}
	f.eachLine(func(l *line) {
		report := LinkReport{From: l.from.Name, To: l.to.Name, Counts: l.counts}
		for _, rule := range l.rules {
			report.Rules = append(report.Rules, rule.id)
		}
		r.Links = append(r.Links, report)
	})
	for _, rule := range f.rules {
		r.Rules = append(r.Rules, RuleReport{
			ID: rule.id, Rule: rule.Rule, Since: rule.since,
			Hits: RuleHits{Hits: rule.fault.Hits, Throttled: rule.throttled, Corrupted: rule.corrupted},
		})
	}
	return r
}

// String writes the report as tables.
func (r Report) String() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "PORT\tMAC\tSTATE\tIN\tOUT\tREFUSED")
	for _, p := range r.Ports {
		mac, state, c := "-", "down", p.Counts
		if p.MAC != (MAC{}) {
			mac = p.MAC.String()
		}
		if p.Up {
			state = "up"
		}
		refused := c.Malformed + c.Control + c.Strays + c.Local
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\n", p.Name, mac, state, c.Frames, c.Delivered, refused)
	}
	fmt.Fprintln(w, "\nLINK\tFRAMES\tDELIVERED\tDROPPED\tIMPAIRED\tRULES")
	for _, l := range r.Links {
		fmt.Fprintf(w, "%s>%s\t%d\t%d\t%s\t%s\t%s\n", l.From, l.To, l.Counts.Frames, l.Counts.Delivered,
			l.Counts.drops(), l.Counts.marks(), ids(l.Rules))
	}
	fmt.Fprintln(w, "\nRULE\tLINKS\tEFFECT\tHITS\tNAME")
	for _, rule := range r.Rules {
		name := rule.Name
		if rule.Base {
			name = strings.TrimSpace(name + " (base)")
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", rule.ID, listPairs(rule.Pairs), rule.Effect, rule.Hits, name)
	}
	w.Flush() // a builder doesn't fail
	lines := strings.Split(text.String(), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

func ids(rules []RuleID) string {
	if len(rules) == 0 {
		return "-"
	}
	return strings.Trim(fmt.Sprint(rules), "[]")
}

// String writes what a rule did: "cut 3, lost 1".
func (h RuleHits) String() string {
	return tally(h.Cut, "cut", h.Lost, "lost", h.Throttled, "throttled", h.Duplicated, "duplicated", h.Held, "held", h.Corrupted, "corrupted")
}

func (c Counts) drops() string {
	return tally(c.Cut, "cut", c.Lost, "lost", c.Throttled, "throttled", c.Overload, "overload", c.Down, "down")
}

func (c Counts) marks() string {
	return tally(c.Duplicated, "duplicated", c.Delayed, "delayed", c.Held, "held", c.Corrupted, "corrupted")
}

// tally writes counters with their names, those that are zero aside.
func tally(pairs ...any) string {
	var parts []string
	for i := 0; i < len(pairs); i += 2 {
		if n, ok := pairs[i].(uint64); ok && n > 0 {
			parts = append(parts, fmt.Sprintf("%v %d", pairs[i+1], n))
		}
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}
