package keyspace

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

const locksCheck = "locks have one holder"

// LockOptions say what CheckLocks allows.
type LockOptions struct {
	// Clock bounds how early a time to live may end.
	Clock ClockBound
	// End is when the run ended.
	End time.Duration
	_   struct{}
}

// CheckLocks judges the holds of locks: each must be what the store granted,
// and no two of one lock may overlap, by the clients' own belief.
func CheckLocks(r *Replay, holds []history.Hold, opt LockOptions) checker.Verdict {
	began := time.Now()
	v := checker.Verdict{Status: checker.Held, Check: locksCheck, Ops: len(holds)}
	order := slices.Clone(holds)
	slices.SortStableFunc(order, func(a, b history.Hold) int {
		return cmp.Or(cmp.Compare(a.Acquired, b.Acquired), cmp.Compare(a.Fence, b.Fence))
	})
	locks := map[string][]*history.Hold{}
	for i := range order {
		h := &order[i]
		if h.Ended == 0 {
			h.Ended = int64(opt.End)
		}
		if v.Violation == nil {
			v.Violation = granted(r, h)
		}
		for _, other := range locks[h.Lock] {
			if v.Violation == nil {
				v.Violation = apart(other, h, &opt.Clock)
			}
		}
		locks[h.Lock] = append(locks[h.Lock], h)
	}
	v.Keys = len(locks)
	switch {
	case v.Violation != nil:
		v.Status, v.Summary = checker.Violated, v.Violation.Why
	case len(holds) == 0:
		v.Status, v.Summary = checker.Unknown, "no lock was held"
	default:
		v.Summary = fmt.Sprintf("%s of %s", checker.Count(len(holds), "hold"), checker.Count(len(locks), "lock"))
	}
	v.Took = time.Since(began)
	return v
}

func hold(h *history.Hold) string {
	return fmt.Sprintf("%s held %s from %s on with fence %d", h.Client, h.Lock, checker.Seconds(h.Acquired), h.Fence)
}

// granted compares a hold with the state that the client was answered from.
func granted(r *Replay, h *history.Hold) *checker.Violation {
	bad := func(why string) *checker.Violation {
		return &checker.Violation{Key: h.Lock, At: h.Acquired, Why: hold(h) + ", " + why}
	}
	if h.Fence == 0 || h.Fence > uint64(len(r.Events)) {
		return bad("which no disk holds")
	}
	made := &r.Events[h.Fence-1]
	if made.Key != clean(h.Key) || made.Action != "create" {
		return bad("but that is " + text(made))
	}
	if h.Token != "" && made.Token != "" && made.Token != h.Token {
		return bad(fmt.Sprintf("but request %s made that key, not %s", made.Token, h.Token))
	}
	if e := r.At(h.Key, h.Index); e == nil || e.Removes() || e.Created != h.Fence {
		return bad(fmt.Sprintf("but its key was not there at index %d", h.Index))
	}
	if clean(h.Lock) == clean(h.Key) {
		return nil
	}
	if line := r.Children(h.Lock, h.Index); len(line) == 0 || line[0] != clean(h.Key) {
		return bad(fmt.Sprintf("but %v came first at index %d", line, h.Index))
	}
	return nil
}

// apart compares two holds of one lock; a was acquired first.
func apart(a, b *history.Hold, clock *ClockBound) *checker.Violation {
	why := ""
	slack := int64(clock.early(time.Duration(a.Renewed), time.Duration(a.Ended)))
	switch {
	case a.Fence == b.Fence && a.Client == b.Client:
		return nil // it looked again
	case a.Fence == b.Fence:
		why = "the same fence"
	case a.Ended > b.Acquired+slack:
		why = fmt.Sprintf("while %s", hold(a))
	case a.Fence > b.Fence && a.Ended <= b.Acquired:
		why = fmt.Sprintf("a lower fence, after %s", hold(a))
	default:
		return nil
	}
	return &checker.Violation{Key: b.Lock, At: b.Acquired, Why: hold(b) + ", " + why}
}

// Holders follows the holds of locks as they begin and end.
type Holders struct {
	last map[string]history.Hold // of each lock
}

// NewHolders returns a Holders that has seen nothing.
func NewHolders() *Holders { return &Holders{last: map[string]history.Hold{}} }

// Hold takes in a hold that has begun or ended and returns the violation that
// it makes, nil if none: a fence that is not above the one before, of another
// client. Whether holds overlap depends on clocks and is left to CheckLocks.
func (x *Holders) Hold(h *history.Hold) *checker.Violation {
	was, known := x.last[h.Lock]
	if known && was.Client != h.Client && h.Ended == 0 && h.Fence <= was.Fence && was.Ended != 0 && was.Ended <= h.Acquired {
		return &checker.Violation{
			Key: h.Lock, At: h.Acquired, Why: fmt.Sprintf("%s, not above the one before: %s", hold(h), hold(&was)),
		}
	}
	if !known || h.Fence >= was.Fence {
		x.last[h.Lock] = *h
	}
	return nil
}
