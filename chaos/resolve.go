package chaos

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Resolve chooses the nodes and links that a fault strikes now, of these members and
// by these draws, for who injects a single fault and has no plan.
func Resolve(p Params, members []Member, rng *rand.Rand) (Fault, error) {
	return p.resolve(&resolver{members: members, rng: rng})
}

func (p *Crash) resolve(r *resolver) (Fault, error) {
	return r.onNodes(p, p.Node, "crash", func(m Member) string { return when(!m.Up, "down already") })
}

func (p *Restart) resolve(r *resolver) (Fault, error) {
	return r.onNodes(p, p.Node, "restart", func(m Member) string {
		return when(m.Up, "running already") + when(m.Outside, "outside the cluster")
	})
}

func (p *Pause) resolve(r *resolver) (Fault, error) {
	return r.onNodes(p, p.Node, "pause", func(m Member) string {
		return when(!m.Up, "down") + when(m.Up && m.Paused, "paused already")
	})
}

func (p *Transfer) resolve(r *resolver) (Fault, error) {
	return r.onNodes(p, p.To, "transfer leadership to", func(m Member) string {
		return when(!m.Up, "down") + when(m.Up && m.Leader, "the leader already")
	})
}

func (p *SlowDisk) resolve(r *resolver) (Fault, error) {
	f, err := r.onNodes(p, p.Node, "slow disk", func(Member) string { return "" })
	f.Text += fmt.Sprintf(", syncs take %s more", p.Latency)
	return f, err
}

func (p *PowerLoss) resolve(r *resolver) (Fault, error) {
	f, err := r.onNodes(p, Selectors{All}, "power loss of all members,", func(m Member) string {
		return when(!m.Up, "down already")
	})
	return f, err
}

func (p *Heal) resolve(*resolver) (Fault, error) {
	return Fault{Kind: p.Kind(), Params: p, Text: "heal " + strings.Join(p.What, ", ")}, nil
}

func (p *Membership) resolve(*resolver) (Fault, error) {
	text := "membership"
	if len(p.Add) > 0 {
		text += " add " + strings.Join(p.Add, " ")
	}
	if len(p.Remove) > 0 {
		text += " remove " + strings.Join(p.Remove, " ")
	}
	return Fault{Kind: p.Kind(), Params: p, Nodes: slices.Concat(p.Add, p.Remove), Text: text}, nil
}

func (p *Delay) resolve(r *resolver) (Fault, error) {
	text := "delay " + p.Latency.String()
	if p.Jitter > 0 {
		text += " and more, mean " + p.Jitter.Round(time.Microsecond).String() + ","
	}
	return r.onLinks(p, p.Links, text)
}

func (p *Loss) resolve(r *resolver) (Fault, error) {
	return r.onLinks(p, p.Links, "loss "+p.Probability.String())
}

func (p *Duplicate) resolve(r *resolver) (Fault, error) {
	return r.onLinks(p, p.Links, "duplicate "+p.Probability.String())
}

func (p *Reorder) resolve(r *resolver) (Fault, error) {
	return r.onLinks(p, p.Links, fmt.Sprintf("reorder %s within %s", p.Probability, p.Window))
}

// String writes a probability as people do: 5%.
func (p Probability) String() string {
	return fmt.Sprintf("%.4g%%", float64(p)*100)
}

// onNodes resolves a fault on nodes. Idle says why a fault would change nothing
// at a member, or nothing; those members are left out.
func (r *resolver) onNodes(p Params, sels Selectors, verb string, idle func(Member) string) (Fault, error) {
	names, err := r.nodes(sels)
	if err != nil {
		return Fault{}, err
	}
	in := make(map[string]bool, len(names))
	for _, name := range names {
		in[name] = true
	}
	var struck, skipped []string
	for _, m := range r.members {
		if !in[m.Name] {
			continue
		}
		if why := idle(m); why != "" {
			skipped = append(skipped, m.Name+" is "+why)
		} else {
			struck = append(struck, m.Name)
		}
	}
	if len(struck) == 0 {
		return Fault{}, fmt.Errorf("%w: %s", ErrNoEffect, strings.Join(skipped, ", "))
	}
	return Fault{Kind: p.Kind(), Params: p, Nodes: struck, Text: verb + " " + listed(struck)}, nil
}

