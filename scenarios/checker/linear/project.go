package linear

import (
	"slices"
	"strings"

	"drydock/sim/history"
)

// forget cuts the history of a lone file or register. It first weakens every
// write but the last operation to one that happens whatever was there, and whose
// answer is of no interest where that does not matter: whatever order explains
// the history explains the weaker one. Then a write can go together with all
// reads that saw its value, and a delete where no read saw nothing: in any order
// that explains the history, what remains is explained by the same order.
func (s *shrinker) forget(p proof, last int) proof {
	weak, final := s.weakened(p, last)
	if final == nil || !s.illegal(weak) {
		return p
	}
	for i, c := range weak.calls {
		if c.op != final && c.effect() && c.op.Status == history.OK {
			q := weak
			q.calls = slices.Clone(weak.calls)
			q.calls[i] = weaken(c, nil)
			if s.illegal(q) {
				weak = q
			}
		}
	}
	for i := len(weak.calls) - 1; i >= 0; i-- {
		if i >= len(weak.calls) {
			continue
		}
		if q, ok := blot(weak, i, final); ok && s.illegal(q) {
			weak = q
		}
	}
	return weak
}

// weakened is p with weaker writes and without failed ones, whose answer may
// rest on more than a value. There is no final operation if p is not of that
// sort.
func (s *shrinker) weakened(p proof, last int) (weak proof, final *history.Op) {
	if !s.loneFile(p.calls) {
		return p, nil
	}
	weak = p
	weak.calls = nil
	written := map[string]bool{}
	for _, c := range p.calls {
		switch {
		case c.op.Kind.Reads() || c.op.ID == last:
			c = ageless(c)
		case c.effect():
			c = weaken(c, before(c.op))
		default:
			continue
		}
		if c.op.Refresh {
			return p, nil // what it leaves depends on what it found
		}
		if c.op.ID == last {
			final = c.op
		}
		if c.effect() && !removes(c.op) {
			if written[c.op.Value] {
				return p, nil
			}
			written[c.op.Value] = true
		}
		weak.calls = append(weak.calls, c)
	}
	if final == nil || !simple(final) {
		return p, nil
	}
	return weak, final
}

// before is the value that an answered write found, if its answer tells.
func before(op *history.Op) *string {
	switch {
	case op.Status != history.OK:
		return nil
	case op.Out != nil:
		return op.Out
	case op.Kind == history.CAS || op.Kind == history.CAD:
		return op.PrevValue
	}
	return nil
}

// simple says that the operation's answer depends on nothing but which value,
// or none, was there before it.
func simple(op *history.Op) bool {
	switch {
	case op.Kind == history.Get || op.Kind == history.RegRead:
		return true
	case op.Kind == history.Put || op.Kind == history.RegWrite:
		return op.Out != nil
	}
	return op.Kind == history.CAS && op.Code == 0 && op.PrevValue != nil && op.PrevIndex == 0
}

// weaken makes an unconditional write of c that accepts any answer, or one that
// must find the value found. One that may not have happened, may not.
func weaken(c call, found *string) call {
	op := history.Op{
		ID: c.op.ID, Client: c.op.Client, Kind: history.Put, Key: c.op.Key, Value: c.op.Value,
		Call: c.op.Call, Status: history.Unknown,
	}
	if removes(c.op) {
		op.Kind = history.Delete
	}
	if found != nil {
		op.Status, op.Return, op.Out = history.OK, c.op.Return, found
	}
	if c.shown == nil {
		c.shown = c.op
	}
	c.op = &op
	return c
}

// removes says that the operation takes its key away.
func removes(op *history.Op) bool {
	return op.Kind == history.Delete || op.Kind == history.CAD || op.Kind == history.Expire
}

// ageless is c without its creation index, which a weakened update would not
// keep.
func ageless(c call) call {
	op := *c.op
	op.Created = 0
	if c.shown == nil {
		c.shown = c.op
	}
	c.op = &op
	return c
}

