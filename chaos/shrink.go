package chaos

import (
	"reflect"
	"slices"
	"time"
)

// Strike is one fault as it struck.
type Strike struct {
	At time.Duration
	// End is when its effect was undone; 0 if it was not, or has no undo.
	End time.Duration
	// Fault has its nodes and links chosen.
	Fault Fault
	// Leader is true if the only node struck was the leader.
	Leader bool
}

// Schedule writes strikes as steps that name their times and nodes, so that
// nothing is left to draw: the plan behind them, as it came to be. Restarts
// become the restart_after of the crash before them; what was undone by healing
// everything at healAt lasts until then.
func Schedule(strikes []Strike, healAt time.Duration) []Step {
	var steps []Step
	crashes := map[string]int{} // the step that a node is down by
	for _, s := range strikes {
		if s.At >= healAt {
			break
		}
		if s.Fault.Kind == KindRestart {
			if left := s.restarts(steps, crashes); len(left) > 0 {
				steps = append(steps, Step{At: s.At, AtSet: true, Fault: &Restart{Node: left}})
			}
			continue
		}
		step := Step{At: s.At, AtSet: true, Fault: Concrete(s.Fault)}
		if s.End > 0 && s.End < healAt {
			step.For = max(s.End-s.At, time.Millisecond)
		}
		steps = append(steps, step)
		if s.Fault.Kind == KindCrash || s.Fault.Kind == KindPowerLoss || restartsItself(step.Fault) {
			for _, name := range s.Fault.Nodes {
				crashes[name] = len(steps) - 1
			}
		}
	}
	return steps
}

// restarts gives the crash that the restart ends the time between them. It
// returns the nodes that no crash had taken down.
func (s *Strike) restarts(steps []Step, crashes map[string]int) (left Selectors) {
	for _, name := range s.Fault.Nodes {
		at, ok := crashes[name]
		if !ok {
			left = append(left, Selector(name))
			continue
		}
		delete(crashes, name)
		if crash, ok := steps[at].Fault.(*Crash); ok {
			crash.RestartAfter = max(crash.RestartAfter, s.At-steps[at].At)
		}
	}
	return left
}

// restartsItself tells that a fault brings its nodes back by a parameter.
func restartsItself(p Params) bool {
	field := reflect.ValueOf(p).Elem().FieldByName("RestartAfter")
	return field.IsValid() && !field.IsZero()
}

// Concrete returns the parameters of a fault with its chosen nodes and links in
// the place of words. What can't be named, such as a draw that the world makes,
// stays as written.
func Concrete(f Fault) Params {
	switch p := f.Params.(type) {
	case *PowerLoss:
		return &Crash{Node: namesOf(f.Nodes), LoseUnsynced: p.LoseUnsynced, Torn: p.Torn}
	case *Partition:
		return concretePartition(f)
	case *Crash:
		one := *p
		one.Node, one.RestartAfter = namesOf(f.Nodes), 0
		return &one
	}
	old := reflect.ValueOf(f.Params).Elem()
	v := reflect.New(old.Type())
	v.Elem().Set(old)
	nameNodes(v.Elem(), f)
	params, ok := v.Interface().(Params)
	if !ok {
		return f.Params
	}
	return params
}

// nameNodes fills the parameters that choose nodes or links.
func nameNodes(v reflect.Value, f Fault) {
	set := func(name string, nodes []string) {
		if field := v.FieldByName(name); field.IsValid() && field.Type() == reflect.TypeFor[Selectors]() {
			field.Set(reflect.ValueOf(namesOf(nodes)))
		}
	}
	if len(f.Links) > 0 && !everywhere(v) {
		var from, to []string
		for _, l := range f.Links {
			from, to = append(from, l.From), append(to, l.To)
		}
		set("From", unique(from))
		set("To", unique(to))
	}
	switch {
	case len(f.Nodes) > 0 && f.Kind == KindTransfer:
		set("To", f.Nodes)
	case len(f.Nodes) > 0:
		set("Node", f.Nodes)
	}
}

