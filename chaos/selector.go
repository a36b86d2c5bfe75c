package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
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
	}
}

// IsName tells a node's name (n1, n2, …) from a word.
func (s Selector) IsName() bool {
	digits, ok := strings.CutPrefix(string(s), "n")
	if !ok || digits == "" || digits[0] == '0' || len(digits) > 4 {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

// Valid tells whether s is a node's name or a known word.
func (s Selector) Valid() bool {
	switch s {
	case Leader, Follower, Any, All, Majority, Minority, Voter, Same:
		return true
	}
	return s.IsName()
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
		if m.Voter && !m.Outside {
			n++
		}
	}
	return n
}

// inside returns the names of the cluster's members, in name order.
func (r *resolver) inside() []string {
	var names []string
	for _, m := range r.members {
		if !m.Outside {
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
	var out []string
	for _, m := range r.members {
		if slices.Contains(names, m.Name) {
			out = append(out, m.Name)
		}
	}
	return out
}

func alive(m Member) bool {
	return m.Up && !m.Paused
}
