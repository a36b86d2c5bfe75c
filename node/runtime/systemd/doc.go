// Package systemd runs units by systemd, over D-Bus: the system's manager, or a
// user's.
//
// Unit files lie in a directory of the node's own, best on a file system that a
// reboot empties, and are linked into systemd's runtime directory. systemd reads
// them again (daemon-reload) when they change, once for all that changed in a
// moment. Requests become jobs of systemd's; what a unit is is read again whenever
// systemd signals that it has changed, never in turns.
//
// Invariants:
//
//   - Requests about one unit reach systemd in their order, those about different
//     units don't wait for each other, and nor does one unit's failure hold up
//     another's request.
//   - A unit that systemd has from elsewhere is refused (ErrTaken), not replaced.
//   - A unit's file goes only when the unit has ended and its control group is
//     empty, whatever its KillMode.
//   - State and List are as new as the end of the last request that was told.
//   - Close leaves all units running; New finds them by their files.
//   - KillUnits needs nothing of a node but its directory, and kills by control
//     group even when systemd doesn't answer.
//
// Files: systemd.go the runtime, files.go unit files and reading them again,
// request.go jobs, state.go what a unit is, connection.go D-Bus, kill.go fencing,
// group.go control groups, journal.go what units write.
package systemd
