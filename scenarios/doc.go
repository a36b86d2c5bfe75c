// Package scenarios is the library of scenario files: they are part of the
// program, so `drydock run leader-crash` works wherever it is.
//
// example.yaml shows every key of the format; schema.json is its JSON schema,
// made from the parser's own types.
package scenarios
