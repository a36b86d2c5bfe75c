// Package checker holds what all checkers answer with. A checker is a function
// from records of package history to a Verdict; it imports nothing of the node
// and so shares none of its mistakes. The checkers are in the packages below:
// linear (operations), keyspace (watches, lifetimes, locks, indexes) and cluster
// (leaders, logs, digests, membership, liveness, outages, bounds, rot).
//
// Where a checker can, it takes one observation at a time, so that a run stops
// at the first event that is wrong; the others read the whole record. Package
// scenarios/simworld has a test that spoils a good run's records in a way that
// one checker alone can see, for each of them.
//
// Invariant: Held is a proof for what the records cover. A checker that ran
// into a bound, or that had nothing to look at, says Unknown.
//
// # What no checker sees
//
//   - A store that all members keep in the same wrong way, where no answer shows
//     it: the order of commands is taken from the log and checked for what
//     clients saw, not for what nobody asked.
//   - Commands that were committed and are on no disk any more, before the world
//     had read them: the run then says so (Missing) and is violated, but what
//     they did is not known and neither lifetimes nor watches are judged.
//   - An expiry that is early by less than 1% of the time to live and 50 ms, or
//     by what faults made clocks gain; one that is late while faults last.
//   - A watch that misses events at its end while faults last, or whose client
//     leaves it: only what it saw is known, and that nothing before is missing.
//   - A lock's overlap that is shorter than clocks may be wrong. Fences are exact.
//   - Rot that no member reads before the end of a run.
//   - Performance, but for outages and bounds; memory beyond the queues that are
//     counted; anything of the HTTP face that the simulator has no socket for.
package checker
