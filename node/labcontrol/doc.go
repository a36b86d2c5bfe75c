// Package labcontrol lets a lab do to a node's disk and clocks what it can't do
// from outside: a process on somebody else's kernel can't lose its power, nor has
// it clocks of its own.
//
// It also lets a lab look at what the node holds in memory, and have it hand its
// leadership over (Node).
//
// With it, what the node writes stays in the process's memory until it is synced,
// so that a kill loses it as a loss of power would; and its clocks are the
// machine's, moved. A lab says what is to happen on a Unix socket (Call).
//
// Invariants:
//
//   - A node takes it from a lab alone: Open refuses without the environment that
//     labs give their machines.
//   - What was synced is in the files, as without it.
//   - A monotonic clock never goes back.
//
// What it does not do: creations, renames and removals of files are carried out at
// once, and the checkpoint store, which maps its file, writes past it; neither is
// ever lost. The lease of a machine's units goes by the kernel's clock.
//
// Files: files.go what is held back, fault.go what disks do, clock.go, serve.go and
// call.go both ends of the socket.
package labcontrol
