// Package fleetclient talks to a cluster by fleet's HTTP API v1: units, their
// states, machines, and what Drydock has beside them (reasons, waiting, journals,
// restarts, drains).
//
// A Client knows several endpoints, on TCP or on Unix sockets, directly or through
// ssh, and keeps to one while it answers. When that one can't be reached, takes too
// long or answers with a 5xx, the next is tried, once round.
//
// Invariants:
//
//   - Every request may be sent twice: the API's writes say what is to be, not what
//     is to change. A unit that a second DELETE doesn't find has been deleted by the
//     first.
//   - An answer of the cluster that isn't what was asked for is an *Error, with fleet's
//     code and words; silence is an *Unreachable.
//   - A server without the extensions (a real fleetd) is served by the plain API alone:
//     Extended tells which it is, after the first answer.
//
// Files: client.go (endpoints, failover, errors), dial.go (sockets, ssh), calls.go (API
// v1), extended.go (what is beside it).
package fleetclient
