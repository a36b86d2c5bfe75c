package chaos

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A step whose fault needs a leader waits for one: so many times so long.
const (
	leaderRetries = 30
	leaderRetryIn = 100 * time.Millisecond
)

// So often, and after so long, a fault is tried again that must not strike yet.
const (
	yetRetries = 200
	yetRetryIn = 15 * time.Millisecond
)

// Conductor carries a plan out against a target. It is single threaded: all
// calls, and the host's callbacks, must come one after another.
type Conductor struct {
	plan   Plan
	target Target
	host   Host

	outcomes []Outcome
	// lasting are the faults still in effect, in order of injection.
	lasting []*lasting
	// last are the nodes that the last fault on nodes hit.
	last []string
	// seen counts the events that each step waits for, left the firings it
	// still has.
	seen, left []int
	// life counts each node's crashes and restarts, so that a timer of an
	// earlier crash doesn't restart a node that crashed anew.
	life map[string]int
	over bool
}

// lasting is a fault with an undo that has not run.
type lasting struct {
	label string
	kind  Kind
	node  string
	text  string
	undo  func()
}

// NewConductor returns a conductor for one run of plan.
func NewConductor(plan Plan, target Target, host Host) *Conductor {
	c := &Conductor{plan: plan, target: target, host: host, life: map[string]int{}}
	c.seen = make([]int, len(plan.Steps))
	c.left = make([]int, len(plan.Steps))
	count := map[Kind]int{}
	for i, step := range plan.Steps {
		kind := step.Fault.Kind()
		count[kind]++
		label := step.Name
		if label == "" {
			label = fmt.Sprintf("%s#%d", kind, count[kind])
		}
		c.outcomes = append(c.outcomes, Outcome{Step: i, Name: label, Kind: kind})
		if step.After != nil {
			c.left[i] = max(1, step.After.Times)
		}
	}
	return c
}

// Start schedules the steps that have a time. Call it at the start of the run.
func (c *Conductor) Start() {
	for i, step := range c.plan.Steps {
		switch {
		case step.Every != nil:
			first := step.Every.From
			if first == 0 {
				first = step.Every.Period
			}
			c.repeat(i, first, first, 1)
		case step.After == nil:
			c.host.After(step.At+c.jitter(i), func() { c.strike(i, 0) })
		}
	}
}

// repeat schedules the n-th firing of step i, which is due at time at and in
// `in` from now.
func (c *Conductor) repeat(i int, at, in time.Duration, n int) {
	every := c.plan.Steps[i].Every
	if (every.Until > 0 && at >= every.Until) || (every.Times > 0 && n > every.Times) {
		return
	}
	c.host.After(in, func() {
		if c.over {
			return
		}
		if jitter := c.jitter(i); jitter > 0 {
			c.host.After(jitter, func() { c.strike(i, 0) })
		} else {
			c.strike(i, 0)
		}
		c.repeat(i, at+every.Period, every.Period, n+1)
	})
}

// Event tells the conductor that something happened to node. Steps that wait
// for it strike through the host, never within the call.
func (c *Conductor) Event(name, node string) {
	if c.over {
		return
	}
	for i, step := range c.plan.Steps {
		after := step.After
		if after == nil || after.Event != name || c.left[i] == 0 || !c.concerns(after.Node, node) {
			continue
		}
		c.seen[i]++
		if c.seen[i] < max(1, after.Nth) {
			continue
		}
		c.left[i]--
		c.host.After(after.Wait+c.jitter(i), func() { c.strike(i, 0) })
	}
}

// concerns tells whether an event at node fits the selectors.
func (c *Conductor) concerns(sels Selectors, node string) bool {
	if len(sels) == 0 || node == "" {
		return true
	}
	members := c.target.Members()
	at := slices.IndexFunc(members, func(m Member) bool { return m.Name == node })
	return slices.ContainsFunc(sels, func(s Selector) bool {
		switch s {
		case All, Any, Majority, Minority:
			return true
		case Leader:
			return at >= 0 && members[at].Leader
		case Follower:
			return at >= 0 && members[at].Voter && !members[at].Leader
		case Voter:
			return at >= 0 && members[at].Voter
		case Same:
			return slices.Contains(c.last, node)
		}
		return string(s) == node
	})
}

