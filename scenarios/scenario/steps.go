package scenario

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"drydock/chaos"
	"drydock/node/ui"
)

// faultWords lists the faults' keys.
func faultWords() []string {
	var words []string
	for _, e := range chaos.Vocabulary() {
		words = append(words, string(e.Kind))
	}
	return words
}

// step fills one entry of steps: trigger keys and exactly one fault.
func (d *decoder) step(n *yaml.Node, s *Step, path string) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, "`- at: 5s`, then a fault on the next line", "steps: a step must be a mapping of keys, not %s", shape(n))
		return
	}
	s.Line = n.Line
	fields := fieldsOf(stepType)
	v := reflect.ValueOf(s).Elem()
	var faults []*yaml.Node
	wrong := len(d.problems)
	d.pairs(n, "step", func(key, value *yaml.Node) bool {
		if at := slices.IndexFunc(fields, func(f field) bool { return f.name == key.Value }); at >= 0 {
			d.decode(value, v.FieldByIndex(fields[at].index), fields[at], path+"."+key.Value)
			return true
		}
		entry, ok := chaos.Find(chaos.Kind(key.Value))
		if !ok {
			return false
		}
		faults = append(faults, key)
		if len(faults) == 1 {
			s.place = position{key.Line, key.Column, len(key.Value)}
			d.fault(key, value, s, entry, path)
		}
		return true
	}, append(fieldNames(fields), faultWords()...))
	s.atSet = d.at[path+".at"] != nil
	d.oneTrigger(n, s, path)
	switch {
	case len(faults) > 1:
		d.fail(faults[1], "give it a step of its own", "step: a second fault, `%s`, beside `%s`", faults[1].Value, faults[0].Value)
	case len(faults) == 0 && len(d.problems) == wrong:
		d.fail(n, "faults: "+strings.Join(faultWords(), ", "), "step: no fault")
	}
}

// oneTrigger checks that a step has exactly one of at, after and every.
func (d *decoder) oneTrigger(n *yaml.Node, s *Step, path string) {
	var given []string
	for _, key := range []string{"at", "after", "every"} {
		if d.at[path+"."+key] != nil {
			given = append(given, key)
		}
	}
	switch {
	case len(given) == 0:
		d.fail(n, "`at: 5s`, `after: leader-elected` or `every: 3s`", "step: nothing says when it strikes")
	case len(given) > 1:
		d.fail(d.at[path+"."+given[1]], "two triggers are two steps", "step: `%s` beside `%s`", given[1], given[0])
	}
	if s.After != nil && !strings.HasPrefix(s.After.Event, chaos.EventStepPrefix) {
		var words []string
		for _, e := range chaos.Events() {
			words = append(words, string(e.Name))
		}
		if !slices.Contains(words, s.After.Event) && s.After.Event != "" {
			at := d.at[path+".after.event"]
			d.fail(at, meant(s.After.Event, words), "after: no event is called %q", s.After.Event)
		}
	}
}

// fault fills the parameters of a step's fault. A `for` among them is the
// step's.
func (d *decoder) fault(key, value *yaml.Node, s *Step, entry chaos.Entry, path string) {
	params := entry.New()
	v := reflect.ValueOf(params).Elem()
	applyDefaults(v)
	inner := *value
	if value.Kind == yaml.MappingNode {
		inner.Content = nil
		for i := 0; i+1 < len(value.Content); i += 2 {
			if value.Content[i].Value != "for" {
				inner.Content = append(inner.Content, value.Content[i], value.Content[i+1])
				continue
			}
			at := slices.IndexFunc(fieldsOf(stepType), func(f field) bool { return f.name == "for" })
			d.decode(value.Content[i+1], reflect.ValueOf(&s.For).Elem(), fieldsOf(stepType)[at], path+".for")
		}
	}
	name := string(entry.Kind)
	wrong := len(d.problems)
	if _, bare := scalarField(v.Type()); isNull(&inner) && (!bare || noneRequired(v.Type())) {
		inner = yaml.Node{Kind: yaml.MappingNode, Line: key.Line, Column: key.Column}
	}
	d.decode(&inner, v, field{name: name}, path+"."+name)
	s.Fault = params
	var param *chaos.ParamError
	if err := chaos.Check(params); errors.As(err, &param) && len(d.problems) == wrong {
		at := d.at[path+"."+name+"."+param.Param]
		if at == nil {
			at = key
		}
		d.fail(at, param.Hint, "%s: %s", name, param.Why)
	}
	if m, ok := params.(*chaos.Membership); ok {
		for _, list := range []struct {
			key   string
			names []string
		}{{"add", m.Add}, {"remove", m.Remove}} {
			for i, one := range list.names {
				at := d.at[fmt.Sprintf("%s.%s.%s[%d]", path, name, list.key, i)]
				d.selected = append(d.selected, selected{at, chaos.Selector(one)})
			}
		}
	}
}

func noneRequired(t reflect.Type) bool {
	return !slices.ContainsFunc(fieldsOf(t), func(f field) bool { return f.required })
}

// position is a place in the file.
type position struct {
	line, column, width int
}

// Refusals returns a problem for every step whose fault a world can't inject;
// supports is the world's.
func (s *Scenario) Refusals(world string, supports func(chaos.Kind) error) []ui.Problem {
	var out []ui.Problem
	for _, step := range s.Steps {
		if step.Fault.Kind() == chaos.KindHeal {
			continue
		}
		if err := supports(step.Fault.Kind()); err != nil {
			out = append(out, ui.Problem{
				File: s.File, Line: step.place.line, Column: step.place.column, Width: step.place.width,
				What: fmt.Sprintf("the world %s can't inject `%s`: %s", world, step.Fault.Kind(), err),
				Hint: "`drydock scenario faults` says which world can inject what",
			})
		}
	}
	return out
}

// StepsOf returns a plan as the steps of a file.
func StepsOf(plan chaos.Plan) []Step {
	var out []Step
	for _, step := range plan.Steps {
		out = append(out, Step{
			Name: step.Name, At: step.At, After: step.After, Every: step.Every,
			Jitter: step.Jitter, For: step.For, Fault: step.Fault, atSet: step.AtSet,
		})
	}
	return out
}
