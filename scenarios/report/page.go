package report

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
	"drydock/sim/history"
)

// maxEvidence bounds how many operations the evidence shows.
const maxEvidence = 40

// maxPlain is how many operations a contradiction may need for one sentence to
// tell it; with more, a pair of them is not all there is to it.
const maxPlain = 4

// maxFront is how many of them are shown at once; the rest unfolds.
const maxFront = 6

// Page is what a page says.
type Page struct {
	// Title names the run or the file, Where says where it ran.
	Title, Where string
	// Verdict is held, violated or unknown.
	Verdict checker.Status
	// Reason is one sentence: what is wrong, or what was proven.
	Reason string
	// Detail is the checker's own words, if Reason is not the same.
	Detail string
	// At is when a violation shows, "" if at no time.
	At string
	// Repeat is the command that repeats it; Again, if not the same, the one
	// that needs no recording.
	Repeat, Again string
	// Findings are the expectations.
	Findings []Row
	// Key is what the evidence is about; Evidence the smallest history found,
	// EvidenceOf the number of operations it was cut from.
	Key        string
	Evidence   []Bar
	EvidenceOf int
	// Earlier is what comes before Evidence and is of less interest; More
	// counts what is left out before that.
	Earlier []Bar
	More    int
	// Stack is a panic's trace, if there was one.
	Stack string
	// Events is the timeline, Nodes the columns of their states.
	Nodes  []string
	Events []Line
	// Facts are further things known of the run.
	Facts []Fact
	// Seed is part of every link; empty for a recorded history.
	Seed string

	data *data
}

// Row is an expectation.
type Row struct {
	Word, Class, Expect, Measured, At string
}

// Bar is an operation of the evidence. From and Width place it between 0 and
// 100; equal steps lie between one beginning or end and the next, so that order
// and overlap show whatever the times are.
type Bar struct {
	Client, Node, Ask, Answer, Span, Note string
	Class                                 string
	From, Width                           float64
	Open                                  bool
}

// Line is an event of the timeline.
type Line struct {
	At, Text, Class string
	States          []string
}

// Fact is a name and what it is.
type Fact struct{ Name, Value string }

// FromRun makes the page of a run.
func FromRun(r *runner.Report) *Page {
	p := &Page{
		Title: r.Scenario, Verdict: r.Verdict, Repeat: r.Replay, Seed: fmt.Sprint(r.Seed), Nodes: r.Nodes,
		Where: fmt.Sprintf("%s · seed %d", r.World, r.Seed),
	}
	if again := bySeed(r); again != r.Replay {
		p.Again = again
	}
	for _, f := range r.Findings {
		p.Findings = append(p.Findings, row(f.Expect, f.Measured, f.Status, int64(f.At)))
	}
	worst := r.Worst()
	switch {
	case r.Failed():
		p.Reason = fmt.Sprintf("The world %s failed: %s", r.World, r.Error)
	case worst == nil:
		p.Reason = fmt.Sprintf("All %d expectations held: %d of %d operations were answered, over %.1f s of simulated time.",
			len(r.Findings), r.Acknowledged, r.Operations, r.Simulated.Seconds())
	default:
		p.explain(worst.Expect, worst.Measured, worst.Violation, r.Operations)
	}
	if at, ok := r.FailedAt(); ok {
		p.At = checker.Seconds(int64(at))
	}
	for _, e := range r.Timeline {
		line := Line{At: checker.Seconds(int64(e.At)), Text: e.Text, Class: string(e.Mark)}
		for i := range e.States {
			line.States = append(line.States, e.States[i:i+1])
		}
		p.Events = append(p.Events, line)
	}
	p.Events = nearest(p.Events, r)
	p.facts(r)
	p.data = runData(r)
	return p
}

// bySeed is the command that repeats a run on any machine.
func bySeed(r *runner.Report) string {
	profile := ""
	if r.Profile != "" {
		profile = "--profile " + r.Profile + " "
	}
	return fmt.Sprintf("drydock run %s--seed %d %s", profile, r.Seed, r.File)
}

// nearest bounds the events to those before the failure.
func nearest(events []Line, r *runner.Report) []Line {
	if len(events) <= maxEvents {
		return events
	}
	end := len(events)
	if at, ok := r.FailedAt(); ok {
		after := slices.IndexFunc(r.Timeline, func(e runner.Event) bool { return e.At > at+time.Second })
		if after > 0 {
			end = max(after, maxEvents)
		}
	}
	return events[max(0, end-maxEvents):end]
}