// strike injects step i's fault; try counts the waits for a leader so far.
func (c *Conductor) strike(i, try int) {
	if c.over {
		return
	}
	step, out := c.plan.Steps[i], &c.outcomes[i]
	if try == 0 {
		out.Fired++
	}
	r := &resolver{members: c.target.Members(), rng: c.host.Rand(c.stream(i)), last: c.last}
	f, err := step.Fault.resolve(r)
	var nobody errNobody
	if errors.As(err, &nobody) && nobody.selector == Leader && try < leaderRetries {
		c.host.After(leaderRetryIn, func() { c.strike(i, try+1) })
		return
	}
	if err == nil {
		err = c.inject(i, f)
	}
	if errors.Is(err, ErrNotYet) && try < yetRetries {
		c.host.After(yetRetryIn, func() { c.strike(i, try+1) })
		return
	}
	if err != nil {
		out.Why = err.Error()
		c.host.Note("", fmt.Sprintf("no effect: %s: %s", out.Name, out.Why))
		return
	}
	if f.Kind.LiesInWait() {
		return // struck counts it
	}
	out.Effective++
	c.Event(EventStepPrefix+out.Name, oneOf(f.Nodes))
}

// struck returns what a fault of step i that lies in wait calls when it
// strikes. It counts once, however often it strikes.
func (c *Conductor) struck(i int, f Fault) func(node, detail string, dead bool) {
	first := true
	return func(node, detail string, dead bool) {
		out := &c.outcomes[i]
		c.host.Note(node, fmt.Sprintf("FAULT %s struck (%s)", f.Text, detail))
		if dead {
			c.life[node]++
		}
		c.restartLater(i, []string{node}, restartAfter(f.Params), 0)
		if !first {
			return
		}
		first = false
		out.Effective++
		c.last = []string{node}
		c.Event(EventStepPrefix+out.Name, node)
	}
}

// inject hands a resolved fault to the target, or heals, and arranges its end.
func (c *Conductor) inject(i int, f Fault) error {
	step := c.plan.Steps[i]
	if heal, ok := step.Fault.(*Heal); ok {
		return c.healSome(heal.What)
	}
	if f.Kind.LiesInWait() {
		f.Struck = c.struck(i, f)
	}
	undo, err := c.apply(f)
	if err != nil {
		return err
	}
	if len(f.Nodes) > 0 && !f.Kind.LiesInWait() {
		c.last = f.Nodes
	}
	switch p := f.Params.(type) {
	case *Crash:
		c.restartLater(i, f.Nodes, max(p.RestartAfter, step.For), 0)
	case *PowerLoss:
		c.restartLater(i, f.Nodes, max(p.RestartAfter, step.For), p.Jitter)
	case *Wipe:
		c.restartLater(i, f.Nodes, max(p.RestartAfter, step.For), 0)
	}
	if undo == nil {
		return nil
	}
	l := &lasting{label: c.outcomes[i].Name, kind: f.Kind, node: oneOf(f.Nodes), text: f.Text, undo: undo}
	c.lasting = append(c.lasting, l)
	if step.For > 0 {
		c.host.After(step.For, func() { c.end(l) })
	}
	return nil
}

// apply injects f and puts it into the timeline.
func (c *Conductor) apply(f Fault) (undo func(), err error) {
	undo, detail, err := c.target.Inject(f)
	if err != nil {
		return nil, err
	}
	for _, name := range f.Nodes {
		if f.Kind.Kills() || f.Kind == KindRestart || f.Kind == KindUpgrade {
			c.life[name]++
		}
	}
	text := "FAULT " + f.Text
	if f.Kind.LiesInWait() {
		text = "in wait: " + f.Text
	}
	if detail != "" {
		text += " (" + detail + ")"
	}
	c.host.Note(oneOf(f.Nodes), text)
	return undo, nil
}

