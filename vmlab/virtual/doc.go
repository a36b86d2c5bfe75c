// Package virtual is what labs have in common whose machines have a kernel of their
// own, boot an image and need no rights of whoever runs them, whatever makes such a
// machine: the switch between them, the foothold by which the lab's keeper reaches
// them, config drives, the way in by ssh, and orders to their nodes.
//
// Invariants:
//
//   - Machines have no way out, and neither has the lab's foothold.
//   - Images are only read.
//
// Files: ground_linux.go a lab that runs; machine.go a machine; node.go its node; clock.go its clock;
// probe_linux.go what doctors try.
package virtual
