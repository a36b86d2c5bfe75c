// Package units is the unit runtime of simulated machines: the supervisor's own
// rules (package supervise) with processes that exist on the virtual clock only.
//
// A process does what the arguments of its command say (see program.go): it takes
// time to come up, runs for a while or for good, ends as it is told or hangs. What
// it does beyond that is the world's: a fault kills it, keeps it from starting or
// from ending.
//
// The manager, which knows the rules, lives in the agent's process and may die or
// be stopped with it; processes are the machine's and live on. The next manager is
// told of a unit by Load, and takes over what is left of it, as in production.
//
// Invariants:
//
//   - Every stretch of time for which a unit has some process is told as one run,
//     from the first process to the end of the last, with the reason of its end:
//     whatever the manager or the agent believe.
//   - SIGKILL ends a process, whatever its program or a fault says.
//   - All randomness is drawn from the machine's own stream, at the start of a
//     process, so that what happens to one unit moves nothing of another machine.
package units
