// Package runner runs scenarios in worlds and turns what came of it into
// verdicts that people and machines can read.
//
// It knows worlds by an interface only. A world carries a scenario out and
// returns evidence; the checkers judge the evidence; the runner compares their
// verdicts with what the scenario expects.
//
// Invariants:
//
//   - A verdict is held, violated or unknown. A run whose faults never took
//     effect, or with too little load to mean anything, is unknown; so is a
//     check that hit its bound. None of them is ever held.
//   - Every violation ends with the one command that repeats it.
//   - Many seeds run in worker processes, so one seed's panic, memory or
//     randomness never touches another's.
package runner
