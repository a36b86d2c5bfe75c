// Package netns makes labs of namespaces: each machine is a set of processes with
// their own network, mounts, process numbers and host name, in a control group of
// their own, under an init that is this program. It takes root and Linux, and
// milliseconds.
//
// A machine has no kernel of its own. It can be switched on and off, lose its power
// (all its processes and sockets are gone at one instant, and nobody is told), be
// stopped and go on, and its node can be killed while the rest lives. Its root is a
// directory of its own, over which the host's programs and libraries are laid to be
// read; what is written below /var, /etc, /home, /opt and /root stays with the
// machine.
//
// Nothing has a name in the host: network namespaces are held by the process that
// made the ground and by what runs in them, mounts are made inside namespaces, and
// the init of a machine dies with the process that started it, and with it all that
// it has begotten. What can outlive that process are control groups, which Reap
// removes.
//
// Invariants:
//
//   - No process is signalled that isn't in a control group made here.
//   - Nothing of the host's network changes.
//   - A machine keeps its link's port while it is off, so that faults on the link
//     outlive a reboot.
//
// Files: netns.go what the driver declares; ground_linux.go a lab that runs;
// machine_linux.go one of its machines; init_linux.go and root_linux.go the
// machine from within; enter_linux.go commands on machines; probe_linux.go what the
// doctor tries. What machines are made of besides is in package parts.
package netns
