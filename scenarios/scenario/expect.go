package scenario

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// The kinds of expectations.
const (
	ExpectLinearizable = "linearizable"
	ExpectAcked        = "acknowledged-writes-kept"
	ExpectOneLeader    = "one-leader-per-term"
	ExpectDigests      = "digests-equal"
	ExpectLogs         = "logs-match"
	ExpectLive         = "live-after-heal"
	ExpectLeader       = "leader-within"
	ExpectMinAcked     = "min-acknowledged"
	ExpectMinFaults    = "min-faults"
	ExpectMembership   = "membership"
	ExpectSnapshot     = "snapshot-installed"
	ExpectIndexes      = "indexes-monotone"
	ExpectQuorums      = "only-voters-decide"
	ExpectWatches      = "watches-complete"
	ExpectLifetimes    = "lifetimes-kept"
	ExpectLocks        = "locks-exclusive"
	ExpectBounded      = "bounded"
	ExpectRot          = "rot-noticed"
	ExpectOutage       = "outage-within"
	ExpectReleases     = "releases-honoured"
	ExpectUpgraded     = "upgraded-within"
	ExpectOnce         = "units-once"
	ExpectApart        = "conflicts-apart"
	ExpectPlaced       = "placed-where-allowed"
	ExpectCapacity     = "within-capacity"
	ExpectCauses       = "restarts-have-causes"
	ExpectRunning      = "units-running"
	ExpectUp           = "units-up-within"
	ExpectStates       = "states-true"
	ExpectHeard        = "machines-heard"
	ExpectRest         = "at-rest-nothing-is-logged"
	// ExpectPromised stands for all that a file without expectations is held
	// to; it is replaced by those when a file is read.
	ExpectPromised = "promised"
)

// Takes says what an expectation needs beside its name.
type Takes string

// What an expectation may need.
const (
	TakesNothing Takes = "nothing"
	TakesTime    Takes = "time"
	TakesNumber  Takes = "number"
)

// ExpectInfo documents an expectation.
type ExpectInfo struct {
	Kind  string
	Takes Takes
	Doc   string
}

// Expectations lists what a scenario may expect, in the order for people.
func Expectations() []ExpectInfo {
	return []ExpectInfo{
		{ExpectLinearizable, TakesNothing, "all that clients saw fits one order of operations that respects real time; stale reads fit a prefix of it"},
		{ExpectAcked, TakesNothing, "every acknowledged write is on the disks exactly once, at its revision; no refused one is"},
		{ExpectOneLeader, TakesNothing, "at most one leader and one vote of each member in a term; no term goes back"},
		{ExpectDigests, TakesNothing, "members' states are equal at every index that they share"},
		{ExpectLogs, TakesNothing, "committed entries are the same on all disks"},
		{ExpectIndexes, TakesNothing, "what a client is answered by a majority never goes back to an earlier index"},
		{ExpectQuorums, TakesNothing, "leaders have the votes, and commits the acknowledgements, of a quorum of voters; learners and removed members count for nothing, and quorums of consecutive configurations intersect"},
		{ExpectBounded, TakesNothing, "queues, open requests and disk use of every member stay within bounds"},
		{ExpectWatches, TakesTime, "watches see every event once and in order, none missing, over cuts too; what is refused for age is older than 1000 events; at the end an open watch has seen all that happened up to this time before"},
		{ExpectLifetimes, TakesTime, "no key expires before its time to live is over, by clocks that are wrong only where a fault made them so; from this time after healing on, none stays for more than a second longer"},
		{ExpectLocks, TakesNothing, "a lock built on the keyspace has one holder at a time; fences go up"},
		{ExpectRot, TakesNothing, "a member that starts from a damaged disk notices it, and none calls a sound disk damaged"},
		{ExpectReleases, TakesNothing, "no command is logged before the cluster's release has it; the release goes up only by the word of every member, and members stop for their release only where it is too old"},
		{ExpectUpgraded, TakesTime, "within this time after all is healed and every member speaks the newest release, the cluster's release is that, and all members' names and addresses are known"},
		{ExpectOutage, TakesTime, "after a fault that comes alone and leaves a majority, clients are without an answer for no longer than this"},
		{ExpectLive, TakesTime, "after healing, every client gets an operation done and every member catches up within this time"},
		{ExpectLeader, TakesTime, "after every fault that took the leader, another leads within this time"},
		{ExpectOnce, TakesNothing, "no unit that isn't global ever has processes on two machines at once, by what the machines really ran"},
		{ExpectApart, TakesNothing, "units in conflict never have processes on one machine at once, not even while moving"},
		{ExpectPlaced, TakesNothing, "units run only on machines whose metadata allowed it when they were placed, and with the units whose machine they want"},
		{ExpectCapacity, TakesNothing, "what the units on a machine reserve is never more than it has"},
		{ExpectCauses, TakesNothing, "no unit stops, or starts, unless a user asked, a process failed, its machine was lost or cut off, or another unit may displace it"},
		{ExpectRunning, TakesTime, "this time after healing, and after the last wish of users, everything that is wanted and can run does, in the wanted edition, and nothing else"},
		{ExpectUp, TakesTime, "faults or not, nothing that is wanted and can run is without a running process for longer than this"},
		{ExpectStates, TakesNothing, "at the end every state that machines have reported is so, and none is missing"},
		{ExpectHeard, TakesNothing, "no machine whose agent lives is ever without the leader's word for so long that it would have to end its units"},
		{ExpectRest, TakesNothing, "while nobody asks for anything, the log doesn't grow"},
		{ExpectMinAcked, TakesNumber, "at least so many operations are acknowledged"},
		{ExpectMinFaults, TakesNumber, "at least so many faults take effect; fewer make the run unknown, as it proves little"},
		{ExpectMembership, TakesNumber, "so many voters at the end"},
		{ExpectSnapshot, TakesNumber, "at least so many snapshots are installed by followers; fewer make the run unknown"},
		{ExpectPromised, TakesNothing, "stands for what a file without expectations is held to: all safety checks, those of its loads, and live-after-heal; those given beside it with a bound have that bound"},
	}
}

