// Package scenario reads scenario files: a cluster, a load, a timeline of
// faults, and what is expected of the run.
//
// The format is strict. An unknown key, a wrong unit, a node that is not in
// the cluster or a fault that no one knows is an error with file, line and
// column, the line itself, and what was probably meant; all errors of a file
// are reported at once.
//
// Invariants:
//
//   - The structs are the format. Decoder, schema and documentation are all
//     made from their tags, so they can't disagree.
//   - Defaults are applied while reading: a Scenario is complete, and a world
//     needs no defaults of its own.
//   - The package touches no file system; it is handed names and bytes.
package scenario
