package cluster

import (
	"fmt"
	"strings"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

const ackedCheck = "no acknowledged write is lost"

// CheckAcked compares what clients were told of their writes with the commands
// on the disks, by the request's token. truth must be whole: the run is over.
func CheckAcked(ops []history.Op, truth []history.Committed) checker.Verdict {
	began := time.Now()
	v := checker.Verdict{Status: checker.Held, Check: ackedCheck}
	ledger, bad := newLedger(truth)
	acked, blind := 0, 0
	for i := range ops {
		op := &ops[i]
		if op.Kind.Reads() {
			continue
		}
		v.Ops++
		if op.Token == "" {
			blind++
			continue
		}
		if op.Status == history.OK && op.Code == 0 {
			acked++
		}
		if bad == nil {
			bad = ledger.judge(op)
		}
	}
	switch {
	case bad != nil:
		v.Status, v.Summary, v.Violation = checker.Violated, bad.Why, bad
	case blind > 0:
		v.Status, v.Summary = checker.Unknown, fmt.Sprintf("%d writes carry no token to find them by", blind)
	case acked == 0:
		v.Status, v.Summary = checker.Unknown, "no write was acknowledged"
	default:
		v.Summary = checker.Count(acked, "write")
	}
	v.Took = time.Since(began)
	return v
}

// ledger finds committed commands by token.
type ledger map[string]history.Committed

// newLedger also finds what is wrong with the committed commands themselves: a
// token that was applied twice, a revision that two commands share.
func newLedger(truth []history.Committed) (ledger, *checker.Violation) {
	l := make(ledger, len(truth))
	places := make(map[uint64]string, len(truth))
	var bad *checker.Violation
	for _, c := range truth {
		if c.Repeat {
			continue
		}
		if other, taken := places[c.Revision]; taken && bad == nil {
			bad = &checker.Violation{
				Key: fmt.Sprintf("revision %d", c.Revision),
				Why: fmt.Sprintf("requests %q and %q are both at revision %d", other, c.Token, c.Revision),
			}
		}
		places[c.Revision] = c.Token
		if c.Token == "" {
			continue
		}
		if was, twice := l[c.Token]; twice && bad == nil {
			bad = &checker.Violation{
				Key: c.Key,
				Why: fmt.Sprintf("request %q was applied twice, at revisions %d and %d", c.Token, was.Revision, c.Revision),
			}
		}
		l[c.Token] = c
	}
	return l, bad
}

// judge compares one write with the disks.
func (l ledger) judge(op *history.Op) *checker.Violation {
	c, found := l[op.Token]
	why := ""
	switch {
	case op.Status == history.Refused && found:
		why = fmt.Sprintf("was refused, but is on the disks at revision %d", c.Revision)
	case op.Status != history.OK:
	case !found && op.Code == 0:
		why = "was acknowledged, but is on no disk"
	case found && op.Revision != 0 && c.Revision != op.Revision:
		why = fmt.Sprintf("was answered as revision %d, but the disks hold it at %d", op.Revision, c.Revision)
	case found && c.Kind != "" && (trim(c.Key) != trim(op.Key) || c.Value != op.Value):
		why = fmt.Sprintf("is %s = %q on the disks", c.Key, c.Value)
	}
	if why == "" {
		return nil
	}
	return &checker.Violation{
		Key: op.Key, Why: fmt.Sprintf("%s %s %s", op.Client, checker.Ask(op), why),
		Ops: []history.Op{*op}, Notes: map[int]string{op.ID: why}, At: max(op.Return, op.Call),
	}
}

func trim(key string) string { return strings.Trim(key, "/") }
