package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

// follower is a check that takes runs one at a time.
type follower interface {
	Ran(r *history.Ran) *checker.Violation
}

// FactsOf are the facts in a record.
func FactsOf(f *history.Fleet, keep bool) *Facts {
	return &Facts{Units: f.Units, Machines: f.Machines, Keep: keep}
}

// CheckOnce judges a whole record by Once.
func CheckOnce(f *history.Fleet, keep bool) checker.Verdict {
	return replay(f, "no unit runs twice", NewOnce(FactsOf(f, keep)))
}

// CheckApart judges a whole record by Apart.
func CheckApart(f *history.Fleet) checker.Verdict {
	return replay(f, "units in conflict never share a machine", NewApart(FactsOf(f, false)))
}

// CheckPlaced judges a whole record by Placed.
func CheckPlaced(f *history.Fleet) checker.Verdict {
	return replay(f, "units run where they are allowed to", NewPlaced(FactsOf(f, false)))
}

// CheckCapacity judges a whole record by Capacity.
func CheckCapacity(f *history.Fleet) checker.Verdict {
	return replay(f, "machines have what their units reserve", NewCapacity(FactsOf(f, false)))
}

// happening is something of a record at its time.
type happening struct {
	at   int64
	ran  *history.Ran // begun if begin, else ended
	end  bool
	wish *history.FleetWish
}

// replay shows a check all that happened, in order: what ends before what begins
// at the same moment.
func replay(f *history.Fleet, check string, by follower) checker.Verdict {
	began := time.Now()
	var list []happening
	for i := range f.Runs {
		r := &f.Runs[i]
		begin := *r
		begin.End = 0
		list = append(list, happening{at: r.Begin, ran: &begin})
		if r.End != 0 {
			list = append(list, happening{at: r.End, ran: r, end: true})
		}
	}
	for i := range f.Wishes {
		if w := &f.Wishes[i]; w.Done != 0 {
			list = append(list, happening{at: w.Asked, wish: w, end: true})
		}
	}
	slices.SortStableFunc(list, func(a, b happening) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(rank(a), rank(b)))
	})
	v := checker.Verdict{Status: checker.Held, Check: check, Ops: len(f.Runs), Summary: fmt.Sprintf("%d runs", len(f.Runs))}
	for _, h := range list {
		if h.wish != nil {
			if p, ok := by.(*Placed); ok {
				p.Wish(h.wish)
			}
			continue
		}
		if bad := by.Ran(h.ran); bad != nil {
			v.Status, v.Summary, v.Violation = checker.Violated, bad.Why, bad
			break
		}
	}
	if len(f.Runs) == 0 {
		v.Status, v.Summary = checker.Unknown, "no unit ran"
	}
	v.Took = time.Since(began)
	return v
}

func rank(h happening) int {
	if h.end {
		return 0
	}
	return 1
}