// OfTime says whether an expectation of a kind is about how long something takes, and
// nothing else: it says nothing of safety.
func OfTime(kind string) bool {
	switch kind {
	case ExpectLive, ExpectLeader, ExpectOutage, ExpectUpgraded, ExpectRunning, ExpectUp, ExpectHeard, ExpectStates, ExpectRest:
		return true
	}
	return false
}

func expectWords() []string {
	var words []string
	for _, e := range Expectations() {
		words = append(words, e.Kind)
	}
	return words
}

// expectation fills one entry of expect: a word, or a word with its bound.
func (d *decoder) expectation(n *yaml.Node, e *Expectation) {
	key, value := n, (*yaml.Node)(nil)
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 {
		key, value = n.Content[0], n.Content[1]
	}
	if key.Kind != yaml.ScalarNode || isNull(key) {
		d.fail(n, "`- linearizable` or `- leader-within: 2s`", "expect: each entry is one expectation, not %s", shape(n))
		return
	}
	info, ok := findExpectation(key.Value)
	if !ok {
		d.fail(key, meant(key.Value, expectWords()), "expect: unknown expectation `%s`", key.Value)
		return
	}
	e.Kind, e.Text = info.Kind, info.Kind
	if value != nil && value.Kind == yaml.MappingNode && len(value.Content) == 2 && value.Content[0].Value == "within" {
		value = value.Content[1]
	}
	switch {
	case info.Takes == TakesNothing && value != nil:
		d.fail(value, "", "expect: `%s` takes no value", info.Kind)
		return
	case info.Takes == TakesTime && value == nil:
		d.fail(key, "`"+info.Kind+": 5s`", "expect: `%s` needs a time", info.Kind)
		return
	case info.Takes == TakesNumber && value == nil:
		d.fail(key, "`"+info.Kind+": 1`", "expect: `%s` needs a number", info.Kind)
		return
	}
	switch info.Takes {
	case TakesTime:
		d.duration(value, reflect.ValueOf(&e.Within).Elem(), field{name: info.Kind})
		e.Text += ": " + value.Value
	case TakesNumber:
		d.scalar(value, reflect.ValueOf(&e.Count).Elem(), field{name: info.Kind, min: "1", max: "1000000000"})
		e.Text += ": " + value.Value
	}
	d.at[expectPath+e.Text] = n
}

// expectPath begins the names under which decoder.at holds expectations.
const expectPath = "expect:"

func findExpectation(kind string) (ExpectInfo, bool) {
	for _, e := range Expectations() {
		if e.Kind == kind {
			return e, true
		}
	}
	return ExpectInfo{}, false
}

// defaultExpectations are those of a file that names none: everything that is
// always promised, and what its loads show.
func defaultExpectations(s *Scenario) []Expectation {
	var out []Expectation
	kinds := []string{ExpectLinearizable, ExpectAcked, ExpectOneLeader, ExpectDigests, ExpectLogs, ExpectIndexes, ExpectQuorums, ExpectBounded, ExpectReleases}
	if s.Load.Lock.Clients > 0 {
		kinds = append(kinds, ExpectLocks)
	}
	for _, kind := range kinds {
		out = append(out, Expectation{Kind: kind, Text: kind})
	}
	within := min(s.Duration-s.HealAt, 10*time.Second)
	timed := func(kind string, within time.Duration) {
		out = append(out, Expectation{Kind: kind, Text: kind + ": " + shortTime(within), Within: within})
	}
	if s.Load.TTL.Clients > 0 {
		// Half of it, so that the other half shows keys that go in time.
		timed(ExpectLifetimes, within/2)
	}
	if s.Load.Watch.Clients > 0 {
		timed(ExpectWatches, within)
	}
	timed(ExpectLive, within)
	if len(s.Load.Units) > 0 {
		kinds, running := fleetExpectations(s)
		for _, kind := range kinds {
			out = append(out, Expectation{Kind: kind, Text: kind})
		}
		timed(ExpectRunning, running)
	}
	return out
}

// expand puts what is promised in the place of that word.
func expand(s *Scenario) []Expectation {
	at := slices.IndexFunc(s.Expect, func(e Expectation) bool { return e.Kind == ExpectPromised })
	if at < 0 {
		return s.Expect
	}
	given := slices.Delete(slices.Clone(s.Expect), at, at+1)
	promised := slices.DeleteFunc(defaultExpectations(s), func(e Expectation) bool {
		return slices.ContainsFunc(given, func(g Expectation) bool { return g.Kind == e.Kind })
	})
	return slices.Insert(given, at, promised...)
}

// shortTime writes a time without the zero parts that Go adds.
func shortTime(t time.Duration) string {
	s := t.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// String writes an expectation's bound for people.
func (e Expectation) String() string {
	switch {
	case e.Within > 0:
		return e.Kind + ": " + shortTime(e.Within)
	case e.Count > 0:
		return e.Kind + ": " + strconv.Itoa(e.Count)
	}
	return e.Kind
}
