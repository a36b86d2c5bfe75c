package linear

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

// StaleOptions say what stale reads promise beyond a prefix of history.
type StaleOptions struct {
	// Monotone: the successive stale reads of one client from one member do
	// not go back while that member stays up.
	Monotone bool
	Restarts []history.Restart
	_        struct{}
}

// staleCheck is the property's name.
const staleCheck = "stale reads show a prefix of history"

// Stale judges the stale reads of a history: each must show the keyspace as it
// was at the revision it carries, and that revision must have existed when it
// returned. Where the history carries no revisions, a value read must be one
// that some write had brought by then.
func Stale(ops []history.Op, opt StaleOptions) checker.Verdict {
	began := time.Now()
	var reads []*history.Op
	for i := range ops {
		if op := &ops[i]; op.Stale && op.Status == history.OK {
			reads = append(reads, op)
		}
	}
	v := checker.Verdict{Status: checker.Held, Check: staleCheck, Ops: len(reads), Keys: len(tops(ops))}
	v.Summary = checker.Count(len(reads), "stale read")
	bad, judged := staleFinding(ops, reads, opt)
	switch {
	case bad != nil:
		v.Status, v.Summary, v.Violation = checker.Violated, bad.why, bad.violation()
	case !judged:
		v.Status, v.Summary = checker.Unknown, "the linearizable operations have no clear order to judge stale reads by"
	}
	v.Took = time.Since(began)
	return v
}

func staleFinding(ops []history.Op, reads []*history.Op, opt StaleOptions) (bad *finding, judged bool) {
	if opt.Monotone {
		if bad = goesBack(reads, opt.Restarts); bad != nil {
			return bad, true
		}
	}
	order, loose, whole := line(ops)
	if !whole || loose > 0 {
		return inventedValue(ops, reads), true
	}
	if bad = fromFuture(order, reads); bad != nil {
		return bad, true
	}
	bad = staleReplay(ops, order, reads)
	if bad != nil && !bad.final {
		return nil, len(reads) == 0 // a linearizable operation is wrong
	}
	return bad, true
}

// staleReplay compares each stale read with the state at its revision. Its
// index is compared, too, once the linearizable answers have told the base.
func staleReplay(ops []history.Op, order []witness, reads []*history.Op) *finding {
	sorted := slices.Clone(reads)
	slices.SortStableFunc(sorted, func(a, b *history.Op) int { return cmp.Compare(a.Revision, b.Revision) })
	next := 0
	return replay(ops, order, func(r *replica, place uint64) *finding {
		if r.index == r.base {
			next = 0 // the replay may have begun again
		}
		for ; next < len(sorted) && sorted[next].Revision < place; next++ {
			op := sorted[next]
			a := r.step(op)
			why := differs(op, a)
			if why == "" && r.learned && !agree(op.Index, r.index) {
				why = fmt.Sprintf("index %d must be %d", op.Index, r.index)
			}
			if why != "" {
				bad := r.wrong(op, why)
				bad.final = true
				return bad
			}
		}
		return nil
	})
}

// fromFuture finds a stale read of a revision whose write began after the read
// had returned.
func fromFuture(order []witness, reads []*history.Op) *finding {
	sorted := slices.Clone(reads)
	slices.SortStableFunc(sorted, func(a, b *history.Op) int { return cmp.Compare(a.Revision, b.Revision) })
	var late *witness
	i := 0
	for _, op := range sorted {
		for ; i < len(order) && order[i].place <= op.Revision; i++ {
			w := &order[i]
			if !w.op.Kind.Reads() && (late == nil || w.op.Call > late.op.Call) {
				late = w
			}
		}
		if late != nil && late.op.Call > op.Return {
			return &finding{
				final: true, key: op.Key, bad: op.ID,
				why: fmt.Sprintf("%s read revision %d before the write of revision %d was asked for",
					op.Client, op.Revision, late.place),
				note: fmt.Sprintf("must be before revision %d", late.place),
				ops:  inCallOrder(op, late.op), at: op.Return,
			}
		}
	}
	return nil
}

// goesBack finds a client's stale read of a member that is older than its read
// of that member before, without a restart in between.
func goesBack(reads []*history.Op, restarts []history.Restart) *finding {
	type session struct{ client, node string }
	last := map[session]*history.Op{}
	sorted := slices.Clone(reads)
	slices.SortStableFunc(sorted, func(a, b *history.Op) int { return cmp.Compare(a.Call, b.Call) })
	for _, op := range sorted {
		if op.Node == "" || op.Revision == 0 {
			continue
		}
		s := session{op.Client, op.Node}
		old := last[s]
		if old != nil && old.Return <= op.Call && op.Revision < old.Revision && !restarted(restarts, op.Node, old.Call, op.Return) {
			return &finding{
				final: true, key: op.Key, bad: op.ID,
				why: fmt.Sprintf("%s read revision %d from %s after it had read revision %d there",
					op.Client, op.Revision, op.Node, old.Revision),
				note: fmt.Sprintf("must be revision %d or later", old.Revision),
				ops:  inCallOrder(old, op), at: op.Return,
			}
		}
		last[s] = op
	}
	return nil
}

func restarted(restarts []history.Restart, node string, from, to int64) bool {
	return slices.ContainsFunc(restarts, func(r history.Restart) bool {
		return r.Node == node && from <= r.Time && r.Time <= to
	})
}

// inventedValue finds a stale read of a value that no write had been asked to
// bring by the time it returned, or that was refused.
func inventedValue(ops []history.Op, reads []*history.Op) *finding {
	type thing struct{ key, value string }
	asked := map[thing]int64{} // first call
	note := func(t thing, call int64) {
		if first, ok := asked[t]; !ok || call < first {
			asked[t] = call
		}
	}
	for i := range ops {
		op := &ops[i]
		if op.Kind.Reads() || op.Status == history.Refused || op.Settled == history.SettledNever || op.Code != 0 {
			continue
		}
		note(thing{clean(op.Key), op.Value}, op.Call)
		if op.Kind == history.Append {
			note(thing{clean(op.Key) + "/+", op.Value}, op.Call)
		}
	}
	for _, op := range reads {
		var seen []thing
		if op.Out != nil {
			seen = append(seen, thing{clean(op.Key), *op.Out})
		}
		for _, item := range op.Items {
			seen = append(seen, thing{clean(item.Key), item.Value})
		}
		for _, t := range seen {
			if first, ok := asked[t]; ok && first <= op.Return {
				continue
			}
			if first, ok := asked[thing{parent(t.key) + "/+", t.value}]; ok && first <= op.Return {
				continue
			}
			return &finding{
				final: true, key: op.Key, bad: op.ID, at: op.Return, ops: inCallOrder(op),
				why:  fmt.Sprintf("%s read %q, which nobody had written by then", op.Client, t.value),
				note: "not a value of the past",
			}
		}
	}
	return nil
}

func parent(key string) string {
	for i := len(key) - 1; i > 0; i-- {
		if key[i] == '/' {
			return key[:i]
		}
	}
	return ""
}

func (f *finding) violation() *checker.Violation {
	return &checker.Violation{
		Key: f.key, Why: f.why, Ops: f.ops, At: f.at, Notes: map[int]string{f.bad: f.note},
	}
}
