package plan

import (
	"errors"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"

	"drydock/node/scheduler"
	"drydock/node/ui"
	"drydock/node/unit"
)

// step reads one step. What it does is in the file's order, save that presets
// come last: the units that they speak of may be started by the same step.
func (r *reader) step(n *yaml.Node) step {
	var ops, presets []op
	units := func(v verb) func(*yaml.Node) {
		return func(n *yaml.Node) {
			for _, one := range r.list(n, string(v)) {
				if o, ok := r.unit(one, v); ok {
					ops = append(ops, o)
				}
			}
		}
	}
	words := func(v verb, set func(o *op, word string)) func(*yaml.Node) {
		return func(n *yaml.Node) {
			for _, one := range r.list(n, string(v)) {
				if word, ok := r.word(one, string(v)); ok {
					o := op{verb: v, at: r.place(one, "", "")}
					set(&o, word)
					ops = append(ops, o)
				}
			}
		}
	}
	name := func(o *op, word string) { o.name = word }
	id := func(o *op, word string) { o.id = word }
	r.pairs(n, "step", map[string]func(*yaml.Node){
		"start": units(start), "load": units(load), "submit": units(submit),
		"stop": words(stop, name), "unload": words(unload, name), "destroy": words(destroy, name),
		"down": words(down, id), "drain": words(drain, id), "undrain": words(undrain, id),
		"up": func(n *yaml.Node) {
			for _, one := range r.list(n, "up") {
				if m, ok := r.machine(one); ok {
					ops = append(ops, op{verb: up, id: m.ID, machine: m, at: r.place(one, "", "")})
				}
			}
		},
		"meta": func(n *yaml.Node) { ops = append(ops, r.meta(n)...) },
		"preset": func(n *yaml.Node) {
			r.entries(n, "preset", func(key, value *yaml.Node) {
				if id, ok := r.word(value, "preset "+key.Value); ok {
					presets = append(presets, op{verb: preset, name: key.Value, id: id, at: r.place(key, "", "")})
				}
			})
		},
	})
	return step{append(ops, presets...)}
}

// meta reads {id: {key: value}}; a null value takes the key away.
func (r *reader) meta(n *yaml.Node) (ops []op) {
	r.entries(n, "meta", func(id, pairs *yaml.Node) {
		r.entries(pairs, "meta "+id.Value, func(key, value *yaml.Node) {
			o := op{verb: meta, id: id.Value, key: key.Value, at: r.place(id, "", "")}
			switch {
			case isNull(value):
				o.remove = true
			case value.Kind == yaml.ScalarNode && value.Value == "":
			default:
				text, ok := r.word(value, "meta "+id.Value+" "+key.Value)
				if !ok {
					return
				}
				o.value = text
			}
			ops = append(ops, o)
		})
	})
	return ops
}

// unit reads {name, fleet} or {file}, or a bare name.
func (r *reader) unit(n *yaml.Node, v verb) (o op, ok bool) {
	o = op{verb: v, at: r.place(n, "", "")}
	before := len(r.problems)
	var fleet, file, name *yaml.Node
	if n.Kind == yaml.ScalarNode {
		name = n
	} else {
		r.pairs(n, "unit", map[string]func(*yaml.Node){
			"name":  func(v *yaml.Node) { name = v },
			"fleet": func(v *yaml.Node) { fleet = v },
			"file":  func(v *yaml.Node) { file = v },
		})
	}
	if name != nil {
		o.name, _ = r.word(name, "name")
	}
	switch {
	case file != nil && fleet != nil:
		r.fail(fleet, "the file has the lines", "unit: `fleet` and `file` exclude each other")
	case file != nil:
		r.unitFile(&o, file)
	case o.name != "":
		r.fleetLines(&o, name, fleet)
	case name == nil && len(r.problems) == before:
		r.fail(n, "", "unit: `name` is missing")
	}
	return o, len(r.problems) == before
}