func (p *Page) facts(r *runner.Report) {
	add := func(name, format string, args ...any) {
		p.Facts = append(p.Facts, Fact{name, fmt.Sprintf(format, args...)})
	}
	add("file", "%s", r.File)
	if r.Trace != "" {
		add("trace", "%s", r.Trace)
	}
	add("operations", "%d, of them %d answered", r.Operations, r.Acknowledged)
	add("time", "%.3f s simulated", r.Simulated.Seconds())
	for _, o := range r.Faults {
		what := fmt.Sprintf("took effect %d of %d times", o.Effective, o.Fired)
		if o.Fired == 0 {
			what = "never came due"
		} else if o.Effective == 0 {
			what = "had no effect: " + o.Why
		}
		add("fault "+o.Name, "%s", what)
	}
}

// History is a recorded history with what the checks say of it.
type History struct {
	File, Model string
	Ops         []history.Op
	Verdict     checker.Status
	Checks      []checker.Verdict
	// Repeat is the command that repeats the check.
	Repeat string

	_ struct{}
}

// FromHistory makes the page of a recorded history.
func FromHistory(h History) *Page {
	p := &Page{Title: filepath.Base(h.File), Where: "model " + h.Model, Verdict: h.Verdict, Repeat: h.Repeat}
	var worst *checker.Verdict
	for i := range h.Checks {
		v := &h.Checks[i]
		at := int64(0)
		if v.Violation != nil {
			at = v.Violation.At
		}
		p.Findings = append(p.Findings, row(v.Check, v.Summary, v.Status, at))
		if worst == nil && v.Status == h.Verdict && v.Status != checker.Held {
			worst = v
		}
	}
	p.Reason = fmt.Sprintf("One order of the %d operations explains every answer.", len(h.Ops))
	if worst != nil {
		p.explain(worst.Check, worst.Summary, worst.Violation, worst.Ops)
	}
	clients := map[string]bool{}
	for i := range h.Ops {
		clients[h.Ops[i].Client] = true
	}
	p.Facts = []Fact{{"operations", fmt.Sprint(len(h.Ops))}, {"clients", fmt.Sprint(len(clients))}}
	p.data = historyData(h, worst)
	return p
}

func row(expect, measured string, status checker.Status, at int64) Row {
	out := Row{Word: "ok", Class: "held", Expect: expect, Measured: measured}
	switch status {
	case checker.Violated:
		out.Word, out.Class = "VIOLATED", "violated"
	case checker.Unknown:
		out.Word, out.Class = "unknown", "unknown"
	}
	if at >= int64(time.Millisecond) && status == checker.Violated {
		out.At = checker.Seconds(at)
	}
	return out
}

// explain says what the worst finding is, in one sentence and in pictures.
func (p *Page) explain(expect, measured string, v *checker.Violation, of int) {
	p.Reason = expect + " — " + measured
	if v == nil {
		return
	}
	if why, rest, many := strings.Cut(v.Why, "\n"); many {
		p.Stack = rest
		p.Detail = why
	} else if v.Why != measured {
		p.Detail = v.Why
	}
	p.Key, p.EvidenceOf = v.Key, of
	bad, other := pair(v)
	if sentence := say(bad, other); sentence != "" && len(v.Ops) <= maxPlain {
		p.Reason, p.Detail = squeeze(sentence), expect+": "+v.Why
	}
	p.Evidence, p.More = bars(v, bad, other)
	if least := slices.IndexFunc(p.Evidence, func(b Bar) bool { return b.Class == "against" }); len(p.Evidence) > maxFront+2 {
		cut := len(p.Evidence) - maxFront
		if least >= 0 && least > cut-maxFront {
			cut = min(cut, least)
		}
		p.Earlier, p.Evidence = p.Evidence[:cut], p.Evidence[cut:]
	}
}

// pair finds the operation whose answer is wrong and the one that it
// contradicts: the last write before it that had been answered. Either may be
// nil.
func pair(v *checker.Violation) (bad, other *history.Op) {
	if v == nil {
		return nil, nil
	}
	for i := range v.Ops {
		if op := &v.Ops[i]; v.Notes[op.ID] != "" && (bad == nil || op.Call >= bad.Call) {
			bad = op
		}
	}
	if bad == nil {
		return nil, nil
	}
	better := func(op *history.Op) bool {
		if other == nil {
			return true
		}
		writes := cmp.Compare(rank(op, bad), rank(other, bad))
		return writes > 0 || writes == 0 && op.Return > other.Return
	}
	for i := range v.Ops {
		if op := &v.Ops[i]; op.ID != bad.ID && better(op) {
			other = op
		}
	}
	return bad, other
}

// rank says how well op contradicts bad.
func rank(op, bad *history.Op) int {
	answered := op.Status == history.OK && op.Return < bad.Call
	saw := bad.Out != nil && op.Value == *bad.Out && op.Value != ""
	switch {
	case answered && !op.Kind.Reads() && op.Code == 0 && !saw:
		return 3
	case answered && !saw:
		return 2
	case !saw:
		return 1
	}
	return 0
}

