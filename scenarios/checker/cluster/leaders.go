package cluster

import (
	"fmt"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

const leadersCheck = "one leader a term"

// ballot is one member's say in one term.
type ballot struct {
	node string
	term uint64
}

// Leaders watches elections. Each method takes one observation and returns the
// violation it makes, nil if none. Observations of one kind come in order of
// time; the kinds may come in any order.
type Leaders struct {
	leader map[uint64]string
	votes  map[ballot]string
	terms  map[string]uint64
	seen   int
	first  *checker.Violation
}

// NewLeaders returns a Leaders that has seen nothing.
func NewLeaders() *Leaders {
	return &Leaders{leader: map[uint64]string{}, votes: map[ballot]string{}, terms: map[string]uint64{}}
}

func (l *Leaders) report(at int64, term uint64, format string, args ...any) *checker.Violation {
	v := &checker.Violation{Key: fmt.Sprintf("term %d", term), Why: fmt.Sprintf(format, args...), At: at}
	if l.first == nil || v.At < l.first.At {
		l.first = v
	}
	return v
}

// Led takes in that a member became leader.
func (l *Leaders) Led(o history.Led) *checker.Violation {
	l.seen++
	other, ok := l.leader[o.Term]
	if ok && other != o.Node {
		return l.report(o.Time, o.Term, "%s and %s both became leader of term %d", other, o.Node, o.Term)
	}
	l.leader[o.Term] = o.Node
	return nil
}

// Vote takes in a granted vote. The same vote may be seen several times.
func (l *Leaders) Vote(o history.Vote) *checker.Violation {
	l.seen++
	b := ballot{o.From, o.Term}
	other, ok := l.votes[b]
	if ok && other != o.To {
		return l.report(o.Time, o.Term, "%s voted for %s and for %s in term %d", o.From, other, o.To, o.Term)
	}
	l.votes[b] = o.To
	return nil
}

// Said takes in a term that a member named as its own.
func (l *Leaders) Said(o history.Said) *checker.Violation {
	l.seen++
	if before := l.terms[o.Node]; o.Term < before {
		return l.report(o.Time, o.Term, "%s is in term %d after it was in term %d", o.Node, o.Term, before)
	}
	l.terms[o.Node] = o.Term
	return nil
}

// Verdict sums up what was seen so far.
func (l *Leaders) Verdict() checker.Verdict {
	v := checker.Verdict{Status: checker.Held, Check: leadersCheck, Ops: l.seen}
	v.Summary = fmt.Sprintf("%s with a leader, %s", checker.Count(len(l.leader), "term"), checker.Count(len(l.votes), "vote"))
	switch {
	case l.first != nil:
		v.Status, v.Summary, v.Violation = checker.Violated, l.first.Why, l.first
	case len(l.leader) == 0:
		v.Status, v.Summary = checker.Unknown, "nobody was seen to lead"
	}
	return v
}

// CheckLeaders judges the elections of a whole run.
func CheckLeaders(led []history.Led, votes []history.Vote, said []history.Said) checker.Verdict {
	began := time.Now()
	l := NewLeaders()
	for _, o := range led {
		l.Led(o)
	}
	for _, o := range votes {
		l.Vote(o)
	}
	for _, o := range said {
		l.Said(o)
	}
	v := l.Verdict()
	v.Took = time.Since(began)
	return v
}
