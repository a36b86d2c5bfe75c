package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

const membershipCheck = "only voters decide"

// confLag is how long before it tells of a commit a leader may have decided it,
// by the configuration that it had then.
const confLag = time.Second

// MembershipRecords are what CheckMembership looks at, each list in order of
// time, Configurations in order of entry.
type MembershipRecords struct {
	Configurations []history.Configuration
	Led            []history.Led
	Votes          []history.Vote
	Acks           []history.Ack
	Announced      []history.Announced
	Believed       []history.Believed
	Applied        []history.Applied
	Restarts       []history.Restart
	_              struct{}
}

// CheckMembership judges who decided: quorums of consecutive configurations
// must intersect; every member must go by the configuration of its last entry;
// whoever leads must have been given the votes of a quorum, and
// what a leader says to be committed must have been acknowledged by one, of
// voters by a configuration that it can have had. Learners, and members that
// were removed, never count.
func CheckMembership(r MembershipRecords) checker.Verdict {
	began := time.Now()
	v := checker.Verdict{Status: checker.Held, Check: membershipCheck, Ops: len(r.Led) + len(r.Announced)}
	m := membership{r: r, applied: map[string][]history.Applied{}}
	for _, a := range r.Applied {
		m.applied[a.Node] = append(m.applied[a.Node], a)
	}
	for _, check := range []func() *checker.Violation{m.overlap, m.beliefs, m.elections, m.commits} {
		if v.Violation = check(); v.Violation != nil {
			break
		}
	}
	switch {
	case v.Violation != nil:
		v.Status, v.Summary = checker.Violated, v.Violation.Why
	case len(r.Configurations) == 0 || len(r.Led) == 0:
		v.Status, v.Summary = checker.Unknown, "no configuration or no leader is known"
	default:
		v.Summary = fmt.Sprintf("%s, %s, %s", checker.Count(len(r.Configurations), "configuration"), checker.Count(len(r.Led), "election"), checker.Count(len(r.Announced), "commit"))
	}
	v.Took = time.Since(began)
	return v
}

type membership struct {
	r       MembershipRecords
	applied map[string][]history.Applied // by member
}

// majority is more than half.
func majority(n int) int { return n/2 + 1 }

// meet says whether every majority of a has a member in every one of b.
func meet(a, b []string) bool {
	both := 0
	for _, n := range a {
		if slices.Contains(b, n) {
			both++
		}
	}
	// How many of those in both each majority must at least take.
	needA := max(0, majority(len(a))-(len(a)-both))
	needB := max(0, majority(len(b))-(len(b)-both))
	return needA+needB > both
}

// halves are the groups of which a configuration needs a majority each.
func halves(c *history.Configuration) [][]string {
	if len(c.Outgoing) == 0 {
		return [][]string{c.Voters}
	}
	return [][]string{c.Voters, c.Outgoing}
}

func (m *membership) overlap() *checker.Violation {
	for i := 1; i < len(m.r.Configurations); i++ {
		a, b := &m.r.Configurations[i-1], &m.r.Configurations[i]
		ok := false
		for _, x := range halves(a) {
			for _, y := range halves(b) {
				ok = ok || meet(x, y)
			}
		}
		if !ok {
			return &checker.Violation{
				Key: fmt.Sprintf("entry %d", b.Entry), At: b.Time,
				Why: fmt.Sprintf("quorums of %s and of %s after it need not intersect", conf(a), conf(b)),
			}
		}
	}
	return nil
}

// beliefs compares the configurations that members go by with those of the
// disks.
func (m *membership) beliefs() *checker.Violation {
	for i := range m.r.Believed {
		b := &m.r.Believed[i]
		n, found := slices.BinarySearchFunc(m.r.Configurations, b.Entry, func(c history.Configuration, entry uint64) int {
			return cmp.Compare(c.Entry, entry)
		})
		if !found {
			n--
		}
		if n < 0 {
			continue // it has applied nothing yet
		}
		c := &m.r.Configurations[n]
		if !slices.Equal(b.Voters, c.Voters) || !slices.Equal(b.Outgoing, c.Outgoing) || !slices.Equal(b.Learners, c.Learners) {
			return &checker.Violation{
				Key: b.Node, At: b.Time,
				Why: fmt.Sprintf("%s goes by %s at entry %d, where it is %s", b.Node, conf(&b.Configuration), b.Entry, conf(c)),
			}
		}
	}
	return nil
}

func conf(c *history.Configuration) string {
	s := "{" + strings.Join(c.Voters, " ")
	if len(c.Outgoing) > 0 {
		s += " | " + strings.Join(c.Outgoing, " ")
	}
	if len(c.Learners) > 0 {
		s += "; learning " + strings.Join(c.Learners, " ")
	}
	return s + "}"
}

