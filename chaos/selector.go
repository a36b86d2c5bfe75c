package chaos

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Selector chooses nodes when a fault strikes: a node's name or one of the
// words below.
type Selector string

// The words that choose nodes. Only nodes of the cluster are ever chosen.
const (
	// Leader is the member that leads.
	Leader Selector = "leader"
	// Follower is one random living voter that doesn't lead.
	Follower Selector = "follower"
	// Any is one random living member.
	Any Selector = "any"
	// All is every member.
	All Selector = "all"
	// Majority is a random smallest majority of the voters.
	Majority Selector = "majority"
	// Minority is a random largest minority of the voters.
	Minority Selector = "minority"
	// Voter is one random living member with a vote.
	Voter Selector = "voter"
	// Same is whoever the plan's last fault on nodes hit.
	Same Selector = "same"
	// Worker is one random living worker, Runner one that runs some unit.
	Worker Selector = "worker"
	Runner Selector = "runner"
	// Workers is every worker, HalfWorkers a random half of them.
	Workers     Selector = "workers"
	HalfWorkers Selector = "half-workers"
)

// Selectors is a list of selectors; a file may write a single one bare.
type Selectors []Selector

// SelectorInfo documents a selector.
type SelectorInfo struct {
	Name Selector
	Doc  string
}

// SelectorWords lists the words that choose nodes, in the order for people.
func SelectorWords() []SelectorInfo {
	return []SelectorInfo{
		{"n3", "the node of that name"},
		{Leader, "the member that leads; the fault waits a moment for one"},
		{Follower, "one living voter that doesn't lead, drawn"},
		{Any, "one living member, drawn"},
		{Voter, "one living voter, drawn"},
		{All, "every member"},
		{Majority, "a smallest majority of the voters, drawn"},
		{Minority, "a largest minority of the voters, drawn"},
		{Same, "whoever the last fault on nodes hit"},
		{"w3", "the worker of that name; w1-w100 are so many"},
		{Worker, "one living worker, drawn"},
		{Runner, "one living worker that runs some unit, drawn"},
		{Workers, "every worker"},
		{HalfWorkers, "a half of the workers, drawn"},
	}
}