// unitName checks a unit's name. One without a suffix is kept as it is.
func (r *reader) unitName(n *yaml.Node, written string) (unit.Name, bool) {
	name, err := unit.ParseName(written)
	if err == nil {
		return name, true
	}
	if name, err2 := unit.ParseName(unit.Complete(written)); err2 == nil {
		r.plan.remarks = append(r.plan.remarks,
			r.place(n, "", "%v: a cluster would call it %s", err, name))
		return name, true
	}
	r.fail(n, "as in hello.service or hello@1.service", "name %q: %v", written, err)
	return unit.Name{}, false
}

// fleetLines reads the lines of a unit's X-Fleet section.
func (r *reader) fleetLines(o *op, at, fleet *yaml.Node) {
	name, ok := r.unitName(at, o.name)
	if !ok || fleet == nil {
		return
	}
	var lines []string
	var nodes []*yaml.Node
	for _, item := range r.list(fleet, "fleet") {
		text, ok := r.word(item, "fleet")
		if !ok {
			return
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
			lines, nodes = append(lines, line), append(nodes, item)
		}
	}
	place := func(p unit.Problem) ui.Problem {
		node := fleet
		if p.Line >= 1 && p.Line <= len(nodes) {
			node = nodes[p.Line-1]
		}
		p.Line = 0
		return r.place(node, "", "%s: %v", o.name, p)
	}
	needs, remarks, err := unit.ParseFleet(name, lines)
	if name.IsTemplate() {
		remarks = nil // without an instance, values may be empty that won't be
	}
	o.instantiate = func(of unit.Name) *unit.Requirements {
		needs, _, err := unit.ParseFleet(of, lines)
		if err != nil {
			return nil // the template's own reading has said so
		}
		return &needs
	}
	r.take(o, needs, remarks, err, place)
}

// unitFile reads the unit file that a plan names.
func (r *reader) unitFile(o *op, n *yaml.Node) {
	path, ok := r.word(n, "file")
	if !ok {
		return
	}
	text, err := r.open(path)
	if err != nil {
		r.fail(n, "paths are relative to the plan's folder", "file: %v", err)
		return
	}
	if o.name == "" {
		o.name = filepath.Base(path)
	}
	name, ok := r.unitName(n, o.name)
	if !ok {
		return
	}
	u, err := unit.Parse(name.String(), text)
	place := func(p unit.Problem) ui.Problem {
		return ui.Problem{File: path, Line: p.Line, What: strings.TrimPrefix(problemWithoutLine(p), ": ")}
	}
	if err != nil {
		r.take(o, unit.Requirements{}, nil, err, place)
		return
	}
	o.instantiate = func(of unit.Name) *unit.Requirements {
		one, err := u.Instantiate(of.Instance())
		if err != nil {
			return nil
		}
		needs := one.Fleet()
		return &needs
	}
	r.take(o, u.Fleet(), u.Remarks(), nil, place)
}

func problemWithoutLine(p unit.Problem) string {
	p.Line = 0
	return p.Error()
}

// take enters a unit's requirements, or what is wrong with them.
func (r *reader) take(o *op, needs unit.Requirements, remarks []unit.Problem, err error, place func(unit.Problem) ui.Problem) {
	for _, p := range remarks {
		r.plan.remarks = append(r.plan.remarks, place(p))
	}
	if err != nil {
		var all *unit.Error
		if !errors.As(err, &all) {
			all = &unit.Error{Problems: []unit.Problem{{What: err.Error()}}}
		}
		for _, p := range all.Problems {
			r.problems = append(r.problems, place(p))
		}
		return
	}
	if err := needs.Validate(); err != nil {
		o.refused = err.Error()
	}
	o.needs = &needs
}

// withOverrides is the machine of an up, with what meta has set since.
func (o *op) withOverrides(overrides []op) scheduler.Machine {
	m := o.machine
	m.Metadata = make(map[string]string, len(o.machine.Metadata))
	for key, value := range o.machine.Metadata {
		m.Metadata[key] = value
	}
	for _, over := range overrides {
		if over.id != m.ID {
			continue
		}
		if over.remove {
			delete(m.Metadata, over.key)
		} else {
			m.Metadata[over.key] = over.value
		}
	}
	return m
}
