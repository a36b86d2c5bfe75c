package plan

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"drydock/node/scheduler"
	"drydock/node/ui"
	"drydock/node/unit"
)

// maxFile bounds a plan file, in bytes.
const maxFile = 64 << 20

// plan is a plan file, read.
type plan struct {
	machines []scheduler.Machine
	steps    []step
	remarks  []ui.Problem
}

// step is what happens at once; each op is one line of it.
type step struct {
	ops []op
}

// verb is what an op does.
type verb string

// The verbs are the keys of a step.
const (
	start   verb = "start"
	load    verb = "load"
	submit  verb = "submit"
	stop    verb = "stop"
	unload  verb = "unload"
	destroy verb = "destroy"
	down    verb = "down"
	up      verb = "up"
	meta    verb = "meta"
	preset  verb = "preset"
	drain   verb = "drain"
	undrain verb = "undrain"
)

// op is one thing that a step does to one unit or machine.
type op struct {
	verb verb
	// name is of a unit, id of a machine.
	name, id string
	// needs are a unit's requirements if the file gives them, else nil.
	needs *unit.Requirements
	// instantiate gives the requirements of an instance of a template.
	instantiate func(unit.Name) *unit.Requirements
	// refused is why a cluster wouldn't take the unit.
	refused string
	machine scheduler.Machine
	// key and value are of metadata; remove takes the key away.
	key, value string
	remove     bool
	at         ui.Problem
}

// problems is a plan file that is wrong.
type problems struct {
	text []byte
	list []ui.Problem
}

// Error writes every problem with an excerpt of the file.
func (p *problems) Error() string {
	parts := make([]string, len(p.list))
	for i, one := range p.list {
		parts[i] = one.Excerpt(p.text)
	}
	return strings.TrimSuffix(strings.Join(parts, ""), "\n")
}

// reader turns the nodes of a file into a plan and collects what is wrong.
type reader struct {
	file string
	// open reads a unit file that the plan names.
	open     func(path string) ([]byte, error)
	problems []ui.Problem
	plan     plan
}

// parse reads a plan file.
func parse(file string, text []byte, open func(path string) ([]byte, error)) (*plan, error) {
	r := &reader{file: file, open: open}
	if len(text) > maxFile {
		r.fail(nil, "", "is %d bytes long, at most %d are read", len(text), maxFile)
		return nil, &problems{list: r.problems}
	}
	var doc yaml.Node
	if err := yaml.Load(text, &doc); err != nil {
		r.syntax(err)
		return nil, &problems{text, r.problems}
	}
	root := &doc
	if root.Kind == yaml.DocumentNode && len(root.Content) == 1 {
		root = root.Content[0]
	}
	r.pairs(root, "the plan", map[string]func(*yaml.Node){
		"machines": func(n *yaml.Node) {
			for _, one := range r.list(n, "machines") {
				if m, ok := r.machine(one); ok {
					if slices.ContainsFunc(r.plan.machines, func(o scheduler.Machine) bool { return o.ID == m.ID }) {
						r.fail(one, "one of them has to go", "machine %q is given twice", m.ID)
					}
					r.plan.machines = append(r.plan.machines, m)
				}
			}
		},
		"steps": func(n *yaml.Node) {
			for _, one := range r.list(n, "steps") {
				r.plan.steps = append(r.plan.steps, r.step(one))
			}
		},
	})
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b ui.Problem) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, &problems{text, r.problems}
	}
	return &r.plan, nil
}

// syntax turns the YAML reader's error into a problem.
func (r *reader) syntax(err error) {
	p := ui.Problem{File: r.file, What: err.Error()}
	var at *yaml.LoadError
	if errors.As(err, &at) {
		p.Line, p.Column = at.Mark.Line, at.Mark.Column
		p.What = strings.TrimPrefix(at.Message, "yaml: ")
		if strings.Contains(p.What, "no documents") {
			p.What, p.Hint = "the file is empty", "a plan has machines and steps; see `drydock fleetctl plan --help`"
		}
	}
	r.problems = append(r.problems, p)
}

// place returns where a node is.
func (r *reader) place(n *yaml.Node, hint, format string, args ...any) ui.Problem {
	p := ui.Problem{File: r.file, What: fmt.Sprintf(format, args...), Hint: hint}
	if n != nil {
		p.Line, p.Column, p.Width = n.Line, n.Column, 1
		if n.Kind == yaml.ScalarNode && !strings.Contains(n.Value, "\n") {
			p.Width = max(1, utf8.RuneCountInString(n.Value))
		}
	}
	return p
}

