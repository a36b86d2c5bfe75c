// Package keeper is the process that a lab lives in: it holds what the lab is made
// of, forwards ports to its machines, carries faults out and undoes them, and
// answers commands on a socket in the lab's directory.
//
// drydock lab up starts a keeper, which goes on in the background; whatever becomes
// of the commands that talk to it, the lab stays as it is. When the keeper ends, so
// does all that it holds; what the kernel doesn't end with it, the driver's Reap
// removes before anything else is done with the lab.
//
// Invariants:
//
//   - One keeper to a lab: it holds the lock of the lab's directory while it lives.
//   - A fault that could outlive the keeper is on record (State.Undo) before it is
//     applied, and as long as it lasts.
//   - Ports are forwarded from 127.0.0.1 only.
//
// Files: keeper.go the lab, up.go how machines come up and go down, apply.go how a lab
// changes, members.go who the cluster's members are, forward.go ports, fault.go faults,
// serve.go and client.go both ends of the socket, status.go what is told of machines,
// snapshot.go states that are kept.
package keeper
