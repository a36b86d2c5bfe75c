package report

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"

	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
	"drydock/sim/history"
)

// Bounds of a page. Of operations, those nearest to the failure are kept.
const (
	maxOps      = 2500
	maxKeyOps   = 700
	maxEvents   = 600
	maxStates   = 4000
	maxBands    = 800
	maxMessages = 1500
	maxTextRune = 160
	// wholeRun is the longest run that is shown whole; of a longer one that
	// failed, partBefore and partAfter are what is shown around the failure.
	wholeRun   = 90 * time.Second
	partBefore = 40 * time.Second
	partAfter  = 5 * time.Second
	// appliedSteps bounds the points of a node's applied index.
	appliedSteps = 500
	// outageMin is the shortest time without an acknowledged write to be shown.
	outageMin = 200 * time.Millisecond
)

// data is what the page's script draws. Times are microseconds on the run's
// clock, or, if Counted, plain numbers. Lists stand for objects to save bytes;
// their fields are in the order that the comments give.
type data struct {
	Seed    string `json:"seed"`
	Counted bool   `json:"counted,omitempty"`
	// From and Until are the part shown, A and B the view at first.
	From  int64 `json:"from"`
	Until int64 `json:"until"`
	A     int64 `json:"a"`
	B     int64 `json:"b"`
	// Fail is when the violation shows, -1 if none does.
	Fail int64  `json:"fail"`
	Key  string `json:"key"`
	// Bad and Against are the ids of the pair that contradicts, 0 for none.
	Bad     int            `json:"bad"`
	Against int            `json:"against"`
	Notes   map[int]string `json:"notes,omitempty"`

	Nodes []string `json:"nodes"`
	// States: for each node [time, health, leads, term, lead, applied].
	States [][][6]any `json:"states"`
	// Applied: for each node [time, index].
	Applied [][][2]int64 `json:"applied"`
	// Bands: [time, end, kind, text, nodes]; end -1 is the end of the run.
	Bands [][5]any `json:"bands"`
	// Outages: [from, until] without an acknowledged write.
	Outages [][2]int64 `json:"outages"`
	// Events: [time, mark, text].
	Events  [][3]any `json:"events"`
	Clients []string `json:"clients"`
	Keys    []string `json:"keys"`
	// Ops: [id, client, key, call, return, kind, status, node, ask, answer];
	// return -1 is none, kind r for a read, w for a write, and see extras.
	Ops   [][10]any `json:"ops"`
	OpsOf int       `json:"opsOf"`
	// Msgs: [sent, arrived, from, to, text]; arrived -1 is lost, -2 still under way.
	Msgs [][5]any `json:"msgs"`
}

func micro(ns int64) int64 { return ns / 1000 }

// runData gathers what is drawn of a run.
func runData(r *runner.Report) *data {
	res := r.Result()
	if res == nil {
		return nil
	}
	d := &data{Seed: fmtSeed(r.Seed), Nodes: r.Nodes, Until: micro(int64(r.Simulated)), Fail: -1, OpsOf: len(r.Ops())}
	at, failed := r.FailedAt()
	var v *checker.Violation
	if worst := r.Worst(); worst != nil {
		v = worst.Violation
	}
	if failed {
		d.Fail = micro(int64(at))
		if r.Simulated > wholeRun {
			d.From = max(0, micro(int64(at-partBefore)))
			d.Until = min(d.Until, micro(int64(at+partAfter)))
		}
	}
	d.A, d.B = d.From, d.Until
	d.violation(v)
	d.known(r.Ops(), &res.Observed)
	rec := &res.Recording
	d.states(rec.States)
	d.applied(res.Applied)
	d.bands(rec.Bands)
	d.outages(r.Ops())
	for _, e := range r.Timeline {
		if t := micro(int64(e.At)); t >= d.From && t <= d.Until {
			d.Events = append(d.Events, [3]any{t, e.Mark, e.Text})
		}
	}
	d.Events = d.Events[max(0, len(d.Events)-maxEvents):]
	d.ops(r.Ops(), micro)
	d.extras(&res.Observed, v)
	d.messages(rec.Messages, r)
	if failed {
		d.focus(v, rec.Bands)
	}
	return d
}

// historyData gathers what is drawn of a recorded history.
func historyData(h History, worst *checker.Verdict) *data {
	d := &data{Fail: -1, OpsOf: len(h.Ops)}
	unit := micro
	if clock := clockOf(h.Ops); len(h.Ops) > 0 && clock(1) == "1" {
		d.Counted = true
		unit = func(at int64) int64 { return at }
	}
	for i := range h.Ops {
		op := &h.Ops[i]
		if i == 0 || unit(op.Call) < d.From {
			d.From = unit(op.Call)
		}
		d.Until = max(d.Until, unit(op.Call)+1, unit(op.Return))
	}
	d.A, d.B = d.From, d.Until
	if worst != nil && worst.Violation != nil {
		v := worst.Violation
		d.violation(v)
		if v.At > 0 {
			d.Fail = unit(v.At)
			d.near(v, unit)
		}
	}
	d.ops(h.Ops, unit)
	return d
}