// blot is p less the write at i and the reads that saw what it left. It is not
// ok if the final operation would have to go, or what is at i is no write.
func blot(p proof, i int, final *history.Op) (proof, bool) {
	gone := p.calls[i].op
	if gone == final || !p.calls[i].effect() {
		return p, false
	}
	q := p
	q.calls = nil
	for j, c := range p.calls {
		if j == i {
			continue
		}
		if !saw(c.op, gone) {
			q.calls = append(q.calls, c)
			continue
		}
		if c.op == final {
			return p, false
		}
		if c.effect() {
			q.calls = append(q.calls, weaken(c, nil))
		}
	}
	return q, true
}

// saw says that the operation's answer may rest on the write.
func saw(op, write *history.Op) bool {
	if op.Status != history.OK {
		return false // a weakened write's answer is of no interest
	}
	if write.Kind == history.Delete {
		return op.Code == codeNotFound
	}
	return op.Out != nil && *op.Out == write.Value || op.PrevValue != nil && *op.PrevValue == write.Value
}

// project leaves out whole values: a write together with the reads that saw it,
// an append together with its place in every listing. That keeps the meaning
// only where no operation depends on whether something is there.
func (s *shrinker) project(p proof, last int) proof {
	if _, ok := s.spec.(*keyspace); !ok || !independent(p.calls) {
		return p
	}
	for i := len(p.calls) - 1; i >= 0; i-- {
		if i >= len(p.calls) || !p.calls[i].effect() {
			continue
		}
		if q, ok := without(p, i, last); ok && s.illegal(q) {
			p = q
		}
	}
	return p
}

// independent says that all calls are overwrites, appends and reads of values
// that are each written once, and that nobody acts on an appended child.
func independent(calls []call) bool {
	written := map[string]bool{}
	dirs := map[string]bool{}
	for i := range calls {
		op := calls[i].op
		if op.Refresh {
			return false
		}
		switch op.Kind {
		case history.Put, history.RegWrite, history.Append:
			if written[op.Value] {
				return false
			}
			written[op.Value] = true
			if op.Kind == history.Append {
				dirs[clean(op.Key)] = true
			}
		case history.Get, history.RegRead, history.List:
		default:
			return false
		}
	}
	for i := range calls {
		op := calls[i].op
		if op.Code == codeNotFile || op.Code == codeNotDir || dirs[parent(clean(op.Key))] {
			return false
		}
		if len(dirs) > 0 && op.Kind != history.Append && op.Kind != history.List {
			return false
		}
	}
	return true
}

// without is p less the write at i and all sight of it; not ok if the last
// operation would have to go.
func without(p proof, i, last int) (proof, bool) {
	gone := p.calls[i].op
	if gone.ID == last {
		return p, false
	}
	q := p
	q.calls = nil
	if gone.Kind == history.Append {
		q.from, q.thinned = withDirs(p.calls), true
	}
	for j, c := range p.calls {
		switch {
		case j == i:
			continue
		case c.op.Out != nil && *c.op.Out == gone.Value && c.op.Kind.Reads():
			if c.op.ID == last {
				return p, false
			}
			continue
		case gone.Kind == history.Append && c.op.Kind == history.List:
			if c.op.Code != 0 {
				return p, false
			}
			op := *c.op
			op.Items = slices.DeleteFunc(slices.Clone(op.Items), func(it history.Item) bool {
				return it.Value == gone.Value && strings.HasPrefix(clean(it.Key), clean(gone.Key))
			})
			c.op = &op
		}
		q.calls = append(q.calls, withoutPrevious(c, gone.Value))
	}
	return q, true
}

// withDirs is the state in which every directory that is appended to is there
// and empty: all listings that saw one as missing are out of the question.
func withDirs(calls []call) *space {
	s := &space{}
	for i := range calls {
		if op := calls[i].op; op.Kind == history.Append || op.Kind == history.List {
			s.put(node{key: clean(op.Key), dir: true})
		}
	}
	return s
}

// withoutPrevious forgets a write's answer that it replaced value.
func withoutPrevious(c call, value string) call {
	if c.op.Out != nil && *c.op.Out == value && !c.op.Kind.Reads() {
		op := *c.op
		op.Out = nil
		c.op = &op
	}
	return c
}