// IsName tells a node's name (n1, n2, …; w1, w2, …) from a word.
func (s Selector) IsName() bool {
	if len(s) < 2 || s[0] != 'n' && s[0] != 'w' {
		return false
	}
	digits := string(s[1:])
	if digits[0] == '0' || len(digits) > 5 || len(digits) > 4 && s[0] == 'n' {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

// Range returns the numbers of the first and the last worker of a range such as
// w1-w100, and false for everything else.
func (s Selector) Range() (first, last int, ok bool) {
	a, b, ok := strings.Cut(string(s), "-")
	if !ok || !strings.HasPrefix(a, "w") || !strings.HasPrefix(b, "w") || !Selector(a).IsName() || !Selector(b).IsName() {
		return 0, 0, false
	}
	first, _ = strconv.Atoi(a[1:])
	last, _ = strconv.Atoi(b[1:])
	return first, last, first <= last
}

// Valid tells whether s is a node's name or a known word.
func (s Selector) Valid() bool {
	switch s {
	case Leader, Follower, Any, All, Majority, Minority, Voter, Same, Worker, Runner, Workers, HalfWorkers:
		return true
	}
	_, _, isRange := s.Range()
	return isRange || s.IsName()
}

// String joins the selectors as people read them.
func (s Selectors) String() string {
	words := make([]string, len(s))
	for i, one := range s {
		words[i] = string(one)
	}
	return strings.Join(words, ", ")
}

// resolver chooses nodes by selectors at one instant.
type resolver struct {
	members []Member
	rng     *rand.Rand
	last    []string
}

// errNobody says that a selector found no node; the leader is worth waiting
// for.
type errNobody struct {
	selector Selector
}

// Error implements error.
func (e errNobody) Error() string {
	if e.selector == Leader {
		return "there is no leader"
	}
	return fmt.Sprintf("no node is %q", string(e.selector))
}

// nodes resolves selectors to names in name order, without repeats.
func (r *resolver) nodes(sels Selectors) ([]string, error) {
	chosen := map[string]bool{}
	for _, s := range sels {
		names, err := r.one(s)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			chosen[name] = true
		}
	}
	var out []string
	for _, m := range r.members {
		if chosen[m.Name] {
			out = append(out, m.Name)
		}
	}
	return out, nil
}

// one resolves a single selector.
func (r *resolver) one(s Selector) ([]string, error) {
	switch s {
	case Leader:
		return r.draw(s, 1, func(m Member) bool { return m.Leader })
	case Follower:
		return r.draw(s, 1, func(m Member) bool { return alive(m) && m.Voter && !m.Leader })
	case Any:
		return r.draw(s, 1, alive)
	case Voter:
		return r.draw(s, 1, func(m Member) bool { return alive(m) && m.Voter })
	case All:
		return r.draw(s, len(r.members), func(Member) bool { return true })
	case Majority:
		return r.draw(s, r.voters()/2+1, func(m Member) bool { return m.Voter })
	case Minority:
		return r.draw(s, (r.voters()-1)/2, func(m Member) bool { return m.Voter })
	case Same:
		if len(r.last) == 0 {
			return nil, errNobody{s}
		}
		return r.last, nil
	case Worker:
		return r.workers(s, 1, alive)
	case Runner:
		return r.workers(s, 1, func(m Member) bool { return alive(m) && m.Busy })
	case Workers:
		return r.workers(s, len(r.members), func(Member) bool { return true })
	case HalfWorkers:
		return r.workers(s, r.size()/2, func(Member) bool { return true })
	}
	if first, last, ok := s.Range(); ok {
		return r.workers(s, len(r.members), func(m Member) bool {
			n, err := strconv.Atoi(strings.TrimPrefix(m.Name, "w"))
			return err == nil && first <= n && n <= last
		})
	}
	for _, m := range r.members {
		if m.Name == string(s) {
			return []string{m.Name}, nil
		}
	}
	return nil, errNobody{s}
}

// draw chooses n of the members inside the cluster that fit.
func (r *resolver) draw(s Selector, n int, fits func(Member) bool) ([]string, error) {
	return r.choose(s, n, func(m Member) bool { return !m.Worker && fits(m) })
}

// workers chooses n of the workers that fit.
func (r *resolver) workers(s Selector, n int, fits func(Member) bool) ([]string, error) {
	return r.choose(s, n, func(m Member) bool { return m.Worker && fits(m) })
}

// size is the number of workers.
func (r *resolver) size() int {
	n := 0
	for _, m := range r.members {
		if m.Worker {
			n++
		}
	}
	return n
}

func (r *resolver) choose(s Selector, n int, fits func(Member) bool) ([]string, error) {
	var names []string
	for _, m := range r.members {
		if !m.Outside && fits(m) {
			names = append(names, m.Name)
		}
	}
	if len(names) == 0 || n <= 0 {
		return nil, errNobody{s}
	}
	if n < len(names) {
		r.shuffle(names)
		names = names[:n]
	}
	return names, nil
}

func (r *resolver) voters() int {
	n := 0
	for _, m := range r.members {
		if m.Voter && !m.Outside && !m.Worker {
			n++
		}
	}
	return n
}

// inside returns the names of the cluster's members, in name order.
func (r *resolver) inside() []string {
	var names []string
	for _, m := range r.members {
		if !m.Outside && !m.Worker {
			names = append(names, m.Name)
		}
	}
	return names
}

func (r *resolver) shuffle(names []string) {
	r.rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
}

// order puts names into the members' order.
func (r *resolver) order(names []string) []string {
	in := make(map[string]bool, len(names))
	for _, name := range names {
		in[name] = true
	}
	var out []string
	for _, m := range r.members {
		if in[m.Name] {
			out = append(out, m.Name)
		}
	}
	return out
}

func alive(m Member) bool {
	return m.Up && !m.Paused
}
