// Package fleetctl is the command line client of a cluster's units: the commands,
// flags, messages, columns, waiting and exit codes of fleet 1.0's fleetctl, over its
// HTTP API v1 (package fleetclient). It serves Drydock's clusters and those of a
// real fleetd; where the server lacks Drydock's extensions, it polls instead of
// waiting, reaches machines by ssh, and can't say why a unit waits.
//
// What it prints is in testdata/golden, transcripts against a cluster in memory: those
// of fleet 1.0, and an article of 2014. --compat=2014 prints the columns and words of
// fleet 0.1 (March 2014), --compat=0.5 those of 0.3 to 0.5.
//
// # Where it differs from fleet 1.0
//
//   - An unknown command or flag is an error with exit code 2; 1.0 printed its help and
//     exited with 0. The shorthands -l, -f, -A (and -n, -o, -m, -u) work, long flags
//     may have one dash, as in 2014, and after ssh's target all is the command.
//   - Every unit is tried, and the worst code counts; 1.0 stopped at the first error.
//   - A unit that isn't there is said to be missing by stop, unload, restart and why,
//     and the code is 1, also if none is there. destroy goes over it, as 1.0 did.
//   - start and load wait for a unit that was told before and isn't there yet. 1.0
//     said nothing and exited with 0.
//   - A command that waits says what for, on stderr: on a terminal in one line, elsewhere
//     a line for each new reason, none in the first 2 s.
//   - start takes a unit that starts slowly for one that starts slowly, and one that has
//     done its work for done; 1.0 gave up after 2 s. One that isn't about to run is
//     still an error then, which says what it is.
//   - "launched on …" always has the machine; 1.0 lost it now and then.
//   - --no-block says "Triggered" once, not twice.
//   - stop takes a unit that was started and has no machine; 1.0 refused, and it would
//     have run later.
//   - destroy waits until no machine has anything of the unit (1.0 waited only when it
//     was told not to).
//   - restart tells of the stop, too, and leaves no unit stopped, whatever happens
//     meanwhile.
//   - status and journal go through the cluster, to global units too, and need no ssh;
//     status shows a global unit on each machine, and its code is 3 if one isn't active.
//   - status, stop and the others take patterns of names (names.go has the rules).
//   - --endpoint takes several, which are tried in turn. Without it they are fleet's
//     socket, if there is one, and the ports 2379 and 4001 of this machine. Drivers and
//     the keys in etcd are not spoken.
//   - ssh is the program of that name, with the user's configuration; an unknown host
//     is asked about as that does.
//
// New are why, drain, undrain, set-metadata, plan, --watch and --json on lists, more
// fields (list-machines --help), journal's --machine, and --username.
//
// Invariants: the process is reached through ui.Env and system alone; success is said
// after it has come; units are written to in the order in which they were named, as
// long as they are few.
//
// Files: app.go (which command), flags.go (global flags, endpoints, ssh), names.go (which
// units), create.go (from files and templates), change.go (start and the like), wait.go
// (waiting and what is said meanwhile), list.go, show.go (one unit), machines.go,
// ssh.go, other.go, words.go (releases).
package fleetctl
