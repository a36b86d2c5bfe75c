package linear

import (
	"cmp"
	"fmt"
	"slices"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

// Order follows the answers of a run as they come and finds the first that sits
// in the store's order before one that had been given before it was asked for.
// It is the part of a certificate that needs no replay.
type Order struct {
	// answers are those that were the latest in the order when they came, in
	// order of return and so of revision, too.
	answers []history.Op
}

// NewOrder returns an Order that has seen nothing.
func NewOrder() *Order { return &Order{} }

// Op takes in an operation that has just ended and returns the violation that
// it makes, nil if none.
func (o *Order) Op(op *history.Op) *checker.Violation {
	if op.Status != history.OK || op.Stale || op.Revision == 0 {
		return nil
	}
	// The last answer that was there before the call has the highest revision.
	n, _ := slices.BinarySearchFunc(o.answers, op.Call, func(a history.Op, call int64) int {
		return cmp.Or(cmp.Compare(a.Return, call), 1)
	})
	if n > 0 {
		if was := &o.answers[n-1]; was.Revision > op.Revision {
			bad := &finding{
				key: op.Key, bad: op.ID, ops: inCallOrder(was, op), at: op.Return,
				why: fmt.Sprintf("revision order broken: %s %s sits at revision %d, though revision %d had been answered before it began",
					op.Client, checker.Ask(op), op.Revision, was.Revision),
				note: fmt.Sprintf("must be revision %d or later", was.Revision),
			}
			return bad.violation()
		}
	}
	if n := len(o.answers); n == 0 || op.Revision > o.answers[n-1].Revision {
		o.answers = append(o.answers, *op)
	}
	return nil
}
