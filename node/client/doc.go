// Package client talks to a cluster by the etcd v2 API: keys, watches, members,
// statistics, users and roles.
//
// A Client knows several endpoints and keeps to one while it answers. When that one
// can't be reached, takes too long or answers with a 5xx, the next is tried, once
// round. When none is left the error is a *ClusterError, which has what each of them
// said.
//
// Invariants:
//
//   - A request whose outcome is unknown is sent again only if a second time does no
//     harm: reads, and a set, refresh or setting of a directory without conditions. A
//     create, an in-order create, a compare and a delete are sent again only when it
//     is certain that they had no effect; otherwise ClusterError.Unknown is set.
//   - An answer of the cluster is a Response or an *Error with the API's code, which
//     errors.Is tells apart by ErrKeyNotFound and its kin.
//   - A watch that is cut off goes on where it was: events are neither lost nor seen
//     twice, or the error says that the history no longer reaches back that far.
//
// Files: client.go (endpoints and failover), keys.go, watch.go, members.go, auth.go,
// stats.go, errors.go, tls.go.
package client
