package cluster

import (
	"fmt"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

const (
	digestsCheck = "replicas are equal at every common index"
	logsCheck    = "committed entries are the same on all disks"
)

// Digests compares the states of members.
type Digests struct {
	first  map[uint64]history.Digest // by index, as first seen
	nodes  map[string]bool
	seen   int
	common int // observations that could be compared with another's
	bad    *checker.Violation
}

// NewDigests returns a Digests that has seen nothing.
func NewDigests() *Digests {
	return &Digests{first: map[uint64]history.Digest{}, nodes: map[string]bool{}}
}

// Digest takes in one member's state at one index and returns the violation it
// makes, nil if none.
func (d *Digests) Digest(o history.Digest) *checker.Violation {
	d.seen++
	d.nodes[o.Node] = true
	was, ok := d.first[o.Index]
	if !ok {
		d.first[o.Index] = o
		return nil
	}
	if was.Node != o.Node || was.Life != o.Life {
		d.common++
	}
	if was.Digest == o.Digest && was.Revision == o.Revision {
		return nil
	}
	v := &checker.Violation{
		Key: fmt.Sprintf("index %d", o.Index), At: o.Time,
		Why: fmt.Sprintf("%s and %s differ at index %d: %s at revision %d, %s at revision %d",
			life(was), life(o), o.Index, short(was.Digest), was.Revision, short(o.Digest), o.Revision),
	}
	if d.bad == nil || v.At < d.bad.At {
		d.bad = v
	}
	return v
}

func life(o history.Digest) string {
	if o.Life == 0 {
		return o.Node
	}
	return fmt.Sprintf("%s (start %d)", o.Node, o.Life+1)
}

// short shows the beginning of a digest, enough to tell two apart.
func short(digest string) string {
	if len(digest) > 12 {
		return digest[:12]
	}
	return digest
}

// Verdict sums up what was seen so far.
func (d *Digests) Verdict() checker.Verdict {
	v := checker.Verdict{Status: checker.Held, Check: digestsCheck, Ops: d.seen}
	v.Summary = fmt.Sprintf("%d indexes, %d comparisons, %d members", len(d.first), d.common, len(d.nodes))
	switch {
	case d.bad != nil:
		v.Status, v.Summary, v.Violation = checker.Violated, d.bad.Why, d.bad
	case d.seen == 0 || d.common == 0 && len(d.nodes) > 1:
		v.Status, v.Summary = checker.Unknown, "no two members were seen at the same index"
	}
	return v
}

// CheckDigests compares the states of a whole run.
func CheckDigests(records []history.Digest) checker.Verdict {
	began := time.Now()
	d := NewDigests()
	for _, o := range records {
		d.Digest(o)
	}
	v := d.Verdict()
	v.Took = time.Since(began)
	return v
}

// CheckLogs compares the committed entries on the disks of a run.
func CheckLogs(entries []history.Entry) checker.Verdict {
	began := time.Now()
	v := checker.Verdict{Status: checker.Held, Check: logsCheck, Ops: len(entries)}
	first := make(map[uint64]history.Entry, len(entries))
	nodes := map[string]bool{}
	common := 0
	for _, e := range entries {
		nodes[e.Node] = true
		was, ok := first[e.Index]
		if !ok {
			first[e.Index] = e
			continue
		}
		if was.Node != e.Node {
			common++
		}
		if v.Violation == nil && (was.Term != e.Term || was.Hash != e.Hash) {
			v.Violation = &checker.Violation{
				Key: fmt.Sprintf("index %d", e.Index),
				Why: fmt.Sprintf("%s and %s hold different committed entries at index %d: term %d %s, term %d %s",
					was.Node, e.Node, e.Index, was.Term, short(was.Hash), e.Term, short(e.Hash)),
			}
		}
	}
	switch {
	case v.Violation != nil:
		v.Status, v.Summary = checker.Violated, v.Violation.Why
	case len(entries) == 0 || common == 0 && len(nodes) > 1:
		v.Status, v.Summary = checker.Unknown, "no two disks hold the same index"
	default:
		v.Summary = fmt.Sprintf("%d entries, %d comparisons, %d disks", len(first), common, len(nodes))
	}
	v.Took = time.Since(began)
	return v
}
