// Package fleet judges what machines really ran: when each unit had processes, on
// which machine, against what users asked for and what the load's author says of
// the units. Nothing here was read, parsed or decided by the node.
//
// Follow takes runs one at a time, as they begin and end, and objects to the first
// that is wrong: a unit on two machines, units in conflict on one, a unit where it
// isn't allowed, more than a machine has. The others read the whole record: whether
// everything that stops or starts has a cause (causes.go), whether what is wanted
// runs in time (running.go), whether what the cluster believes at the end is so
// (states.go), whether machines are heard, and whether the log rests (rest.go).
//
// # What no checker sees
//
//   - A unit that runs once and that nobody places is seen by what is missing,
//     never by a reason given: the words of a reason are not judged.
//   - Two machines that believe to have a unit, of which neither runs it at once.
//   - A placement that is allowed and unwise: balance and preferences are the
//     scheduler's own tests' matter.
//   - A unit whose metadata conditions were met at some time within the last
//     seconds before it began to run counts as allowed there.
package fleet
