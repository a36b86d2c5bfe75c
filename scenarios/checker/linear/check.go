package linear

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

// Model names a sequential specification.
type Model string

// The models. KV is the etcd v2 keyspace; the others keep one thing per key.
const (
	KV       Model = "kv"
	Register Model = "register"
	Lock     Model = "lock"
	Queue    Model = "queue"
)

// Options bound a check.
type Options struct {
	// Model is KV if empty.
	Model Model
	// Timeout bounds the search by real time; 0 is TimeoutDefault.
	Timeout time.Duration
	_       struct{}
}

// TimeoutDefault bounds the search where the caller gives no bound.
const TimeoutDefault = 30 * time.Second

// shrinkLimit bounds the search for a smaller violation.
const shrinkLimit = 3 * time.Second

// kinds are the operations of each model.
var kinds = map[Model][]history.Kind{
	KV: {
		history.Get, history.List, history.Put, history.Create, history.Update, history.CAS,
		history.Delete, history.CAD, history.Append, history.Expire, history.RegRead, history.RegWrite,
	},
	Register: {history.Get, history.Put, history.RegRead, history.RegWrite, history.CAS},
	Lock:     {history.Acquire, history.Release},
	Queue:    {history.Enqueue, history.Dequeue},
}

// Models lists the models' names in order.
func Models() []Model { return slices.Sorted(maps.Keys(kinds)) }

// UnfitError says that an operation is not one of the model's.
type UnfitError struct {
	Model Model
	Op    history.Op
}

func (e *UnfitError) Error() string {
	return fmt.Sprintf("operation %d: %q is no operation of the model %s", e.Op.ID, e.Op.Kind, e.Model)
}

// Fits returns an *UnfitError for the first operation that the model does not
// know.
func Fits(m Model, ops []history.Op) error {
	if m == "" {
		m = KV
	}
	known, ok := kinds[m]
	if !ok {
		return fmt.Errorf("linear: there is no model %q; there are %v", m, Models())
	}
	for i := range ops {
		if !slices.Contains(known, ops[i].Kind) {
			return &UnfitError{Model: m, Op: ops[i]}
		}
	}
	return nil
}

// Check judges whether the operations of a history, stale reads apart, have an
// order that keeps real time and explains every answer.
func Check(ops []history.Op, opt Options) checker.Verdict {
	began := time.Now()
	if opt.Model == "" {
		opt.Model = KV
	}
	if opt.Timeout == 0 {
		opt.Timeout = TimeoutDefault
	}
	c := check{ops: ops, until: began.Add(opt.Timeout)}
	v := c.run(opt.Model)
	v.Took = time.Since(began)
	return v
}

type check struct {
	ops     []history.Op
	spec    spec
	until   time.Time
	verdict checker.Verdict
}

func (c *check) run(m Model) checker.Verdict {
	c.verdict = checker.Verdict{Check: title(m), Ops: judged(c.ops)}
	if err := Fits(m, c.ops); err != nil {
		return c.unknown(err.Error())
	}
	var bad *finding
	switch m {
	case KV:
		c.spec = newKeyspace(c.ops)
		c.verdict.Keys = len(tops(c.ops))
		var ok bool
		if ok, bad = certify(c.ops); ok {
			return c.held("certified by revision")
		}
	case Register:
		c.spec = plain{name: m, step: register}
	case Lock:
		c.spec = plain{name: m, step: lock}
	case Queue:
		c.spec = plain{name: m, step: queue}
	}
	parts := c.spec.parts(c.ops)
	if m != KV {
		c.verdict.Keys = len(parts)
	}
	return c.search(parts, bad)
}

// title names the property.
func title(m Model) string {
	switch m {
	case Register:
		return "registers are linearizable"
	case Lock:
		return "locks are linearizable"
	case Queue:
		return "queues are linearizable"
	}
	return "keys are linearizable"
}

// judged counts the operations a verdict rests on.
func judged(ops []history.Op) int {
	n := 0
	for i := range ops {
		if _, ok := constrains(&ops[i]); ok {
			n++
		}
	}
	return n
}

func (c *check) held(how string) checker.Verdict {
	c.verdict.Status = checker.Held
	if c.verdict.Ops == 0 {
		return c.unknown("no operation was answered")
	}
	c.verdict.Summary = fmt.Sprintf("%s, %s, %s", checker.Count(c.verdict.Ops, "operation"), checker.Count(c.verdict.Keys, "key"), how)
	return c.verdict
}

func (c *check) unknown(why string) checker.Verdict {
	c.verdict.Status, c.verdict.Summary = checker.Unknown, why
	return c.verdict
}

func (c *check) violated(v *checker.Violation) checker.Verdict {
	c.verdict.Status, c.verdict.Violation = checker.Violated, v
	c.verdict.Summary = v.Why
	return c.verdict
}

// search looks for an order part by part. bad is why there is no certificate:
// a final one is a violation whatever the search finds, which is then only
// asked for a proof that needs no revisions.
func (c *check) search(parts []part, bad *finding) checker.Verdict {
	if bad != nil && bad.final {
		// The certificate's witnesses are evidence enough; a long search for
		// better ones would not change the verdict.
		c.until = earlier(c.until, time.Now().Add(shrinkLimit))
	}
	var wrong *part
	open := ""
	for i := range parts {
		calls := c.spec.prepare(parts[i])
		switch judge(c.spec.model(parts[i].top, nil), calls, time.Until(c.until)) {
		case porcupine.Illegal:
			if wrong == nil || len(parts[i].ops) < len(wrong.ops) {
				wrong = &parts[i]
			}
		case porcupine.Unknown:
			open = name(parts[i])
		}
	}
	switch {
	case wrong != nil:
		return c.violated(c.prove(*wrong, bad))
	case bad != nil && bad.final:
		v := bad.violation()
		if open == "" {
			v.Why += "; the values alone could be explained"
		}
		return c.violated(v)
	case open != "":
		return c.unknown(fmt.Sprintf("no order was found or ruled out for %s in time", open))
	}
	return c.held("searched")
}

// name is how people are told of a part.
func name(p part) string {
	if p.top == "" {
		return "the history"
	}
	return p.top
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// prove shrinks a part that cannot be explained.
func (c *check) prove(p part, bad *finding) *checker.Violation {
	s := shrinker{spec: c.spec, top: p.top, until: time.Now().Add(shrinkLimit)}
	small, last := s.shrink(c.spec.prepare(p))
	v := &checker.Violation{Key: p.top, Ops: small.ops(), Notes: map[int]string{}}
	v.Notes[last] = "no order explains this answer"
	for i := range v.Ops {
		if op := &v.Ops[i]; op.ID == last {
			v.At = op.Return
			v.Why = fmt.Sprintf("no order of these operations explains %s %s -> %s",
				op.Client, checker.Ask(op), checker.Answer(op))
		}
	}
	if bad != nil && bad.bad == last {
		v.Notes[last], v.Why = bad.note, bad.why
	}
	if small.thinned {
		v.Why += "; listings show only the items concerned"
	}
	return v
}
