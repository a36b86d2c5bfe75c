// Package wire is the network of a lab: an Ethernet switch in this process, into
// which machines are plugged, with rules that impair its links. Package fabric
// decides what becomes of each frame; here are the sockets and the clock.
//
// What can be plugged into a port is a Cable:
//
//	Tap       a tap device, the network card of a namespace
//	Stream    a connection with QEMU's framing, four bytes of length and the
//	          frame: `-netdev stream`, and Lima's `networks: [{socket: PATH}]`
//	Datagram  a socket on which one datagram is one frame: User Mode Linux's
//	          `vec0:transport=fd`, and QEMU's `-netdev dgram`
//
// A port outlives what is plugged into it: a machine that reboots comes back to
// the same port, with the same rules.
//
// A port has two goroutines while something is plugged in: one reads frames and
// puts them through the fabric, under the switch's lock; one writes what is to
// leave, from a queue. One more goroutine per switch waits for delayed frames.
//
// Invariants:
//
//   - Nobody waits for a port whose machine doesn't read: its queue is bounded,
//     and what is too much is dropped and counted (SocketReport.Overflow).
//   - Frames of one port to another leave in the order in which the fabric
//     delivers them.
//   - A frame is never changed once it was read; several ports may write it.
//   - After Close no goroutine is left, and every cable and socket is closed.
//
// Files: switch.go (the switch and its clock), plug.go (a cable in its port),
// stream.go, datagram.go, tap.go (the cables; tap_linux.go makes devices),
// socket.go (sockets to plug machines in by), capture.go.
package wire
