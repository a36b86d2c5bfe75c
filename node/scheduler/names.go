package scheduler

import (
	"slices"
	"strings"
)

// names finds units by the beginning of their names. Most patterns are about the
// instances of a template, which have a list each. For others all names are put in
// order, from the first time that somebody asks.
type names struct {
	templates map[string]*template
	last      *template
	ordered   bool
	fresh     []int32
	// runs are sorted; each is at most half as long as the one before.
	runs [][]string
	// stale says that runs may hold names that have no unit any more, or twice.
	stale bool
}

// template is the units whose names begin alike up to and with the first @.
type template struct {
	stem string
	live int
	// members may hold units that are gone, or twice, or that have another name now.
	members []int32
}

// freshMax is how many names are looked through rather than sorted.
const freshMax = 32

// add enters a name that is new.
func (n *names) add(name string, u int32) {
	if n.ordered {
		n.fresh = append(n.fresh, u)
	}
	at := strings.IndexByte(name, '@')
	if at < 0 {
		return
	}
	stem := name[:at+1]
	if n.last == nil || n.last.stem != stem {
		if n.last = n.templates[stem]; n.last == nil {
			n.last = &template{stem: stem}
			n.templates[stem] = n.last
		}
	}
	n.last.live++
	n.last.members = append(n.last.members, u)
}

// remove takes out a name that has no unit any more.
func (n *names) remove(s *Scheduler, name string) {
	n.stale = true
	at := strings.IndexByte(name, '@')
	if at < 0 {
		return
	}
	t := n.templates[name[:at+1]]
	if t.live--; t.live == 0 {
		delete(n.templates, t.stem)
		if n.last == t {
			n.last = nil
		}
		return
	}
	if len(t.members) > 2*t.live+freshMax {
		slices.Sort(t.members)
		t.members = slices.DeleteFunc(slices.Compact(t.members), func(u int32) bool { return !strings.HasPrefix(s.name(u), t.stem) })
	}
}

// beginning returns units that include all whose names begin with a prefix.
func (n *names) beginning(s *Scheduler, prefix string) []int32 {
	if at := strings.IndexByte(prefix, '@'); at >= 0 {
		if t := n.templates[prefix[:at+1]]; t != nil {
			return t.members
		}
		return nil
	}
	if !n.ordered {
		n.ordered = true
		for u := range int32(s.unitCount) {
			n.fresh = append(n.fresh, u)
		}
	}
	return n.withPrefix(s, prefix)
}

func (n *names) withPrefix(s *Scheduler, prefix string) []int32 {
	if len(n.fresh) > freshMax {
		n.sort(s)
	}
	var found []int32
	for _, u := range n.fresh {
		if s.name(u) != "" && strings.HasPrefix(s.name(u), prefix) {
			found = append(found, u)
		}
	}
	for _, run := range n.runs {
		i, _ := slices.BinarySearch(run, prefix)
		for ; i < len(run) && strings.HasPrefix(run[i], prefix); i++ {
			if u, ok := s.lookup(run[i]); ok {
				found = append(found, u)
			}
		}
	}
	return found
}

// sort makes a run of the fresh names and merges runs until each is short beside
// the one before.
func (n *names) sort(s *Scheduler) {
	run := make([]string, 0, len(n.fresh))
	for _, u := range n.fresh {
		if s.name(u) != "" {
			run = append(run, s.name(u))
		}
	}
	n.fresh = n.fresh[:0]
	slices.Sort(run)
	for len(n.runs) > 0 && len(n.runs[len(n.runs)-1]) < 2*len(run) {
		last := n.runs[len(n.runs)-1]
		n.runs = n.runs[:len(n.runs)-1]
		run = merge(s, last, run, n.stale)
	}
	n.stale = n.stale && len(n.runs) > 0
	n.runs = append(n.runs, run)
}

// merge joins two sorted runs; if they may be stale, without the names that have no
// unit any more, and each once.
func merge(s *Scheduler, a, b []string, stale bool) []string {
	out := make([]string, 0, len(a)+len(b))
	for len(a) > 0 || len(b) > 0 {
		from := &a
		if len(a) == 0 || len(b) > 0 && b[0] < a[0] {
			from = &b
		}
		name := (*from)[0]
		*from = (*from)[1:]
		if stale {
			if _, ok := s.lookup(name); !ok || len(out) > 0 && out[len(out)-1] == name {
				continue
			}
		}
		out = append(out, name)
	}
	return out
}
