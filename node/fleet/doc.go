// Package fleet is the replicated state of a cluster's units: what should run,
// which machines there are, where each unit is placed, and what machines have
// told of them.
//
// It is a part of package state, beside the keyspace, and changes by typed
// commands only. Apply is pure. Who decides about placements (package control, at
// the leader) and who carries them out (package agent, on every machine) only
// propose; the rules that keep a unit from running twice are checked here again.
//
// Invariants:
//
//   - A machine has one session at a time. What is said in the name of a former
//     one has no effect.
//   - A unit that isn't global has at most one Placement; as long as another machine
//     may still run it (Leaving), no machine is told to start it.
//   - A placement's Gen is the revision that made it, so it only grows; a report
//     about an earlier one has no effect.
//   - A Place of another term than its entry's has no effect, and neither has a
//     move that was decided on another version of its unit or another session.
package fleet
