package linear

import (
	"cmp"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"drydock/sim/history"
)

// Bounds of the search for a smaller history: the number of questions asked,
// and the time for each of them.
const (
	shrinkAsksMax   = 400
	shrinkStepLimit = 200 * time.Millisecond
)

// shrinker cuts a part that no order explains down to a smaller one. Every cut
// keeps the meaning: if the cut history cannot be explained, the whole cannot
// either. So what is shown in the end is a proof by itself.
type shrinker struct {
	spec  spec
	top   string
	asks  int
	until time.Time
}

// proof is a history that cannot be explained from the state it begins in.
type proof struct {
	calls []call
	from  any
	// origin is the write that made from, to be shown in front.
	origin *call
	// thinned: listings have lost the items that are of no concern.
	thinned bool
}

// ops are the operations to show, in order of call.
func (p *proof) ops() []history.Op {
	var list []*history.Op
	if p.origin != nil {
		list = append(list, p.origin.op)
	}
	for i := range p.calls {
		if p.calls[i].shown != nil {
			list = append(list, p.calls[i].shown)
			continue
		}
		list = append(list, p.calls[i].op)
	}
	return inCallOrder(list...)
}

// asked are the operations that the proof rests on.
func (p *proof) asked() []history.Op {
	var list []history.Op
	for i := range p.calls {
		list = append(list, *p.calls[i].op)
	}
	return list
}

// illegal asks whether the history is still without explanation, by what it
// says itself and nothing else. A question that takes too long counts as no.
func (s *shrinker) illegal(p proof) bool {
	left := min(shrinkStepLimit, time.Until(s.until))
	if s.asks >= shrinkAsksMax || left <= 0 {
		return false
	}
	s.asks++
	calls := p.calls
	if _, ok := s.spec.(*keyspace); ok {
		own := newKeyspace(p.asked())
		calls = slices.Clone(calls)
		for i := range calls {
			calls[i].at = own.stamp(calls[i].op)
		}
	}
	return judge(s.spec.model(s.top, p.from), calls, left) == porcupine.Illegal
}

// shrink returns the smallest proof found and the id of the operation whose
// answer completes it.
func (s *shrinker) shrink(calls []call) (proof, int) {
	p, last := s.prefix(calls)
	p = s.barrier(p)
	p = s.drop(p, last)
	p = s.forget(p, last)
	p = s.project(p, last)
	return s.drop(s.barrier(p), last), last
}

// answered lists the calls that ended, in order of their end.
func answered(calls []call) []call {
	var list []call
	for _, c := range calls {
		if c.ends != never {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b call) int {
		return cmp.Or(cmp.Compare(a.ends, b.ends), cmp.Compare(a.op.ID, b.op.ID))
	})
	return list
}

// prefix finds the first answer by which the history was wrong, and cuts what
// came after it. A write that was open then is one without an answer.
func (s *shrinker) prefix(calls []call) (proof, int) {
	ends := answered(calls)
	cut := func(n int) proof {
		last := ends[n-1]
		done := make(map[int]bool, n)
		for _, c := range ends[:n] {
			done[c.op.ID] = true
		}
		var p proof
		for _, c := range calls {
			switch {
			case done[c.op.ID]:
				p.calls = append(p.calls, c)
			case c.op.Call > last.ends || c.op.Kind.Reads():
			default:
				open := *c.op
				open.Status, open.Return, open.Code, open.Out = history.Unknown, 0, 0, nil
				p.calls = append(p.calls, call{op: &open, at: c.at, ends: never})
			}
		}
		return p
	}
	low, high := 0, len(ends) // the cut at high is illegal, the one at low is not
	best := proof{calls: calls}
	for high-low > 1 {
		mid := (low + high) / 2
		if p := cut(mid); s.illegal(p) {
			high, best = mid, p
		} else {
			low = mid
		}
	}
	return best, ends[high-1].op.ID
}

// effect says that an operation may have changed something.
func (c *call) effect() bool {
	return !c.op.Kind.Reads() && (c.op.Status != history.OK || c.op.Code == 0)
}

// barrier looks for the last successful write of a lone file that no other
// write overlaps: it tells the state whatever came before, so that what came
// before can go. Only the keyspace has such writes.
func (s *shrinker) barrier(p proof) proof {
	if _, ok := s.spec.(*keyspace); !ok || p.from != nil || !s.loneFile(p.calls) {
		return p
	}
	tries := 0
	for i := len(p.calls) - 1; i >= 0 && tries < 20; i-- {
		w := p.calls[i]
		if !w.effect() || w.ends == never || w.op.Refresh || removes(w.op) || !alone(w, p.calls) {
			continue
		}
		tries++
		from := &space{}
		created := w.op.Created
		if created == 0 && (w.op.Kind == history.Put || w.op.Kind == history.Create) {
			created = w.at.index
		}
		from.put(node{key: s.top, value: w.op.Value, modified: w.at.index, created: created})
		q := proof{from: from}
		for _, c := range p.calls {
			if c.op.Call > w.ends {
				q.calls = append(q.calls, c)
			}
		}
		if s.illegal(q) {
			q.origin = &w
			return q
		}
	}
	return p
}

// alone says that no other write can have come during w or, from before it,
// after it.
func alone(w call, calls []call) bool {
	for i := range calls {
		c := &calls[i]
		if c.op.ID != w.op.ID && c.effect() && c.ends >= w.op.Call && c.op.Call <= w.ends {
			return false
		}
	}
	return true
}

// drop leaves out operations that changed nothing, as many as it can at once.
func (s *shrinker) drop(p proof, last int) proof {
	for size := len(p.calls); size >= 1; size /= 2 {
		for from := 0; from < len(p.calls); {
			var kept []call
			taken := 0
			next := len(p.calls)
			for i, c := range p.calls {
				idle := c.ends != never && !c.effect() && c.op.ID != last
				if i >= from && idle && taken < size {
					taken++
					next = i + 1
					continue
				}
				kept = append(kept, c)
			}
			if taken == 0 {
				break
			}
			q := p
			q.calls = kept
			if s.illegal(q) {
				p = q
			} else {
				from = next
			}
		}
	}
	return p
}

// loneFile says that the calls are all on one key that holds one value: of a
// keyspace, where it is not used as a directory, or of a register.
func (s *shrinker) loneFile(calls []call) bool {
	switch m := s.spec.(type) {
	case plain:
		return m.name == Register
	case *keyspace:
		for i := range calls {
			op := calls[i].op
			if op.Kind == history.Append || op.Kind == history.List || clean(op.Key) != s.top ||
				op.Code == codeNotFile || op.Code == codeNotDir {
				return false
			}
		}
		return true
	}
	return false
}