// listed writes names for people: of many, the first few.
func listed(names []string) string {
	const most = 16
	if len(names) <= most {
		return strings.Join(names, " ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], " "), len(names)-most)
}

// when returns why if it is so.
func when(so bool, why string) string {
	if so {
		return why
	}
	return ""
}

func (r *resolver) onLinks(p Params, l Links, text string) (Fault, error) {
	from, err := r.nodes(orAll(l.From))
	if err != nil {
		return Fault{}, err
	}
	to, err := r.nodes(orAll(l.To))
	if err != nil {
		return Fault{}, err
	}
	f := Fault{Kind: p.Kind(), Params: p}
	for _, a := range from {
		for _, b := range to {
			if a != b && !(isWorker(a) && isWorker(b)) {
				f.Links = append(f.Links, Link{From: a, To: b})
			}
		}
	}
	if len(f.Links) == 0 {
		return f, fmt.Errorf("%w: workers have links with members alone", ErrNoEffect)
	}
	inside := len(r.inside())
	if len(f.Links) == inside*(inside-1) {
		f.Text = text + " on all links"
	} else {
		f.Text = fmt.Sprintf("%s from %s to %s", text, braces(from), braces(to))
	}
	return f, nil
}

func orAll(s Selectors) Selectors {
	if len(s) == 0 {
		return Selectors{All}
	}
	return s
}

// resolve turns every shape of partition into the directed links it cuts, so
// that a target knows one meaning only.
func (p *Partition) resolve(r *resolver) (Fault, error) {
	f := Fault{Kind: p.Kind(), Params: p}
	var err error
	switch p.shape() {
	case "isolate":
		err = r.isolate(p, &f)
	case "bridge":
		err = r.bridge(p, &f)
	case "ring":
		r.ring(&f)
	case "groups":
		err = r.groups(p, &f)
	case "cut":
		r.links(p, &f)
	default:
		names := r.inside()
		r.shuffle(names)
		cut := len(names)/2 + 1
		r.split(p, &f, [][]string{r.order(names[:cut]), r.order(names[cut:])})
	}
	return f, err
}

// shape is the written shape or the one that the other parameters imply.
func (p *Partition) shape() string {
	switch {
	case p.Shape != "":
		return p.Shape
	case len(p.Isolate) > 0:
		return "isolate"
	case len(p.Bridge) > 0:
		return "bridge"
	case len(p.Groups) > 0:
		return "groups"
	case len(p.Cut) > 0:
		return "cut"
	}
	return "halves"
}

func (r *resolver) isolate(p *Partition, f *Fault) error {
	who := p.Isolate
	if len(who) == 0 {
		who = Selectors{Any}
	}
	names, err := r.nodes(who)
	if err != nil {
		return err
	}
	f.Nodes = names
	rest := r.without(names)
	if slices.ContainsFunc(names, func(name string) bool { return !isWorker(name) }) {
		// A member that is alone has no worker either.
		for _, m := range r.members {
			if m.Worker && !slices.Contains(names, m.Name) {
				rest = append(rest, m.Name)
			}
		}
	}
	r.split(p, f, [][]string{names, rest})
	return nil
}

// isWorker says whether a name is a worker's. Workers have no links among
// themselves.
func isWorker(name string) bool { return strings.HasPrefix(name, "w") }

func (r *resolver) bridge(p *Partition, f *Fault) error {
	who := p.Bridge
	if len(who) == 0 {
		who = Selectors{Any}
	}
	middle, err := r.nodes(who)
	if err != nil {
		return err
	}
	rest := r.without(middle)
	r.shuffle(rest)
	a, b := r.order(rest[:len(rest)/2]), r.order(rest[len(rest)/2:])
	f.Nodes = middle
	f.cut(a, b)
	f.cut(b, a)
	f.sortLinks(r)
	f.Text = fmt.Sprintf("partition %s | %s, %s reaches both", braces(a), braces(b), strings.Join(middle, " "))
	return nil
}

// ring cuts all links but those of each member to its two neighbours in a
// random circle.
func (r *resolver) ring(f *Fault) {
	circle := r.inside()
	r.shuffle(circle)
	n := len(circle)
	for i, a := range circle {
		for j, b := range circle {
			if gap := (i - j + n) % n; gap > 1 && gap < n-1 {
				f.Links = append(f.Links, Link{From: a, To: b})
			}
		}
	}
	f.sortLinks(r)
	f.Text = "partition into the ring " + strings.Join(circle, "-")
}

func (r *resolver) groups(p *Partition, f *Fault) error {
	var groups [][]string
	var listed []string
	for _, sels := range p.Groups {
		names, err := r.nodes(sels)
		if err != nil {
			return err
		}
		groups = append(groups, names)
		listed = append(listed, names...)
	}
	if rest := r.without(listed); len(rest) > 0 {
		groups = append(groups, rest)
	}
	r.split(p, f, groups)
	return nil
}

// links cuts single links, as far as both ends are of the cluster.
func (r *resolver) links(p *Partition, f *Fault) {
	inside := r.inside()
	known := func(name string) bool { return isWorker(name) || slices.Contains(inside, name) }
	for _, link := range p.Cut {
		from, to, _ := strings.Cut(link, ">")
		if known(from) && known(to) {
			f.cut([]string{from}, []string{to})
		}
	}
	f.sortLinks(r)
	f.Text = "partition " + strings.Join(p.Cut, " ")
}

// split cuts the links between groups, in the partition's direction.
func (r *resolver) split(p *Partition, f *Fault, groups [][]string) {
	for i, a := range groups {
		for j, b := range groups {
			in := p.Direction == "in" && i == 0
			out := p.Direction == "out" && j == 0
			oneWay := p.Direction == "in" || p.Direction == "out"
			if i != j && !in && !out && (!oneWay || i == 0 || j == 0) {
				f.cut(a, b)
			}
		}
	}
	f.sortLinks(r)
	words := make([]string, len(groups))
	for i, group := range groups {
		words[i] = braces(group)
	}
	f.Text = "partition " + strings.Join(words, " | ")
	switch p.Direction {
	case "in":
		f.Text += ", nothing reaches the first"
	case "out":
		f.Text += ", nothing leaves the first"
	}
}

func (r *resolver) without(names []string) []string {
	return slices.DeleteFunc(r.inside(), func(name string) bool { return slices.Contains(names, name) })
}

// cut adds the links from every node of a to every node of b.
func (f *Fault) cut(a, b []string) {
	for _, from := range a {
		for _, to := range b {
			if from != to && !(isWorker(from) && isWorker(to)) {
				f.Links = append(f.Links, Link{From: from, To: to})
			}
		}
	}
}

func (f *Fault) sortLinks(r *resolver) {
	place := make(map[string]int, len(r.members))
	for i, m := range r.members {
		place[m.Name] = i
	}
	slices.SortFunc(f.Links, func(a, b Link) int {
		return cmp.Or(cmp.Compare(place[a.From], place[b.From]), cmp.Compare(place[a.To], place[b.To]))
	})
	f.Links = slices.Compact(f.Links)
}

func braces(names []string) string {
	return "{" + listed(names) + "}"
}
