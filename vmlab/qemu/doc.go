// Package qemu makes labs of virtual machines: each is a QEMU that boots an image's
// kernel, with a processor, disks, clock and reboots of its own. It takes QEMU, an
// image, and no rights at all but to make user namespaces; seconds where the
// hardware does the work (KVM, Hypervisor.framework), more where QEMU translates
// code (TCG). Which of them works is found by booting a kernel of nothing else: a
// device file proves nothing.
//
// A machine's disk is a layer of its own over the image's, so that what it writes
// stays over reboots and power cuts; what it has written and not flushed may be lost
// with its power, as on a disk with a cache. Its second disk is its config drive. Its
// network device is one end of a pair of sockets, the other is the lab's switch:
// machines have no way out, and neither has QEMU, which is in a network namespace of
// its own.
//
// While a machine is paused, and between a snapshot and its restoration, no time
// passes in it. After a restoration its clock is set to the host's; after a pause it
// is behind by that.
//
// Invariants:
//
//   - QEMU dies with the process that started it.
//   - Images are only read.
//   - The machines of a snapshot were all paused while it was taken: no machine has
//     heard of what another one did not yet say.
//
// Files: qemu.go what the driver declares; command.go QEMU's command line;
// accelerator.go what makes machines fast, counter_amd64.go what emulated ones measure
// time by; ground_linux.go a lab that runs,
// machine_linux.go a machine on and off, snapshot_linux.go and snapshots.go the state
// of all machines kept; probe_linux.go what the doctor tries.
package qemu
