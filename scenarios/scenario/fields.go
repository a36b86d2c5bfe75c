package scenario

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"drydock/chaos"
)

// The types whose values a file writes as one word or number.
var (
	durationType    = reflect.TypeFor[time.Duration]()
	probabilityType = reflect.TypeFor[chaos.Probability]()
	selectorType    = reflect.TypeFor[chaos.Selector]()
	selectorsType   = reflect.TypeFor[chaos.Selectors]()
	stepType        = reflect.TypeFor[Step]()
	expectationType = reflect.TypeFor[Expectation]()
)

// field is one key of the format, as a struct's tags tell it.
type field struct {
	name     string
	doc      string
	def      string
	min, max string
	enum     []string
	// required keys must be given; scalar marks the one that a bare value
	// stands for.
	required, scalar bool
	index            []int
	typ              reflect.Type
}

// fieldsOf lists the keys of a struct, those of embedded structs included.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" || f.Anonymous {
			continue
		}
		one := field{
			name: name, doc: f.Tag.Get("doc"), def: f.Tag.Get("default"),
			min: f.Tag.Get("min"), max: f.Tag.Get("max"),
			required: options != "omitempty", scalar: f.Tag.Get("scalar") == "true",
			index: f.Index, typ: f.Type,
		}
		if enum := f.Tag.Get("enum"); enum != "" {
			one.enum = strings.Split(enum, "|")
		}
		out = append(out, one)
	}
	return out
}

// scalarField returns the key that a bare value stands for.
func scalarField(t reflect.Type) (field, bool) {
	fields := fieldsOf(t)
	at := slices.IndexFunc(fields, func(f field) bool { return f.scalar })
	if at < 0 {
		return field{}, false
	}
	return fields[at], true
}

func fieldNames(fields []field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return names
}

// Param documents one parameter of a fault or trigger.
type Param struct {
	Name, Type, Default, Doc string
	// Bare is true if a bare value stands for this parameter.
	Bare bool
}

// ParamsOf documents the parameters of a struct of the format.
func ParamsOf(v any) []Param {
	var out []Param
	for _, f := range fieldsOf(reflect.Indirect(reflect.ValueOf(v)).Type()) {
		p := Param{Name: f.name, Type: typeWord(f), Default: f.def, Doc: f.doc, Bare: f.scalar}
		if f.required {
			p.Default = "required"
		}
		out = append(out, p)
	}
	return out
}

// typeWord names a key's type as people do.
func typeWord(f field) string {
	switch {
	case f.typ == durationType:
		return "time"
	case f.typ == probabilityType:
		return "chance"
	case f.typ == selectorsType:
		return "nodes"
	case len(f.enum) > 0:
		return "word"
	}
	switch f.typ.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Float64:
		return "number"
	case reflect.Slice:
		if f.typ.Elem() == selectorsType {
			return "lists of nodes"
		}
		return "names"
	}
	return "text"
}

// Keys lists every key of the format once, in alphabetical order.
func Keys() []string {
	seen := map[string]bool{}
	collectKeys(reflect.TypeFor[Scenario](), seen)
	for _, e := range chaos.Vocabulary() {
		seen[string(e.Kind)] = true
		collectKeys(reflect.TypeOf(e.New()).Elem(), seen)
	}
	return slices.Sorted(maps.Keys(seen))
}

// collectKeys adds the keys of a struct and of those within it.
func collectKeys(t reflect.Type, seen map[string]bool) {
	for _, f := range fieldsOf(t) {
		seen[f.name] = true
		inner := f.typ
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct {
			collectKeys(inner, seen)
		}
	}
}
