// Package daemon assembles a node's process: configuration, the data directory's
// founding, sockets and their certificates, logs, signals from systemd, and an
// end in good order. What a node does is decided elsewhere: host turns it,
// transport carries its frames, front and its neighbours serve its clients.
//
// The journey of a start, one function per arrow:
//
//	Load → Run → start → bootstrap.prepare → host.Start → serve → run until told
//
// and of an end: handOver (the leader's office) → close of the faces → host.Stop
// → the directory's lock.
//
// Invariants:
//
//   - A data directory is one member's for ever. A member whose disk was lost never
//     comes back under its id: a founder asks the others first, a joining member
//     is given an id that was drawn for it.
//   - Flags beat the environment, which beats the file; a value that is refused is
//     named as it was given.
//   - Two members of one id never run at once on one machine: the directory is
//     locked before anything else is done with it.
//   - The process ends by itself only with a reason that it prints.
//
// Files: config.go (what can be told), options.go (every option), load.go (flags,
// environment, file), cluster.go (founders and ids), bootstrap.go (from an empty
// directory to a member), peerface.go (what members tell nodes that are not), run.go
// and member.go (start and stop), machine.go (the machine that a node is), faces.go
// and fleetface.go (what clients are served), worker.go, secrets.go (certificates),
// memory.go, listen.go, logging.go, notify.go, banner.go.
package daemon
