// Package shrink looks for the smallest scenario that still fails in the same
// way as a given run: fewer faults first, then a shorter run, fewer members,
// clients, keys and kinds of operations, and rounder times.
//
// The faults of the run are written as they struck, with their times and nodes,
// so that one can be left out while the others stay where they were. Leaving
// one out still moves everything that happens afterwards; a candidate is
// therefore tried with a few other seeds, too, and the file that comes out
// names its seed.
//
// Invariants:
//
//   - What comes out was run and failed in the same way: it is never guessed.
//   - A candidate counts only if it still means something: enough was
//     acknowledged, and its faults took effect.
//   - The search ends with its context; what was found until then stands.
package shrink