// everywhere tells that a fault on links strikes all of them, as written.
func everywhere(v reflect.Value) bool {
	for _, name := range []string{"From", "To"} {
		field := v.FieldByName(name)
		if !field.IsValid() {
			return true // it has no such parameters
		}
		sels, ok := field.Interface().(Selectors)
		if !ok || len(sels) > 0 && !slices.Equal(sels, Selectors{All}) {
			return false
		}
	}
	return true
}

// concretePartition finds the shortest way to say which links are cut: groups
// that can't reach one another, one side that hears or is heard by nobody, or
// every link by itself.
func concretePartition(f Fault) Params {
	var nodes []string
	for _, l := range f.Links {
		nodes = append(nodes, l.From, l.To)
	}
	nodes = unique(nodes)
	cut := func(a, b string) bool { return slices.Contains(f.Links, Link{From: a, To: b}) }
	written, _ := f.Params.(*Partition)
	// A bridge's middle has none of the links, and would be a group of its own.
	whole := written != nil && written.shape() != "bridge" && written.shape() != "cut"
	if groups := apart(nodes, cut); groups != nil && whole {
		if one, ok := alone(groups); ok {
			return &Partition{Isolate: one, Direction: "both"}
		}
		return &Partition{Groups: groups, Direction: "both"}
	}
	for _, direction := range []string{"in", "out"} {
		var first, rest []string
		for _, l := range f.Links {
			first, rest = append(first, l.From), append(rest, l.To)
		}
		if direction == "in" {
			first, rest = rest, first
		}
		first, rest = unique(first), unique(rest)
		if whole && len(f.Links) == len(first)*len(rest) && len(first)+len(rest) == len(nodes) {
			return &Partition{Isolate: namesOf(first), Direction: direction}
		}
	}
	p := &Partition{Direction: "both"}
	for _, l := range f.Links {
		p.Cut = append(p.Cut, l.From+">"+l.To)
	}
	return p
}

// apart returns the groups of nodes that cuts in both directions leave, or nil
// if some link between two groups works.
func apart(nodes []string, cut func(a, b string) bool) []Selectors {
	var groups []Selectors
	for _, name := range nodes {
		at := slices.IndexFunc(groups, func(g Selectors) bool {
			return !cut(name, string(g[0])) && !cut(string(g[0]), name)
		})
		if at < 0 {
			groups = append(groups, Selectors{Selector(name)})
		} else {
			groups[at] = append(groups[at], Selector(name))
		}
	}
	for i, a := range groups {
		for j, b := range groups {
			for _, from := range a {
				for _, to := range b {
					if from != to && cut(string(from), string(to)) != (i != j) {
						return nil
					}
				}
			}
		}
	}
	if len(groups) < 2 {
		return nil
	}
	return groups
}

// alone finds the one group of two that holds a single node.
func alone(groups []Selectors) (Selectors, bool) {
	if len(groups) != 2 {
		return nil, false
	}
	for i, g := range groups {
		if len(g) == 1 && len(groups[1-i]) > 1 {
			return g, true
		}
	}
	return nil, false
}

// unique returns names in order, each once.
func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

func namesOf(nodes []string) Selectors {
	out := make(Selectors, len(nodes))
	for i, name := range nodes {
		out[i] = Selector(name)
	}
	return out
}

// Rename changes every selector of a fault's parameters, in place; of equal
// ones that come together, one is left.
func Rename(p Params, to func(Selector) Selector) { rename(reflect.ValueOf(p).Elem(), to) }

func rename(v reflect.Value, to func(Selector) Selector) {
	switch {
	case v.Type() == reflect.TypeFor[Selector]():
		v.SetString(string(to(Selector(v.String()))))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			rename(v.Field(i), to)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			rename(v.Index(i), to)
		}
		if list, ok := v.Interface().(Selectors); ok {
			v.Set(reflect.ValueOf(slices.Compact(list)))
		}
	}
}
