package scenario

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"drydock/chaos"
	"drydock/node/ui"
)

// Bounds on what a file may hold.
const (
	maxDepth    = 12
	maxList     = 1000
	maxDuration = 24 * time.Hour
	maxProblems = 50
)

// decoder fills the format's structs from a tree of YAML nodes and collects
// everything that is wrong.
type decoder struct {
	file     string
	what     string // what errors call the file
	problems []ui.Problem
	// at holds the value node of every key that was given, by path.
	at map[string]*yaml.Node
	// selected are all places that name nodes, to be compared with the cluster
	// once its size is known.
	selected []selected
}

type selected struct {
	node *yaml.Node
	sel  chaos.Selector
}

// fail records a problem at a node.
func (d *decoder) fail(n *yaml.Node, hint, format string, args ...any) {
	p := ui.Problem{File: d.file, What: fmt.Sprintf(format, args...), Hint: hint}
	if n != nil {
		p.Line, p.Column, p.Width = n.Line, n.Column, 1
		if n.Kind == yaml.ScalarNode && !strings.Contains(n.Value, "\n") {
			p.Width = max(1, utf8.RuneCountInString(n.Value))
		}
	}
	d.problems = append(d.problems, p)
}

// decode fills v from n. Path is the key's full name.
func (d *decoder) decode(n *yaml.Node, v reflect.Value, f field, path string) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.fail(n, "write the value out", "%s: anchors and aliases are not part of the format", f.name)
		return
	}
	if strings.Count(path, ".") > maxDepth {
		d.fail(n, "", "%s: nested too deeply", f.name)
		return
	}
	d.at[path] = n
	switch {
	case v.Type() == durationType:
		d.duration(n, v, f)
	case v.Type() == probabilityType:
		d.probability(n, v, f)
	case v.Type() == selectorType:
		d.selector(n, v, f)
	case v.Type() == stepType:
		d.step(n, v.Addr().Interface().(*Step), path)
	case v.Type() == expectationType:
		d.expectation(n, v.Addr().Interface().(*Expectation))
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		applyDefaults(v.Elem())
		d.decode(n, v.Elem(), f, path)
	case v.Kind() == reflect.Struct:
		d.object(n, v, f, path)
	case v.Kind() == reflect.Slice:
		d.list(n, v, f, path)
	default:
		d.scalar(n, v, f)
	}
}

// object fills a struct from a mapping, or from a bare value that stands for
// one of its keys.
func (d *decoder) object(n *yaml.Node, v reflect.Value, f field, path string) {
	fields := fieldsOf(v.Type())
	if n.Kind != yaml.MappingNode {
		bare, ok := scalarField(v.Type())
		switch {
		case ok && isNull(n):
			d.missing(n, v.Type(), f.name, nil)
		case ok:
			d.decode(n, v.FieldByIndex(bare.index), bare, path+"."+bare.name)
		default:
			d.fail(n, "keys: "+strings.Join(fieldNames(fields), ", "), "%s: must be a mapping of keys, not %s", f.name, shape(n))
		}
		return
	}
	given := d.pairs(n, f.name, func(key, value *yaml.Node) bool {
		at := slices.IndexFunc(fields, func(one field) bool { return one.name == key.Value })
		if at < 0 {
			return false
		}
		d.decode(value, v.FieldByIndex(fields[at].index), fields[at], join(path, key.Value))
		return true
	}, fieldNames(fields))
	d.missing(n, v.Type(), f.name, given)
}

// missing reports required keys that were not given.
func (d *decoder) missing(n *yaml.Node, t reflect.Type, name string, given []string) {
	for _, one := range fieldsOf(t) {
		if one.required && !slices.Contains(given, one.name) {
			d.fail(n, one.doc, "%s: `%s` is missing", name, one.name)
		}
	}
}

// pairs calls take for each key of a mapping and reports keys that it doesn't
// take, repeated ones and such that are no plain words.
func (d *decoder) pairs(n *yaml.Node, name string, take func(key, value *yaml.Node) bool, known []string) []string {
	var given []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			d.fail(key, "", "%s: a key must be a word", name)
		case slices.Contains(given, key.Value):
			d.fail(key, "one of them has to go", "%s: `%s` is given twice", name, key.Value)
		case !take(key, value):
			d.fail(key, meant(key.Value, known), "%s: unknown key `%s`", name, key.Value)
		}
		given = append(given, key.Value)
	}
	return given
}

// list fills a slice; a bare value is a list of one.
func (d *decoder) list(n *yaml.Node, v reflect.Value, f field, path string) {
	items := []*yaml.Node{n}
	switch {
	case n.Kind == yaml.SequenceNode:
		items = n.Content
	case n.Kind != yaml.ScalarNode || isNull(n) || v.Type().Elem().Kind() == reflect.Struct:
		d.fail(n, "", "%s: must be a list, not %s", f.name, shape(n))
		return
	}
	if len(items) > maxList {
		d.fail(n, "", "%s: %d entries, at most %d are allowed", f.name, len(items), maxList)
		return
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		if t := out.Type().Elem(); t.Kind() == reflect.Struct && t != stepType && t != expectationType {
			applyDefaults(out.Index(i))
		}
		d.decode(item, out.Index(i), f, path+"["+strconv.Itoa(i)+"]")
	}
	v.Set(out)
}

