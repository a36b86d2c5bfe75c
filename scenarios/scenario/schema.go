package scenario

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"drydock/chaos"
)

// Forms of the format's single values, as regular expressions.
const (
	durationForm = `^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$`
	chanceForm   = `^[0-9]+(\.[0-9]+)?%?$`
	selectorForm = `^(n[1-9][0-9]{0,3}|w[1-9][0-9]{0,4}(-w[1-9][0-9]{0,4})?|leader|follower|any|all|majority|minority|voter|same|worker|runner|workers|half-workers)$`
)

// SchemaJSON returns the JSON schema of scenario files, for editors.
func SchemaJSON() ([]byte, error) {
	text, err := json.MarshalIndent(Schema(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("scenario: write schema: %w", err)
	}
	return append(text, '\n'), nil
}

// Schema returns the JSON schema of scenario files, made from the same tags
// that the parser reads.
func Schema() *jsonschema.Schema {
	return SchemaOf(new(Scenario), "Drydock scenario", "A cluster, a load, a timeline of faults, and what is expected.")
}

// SchemaOf returns the JSON schema of files that Read reads into a struct, made from
// the same tags.
func SchemaOf(into any, title, description string) *jsonschema.Schema {
	s := objectSchema(reflect.TypeOf(into).Elem())
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title, s.Description = title, description
	return s
}

// objectSchema describes a struct as a mapping.
func objectSchema(t reflect.Type) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", Properties: map[string]*jsonschema.Schema{}, AdditionalProperties: never()}
	for _, f := range fieldsOf(t) {
		one := typeSchema(f.typ, f)
		one.Description = f.doc
		one.Default = defaultJSON(f)
		s.Properties[f.name] = one
		s.PropertyOrder = append(s.PropertyOrder, f.name)
		if f.required {
			s.Required = append(s.Required, f.name)
		}
	}
	return s
}

// never is the schema that nothing fits.
func never() *jsonschema.Schema {
	return &jsonschema.Schema{Not: &jsonschema.Schema{}}
}

// typeSchema describes the values of a key.
func typeSchema(t reflect.Type, f field) *jsonschema.Schema {
	switch t {
	case durationType:
		return &jsonschema.Schema{Type: "string", Pattern: durationForm}
	case probabilityType:
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "number", Minimum: jsonschema.Ptr(0.0), Maximum: jsonschema.Ptr(1.0)},
			{Type: "string", Pattern: chanceForm},
		}}
	case selectorType:
		return &jsonschema.Schema{Type: "string", Pattern: selectorForm}
	case stepType:
		return stepSchema()
	case expectationType:
		return expectationSchema()
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeSchema(t.Elem(), f)
	case reflect.Struct:
		return bareOr(t, objectSchema(t))
	case reflect.Slice:
		return listSchema(t, f)
	case reflect.Bool:
		return &jsonschema.Schema{Type: "boolean"}
	case reflect.Int:
		return bounded(&jsonschema.Schema{Type: "integer"}, f)
	case reflect.Float64:
		return bounded(&jsonschema.Schema{Type: "number"}, f)
	}
	s := &jsonschema.Schema{Type: "string"}
	for _, word := range f.enum {
		s.Enum = append(s.Enum, word)
	}
	return s
}

// bareOr allows, beside the mapping, the bare value that stands for one of its
// keys.
func bareOr(t reflect.Type, object *jsonschema.Schema) *jsonschema.Schema {
	bare, ok := scalarField(t)
	if !ok {
		return object
	}
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{typeSchema(bare.typ, bare), object}}
}

// listSchema describes a list; one of plain values may be a bare value.
func listSchema(t reflect.Type, f field) *jsonschema.Schema {
	one := field{name: f.name, enum: f.enum}
	item := typeSchema(t.Elem(), one)
	list := &jsonschema.Schema{Type: "array", Items: item, MaxItems: jsonschema.Ptr(maxList)}
	if t.Elem().Kind() == reflect.Struct || t.Elem().Kind() == reflect.Slice {
		return list
	}
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{typeSchema(t.Elem(), one), list}}
}

func bounded(s *jsonschema.Schema, f field) *jsonschema.Schema {
	if x, err := strconv.ParseFloat(f.min, 64); err == nil {
		s.Minimum = &x
	}
	if x, err := strconv.ParseFloat(f.max, 64); err == nil {
		s.Maximum = &x
	}
	return s
}

// defaultJSON writes a default as the file would.
func defaultJSON(f field) json.RawMessage {
	if f.def == "" {
		return nil
	}
	switch f.typ.Kind() {
	case reflect.Bool, reflect.Int:
		return json.RawMessage(f.def)
	case reflect.Float64:
		if !strings.HasSuffix(f.def, "%") {
			return json.RawMessage(f.def)
		}
	}
	text, err := json.Marshal(f.def)
	if err != nil {
		panic(fmt.Sprintf("default of %s: %v", f.name, err))
	}
	return text
}

// stepSchema describes a step: its own keys, one trigger and one fault.
func stepSchema() *jsonschema.Schema {
	s := objectSchema(stepType)
	var triggers, faults []*jsonschema.Schema
	for _, key := range []string{"at", "after", "every"} {
		triggers = append(triggers, &jsonschema.Schema{Required: []string{key}})
	}
	for _, e := range chaos.Vocabulary() {
		name := string(e.Kind)
		s.Properties[name] = faultSchema(e)
		s.PropertyOrder = append(s.PropertyOrder, name)
		faults = append(faults, &jsonschema.Schema{Required: []string{name}})
	}
	s.AllOf = []*jsonschema.Schema{{OneOf: triggers}, {OneOf: faults}}
	return s
}

func faultSchema(e chaos.Entry) *jsonschema.Schema {
	t := reflect.TypeOf(e.New()).Elem()
	object := objectSchema(t)
	object.Properties["for"] = &jsonschema.Schema{Type: "string", Pattern: durationForm, Description: "as the step's own for"}
	object.PropertyOrder = append(object.PropertyOrder, "for")
	s := bareOr(t, object)
	if noneRequired(t) {
		s = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "null"}, s}}
	}
	s.Description = e.Does
	return s
}

// expectationSchema describes an entry of expect: a word or a word with its
// bound.
func expectationSchema() *jsonschema.Schema {
	words := &jsonschema.Schema{Type: "string"}
	bounds := &jsonschema.Schema{
		Type: "object", Properties: map[string]*jsonschema.Schema{}, AdditionalProperties: never(),
		MinProperties: jsonschema.Ptr(1), MaxProperties: jsonschema.Ptr(1),
	}
	for _, e := range Expectations() {
		var one *jsonschema.Schema
		switch e.Takes {
		case TakesNothing:
			words.Enum = append(words.Enum, e.Kind)
			continue
		case TakesNumber:
			one = &jsonschema.Schema{Type: "integer", Minimum: jsonschema.Ptr(1.0)}
		case TakesTime:
			t := &jsonschema.Schema{Type: "string", Pattern: durationForm}
			one = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{t, {
				Type: "object", Properties: map[string]*jsonschema.Schema{"within": t.CloneSchemas()},
				Required: []string{"within"}, AdditionalProperties: never(),
			}}}
		}
		one.Description = e.Doc
		bounds.Properties[e.Kind] = one
		bounds.PropertyOrder = append(bounds.PropertyOrder, e.Kind)
	}
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{words, bounds}}
}
