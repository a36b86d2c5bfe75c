package scenario

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"drydock/chaos"
)

// Encode writes a scenario as a file that reads back as the same scenario: the
// keys that differ from their defaults, and always those that say how long it
// runs. Remarks are written above it as comments, one a line.
func Encode(s *Scenario, remarks ...string) []byte {
	var b strings.Builder
	for _, line := range remarks {
		b.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
	v := reflect.ValueOf(s).Elem()
	usual := reflect.New(v.Type()).Elem()
	applyDefaults(usual)
	for _, f := range fieldsOf(v.Type()) {
		one := v.FieldByIndex(f.index)
		switch {
		case f.name == "steps":
			writeSteps(&b, s.Steps)
		case f.name == "expect":
			b.WriteString("expect:\n")
			for _, e := range s.Expect {
				fmt.Fprintf(&b, "  - %s\n", e)
			}
		case f.name == "duration" || f.name == "heal_at":
			fmt.Fprintf(&b, "%s: %s\n", f.name, shortTime(time.Duration(one.Int())))
		case f.name == "settle": // heal_at says it
		case f.name == "load":
			if text := s.encodeLoad(one, usual.FieldByIndex(f.index)); text != "" {
				fmt.Fprintf(&b, "load:\n%s", text)
			}
		case !reflect.DeepEqual(one.Interface(), usual.FieldByIndex(f.index).Interface()):
			fmt.Fprintf(&b, "%s: %s\n", f.name, encodeValue(one, usual.FieldByIndex(f.index), f))
		}
	}
	return []byte(b.String())
}

// encodeLoad writes a line for each kind of load.
func (s *Scenario) encodeLoad(v, usual reflect.Value) string {
	var b strings.Builder
	for _, f := range fieldsOf(v.Type()) {
		one, old := v.FieldByIndex(f.index), usual.FieldByIndex(f.index)
		if one.Kind() == reflect.Slice {
			writeList(&b, f, one)
			continue
		}
		skip := []string{}
		if kv, ok := one.Interface().(KV); ok {
			// What Parse fills in is not written; a mix is, once it is another.
			if kv.Mix == DefaultMix() {
				skip = append(skip, "mix")
			}
			if kv.Rate > 0 {
				skip = append(skip, "think")
			}
		}
		if watch, ok := one.Interface().(Watch); ok && watch.Clients == 0 {
			continue
		}
		if text := encodeObject(one, old, skip); text != "{}" {
			fmt.Fprintf(&b, "  %s: %s\n", f.name, text)
		}
	}
	return b.String()
}

// writeList writes a list of mappings, each on a line.
func writeList(b *strings.Builder, f field, v reflect.Value) {
	if v.Len() == 0 {
		return
	}
	fmt.Fprintf(b, "  %s:\n", f.name)
	for i := range v.Len() {
		fmt.Fprintf(b, "    - %s\n", encodeValue(v.Index(i), reflect.Value{}, f))
	}
}

// writeSteps writes a step in as many lines as it has parts.
func writeSteps(b *strings.Builder, steps []Step) {
	if len(steps) == 0 {
		return
	}
	b.WriteString("steps:\n")
	for i := range steps {
		lead := "  - "
		for _, part := range stepParts(&steps[i]) {
			b.WriteString(lead + part + "\n")
			lead = "    "
		}
	}
}

// StepText writes a step in one line: "at: 5s  crash: {node: [n3]}".
func StepText(step *Step) string { return strings.Join(stepParts(step), "  ") }

// stepParts are the keys of a step with their values: the trigger, the fault
// and how long it lasts.
func stepParts(step *Step) []string {
	var parts []string
	for _, f := range fieldsOf(stepType) {
		v := reflect.ValueOf(step).Elem().FieldByIndex(f.index)
		at := f.name == "at" && step.After == nil && step.Every == nil
		if at || f.name != "at" && f.name != "for" && !v.IsZero() {
			parts = append(parts, f.name+": "+encodeValue(v, reflect.Zero(v.Type()), f))
		}
	}
	parts = append(parts, string(step.Fault.Kind())+": "+encodeFault(step.Fault))
	if step.For > 0 {
		parts = append(parts, "for: "+shortTime(step.For))
	}
	return parts
}

func encodeFault(p chaos.Params) string {
	v := reflect.ValueOf(p).Elem()
	usual := reflect.New(v.Type()).Elem()
	applyDefaults(usual)
	return encodeObject(v, usual, nil)
}

// encodeObject writes the keys of a struct that differ from the usual ones.
func encodeObject(v, usual reflect.Value, skip []string) string {
	var parts []string
	for _, f := range fieldsOf(v.Type()) {
		one, old := v.FieldByIndex(f.index), usual.FieldByIndex(f.index)
		if slices.Contains(skip, f.name) || !f.required && reflect.DeepEqual(one.Interface(), old.Interface()) {
			continue
		}
		parts = append(parts, f.name+": "+encodeValue(one, old, f))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// encodeValue writes any value of the format.
func encodeValue(v, usual reflect.Value, f field) string {
	switch {
	case v.Type() == durationType:
		return shortTime(time.Duration(v.Int()))
	case v.Kind() == reflect.Pointer:
		fresh := reflect.New(v.Type().Elem()).Elem()
		applyDefaults(fresh)
		return encodeObject(v.Elem(), fresh, nil)
	case v.Kind() == reflect.Struct:
		if !usual.IsValid() { // one of a list
			usual = reflect.New(v.Type()).Elem()
			applyDefaults(usual)
		}
		return encodeObject(v, usual, nil)
	case v.Kind() == reflect.Slice:
		var parts []string
		for i := range v.Len() {
			parts = append(parts, encodeValue(v.Index(i), reflect.Value{}, f))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case v.Kind() == reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case v.Kind() == reflect.String:
		return encodeText(v.String())
	}
	return fmt.Sprint(v.Interface())
}

// encodeText quotes what YAML would read otherwise, in a list or a mapping, too.
func encodeText(text string) string {
	var back any
	plain := !strings.ContainsAny(text, "{}[],#\"'&*!|%@`\\\n") && !strings.Contains(text, ": ") && strings.TrimSpace(text) == text
	if err := yaml.Load([]byte("a: "+text+"\n"), &back); err == nil && plain {
		if m, ok := back.(map[string]any); ok && m["a"] == text {
			return text
		}
	}
	return strconv.Quote(text)
}