// violation marks what the evidence is about.
func (d *data) violation(v *checker.Violation) {
	bad, other := pair(v)
	if v != nil {
		d.Key = v.Key
		d.Notes = v.Notes
	}
	if bad != nil {
		d.Bad, d.Key = bad.ID, bad.Key
	}
	if other != nil {
		d.Against = other.ID
	}
}

// known forgets a key that is none: the evidence may be about a member, a term
// or an index.
func (d *data) known(ops []history.Op, o *history.Observed) {
	if slices.ContainsFunc(ops, func(op history.Op) bool { return about(op.Key, d.Key) }) ||
		slices.ContainsFunc(o.Watches, func(w history.Watch) bool { return w.Path == d.Key }) ||
		slices.ContainsFunc(o.Holds, func(h history.Hold) bool { return h.Lock == d.Key }) {
		return
	}
	d.Key = ""
}

// near sets the first view to the evidence.
func (d *data) near(v *checker.Violation, unit func(int64) int64) {
	bad, other := pair(v)
	from := d.Fail
	for _, op := range []*history.Op{bad, other} {
		if op != nil {
			from = min(from, unit(op.Call))
		}
	}
	pad := max((d.Fail-from)/3, 3)
	if !d.Counted {
		pad = max(pad, 60_000)
	}
	d.A, d.B = max(d.From, from-pad), min(d.Until, d.Fail+pad)
}

// focus sets the first view to the failure with the last fault before it, if
// that is not too far away to be seen beside it.
func (d *data) focus(v *checker.Violation, bands []history.Band) {
	d.near(v, micro)
	const reach = 4_000_000
	for _, b := range slices.Backward(bands) {
		t := micro(b.Time)
		if t > d.A {
			continue
		}
		ended := b.End != 0 && micro(b.End) < d.A-reach/2
		if d.Fail-t <= reach && !ended {
			d.A = max(d.From, t-(d.Fail-t)/10)
			d.B = min(d.Until, max(d.B, d.Fail+(d.Fail-d.A)/6))
		}
		break
	}
}

// states takes the changes of members' states; one that was there before the
// part shown is put at its beginning.
func (d *data) states(list []history.State) {
	d.States = make([][][6]any, len(d.Nodes))
	total := 0
	for _, s := range slices.Backward(list) {
		n := slices.Index(d.Nodes, s.Node)
		t := micro(s.Time)
		if n < 0 || t > d.Until {
			continue
		}
		of := d.States[n]
		if t < d.From && len(of) > 0 && of[len(of)-1][0].(int64) <= d.From || total >= maxStates {
			continue
		}
		total++
		leads := 0
		if s.Leads {
			leads = 1
		}
		d.States[n] = append(of, [6]any{max(t, d.From), s.Health, leads, s.Term, s.Lead, s.Applied})
	}
	for _, of := range d.States {
		slices.Reverse(of)
	}
}

// applied thins out the applied indexes: all near the failure, elsewhere the
// last of each step.
func (d *data) applied(list []history.Applied) {
	d.Applied = make([][][2]int64, len(d.Nodes))
	step := max(1, (d.Until-d.From)/appliedSteps)
	for i := range list {
		n, t := slices.Index(d.Nodes, list[i].Node), micro(list[i].Time)
		if n < 0 || t < d.From || t > d.Until {
			continue
		}
		of := d.Applied[n]
		near := d.Fail >= 0 && t > d.Fail-500_000 && t < d.Fail+100_000
		if last := len(of) - 1; last > 0 && !near && of[last][0]/step == t/step {
			of = of[:last]
		}
		d.Applied[n] = append(of, [2]int64{t, int64(list[i].Index)})
	}
}

func (d *data) bands(list []history.Band) {
	for _, b := range list {
		end := int64(-1)
		if b.End > 0 {
			end = micro(b.End)
		}
		t := micro(b.Time)
		if t > d.Until || end >= 0 && end < d.From {
			continue
		}
		nodes := []int{}
		for _, name := range b.Nodes {
			nodes = append(nodes, slices.Index(d.Nodes, name))
		}
		d.Bands = append(d.Bands, [5]any{t, end, b.Kind, cut(b.Text), nodes})
	}
	d.Bands = d.Bands[max(0, len(d.Bands)-maxBands):]
}

