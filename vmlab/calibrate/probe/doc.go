// Package probe measures a machine from within: how long messages take between it
// and others, and its disk to sync. `drydock lab calibrate` runs it on machines of
// labs, as the hidden command `drydock lab probe`.
//
// Machines that share the host's kernel share its clock, so a message's ways there
// and back are measured apart. Between machines with kernels of their own each way
// counts for half of both.
//
// Files: link.go, disk.go; platform_linux.go and platform_other.go.
package probe