// scalar fills a string, number or truth value.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, f field) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.fail(n, "", "%s: must be a single value, not %s", f.name, shape(n))
		return
	}
	switch v.Kind() {
	case reflect.String:
		d.text(n, v, f)
	case reflect.Bool:
		switch strings.ToLower(n.Value) {
		case "true", "yes", "on":
			v.SetBool(true)
		case "false", "no", "off":
			v.SetBool(false)
		default:
			d.fail(n, "true or false", "%s: %q is neither true nor false", f.name, n.Value)
		}
	case reflect.Int:
		x, err := strconv.Atoi(n.Value)
		if err != nil {
			d.fail(n, "a whole number", "%s: %q is not a whole number", f.name, n.Value)
			return
		}
		if d.inBounds(n, float64(x), f) {
			v.SetInt(int64(x))
		}
	case reflect.Float64:
		x, err := strconv.ParseFloat(strings.TrimSuffix(n.Value, "/s"), 64)
		if err != nil || x != x {
			d.fail(n, "a number", "%s: %q is not a number", f.name, n.Value)
			return
		}
		if d.inBounds(n, x, f) {
			v.SetFloat(x)
		}
	default:
		panic(fmt.Sprintf("the format has a key of type %s that the decoder doesn't know", v.Type()))
	}
}

func (d *decoder) text(n *yaml.Node, v reflect.Value, f field) {
	if len(f.enum) > 0 && !slices.Contains(f.enum, n.Value) {
		d.fail(n, meant(n.Value, f.enum), "%s: %q is not one of %s", f.name, n.Value, strings.Join(f.enum, ", "))
		return
	}
	v.SetString(n.Value)
}

func (d *decoder) inBounds(n *yaml.Node, x float64, f field) bool {
	lo, loErr := strconv.ParseFloat(f.min, 64)
	hi, hiErr := strconv.ParseFloat(f.max, 64)
	if (loErr == nil && x < lo) || (hiErr == nil && x > hi) {
		d.fail(n, "", "%s: %s is out of bounds, %s to %s", f.name, n.Value, f.min, f.max)
		return false
	}
	return true
}

// mayBeZero are the times for which nothing is a sensible amount.
var mayBeZero = []string{"at", "jitter", "latency", "tail_latency", "wait", "think", "restart_after", "fsync"}

func (d *decoder) duration(n *yaml.Node, v reflect.Value, f field) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.fail(n, "a time such as 500ms, 3s or 1m30s", "%s: must be a time, not %s", f.name, shape(n))
		return
	}
	x, err := time.ParseDuration(n.Value)
	if err != nil {
		hint := "a time such as 500ms, 3s or 1m30s"
		if _, err := strconv.ParseFloat(n.Value, 64); err == nil {
			hint = fmt.Sprintf("`%ss` or `%sms`?", n.Value, n.Value)
		}
		d.fail(n, hint, "%s: %q is not a time", f.name, n.Value)
		return
	}
	switch {
	case x < 0:
		d.fail(n, fmt.Sprintf("`%s: %s`?", f.name, -x), "%s: a time can't be negative", f.name)
	case x == 0 && !slices.Contains(mayBeZero, f.name):
		d.fail(n, "leave the key out for its default", "%s: must be more than nothing", f.name)
	case x > maxDuration:
		d.fail(n, "", "%s: %s is more than %s", f.name, n.Value, maxDuration)
	default:
		v.SetInt(int64(x))
	}
}

func (d *decoder) probability(n *yaml.Node, v reflect.Value, f field) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.fail(n, "`5%` or `0.05`", "%s: must be a chance, not %s", f.name, shape(n))
		return
	}
	digits, percent := strings.CutSuffix(n.Value, "%")
	x, err := strconv.ParseFloat(digits, 64)
	if err != nil || x != x {
		d.fail(n, "`5%` or `0.05`", "%s: %q is not a chance", f.name, n.Value)
		return
	}
	hint := "0% to 100%"
	if !percent && x > 1 && x <= 100 {
		hint = fmt.Sprintf("`%s%%`?", n.Value)
	}
	if percent {
		x /= 100
	}
	if x < 0 || x > 1 {
		d.fail(n, hint, "%s: %s is not between 0 and 1", f.name, n.Value)
		return
	}
	v.SetFloat(x)
}

func (d *decoder) selector(n *yaml.Node, v reflect.Value, f field) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.fail(n, "a name such as n3, or leader, follower, …", "%s: must name nodes, not %s", f.name, shape(n))
		return
	}
	s := chaos.Selector(n.Value)
	if !s.Valid() {
		var words []string
		for _, info := range chaos.SelectorWords()[1:] {
			words = append(words, string(info.Name))
		}
		hint := meant(n.Value, words)
		d.fail(n, hint, "%s: %q names no node", f.name, n.Value)
		return
	}
	d.selected = append(d.selected, selected{n, s})
	v.SetString(n.Value)
}

// applyDefaults sets every key of a struct to its default.
func applyDefaults(v reflect.Value) {
	d := &decoder{at: map[string]*yaml.Node{}}
	for _, f := range fieldsOf(v.Type()) {
		one := v.FieldByIndex(f.index)
		switch {
		case f.def != "":
			d.decode(&yaml.Node{Kind: yaml.ScalarNode, Value: f.def, Tag: "!!str"}, one, f, f.name)
		case one.Kind() == reflect.Struct:
			applyDefaults(one)
		}
	}
	if len(d.problems) > 0 {
		panic(fmt.Sprintf("default of %s: %s", v.Type(), d.problems[0].What))
	}
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

// shape says what a node is, for errors.
func shape(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	}
	return fmt.Sprintf("%q", n.Value)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// meant writes the hint for a word that is not known.
func meant(written string, known []string) string {
	if near := ui.Nearest(written, known); near != "" {
		return fmt.Sprintf("did you mean `%s`?", near)
	}
	if len(known) == 0 {
		return ""
	}
	return "known: " + strings.Join(known, ", ")
}
