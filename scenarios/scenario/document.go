package scenario

import (
	"cmp"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v4"

	"drydock/node/ui"
)

// Document is a file that was read, as strictly as scenario files are, into a
// struct of one's own whose tags say what its keys are: json, doc, default, min,
// max, enum and scalar, as in this package's.
type Document struct {
	text []byte
	d    *decoder
	// root says that the file is YAML at all.
	root bool
}

// Readable says that the file was YAML, so that its keys can be looked at.
func (d *Document) Readable() bool { return d.root }

// Read reads a file into the struct that into points to; what names the file in
// errors ("lab file"). What is wrong is found in Err.
func Read(file, what string, text []byte, into any) *Document {
	d := &decoder{file: file, what: what, at: map[string]*yaml.Node{}}
	doc := &Document{text: text, d: d}
	if len(text) > MaxFileBytes {
		d.fail(nil, "", "is %d bytes long, at most %d are read", len(text), MaxFileBytes)
		doc.text = nil
		return doc
	}
	var root yaml.Node
	if err := yaml.Load(text, &root); err != nil {
		d.syntax(err)
		return doc
	}
	n := &root
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	v := reflect.ValueOf(into).Elem()
	applyDefaults(v)
	doc.root = true
	d.decode(n, v, field{name: what}, "")
	return doc
}

// Given says whether a key was given, by its path: machines[0].name.
func (d *Document) Given(path string) bool { return d.d.at[path] != nil }

// Fail adds a problem at a key's value; at none, if the key was not given.
func (d *Document) Fail(path, hint, format string, args ...any) {
	d.d.fail(d.d.at[path], hint, format, args...)
}

// Err returns all problems as an *Errors, in the file's order; nil if there are
// none.
func (d *Document) Err() error {
	if len(d.d.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(d.d.problems, func(a, b ui.Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &Errors{Text: d.text, Problems: d.d.problems}
}

// Defaults sets every key of the struct that into points to to its default.
func Defaults(into any) { applyDefaults(reflect.ValueOf(into).Elem()) }
