// Package foothold gives a program without rights a place on a lab's network, to
// reach machines from: a child process in a user and a network namespace of its own,
// where it may make a tap device. The child hands the device over, and from then on
// sockets that it has connected.
//
// Invariants:
//
//   - The child dies with the process that started it.
//   - Nothing of the host's network is reachable from where it is.
//
// Files: foothold_linux.go both sides.
package foothold
