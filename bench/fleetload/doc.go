// Package fleetload measures the scheduler where it counts: in a cluster of three
// whole members, whose every decision is in the log of a majority before anybody acts
// on it.
//
// The members are in this process, as those of bench/consensus: package host around
// the node, logs and checkpoints on the disk with their syncs, TCP between them. Machines
// are a load generator that speaks package link: each opens a session, beats as often
// as it is told, takes its orders, and reports what it was told to start as running.
// Their frames are handed to the member that leads by calls, not by sockets.
//
// Fill: every unit is a command of its own, proposed at the member that leads by a
// number of submitters that each wait for the answer. The clock runs from the first
// command until a majority of the members has applied a place for every unit.
//
// Replicas: the same number of units in another cluster, as a user asks for many that are
// alike: by templates that each keep a thousand instances. Most of what a command costs is
// then shared by a thousand units; a place for each is still decided and logged.
//
// Then, in the full cluster of the first kind: single units, from the command until its place is
// committed (increments); a machine's goodbye, until its units' new places are
// committed (losses); and nothing at all, with the machines' beats and without (rest). When the members have stopped, the leader's side alone is
// driven on what one of them had applied: so the time of decisions is told apart from
// that of logs.
//
// What would falsify a figure, and is refused: members that differ at the end, a unit
// without a place or on a machine without a session, a machine with another list of
// orders than the state has, one unit more on some machine than on another where nothing
// asks for it, a change of leaders.
//
// Files: run.go the phases, result.go what came of them, machines.go the load
// generator, decide.go the leader's side alone, check.go what is refused, usage.go what the process has used.
package fleetload
