// Command drydock-lima is what the lab driver lima needs of Lima: Lima's own library
// makes templates of a lab's machines, validates them, and keeps the instances. It is
// a module of its own, so that the node and the drydock program have none of Lima's
// dependencies.
//
//	drydock-lima template          a machine's description on stdin → a template on stdout
//	drydock-lima drive DIR FILE    a directory → a config drive
//	drydock-lima create, start, stop, delete, list
//	                               as limactl has them, for who has no limactl
//
// The last group obeys the same words as limactl, so that whoever calls needs not
// know which of the two it is. Started as qemu-system-…, the program puts what the
// lab wants in place of what Lima would give QEMU, and becomes QEMU (qemu_linux.go).
//
// Files: main.go the commands; template.go descriptions and templates; drive.go
// config drives; instance.go Lima's instances; hostagent.go the process that keeps
// one; hold.go what ends that with the lab's keeper; qemu.go and qemu_linux.go QEMU's command line.
package main