// quorum says whether the members that said yes are a quorum.
func quorum(c *history.Configuration, yes map[string]bool) bool {
	for _, half := range halves(c) {
		n := 0
		for _, name := range half {
			if yes[name] {
				n++
			}
		}
		if n < majority(len(half)) {
			return false
		}
	}
	return true
}

// had lists the configurations that a member can have had at any time from one
// on until another: the one of what it had applied at first, and what others
// had applied at last.
func (m *membership) had(node string, from, to int64) []history.Configuration {
	var life int64
	for _, r := range m.r.Restarts {
		if r.Node == node && r.Time <= to {
			life = r.Time
		}
	}
	var applied uint64
	if life <= from { // after a restart it begins with what its checkpoint holds
		list := m.applied[node]
		n, _ := slices.BinarySearchFunc(list, from+1, func(a history.Applied, t int64) int { return cmp.Compare(a.Time, t) })
		if n > 0 && list[n-1].Time >= life {
			applied = list[n-1].Index
		}
	}
	first, last := 0, 0
	for i, c := range m.r.Configurations {
		if c.Entry <= applied {
			first = i
		}
		if c.Time != 0 && c.Time <= to {
			last = i
		}
	}
	return m.r.Configurations[first : max(first, last)+1]
}

func (m *membership) elections() *checker.Violation {
	for _, l := range m.r.Led {
		yes := map[string]bool{l.Node: true}
		for _, v := range m.r.Votes {
			if v.Term == l.Term && v.To == l.Node && v.Time <= l.Time {
				yes[v.From] = true
			}
		}
		if len(m.r.Configurations) == 0 || m.anyQuorum(l.Node, l.Time, l.Time, yes) {
			continue
		}
		return &checker.Violation{
			Key: fmt.Sprintf("term %d", l.Term), At: l.Time,
			Why: fmt.Sprintf("%s leads term %d with the votes of %s, no quorum of %s",
				l.Node, l.Term, list(yes), conf(m.latest(l.Node, l.Time))),
		}
	}
	return nil
}

func (m *membership) anyQuorum(node string, from, to int64, yes map[string]bool) bool {
	confs := m.had(node, from, to)
	return slices.ContainsFunc(confs, func(c history.Configuration) bool { return quorum(&c, yes) })
}

func (m *membership) latest(node string, at int64) *history.Configuration {
	confs := m.had(node, at, at)
	return &confs[len(confs)-1]
}

func list(yes map[string]bool) string {
	var names []string
	for n := range yes {
		names = append(names, n)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func (m *membership) commits() *checker.Violation {
	leader := map[uint64]string{}
	for _, l := range m.r.Led {
		leader[l.Term] = l.Node
	}
	acked := map[uint64]map[string]uint64{} // term, member: index
	next := 0
	for _, a := range m.r.Announced {
		for ; next < len(m.r.Acks) && m.r.Acks[next].Time <= a.Time; next++ {
			k := &m.r.Acks[next]
			if acked[k.Term] == nil {
				acked[k.Term] = map[string]uint64{}
			}
			acked[k.Term][k.From] = max(acked[k.Term][k.From], k.Index)
		}
		if len(m.r.Configurations) == 0 || a.Commit <= m.r.Configurations[0].Entry || m.committed(a, acked, leader) {
			continue
		}
		yes := holders(acked[a.Term], a.Commit, a.Node)
		return &checker.Violation{
			Key: fmt.Sprintf("index %d", a.Commit), At: a.Time,
			Why: fmt.Sprintf("%s said in term %d that index %d is committed; it was acknowledged by %s, no quorum of %s",
				a.Node, a.Term, a.Commit, list(yes), conf(m.latest(a.Node, a.Time))),
		}
	}
	return nil
}

// holders are the members that have acknowledged an index, and the leader.
func holders(acked map[string]uint64, index uint64, leader string) map[string]bool {
	yes := map[string]bool{}
	if leader != "" {
		yes[leader] = true
	}
	for name, i := range acked {
		if i >= index {
			yes[name] = true
		}
	}
	return yes
}

// committed says whether a quorum had acknowledged what a leader announces, in
// its term or, if it was decided before and never told, in an earlier one.
func (m *membership) committed(a history.Announced, acked map[uint64]map[string]uint64, leader map[uint64]string) bool {
	from := max(0, a.Time-int64(confLag))
	if m.anyQuorum(a.Node, from, a.Time, holders(acked[a.Term], a.Commit, a.Node)) {
		return true
	}
	for term, by := range acked {
		if term < a.Term && m.anyQuorum(leader[term], 0, a.Time, holders(by, a.Commit, leader[term])) {
			return true
		}
	}
	return false
}