// restartLater starts crashed nodes after d and a jitter drawn for each; d = 0
// leaves them down.
func (c *Conductor) restartLater(i int, nodes []string, d, jitter time.Duration) {
	if d <= 0 {
		return
	}
	rng := c.host.Rand(c.stream(i))
	for _, name := range nodes {
		in, life := d, c.life[name]
		if jitter > 0 {
			in += time.Duration(rng.Int64N(int64(jitter)))
		}
		c.host.After(in, func() {
			if c.life[name] == life {
				c.restart(name)
			}
		})
	}
}

// restart starts one dead node; a node that can't be started is noted.
func (c *Conductor) restart(name string) {
	f := Fault{
		Kind: KindRestart, Nodes: []string{name}, Text: "restart " + name,
		Params: &Restart{Node: Selectors{Selector(name)}},
	}
	if _, err := c.apply(f); err != nil && !errors.Is(err, ErrNoEffect) {
		c.host.Note(name, fmt.Sprintf("no effect: restart %s: %s", name, err))
	}
}

// end undoes a lasting fault, unless that was done before.
func (c *Conductor) end(l *lasting) {
	at := slices.Index(c.lasting, l)
	if at < 0 {
		return
	}
	c.lasting = slices.Delete(c.lasting, at, at+1)
	l.undo()
	c.host.Note(l.node, "end of "+l.text)
}

// healSome ends the faults named by step or by kind.
func (c *Conductor) healSome(what []string) error {
	if len(what) == 0 || slices.Contains(what, "all") {
		c.healAll()
		return nil
	}
	ended := 0
	for _, l := range slices.Clone(c.lasting) {
		if slices.Contains(what, l.label) || slices.Contains(what, string(l.kind)) {
			c.end(l)
			ended++
		}
	}
	if ended == 0 {
		return fmt.Errorf("%w: nothing of %s lasts", ErrNoEffect, strings.Join(what, ", "))
	}
	return nil
}

func (c *Conductor) healAll() {
	for _, l := range slices.Clone(c.lasting) {
		c.end(l)
	}
	c.upgradeRest()
	for _, m := range c.target.Members() {
		if !m.Up && !m.Outside {
			c.restart(m.Name)
		}
	}
}

// Heal ends the plan: no step strikes from now on, all lasting faults are
// undone, paused nodes go on, dead members start again, and those whose release
// is behind come back as the newest.
func (c *Conductor) Heal() {
	c.over = true
	c.host.Note("", "heal: no more faults")
	c.healAll()
}

// Outcomes returns what became of each step, in the plan's order.
func (c *Conductor) Outcomes() []Outcome {
	list := slices.Clone(c.outcomes)
	for i := range list {
		if o := &list[i]; o.Fired > 0 && o.Effective == 0 && o.Why == "" {
			o.Why = "it lay in wait, and what it waited for did not come"
		}
	}
	return list
}

// Injected sums the outcomes by kind, in the vocabulary's order.
func (c *Conductor) Injected() []Count {
	return CountOutcomes(c.outcomes)
}

// CountOutcomes sums outcomes by kind, in the vocabulary's order.
func CountOutcomes(outcomes []Outcome) []Count {
	var counts []Count
	for _, e := range Vocabulary() {
		n := Count{Kind: e.Kind}
		for _, o := range outcomes {
			if o.Kind == e.Kind {
				n.Fired += o.Fired
				n.Effective += o.Effective
			}
		}
		if slices.ContainsFunc(outcomes, func(o Outcome) bool { return o.Kind == e.Kind }) {
			counts = append(counts, n)
		}
	}
	return counts
}

// jitter draws the delay of one firing of step i.
func (c *Conductor) jitter(i int) time.Duration {
	bound := c.plan.Steps[i].Jitter
	if bound <= 0 {
		return 0
	}
	return time.Duration(c.host.Rand(c.stream(i)).Int64N(int64(bound)))
}

// stream names the randomness of step i.
func (c *Conductor) stream(i int) string {
	return "chaos/" + c.outcomes[i].Name
}

// oneOf is the name of a single node, else nothing.
func oneOf(nodes []string) string {
	if len(nodes) == 1 {
		return nodes[0]
	}
	return ""
}
