package keyspace

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

const indexesCheck = "no client's index goes back"

// Indexes follows the answers that each client gets by a majority, in the order
// in which it gets them.
type Indexes struct {
	last  map[string]history.Op
	seen  int
	first *checker.Violation
}

// NewIndexes returns an Indexes that has seen nothing.
func NewIndexes() *Indexes { return &Indexes{last: map[string]history.Op{}} }

// Op takes in an operation that has ended and returns the violation that it
// makes, nil if none.
func (x *Indexes) Op(op *history.Op) *checker.Violation {
	if op.Status != history.OK || op.Stale || op.Kind == history.Expire {
		return nil
	}
	was, known := x.last[op.Client]
	x.last[op.Client] = *op
	x.seen++
	if !known || was.Return > op.Call {
		return nil
	}
	why := ""
	switch {
	case op.Index != 0 && op.Index < was.Index:
		why = fmt.Sprintf("index %d after index %d", op.Index, was.Index)
	case op.Revision != 0 && op.Revision < was.Revision:
		why = fmt.Sprintf("revision %d after revision %d", op.Revision, was.Revision)
	default:
		return nil
	}
	v := &checker.Violation{
		Key: op.Client, Why: fmt.Sprintf("%s was answered %s", op.Client, why), At: op.Return,
		Ops: []history.Op{was, *op}, Notes: map[int]string{op.ID: why},
	}
	if x.first == nil {
		x.first = v
	}
	return v
}

// Verdict sums up what was seen so far.
func (x *Indexes) Verdict() checker.Verdict {
	v := checker.Verdict{Status: checker.Held, Check: indexesCheck, Ops: x.seen}
	v.Summary = fmt.Sprintf("%s, %s", checker.Count(x.seen, "answer"), checker.Count(len(x.last), "client"))
	switch {
	case x.first != nil:
		v.Status, v.Summary, v.Violation = checker.Violated, x.first.Why, x.first
	case x.seen == 0:
		v.Status, v.Summary = checker.Unknown, "nothing was answered"
	}
	return v
}

// CheckIndexes judges the answers of a whole run.
func CheckIndexes(ops []history.Op) checker.Verdict {
	began := time.Now()
	order := make([]*history.Op, len(ops))
	for i := range ops {
		order[i] = &ops[i]
	}
	slices.SortStableFunc(order, func(a, b *history.Op) int {
		return cmp.Or(cmp.Compare(a.Call, b.Call), cmp.Compare(a.ID, b.ID))
	})
	x := NewIndexes()
	for _, op := range order {
		x.Op(op)
	}
	v := x.Verdict()
	v.Took = time.Since(began)
	return v
}
