// Package scheduler decides which machine each unit runs on.
//
// # Purpose
//
// A Scheduler is told of machines and units as they change (SetMachine, SetUnit
// and their like) and works out the consequences in steps of bounded length
// (Solve), which it returns as moves. It is pure: the same calls in the same order
// give the same moves, on every machine. Package reference does the same slowly,
// and tests compare the two.
//
// # Rules
//
// A unit is placed on a machine that meets MachineID and MachineMetadata, has a
// unit for each name or glob of MachineOf, none that Conflicts either way, none
// that Replaces the unit, room within SpreadLimit, and the resources free. Of
// those it takes one without units that it Avoids, then one whose value of each
// key of Spread has the fewest of its group, then the one with the fewest units,
// global ones counted, then the lowest id. Priority decides who is next, then who
// has waited longest: the order of start.
//
// What is placed stays, whatever comes: a machine that joins moves nobody. It is
// moved if its machine goes, or no longer meets what it asks; if a new unit that
// Replaces it lands there; if one of higher priority has room nowhere; and on
// purpose, within its group's Budget: Drain, Rebalance, Replace, and Failed. A unit
// that has no machine waits and is tried when something changes that may help.
//
// Global units run on every machine that suits them. There they give way to a unit
// that is newly placed and conflicts; of two global units the earlier stays. Where they
// come and go is told apart (GlobalMoves).
//
// A leader that takes over tells where units stand (Resume), and Solve leaves them
// there unless they may not stay.
//
// # What differs from fleet
//
// Replaces moves a unit only to where it may run, or has it wait; it never
// flaps: a unit drives others away once each time that a user starts it or its
// machine is lost, and from then on keeps out of their way. Submitted global units
// weigh nothing. MachineOf may be a glob. The order of decisions is fixed.
//
// # How
//
// Machines have positions in the order of their ids; everything known of them is
// sets of positions (set.go), so that a decision is a few operations on bitmaps:
// the machines of each load, those that suit a kind of unit (selector.go), where a
// unit is whose name matches a pattern or that mentions it (pattern.go). Units
// with equal requirements share a class, names that match the same patterns a
// profile; units alike in both wait together, and one of them is tried for all
// (wait.go). A decision costs no scan of units, and of machines only 64 at a time;
// preemption alone looks at every machine, once for all alike.
//
// Invariants: a unit is counted exactly where its slot says (put, lift); a waiting
// group's units can run nowhere, as of the last change that could help them; a
// set holds positions of machines that are up.
//
// What is known of a unit alone is a record without pointers (record.go), found by
// name through a table of numbers (table.go); requirements are compared by their
// pointers first. So a unit costs no allocation, and a million of them nothing when
// garbage is collected.
//
// Files: solve.go decides; machine.go, unit.go and global.go keep what is known;
// pick.go finds a machine; preempt.go, drain.go, rollout.go and trouble.go move
// units on purpose; reason.go says why not.
package scheduler
