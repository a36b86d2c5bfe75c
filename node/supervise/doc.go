// Package supervise holds the rules by which one machine runs its units: what is
// started, in which order, when it counts as started, and how it is ended and
// restarted. They are systemd's, as far as they matter to units of a cluster, and
// a pure function: events go in (somebody asks for a start, a process has ended,
// time has passed), actions come out (spawn, signal, report). Package
// runtime/supervisor carries the actions out with real processes; simulated
// machines carry them out with simulated ones.
//
// A unit is a service, a timer, a socket or a target, and has one job at most: a
// start, stop, restart or reload that is under way or waits for others. A request
// becomes a transaction of jobs, on the unit and on what it requires, wants, is in
// conflict with or is needed by; it is taken whole or refused with a reason.
//
// Invariants:
//
//   - A service that is dead or failed has no process, unless its own KillMode=,
//     or SendSIGKILL=no, asks that processes be left alone. It isn't said to be down
//     while SIGKILL has left something: systemd gives up after a while.
//   - A process is spawned because somebody asked, a unit that was asked for needs
//     it, its timer or socket elapsed, or Restart= says so; never after a stop, but
//     for what belongs to a start under way while the stop waits for its turn.
//   - Units in conflict never run together, not even for a moment.
//   - Within StartLimitIntervalSec= a unit starts StartLimitBurst= times at most.
//   - Every request with a token is answered once.
//
// Where it differs from systemd, on purpose: a conflicting unit is down before the
// other starts; an order that goes in a circle is refused instead of broken at a
// place of the manager's choice; calendar timers are in UTC.
//
// Files: unit.go what units are, event.go what goes in and comes out, status.go
// states and their names, machine.go the machine, link.go relations, job.go
// transactions and order, run.go jobs that run, service.go the life of a service,
// end.go its end, timer.go, socket.go, calendar.go, expand.go variables in
// commands.
package supervise
