// Package procs runs a cluster of real processes on loopback, with real disks and
// sockets, under clients and kills, and judges what the clients saw with the
// checkers that judge simulated runs.
//
// What it does to processes: kill -9 one, several or all of them at once, pause
// them (SIGSTOP), ask them to stop (SIGTERM), and start them again. What the
// operating system holds survives a kill, so nothing here proves anything about
// power loss; that is the simulator's to show. What is proven here is the shell
// around the core: that a socket, a queue or a file does not turn a right answer
// into a wrong one.
//
// When the load is over and every member has healed, all processes are stopped
// and the commands that their logs hold are read from the disks. Operations that
// ended unknown are settled by them, and a write that was acknowledged must be
// among them.
//
// A seed decides what clients ask for and when processes are struck. It does not
// decide the run, as it does in the simulator: the machine takes part.
//
// Invariants:
//
//   - Processes end with the one that started them (on Linux, however that ends),
//     and no signal goes to a process that was not started here.
//   - Everything listens on 127.0.0.1 only.
//   - A client has one operation open at a time; an operation that ended without
//     an answer is unknown, and refused only if it was never sent or the store
//     said so.
//
// Files: process.go (one process; process_linux.go and process_other.go what
// systems differ in), cluster.go (several, and what they listen on), nemesis.go
// (the kills), units.go (units that keep diaries of when they ran), run.go and
// report.go (a run and its verdict). Clients are package load's, and what logs
// hold is read by package evidence.
package procs