func (r *reader) fail(n *yaml.Node, hint, format string, args ...any) {
	r.problems = append(r.problems, r.place(n, hint, format, args...))
}

// plain reports nodes that are more than they look.
func (r *reader) plain(n *yaml.Node, what string) bool {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		r.fail(n, "write the value out", "%s: anchors and aliases are not part of the format", what)
		return false
	}
	return true
}

// pairs calls one of take for each key of a mapping, in the file's order.
func (r *reader) pairs(n *yaml.Node, what string, take map[string]func(*yaml.Node)) {
	known := make([]string, 0, len(take))
	for key := range take {
		known = append(known, key)
	}
	slices.Sort(known)
	r.entries(n, what, func(key, value *yaml.Node) {
		if f := take[key.Value]; f != nil {
			f(value)
			return
		}
		hint := "keys: " + strings.Join(known, ", ")
		if near := ui.Nearest(key.Value, known); near != "" {
			hint = fmt.Sprintf("did you mean `%s`?", near)
		}
		r.fail(key, hint, "%s: unknown key `%s`", what, key.Value)
	})
}

// entries calls take for each pair of a mapping, in the file's order.
func (r *reader) entries(n *yaml.Node, what string, take func(key, value *yaml.Node)) {
	if !r.plain(n, what) {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.fail(n, "", "%s: must be a mapping of keys, not %s", what, shape(n))
		return
	}
	var given []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || !r.plain(key, what):
			r.fail(key, "", "%s: a key must be a word", what)
			continue
		case slices.Contains(given, key.Value):
			r.fail(key, "one of them has to go", "%s: `%s` is given twice", what, key.Value)
			continue
		}
		given = append(given, key.Value)
		take(key, value)
	}
}

// list returns the items of a list; a single value is a list of one, null is
// empty.
func (r *reader) list(n *yaml.Node, what string) []*yaml.Node {
	switch {
	case !r.plain(n, what), isNull(n):
		return nil
	case n.Kind == yaml.SequenceNode:
		return n.Content
	}
	return []*yaml.Node{n}
}

// word returns a scalar as it is written.
func (r *reader) word(n *yaml.Node, what string) (string, bool) {
	switch {
	case !r.plain(n, what):
		return "", false
	case n.Kind != yaml.ScalarNode || isNull(n):
		r.fail(n, "", "%s: must be a single value, not %s", what, shape(n))
		return "", false
	case n.Value == "":
		r.fail(n, "", "%s: is empty", what)
		return "", false
	}
	return n.Value, true
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func shape(n *yaml.Node) string {
	switch {
	case isNull(n):
		return "nothing"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	}
	return fmt.Sprintf("%q", n.Value)
}

// machine reads {id, metadata, resources}, or a bare id.
func (r *reader) machine(n *yaml.Node) (m scheduler.Machine, ok bool) {
	if n.Kind == yaml.ScalarNode {
		m.ID, ok = r.word(n, "machine")
		return m, ok
	}
	before := len(r.problems)
	r.pairs(n, "machine", map[string]func(*yaml.Node){
		"id": func(v *yaml.Node) { m.ID, _ = r.word(v, "id") },
		"metadata": func(v *yaml.Node) {
			m.Metadata = make(map[string]string)
			if isNull(v) {
				return
			}
			r.entries(v, "metadata", func(key, value *yaml.Node) {
				if value.Kind == yaml.ScalarNode && value.Value == "" {
					m.Metadata[key.Value] = ""
				} else if text, ok := r.word(value, "metadata "+key.Value); ok {
					m.Metadata[key.Value] = text
				}
			})
		},
		"resources": func(v *yaml.Node) {
			m.Resources = make(map[string]int64)
			if isNull(v) {
				return
			}
			r.entries(v, "resources", func(key, value *yaml.Node) {
				text, ok := r.word(value, "resources "+key.Value)
				if !ok {
					return
				}
				n, err := unit.ParseAmount(strings.ToLower(key.Value), text)
				if err != nil {
					r.fail(value, "as in 4, 1.5, 512M, 8G", "resources %s: %v", key.Value, err)
					return
				}
				m.Resources[resourceName(key.Value)] = n
			})
		},
	})
	if m.ID == "" && len(r.problems) == before {
		r.fail(n, "", "machine: `id` is missing")
	}
	return m, len(r.problems) == before
}

// resourceName makes the resources that have options of their own independent of
// case, as their options are written with capitals.
func resourceName(name string) string {
	if low := strings.ToLower(name); low == unit.CPU || low == unit.Memory || low == unit.Disk {
		return low
	}
	return name
}
