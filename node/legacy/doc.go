// Package legacy serves what etcd served between 2013 and 2014 beside the v2
// keyspace, for the clients of that time (etcd v2 contract, "Extras of 0.2-0.4").
//
// On the client port: the v1 API, /v2/leader, /v2/peers, /v2/speedTest, and the
// lock and leader modules. On the peer port: /v2/admin, /name, /etcdURL and
// /version. Everything that touches the keyspace is a call of node/api, carried
// out by the host like any client's; a Guard is asked first.
//
// Invariants:
//
//   - The holder of a lock is the lowest of the lock's in-order keys, by a
//     linearizable read. An answer that says "yours" comes after such a read that
//     began when the caller's key was there.
//   - A waiter keeps its own key alive and takes it away when it gives up, its
//     client included.
//   - Nothing is kept in this process between requests but the count of waiters
//     and whether a speed test runs.
//
// Decisions, where old servers differ from each other or from what clients want:
//
//   - Errors are as recorded: the modules' are text/plain with X-Etcd-Index 0, v1's
//     are application/json with the store's index, failed look-ups of the modules
//     are plain text with status 500.
//   - A waiter's ttl is renewed before half of it has passed, also below two
//     seconds, and by a refresh, which wakes nobody who watches the lock.
//   - A waiter whose key has gone (released by index, or expired) is told so
//     instead of waiting for ever.
//   - A lock's index is shown without the padding that the keys' names have.
//   - The modules' GET is a linearizable read.
//   - /v2/peers and its like name the leader first, as then: go-etcd takes the
//     first for the leader.
//   - A v1 read that finds nothing at all of its path, not even the first component,
//     is 404 in the words of a server without v1, as 3.4 is; one that finds a part
//     of it is error 100, as then.
//   - One speed test at a time; it ends when its client goes.
//   - /v2/admin's configuration is stored and validated as then, in /_etcd/config.
//     Members do not come and go by it: workers take the place of standbys.
//
// Where the dialects of 2014 and 3.4 contradict each other on a path that both
// have, the member speaks 3.4: /v2/keys (padded names of in-order keys, the cluster
// id in headers, causes and indexes of request errors, 405 for unknown methods),
// /version (JSON), and /mod/dashboard/, which 0.4 did not serve.
//
// Files: legacy.go (routes), call.go (calls and errors), cluster.go (who leads, who
// is there, the speed test), v1.go, lock.go (the modules), wait.go (a lock's
// queue), peer.go (the peer port).
package legacy