// say puts a wrong read, or an order that runs against time, into plain words;
// "" for what it has none for.
func say(bad, other *history.Op) string {
	if bad == nil || other == nil || other.Status != history.OK || other.Return >= bad.Call || bad.Return == 0 {
		return ""
	}
	apart := !about(bad.Key, other.Key) && !about(other.Key, bad.Key)
	late := bad.Revision != 0 && bad.Revision < other.Revision
	if (apart || !bad.Kind.Reads()) && !late {
		return ""
	}
	before := "before"
	if counted := max(bad.Return, other.Return) < int64(time.Millisecond); !counted {
		before = gap(bad.Call-other.Return) + " before"
	}
	at := ""
	if bad.Node != "" {
		at = " on " + bad.Node
	}
	what := checker.Ask(bad)
	switch {
	case apart:
		what += at
	case bad.Kind.Reads():
		what = fmt.Sprintf("read %s%s%s", saw(bad), from(bad), at)
	}
	did := fmt.Sprintf("%s's %s had been answered", who(other), checker.Ask(other))
	if other.Kind.Reads() {
		did = fmt.Sprintf("%s had already read %s%s", who(other), saw(other), from(other))
	}
	if value := other.Value; !apart && bad.Kind == history.List && value != "" && !slices.ContainsFunc(bad.Items, func(i history.Item) bool { return i.Value == value }) {
		what = fmt.Sprintf("listed %s without %s%s", bad.Key, value, at)
	}
	stale := ""
	if late && bad.Kind.Reads() {
		stale = "Stale read: " // by its own word, so nothing was lost
	}
	switch {
	case apart:
		return stale + fmt.Sprintf("%s's %s was answered from revision %d, although revision %d, %s's %s, had been answered %s it began.",
			who(bad), what, bad.Revision, other.Revision, who(other), checker.Ask(other), before)
	case bad.Kind.Reads():
		return stale + fmt.Sprintf("%s %s, although %s %s that read began.", who(bad), what, did, before)
	}
	return fmt.Sprintf("%s was told that its %s came first, although %s %s it began.", who(bad), what, did, before)
}

// who names a client; some systems number them.
func who(op *history.Op) string {
	if strings.Trim(op.Client, "0123456789") == "" {
		return "client " + op.Client
	}
	return op.Client
}

// from says what was read; a register needs no name.
func from(op *history.Op) string {
	if op.Key == "" {
		return ""
	}
	return " from " + op.Key
}

// saw is what an operation was answered, without its place in the order.
func saw(op *history.Op) string {
	return strings.TrimSuffix(checker.Answer(op), fmt.Sprintf(", revision %d", op.Revision))
}

func gap(ns int64) string {
	d := time.Duration(ns)
	if d >= time.Second {
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%.3g ms", float64(d.Microseconds())/1000)
}

// bars places the evidence's operations side by side.
func bars(v *checker.Violation, bad, other *history.Op) (out []Bar, more int) {
	ops := v.Ops
	if len(ops) > maxEvidence {
		more = len(ops) - maxEvidence
		ops = ops[more:] // the wrong answer comes late
	}
	var ends []int64
	for i := range ops {
		ends = append(ends, ops[i].Call)
		if ops[i].Return > 0 {
			ends = append(ends, ops[i].Return)
		}
	}
	slices.Sort(ends)
	ends = slices.Compact(ends)
	step := 100 / float64(max(1, len(ends)))
	place := func(at int64) float64 {
		i, _ := slices.BinarySearch(ends, at)
		return (float64(i) + 0.5) * step
	}
	clock := clockOf(ops)
	for i := range ops {
		op := &ops[i]
		b := Bar{
			Client: op.Client, Node: op.Node, Ask: squeeze(checker.Ask(op)), Answer: squeeze(checker.Answer(op)),
			Note: v.Notes[op.ID], From: place(op.Call), Span: clock(op.Call) + " –", Open: op.Return == 0,
		}
		b.Width = 100 - b.From
		if op.Return > 0 {
			b.Span += " " + clock(op.Return)
			b.Width = max(place(op.Return)-b.From, step/3)
		}
		switch {
		case bad != nil && op.ID == bad.ID:
			b.Class = "bad"
		case other != nil && op.ID == other.ID:
			b.Class = "against"
			if b.Note == "" && op.Return > 0 && op.Return < bad.Call {
				b.Note = "had been answered before"
			}
		case op.Kind.Reads():
			b.Class = "read"
		default:
			b.Class = "write"
		}
		out = append(out, b)
	}
	return out, more
}

// clockOf shows times in seconds, or as they are if they count steps or lines.
func clockOf(ops []history.Op) func(int64) string {
	for i := range ops {
		if max(ops[i].Call, ops[i].Return) >= int64(time.Millisecond) {
			return checker.Seconds
		}
	}
	return func(at int64) string { return fmt.Sprint(at) }
}
