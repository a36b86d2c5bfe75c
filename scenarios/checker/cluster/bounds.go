package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

const boundsCheck = "queues and disks stay bounded"

// Limits are the most that each size may be; 0 is no limit.
type Limits struct {
	Inbox, Calls, Watches, Jobs, Proposals, Reads int

	Entries   uint64
	Disk, Log int64
	_         struct{}
}

// CheckBounds compares the sizes of members' queues and files with limits.
func CheckBounds(sizes []history.Sizes, limits Limits) checker.Verdict {
	began := time.Now()
	v := checker.Verdict{Status: checker.Held, Check: boundsCheck, Ops: len(sizes)}
	var most history.Sizes
	for i := range sizes {
		s := &sizes[i]
		if v.Violation == nil {
			v.Violation = over(s, limits)
		}
		most.Inbox, most.Calls, most.Watches = max(most.Inbox, s.Inbox), max(most.Calls, s.Calls), max(most.Watches, s.Watches)
		most.Jobs, most.Disk, most.Log = max(most.Jobs, s.Jobs), max(most.Disk, s.Disk), max(most.Log, s.Log)
		most.Proposals, most.Reads, most.Entries = max(most.Proposals, s.Proposals), max(most.Reads, s.Reads), max(most.Entries, s.Entries)
	}
	switch {
	case v.Violation != nil:
		v.Status, v.Summary = checker.Violated, v.Violation.Why
	case len(sizes) == 0:
		v.Status, v.Summary = checker.Unknown, "no size was measured"
	default:
		v.Summary = fmt.Sprintf("at most %s, %s, %s, %s, %d log entries in memory, %d KiB on disk, %d of it log",
			checker.Count(most.Inbox, "input"), checker.Count(most.Calls, "call"), checker.Count(most.Proposals, "proposal"),
			checker.Count(most.Jobs, "job"), most.Entries, most.Disk>>10, most.Log>>10)
	}
	v.Took = time.Since(began)
	return v
}

func over(s *history.Sizes, l Limits) *checker.Violation {
	for _, x := range []struct {
		what      string
		is, limit int64
	}{
		{"inputs wait for the reactor", int64(s.Inbox), int64(l.Inbox)},
		{"calls are open", int64(s.Calls), int64(l.Calls)},
		{"watches are open", int64(s.Watches), int64(l.Watches)},
		{"jobs wait for the disk", int64(s.Jobs), int64(l.Jobs)},
		{"commands are undecided", int64(s.Proposals), int64(l.Proposals)},
		{"reads wait", int64(s.Reads), int64(l.Reads)},
		{"entries are in memory", int64(s.Entries), int64(l.Entries)},
		{"bytes are on the disk", s.Disk, l.Disk},
		{"bytes are in the log", s.Log, l.Log},
	} {
		if x.limit > 0 && x.is > x.limit {
			return &checker.Violation{
				Key: s.Node, At: s.Time,
				Why: fmt.Sprintf("%s: %d %s, at most %d are allowed", s.Node, x.is, x.what, x.limit),
			}
		}
	}
	return nil
}

const rotCheck = "rot is noticed and never served"

// CheckRot judges what members made of bytes that changed on their disks: one
// that reads them at a start must notice, and a member that says its disk is
// corrupt must have been given a reason. End is when the run ended.
//
// That what rotted was not served is for the checks of digests, logs and
// answers to say; this one tells when a member went on as if nothing was.
func CheckRot(rotten []history.Rotten, noticed []history.Noticed, restarts []history.Restart, end time.Duration) checker.Verdict {
	began := time.Now()
	v := checker.Verdict{Status: checker.Held, Check: rotCheck, Ops: len(rotten)}
	found := 0
	for _, n := range noticed {
		if !slices.ContainsFunc(rotten, func(r history.Rotten) bool { return r.Node == n.Node && r.Time <= n.Time }) && v.Violation == nil {
			v.Violation = &checker.Violation{Key: n.Node, At: n.Time, Why: fmt.Sprintf("%s calls its disk corrupt, which it is not: %s", n.Node, n.Why)}
		}
		found++
	}
	for _, r := range rotten {
		if v.Violation != nil || !r.Live {
			continue
		}
		v.Violation = overlooked(r, noticed, restarts)
	}
	switch {
	case v.Violation != nil:
		v.Status, v.Summary = checker.Violated, v.Violation.Why
	case len(rotten) == 0:
		v.Status, v.Summary = checker.Unknown, "nothing rotted"
	default:
		v.Summary = fmt.Sprintf("%d places rotted, %d times noticed by %s", len(rotten), found, seconds(end))
	}
	v.Took = time.Since(began)
	return v
}

// overlooked finds that a member read what had rotted, at its next start, and
// went on.
func overlooked(r history.Rotten, noticed []history.Noticed, restarts []history.Restart) *checker.Violation {
	i := slices.IndexFunc(restarts, func(s history.Restart) bool { return s.Node == r.Node && s.Time >= r.Time })
	if i < 0 {
		return nil // it may not have read it
	}
	if slices.ContainsFunc(noticed, func(n history.Noticed) bool { return n.Node == r.Node && n.Time >= r.Time }) {
		return nil
	}
	return &checker.Violation{
		Key: r.Node, At: cmp.Or(restarts[i].Time, r.Time),
		Why: fmt.Sprintf("%s of %s rotted at %s; it started again at %s and noticed nothing",
			cmp.Or(r.File, "a file"), r.Node, seconds(time.Duration(r.Time)), seconds(time.Duration(restarts[i].Time))),
	}
}
