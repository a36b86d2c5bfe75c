package cluster

import (
	"fmt"
	"slices"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

const (
	releasesCheck = "releases are honoured"
	upgradedCheck = "the cluster follows its members' release"
)

// ReleaseRecords are what the checks of releases look at: Truth in order of
// revision, Configurations in order of entry, the rest in order of time.
type ReleaseRecords struct {
	Truth          []history.Committed
	Configurations []history.Configuration
	Lives          []history.Life
	Outdated       []history.Outdated
	Raises         []history.Raise
	Applied        []history.Applied
	_              struct{}
}

// wordAge is for how long before a raise is first sent the word of a member may
// have been given that it goes by: what a member says counts for a moment, by
// a leader's clock, which faults stop and slow down.
const wordAge = 3 * time.Second

// CheckReleases judges by the disks and by what the members' programs were: no
// command may be logged before the cluster's release has it; who was raised by
// an entry must shortly before have been that release, each member of the
// configuration; nobody older may apply that entry or one after it; and nobody
// may stop for its release where it is not too old.
func CheckReleases(r ReleaseRecords) checker.Verdict {
	began := time.Now()
	v := checker.Verdict{Status: checker.Held, Check: releasesCheck, Ops: len(r.Lives)}
	current := uint64(1)
	for i := range r.Truth {
		c := &r.Truth[i]
		if c.Asks == 0 && c.Needs > current {
			v.Violation = &checker.Violation{
				Key: fmt.Sprintf("entry %d", c.Entry), At: c.Time,
				Why: fmt.Sprintf("entry %d holds a command of release %d, the cluster is at %d", c.Entry, c.Needs, current),
			}
			break
		}
		if c.Release == 0 {
			continue
		}
		if v.Violation = r.words(c); v.Violation == nil {
			v.Violation = r.stops(c)
		}
		if v.Violation != nil {
			break
		}
		current = c.Release
	}
	if v.Violation == nil {
		v.Violation = r.excuses()
	}
	switch {
	case v.Violation != nil:
		v.Status, v.Summary = checker.Violated, v.Violation.Why
	case len(r.Lives) == 0:
		v.Status, v.Summary = checker.Unknown, "nothing is known of the members' releases"
	default:
		v.Summary = fmt.Sprintf("release %d, %s, %s", current, checker.Count(len(r.Lives), "start"), checker.Count(len(r.Outdated), "stop"))
	}
	v.Took = time.Since(began)
	return v
}

// members are those of the configuration before an entry.
func (r *ReleaseRecords) members(entry uint64) []string {
	var out []string
	for i := range r.Configurations {
		if c := &r.Configurations[i]; c.Entry < entry {
			out = slices.Concat(c.Voters, c.Learners)
		}
	}
	return out
}

// words finds a member that was not asked before the cluster was raised.
func (r *ReleaseRecords) words(c *history.Committed) *checker.Violation {
	at := c.Time
	for _, p := range r.Raises {
		if p.Entry == c.Entry && p.Release == c.Release {
			at = p.Time // of several terms' entries at that place, the last one
		}
	}
	for _, name := range r.members(c.Entry) {
		spoke := slices.ContainsFunc(r.Lives, func(l history.Life) bool {
			return l.Node == name && l.Release >= c.Release && l.Time <= at && (l.End == 0 || l.End >= at-int64(wordAge))
		})
		if !spoke {
			return &checker.Violation{
				Key: name, At: at,
				Why: fmt.Sprintf("entry %d raises the cluster to release %d, which %s did not speak", c.Entry, c.Release, name),
			}
		}
	}
	return nil
}

// stops finds a member that goes on though it is older than the cluster.
func (r *ReleaseRecords) stops(c *history.Committed) *checker.Violation {
	for _, l := range r.Lives {
		if l.Release >= c.Release {
			continue
		}
		for _, a := range r.Applied {
			if a.Node == l.Node && a.Index >= c.Entry && a.Time >= l.Time && (l.End == 0 || a.Time < l.End) {
				return &checker.Violation{
					Key: l.Node, At: a.Time,
					Why: fmt.Sprintf("%s is release %d and goes on to index %d, though the cluster is at %d since %d", l.Node, l.Release, a.Index, c.Release, c.Entry),
				}
			}
		}
	}
	return nil
}

// excuses finds a member that stopped for its release where that knows all that
// is on the disks.
func (r *ReleaseRecords) excuses() *checker.Violation {
	for _, o := range r.Outdated {
		due := slices.ContainsFunc(r.Truth, func(c history.Committed) bool { return max(c.Needs, c.Asks) > o.Release })
		if !due {
			return &checker.Violation{
				Key: o.Node, At: o.Time,
				Why: fmt.Sprintf("%s stopped as release %d, but nothing on the disks is newer: %s", o.Node, o.Release, o.Why),
			}
		}
	}
	return nil
}

// UpgradedOptions say what CheckUpgraded asks for.
type UpgradedOptions struct {
	// Within is the time after which the cluster is to have followed, once all
	// was healed, at Healed, and every member is the newest release. End is
	// when the run ended.
	Within, Healed, End time.Duration
	_                   struct{}
}

// CheckUpgraded judges whether the cluster's release followed its members', and
// whether each member's name and addresses became known.
func CheckUpgraded(r ReleaseRecords, opt UpgradedOptions) checker.Verdict {
	began := time.Now()
	v := checker.Verdict{Status: checker.Held, Check: upgradedCheck, Ops: len(r.Lives)}
	defer func() { v.Took = time.Since(began) }()
	unknown := func(why string) checker.Verdict {
		v.Status, v.Summary = checker.Unknown, why
		return v
	}
	if len(r.Configurations) == 0 || len(r.Lives) == 0 {
		return unknown("nothing is known of the members or of their releases")
	}
	members := r.members(^uint64(0))
	newest := uint64(0)
	for _, l := range r.Lives {
		newest = max(newest, l.Release)
	}
	ready := int64(opt.Healed)
	for _, name := range members {
		var last *history.Life
		for i := range r.Lives {
			if r.Lives[i].Node == name {
				last = &r.Lives[i]
			}
		}
		switch {
		case last == nil || last.End != 0:
			return unknown(name + " is down at the end")
		case last.Release < newest:
			return unknown(fmt.Sprintf("%s is still release %d", name, last.Release))
		}
		ready = max(ready, last.Time)
	}
	if newest == 1 {
		return unknown("no member is newer than the first release")
	}
	due := ready + int64(opt.Within)
	if due > int64(opt.End) {
		return unknown("the run ends too soon after the last upgrade")
	}
	missing := r.missing(members, newest, due)
	if missing != "" {
		v.Status = checker.Violated
		v.Summary = fmt.Sprintf("%s, not within %s of %s", missing, seconds(opt.Within), seconds(time.Duration(ready)))
		v.Violation = &checker.Violation{Why: v.Summary, At: due}
		return v
	}
	v.Summary = fmt.Sprintf("release %d, %s", newest, checker.Count(len(members), "member"))
	return v
}

// missing says what is not on the disks by the time due.
func (r *ReleaseRecords) missing(members []string, newest uint64, due int64) string {
	known, raised := map[string]bool{}, false
	for i := range r.Truth {
		c := &r.Truth[i]
		if c.Time == 0 || c.Time > due {
			continue
		}
		raised = raised || c.Release >= newest
		known[c.Member] = true
	}
	if !raised {
		return fmt.Sprintf("the cluster is not at release %d", newest)
	}
	for _, name := range members {
		if !known[name] {
			return "the name and addresses of " + name + " are not known"
		}
	}
	return ""
}
