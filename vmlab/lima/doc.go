// Package lima makes labs of Lima's instances: on a user's laptop, where Lima knows
// how virtual machines are had best (QEMU with KVM or hvf, Apple's framework), and as
// an ordinary user everywhere. Root is refused, as by Lima itself.
//
// Lima's library is in a program of its own, drydock-lima (folder limactl, a module
// of its own), which makes a template of each machine's description and validates it.
// The instances are kept by the limactl that the user has, or by drydock-lima, which
// obeys the same words.
//
// A lab has a LIMA_HOME of its own, below its directory: names, keys and disks are
// the lab's, and all is gone with it. `LIMA_HOME=.drydock/labs/NAME/lima limactl list`
// shows the instances. Only where that path is too long for a socket's address it is a
// directory below the user's own (home.go).
//
// A machine has two links: one to the lab's switch, with the machine's address and
// MAC, and Lima's own, which is the way in (ssh) and no way out. It reads two drives:
// the lab's config drive, and the one that Lima makes for cloud-init (package
// firstboot).
//
// The keeper reaches machines through their own sshd, so that it needs nothing of the
// host's network: what a machine serves is asked for from the machine itself.
//
// Invariants:
//
//   - Lima's process that keeps an instance dies with the lab's keeper, and QEMU, on
//     Linux, with that process. Reap ends what is left.
//   - The user's own instances are never touched: LIMA_HOME is always given.
//   - Images are only read.
//
// Files: lima.go what the driver declares; tools.go the programs; home.go where Lima
// keeps a lab's instances; describe.go what becomes a template; ground.go a lab that
// runs; machine.go a machine on and off; instance.go its instance; way.go the way in;
// probe.go what the doctor tries; host_linux.go and host_other.go what the system gives.
package lima