// outages finds the times in which writes were asked for and none was
// acknowledged.
func (d *data) outages(ops []history.Op) {
	var acks []int64
	var first, last int64
	for i := range ops {
		op := &ops[i]
		if op.Kind.Reads() {
			continue
		}
		if first == 0 || op.Call < first {
			first = op.Call
		}
		last = max(last, op.Call)
		if op.Status == history.OK && op.Code == 0 {
			acks = append(acks, op.Return)
		}
	}
	if first == 0 {
		return
	}
	acks = append(acks, last)
	slices.Sort(acks)
	least := int64(outageMin)
	if n := int64(len(acks)); n > 2 {
		least = max(least, 12*(last-first)/n) // a load that writes seldom
	}
	since := first
	for _, at := range acks {
		from, until := max(micro(since), d.From), min(micro(at), d.Until)
		if at-since >= least && until > from {
			d.Outages = append(d.Outages, [2]int64{from, until})
		}
		since = max(since, at)
	}
}

// messages takes those that explain the failure.
func (d *data) messages(list []history.Message, r *runner.Report) {
	window, ok := r.Window()
	if !ok {
		return
	}
	list = slices.DeleteFunc(slices.Clone(list), func(m history.Message) bool {
		return m.Sent < int64(window.From) || m.Sent > int64(window.Until)
	})
	for _, m := range list[max(0, len(list)-maxMessages):] {
		arrived := int64(-2)
		switch {
		case m.Arrived > 0:
			arrived = micro(m.Arrived)
		case m.Lost:
			arrived = -1
		}
		d.Msgs = append(d.Msgs, [5]any{micro(m.Sent), arrived, slices.Index(d.Nodes, m.From), slices.Index(d.Nodes, m.To), cut(m.Text)})
	}
}

// ops takes the operations of the failing key and those nearest to the failure,
// or else the first.
func (d *data) ops(ops []history.Op, unit func(int64) int64) {
	type near struct {
		op   *history.Op
		away int64
	}
	var ofKey, others []near
	for i := range ops {
		op := &ops[i]
		call, end := unit(op.Call), unit(max(op.Return, op.Call))
		if end < d.From || call > d.Until {
			continue
		}
		n := near{op: op, away: call - d.From}
		if d.Fail >= 0 {
			n.away = max(call-d.Fail, d.Fail-end, 0)
		}
		switch {
		case op.ID == d.Bad || op.ID == d.Against:
			n.away = -1
			ofKey = append(ofKey, n)
		case d.Key != "" && about(op.Key, d.Key):
			ofKey = append(ofKey, n)
		default:
			others = append(others, n)
		}
	}
	first := func(list []near, limit int) []near {
		slices.SortStableFunc(list, func(a, b near) int { return cmp.Compare(a.away, b.away) })
		return list[:min(len(list), limit)]
	}
	kept := append(first(ofKey, maxKeyOps), first(others, maxOps-min(len(ofKey), maxKeyOps))...)
	slices.SortFunc(kept, func(a, b near) int { return cmp.Or(cmp.Compare(a.op.Call, b.op.Call), cmp.Compare(a.op.ID, b.op.ID)) })
	clients, keys := map[string]int{}, map[string]int{}
	for _, n := range kept {
		op := n.op
		end, kind := int64(-1), "w"
		if op.Return > 0 {
			end = unit(op.Return)
		}
		if op.Kind.Reads() {
			kind = "r"
		}
		d.Ops = append(d.Ops, [10]any{
			op.ID, number(clients, &d.Clients, op.Client), number(keys, &d.Keys, op.Key), unit(op.Call), end,
			kind, op.Status, op.Node, cut(checker.Ask(op)), cut(checker.Answer(op)),
		})
	}
}

// squeeze leaves out the padding of values: long runs of one letter.
func squeeze(s string) string {
	const most = 5
	runes := []rune(s)
	out := make([]rune, 0, len(runes))
	for i := 0; i < len(runes); {
		j := i
		for j < len(runes) && runes[j] == runes[i] {
			j++
		}
		if j-i > most && unicode.IsLetter(runes[i]) {
			out = append(out, '…')
		} else {
			out = append(out, runes[i:j]...)
		}
		i = j
	}
	return string(out)
}

// number gives each name a place in a list.
func number(seen map[string]int, list *[]string, name string) int {
	i, ok := seen[name]
	if !ok {
		i = len(*list)
		seen[name] = i
		*list = append(*list, name)
	}
	return i
}

// cut bounds a text.
func cut(s string) string {
	const enough = 8 * maxTextRune // bytes, however much of it is padding
	if len(s) > enough {
		s = strings.ToValidUTF8(s[:enough], "") + "…"
	}
	s = squeeze(s)
	if r := []rune(s); len(r) > maxTextRune {
		return string(r[:maxTextRune-1]) + "…"
	}
	return s
}
