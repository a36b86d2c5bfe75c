// Package parts is what drivers on Linux make their grounds of: network namespaces,
// the cables between them, control groups, and what is known of processes; and, of
// these, the yard of those whose machines share the host's kernel. It takes root.
//
// Nothing has a name in the host but control groups, which Reap removes when the
// process that made them has died.
//
// Invariants:
//
//   - No process is signalled that isn't in a control group made here.
//   - Nothing of the host's network changes.
//   - A machine keeps its link's port while it is off, so that faults on the link
//     outlive a reboot.
//
// Files: space_linux.go network namespaces; cable_linux.go and bridge_linux.go what
// connects them; group_linux.go control groups; process_linux.go processes; yard_linux.go a
// ground and cell_linux.go a machine that is on.
package parts
