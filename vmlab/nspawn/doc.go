// Package nspawn makes labs of containers with a systemd of their own: each machine
// is an image booted by systemd-nspawn, with D-Bus, journal, units and, where the
// image has it, Docker. It takes root, Linux, systemd-nspawn and an image, and about
// two seconds.
//
// A machine is the image's root, to be read, under a layer of the machine's own in
// its directory of the lab: what is written stays over reboots and power cuts. It
// joins the cluster by the cloud-config on its config drive, as a machine of any
// other sort does, and its etcd and fleet are units of its systemd.
//
// Machines have no kernel of their own. The network is the lab's, as package parts
// makes it: machines have no way out.
//
// Invariants:
//
//   - The layers are mounted in a mount namespace of the machine's first process, so
//     that they go with it.
//   - The host's systemd, if there is one, is told nothing.
//   - systemd-nspawn dies with the process that started it, and the machine with
//     systemd-nspawn.
//
// Files: nspawn.go what the driver declares; ground_linux.go a lab that runs;
// machine_linux.go a machine on and off;
// node_linux.go its node; probe_linux.go what the doctor tries.
package nspawn
