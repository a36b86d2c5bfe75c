// Package uml makes labs of User Mode Linux: each machine is a kernel of its own that
// runs as a process, with disks, reboots and panics. It takes Linux, an image with
// that kernel, and no rights at all but to make user namespaces; seconds.
//
// A machine's disk is a layer of its own over the image's, so that what it writes
// stays over reboots and power cuts. Its second disk is its config drive. Its network
// device is one end of a pair of sockets, the other is the lab's switch: machines
// have no way out, and neither has the process, which is in a network namespace of
// its own. The lab's keeper reaches them through a foothold.
//
// Invariants:
//
//   - A machine is the first process of a PID namespace, so that none of its helpers
//     outlives it; it dies with the process that started it.
//   - Images are only read.
//
// Files: uml.go what the driver declares; ground_linux.go a lab that runs;
// machine_linux.go a machine on and off; console_linux.go what its kernel can be told;
// probe_linux.go what the doctor tries.
package uml
