// Package fleet is the replicated state of a cluster's units: what should run,
// which machines there are, where each unit is placed, and what machines have
// told of them.
//
// It is a part of package state, beside the keyspace, and changes by typed
// commands only. Apply is pure. Who decides about placements (package control, at
// the leader) and who carries them out (package agent, on every machine) only
// propose; the rules that keep a unit from running twice are checked here again.
//
// # How a unit comes and goes
//
// A Put makes a unit, or changes its text or what is desired of it. While it is to
// be loaded or launched, the leader gives it a Placement on a machine with a
// session, by a Place. OrdersFor is what that machine is to have. When the unit is
// to be inactive, is destroyed, or moves, its placement ends and becomes Leaving:
// the machine's orders then say that it is to be rid of the unit, and no other
// machine is told to start it, until the machine has reported it Gone or its
// session has ended. A session ends only when nothing of it can run any more
// except global units, so its placements, what was leaving, and its reports end
// with it.
//
// A template that has Replicas and is to be loaded or launched keeps instances of
// itself, named 1 to that number: a Put of the template makes, changes and destroys
// them in the same command. One that was never active has no say over instances.
//
// Global units go on where a machine is cut off, and so does one that is made an ordinary
// unit meanwhile: until that machine is back it runs there, and where it is placed.
//
// Invariants:
//
//   - A machine has one session at a time. What is said in the name of a former
//     one has no effect.
//   - A unit that isn't global has at most one Placement; as long as another machine
//     may still run it (Leaving), no machine is told to start it.
//   - Only units that aren't to be inactive are placed, and only on machines with
//     a session; a machine is never in Places and Leaving of a unit at once.
//   - A placement's Gen is the revision that made it, so it only grows; a report
//     about an earlier one has no effect.
//   - A Place of another term than its entry's has no effect, and neither has a
//     move that was decided on another version of its unit or another session.
//   - What a machine is to have changes only with its Orders, save that what it has
//     reported Gone is left out.
//   - A command is applied as a whole or, with an error, not at all; the moves of a
//     Place count one by one. It touches what it names, however much there is.
//   - Texts are kept by their hashes, as long as a unit or a placement has them.
//
// Which texts a Put accepts is package unit's to say, and so belongs to a release:
// a program that accepts others needs a release of its own.
//
// Files: types.go (what there is), command.go (what changes it), limits.go and
// check.go (bounds), codec.go (encoding of commands), apply.go, put.go, place.go,
// machine.go and report.go (what commands do), store.go (the parts and what ties
// them), needs.go (requirements), index.go, read.go (reads), changes.go (what the
// leader follows), record.go, dirty.go and load.go (checkpoints and digest), errors.go.
package fleet
