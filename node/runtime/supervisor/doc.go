// Package supervisor runs units with real processes on a machine without systemd.
// The rules are those of package supervise; this package carries their actions out
// and tells them what came of it, one event at a time, on one goroutine.
//
// A process is started by way of this program itself (Become), which enters the
// unit's control group, takes on limits, user and sockets, and then becomes the
// unit's program. All processes of a unit are kept together by a control group,
// of version 2 or 1, or, where the machine has none to give, by process group and
// by an invocation id in their environment.
//
// Invariants:
//
//   - An event is told when all earlier actions were carried out; whether a group
//     is empty is looked up at that moment.
//   - A signal to a process by number goes only to the process that was meant:
//     numbers are compared with start times.
//   - A journal and a line of it are bounded; the oldest lines go.
//   - Close leaves units running. What the next life needs is in Options.Dir, and
//     their output waits in named pipes. How a process ended that was taken over
//     is known only if its parent was the supervisor.
//
// Files: supervisor.go the runtime and its loop, act.go actions, process.go and
// become.go processes from both sides, account.go users, environ.go variables,
// group.go and proc_*.go what belongs to a unit, output.go and journal.go what it
// writes, notify*.go what it says of itself, listen.go sockets, record.go what
// outlives the agent, orphans.go the end of that without one.
package supervisor
