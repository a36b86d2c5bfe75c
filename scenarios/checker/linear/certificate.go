package linear

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

// finding is why a certificate cannot be given.
type finding struct {
	// final: no completion of what is unknown could mend it.
	final bool
	key   string
	why   string
	note  string       // what the last of ops should have been
	bad   int          // id of the operation the note is about
	ops   []history.Op // the witnesses, in order of call
	at    int64
}

// witness is an operation with its place in the store's order.
type witness struct {
	op *history.Op
	// place is the revision; of one place, the write comes before the reads.
	place uint64
	// ends is when the operation was over for its client, the end of time for
	// one that was never answered.
	ends int64
}

// certify orders the operations by the revisions they carry. ok says that the
// order is a linearization: every answer is what the model answers at its
// place, and no operation sits before one that ended before it began. Then
// nothing else needs to be asked. Otherwise the finding says what is wrong,
// nil that the history does not carry what a certificate needs.
func certify(ops []history.Op) (ok bool, bad *finding) {
	order, loose, whole := line(ops)
	if !whole {
		return false, nil
	}
	if bad = duplicates(order); bad != nil {
		return false, bad
	}
	if bad = timeTravel(order); bad != nil {
		return false, bad
	}
	if bad = replay(ops, order, nil); bad != nil {
		bad.final = loose == 0
		return false, bad
	}
	return true, nil
}

// line puts the operations with an effect or an answer in the store's order.
// loose counts the unknown writes whose fate nobody knows; they are left out.
// whole is false if an answered operation carries no place.
func line(ops []history.Op) (order []witness, loose int, whole bool) {
	revisions := false
	for i := range ops {
		revisions = revisions || ops[i].Revision != 0
	}
	for i := range ops {
		op := &ops[i]
		switch {
		case op.Stale || op.Status == history.Refused:
		case op.Status == history.OK:
			if !revisions || op.Revision == 0 && !op.Kind.Reads() {
				return nil, 0, false
			}
			order = append(order, witness{op: op, place: op.Revision, ends: op.Return})
		case op.Kind.Reads() || op.Settled == history.SettledNever:
		case op.Settled == history.SettledApplied && op.SettledRevision != 0:
			order = append(order, witness{op: op, place: op.SettledRevision, ends: math.MaxInt64})
		default:
			loose++
		}
	}
	slices.SortStableFunc(order, func(a, b witness) int {
		return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(rank(a.op), rank(b.op)),
			cmp.Compare(a.op.Call, b.op.Call), cmp.Compare(a.op.ID, b.op.ID))
	})
	return order, loose, revisions
}

func rank(op *history.Op) int {
	if op.Kind.Reads() {
		return 1
	}
	return 0
}

// duplicates finds two writes at one revision: the store ran both as the same
// command, or lied about one of them.
func duplicates(order []witness) *finding {
	for i := 1; i < len(order); i++ {
		a, b := order[i-1], order[i]
		if a.op.Kind == history.Expire && b.op.Kind == history.Expire {
			continue // one command removes all that is due
		}
		if a.place == b.place && !a.op.Kind.Reads() && !b.op.Kind.Reads() {
			return &finding{
				final: true, key: b.op.Key, bad: b.op.ID,
				why: fmt.Sprintf("two writes carry revision %d, %s %s and %s %s; every command has its own",
					a.place, a.op.Client, checker.Ask(a.op), b.op.Client, checker.Ask(b.op)),
				note: fmt.Sprintf("revision %d is taken", a.place),
				ops:  inCallOrder(a.op, b.op), at: max(a.op.Return, b.op.Return, b.op.Call),
			}
		}
	}
	return nil
}

// timeTravel finds an operation that sits in the order before one that had
// ended before it began.
func timeTravel(order []witness) *finding {
	var late *witness // of those so far, the one that began last
	for i := range order {
		w := &order[i]
		if late != nil && w.ends < late.op.Call {
			return &finding{
				final: true, key: late.op.Key, bad: late.op.ID,
				why: fmt.Sprintf("revision order broken: %s %s sits at revision %d, though revision %d had been answered before it began",
					late.op.Client, checker.Ask(late.op), late.place, w.place),
				note: fmt.Sprintf("must be revision %d or later", w.place),
				ops:  inCallOrder(w.op, late.op), at: max(late.op.Return, late.op.Call),
			}
		}
		if late == nil || w.op.Call > late.op.Call {
			late = w
		}
	}
	return nil
}

func inCallOrder(ops ...*history.Op) []history.Op {
	var list []history.Op
	for _, op := range ops {
		if op != nil {
			list = append(list, *op)
		}
	}
	slices.SortStableFunc(list, func(a, b history.Op) int {
		return cmp.Or(cmp.Compare(a.Call, b.Call), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// replica replays operations in the store's order.
type replica struct {
	top    map[string]string
	spaces map[string]*space
	// index is the store's index; base is where the history begins, which the
	// first answer with an index tells.
	index, base uint64
	learned     bool
	// writers is the last write that touched a top.
	writers map[string]*history.Op
	byValue map[string]*history.Op
}

func newReplica(ops []history.Op, base uint64, learned bool) *replica {
	return &replica{
		top: tops(ops), spaces: map[string]*space{}, index: base, base: base, learned: learned,
		writers: map[string]*history.Op{}, byValue: map[string]*history.Op{},
	}
}

// step applies one operation and returns the answer the store must give.
func (r *replica) step(op *history.Op) answer {
	top := r.top[clean(op.Key)]
	s := r.spaces[top]
	if s == nil {
		s = &space{}
		r.spaces[top] = s
	}
	at := stamp{index: r.index + 1}
	if op.Kind == history.Append {
		at.child = childKey(clean(op.Key), at.index)
	}
	a := s.apply(op, top, at)
	if a.changed {
		r.index++
		r.writers[clean(op.Key)] = op
		r.byValue[op.Value] = op
	}
	return a
}

// replay runs the model over the order and compares every answer. At a place
// in stale, it lets judge look at the state of that revision.
func replay(ops []history.Op, order []witness, judge func(r *replica, next uint64) *finding) *finding {
	r := newReplica(ops, 0, false)
	for i := 0; i < len(order); i++ {
		w := order[i]
		if judge != nil {
			if bad := judge(r, w.place); bad != nil {
				return bad
			}
		}
		a := r.step(w.op)
		if w.op.Status != history.OK {
			continue
		}
		if w.op.Index != 0 && !r.learned {
			if w.op.Index > r.index {
				// The store's index began above 0: begin again from there.
				r = newReplica(ops, w.op.Index-r.index, true)
				i = -1
				continue
			}
			r.learned = true
		}
		why := differs(w.op, a)
		if why == "" && !agree(w.op.Index, r.index) {
			why = fmt.Sprintf("index %d must be %d", w.op.Index, r.index)
		}
		if why != "" {
			return r.wrong(w.op, why)
		}
	}
	if judge != nil {
		return judge(r, math.MaxUint64)
	}
	return nil
}

// wrong is the finding of an answer that cannot be at its place, with the
// write that it should have seen and the one that it saw.
func (r *replica) wrong(op *history.Op, why string) *finding {
	must := r.writers[clean(op.Key)]
	var seen *history.Op
	if op.Out != nil {
		seen = r.byValue[*op.Out]
	}
	if seen == must || seen == op {
		seen = nil
	}
	if must == op {
		must = nil
	}
	return &finding{
		key: op.Key, bad: op.ID, note: why,
		why: fmt.Sprintf("%s %s -> %s: %s", op.Client, checker.Ask(op), checker.Answer(op), why),
		ops: inCallOrder(seen, must, op), at: op.Return,
	}
}
