// Package work is what units of scenarios run in labs, and how a lab knows when they
// ran: a process that does what its words say (program.go), and an observer that
// every such process calls before it begins.
//
// The process and the observer share a page of memory. The process writes the time
// there again and again, as long as it executes; what a killed process has written
// stays. So its last beat proves that it ran then, whatever the node says and however
// late anybody looks. That the process is gone the observer learns from the kernel:
// the connection ends. Times are of the kernel's own clock, which all machines of a
// lab share that have no kernel of their own (package lease has the clock).
//
// # What this doesn't see
//
//   - What happens within one beat: two processes that meet for less than BeatEvery.
//   - A process that exists and doesn't run: stopped, or killed and not yet buried.
//   - Machines with a kernel of their own can't share the page.
//
// Files: program.go the words; process_linux.go the process; observe_linux.go the
// observer; page_linux.go what they share; other.go other systems.
package work
