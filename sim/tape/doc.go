// Package tape keeps what a replay needs to tell whether, and where, it leaves
// the run that it repeats; and it says what a listener to a run is told.
//
// A tape has three bytes for each event of the trace (its kind, who it happened
// at, and a sum of all its bytes) and, every so many events, a point with the
// time and the hash of the trace so far. The points are proof, the marks name
// the event.
//
// Invariants:
//
//   - Taping and listening look on: the trace doesn't depend on them.
//   - A tape is bounded: beyond MaxMarks events only points are added.
//   - Decode returns an error for every input that Encode didn't write; it
//     never panics and never allocates more than the input's size warrants.
package tape
