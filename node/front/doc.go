// Package front is a member's face to clients: the etcd v2 API over HTTP/1.1.
//
// A Front is an http.Handler over a host. Requests of the keyspace go through
// node/api, the same bytes to values and back that simulated clients use; what
// net/http would change on the way (it cleans paths, adds headers) is kept from
// it. A Server serves a Front on listeners, with bounds on connections.
//
// The package holds no rule of the keyspace or of consensus. What it decides is
// how much of what it lets in.
//
// Invariants:
//
//   - Every request is answered, also those that are refused, in the form that
//     the endpoint's other errors have, and counted.
//   - A watch ends at once when its client is gone, when its reader lags, and
//     when the server stops; its answer then ends cleanly, which clients take for
//     "ask again".
//   - No client can hold more than Limits allow: bytes, time, connections.
//   - Every answer carries the CORS headers, as etcd's do since 3.2, unless
//     origins are listed; those of private mounts only if they are.
//
// Decisions, where etcd leaves one:
//
//   - HTTP/1.1 only. Clients of v2 speak no other, and there the end of a
//     connection is the end of its watch.
//   - /version has etcd's two fields alone, since clients compare; the product's
//     own version is in the header X-Drydock-Version.
//   - /debug/vars shows the program's name without its arguments.
//   - A member that was added must have started before the next one is added, and
//     a removal must leave a majority that is up; etcd asks for more, that all
//     have been connected for 5 s, since there a new member votes at once.
//   - A request that waited in vain for a leader "timed out", as etcd says, though
//     it is known not to have been done; X-Drydock-Outcome tells the difference.
//   - Where etcd says no more than "Internal Server Error" of members that were not
//     changed, X-Drydock-Reason says why.
//
// Files: front.go (routes), options.go (what it is given), limits.go, keys.go
// (the keyspace and watches), members.go and reconfigure.go, stats.go, status.go (health, version,
// machines), vars.go (/debug), metrics.go and collect.go (/metrics), write.go
// (answers), server.go and listener.go (connections).
package front
