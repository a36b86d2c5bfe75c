// Package discovery lets members of a new cluster find each other by a URL, and
// serves such URLs to others.
//
// Two protocols are spoken, and which one a URL is for is seen from what is
// there (etcd v2 contract, "Discovery"):
//
//   - etcd 2.0's. The URL's directory says how many members found the cluster
//     (_config/size). Each registers NAME=PEERURL under its id and waits until
//     that many are there; who comes later is told that the cluster is full.
//   - 2014's. There is no size. Each registers its peer URL under its name, for a
//     week at a time, and the first to create _state founds a cluster of one,
//     which the others join.
//
// The server's side is the face of discovery.etcd.io: /new?size=N makes a token
// and answers its URL; below a token is what the keyspace holds under
// /_etcd/registry/TOKEN. Any directory of the keyspace serves as well, by its own
// URL (http://HOST/v2/keys/DIR).
//
// Invariants:
//
//   - Founders are the first so many in the order in which the discovery's
//     cluster took them. That order never changes, so all founders agree.
//   - An id that is there already is a duplicate, unless an answer was lost, or
//     the caller knows of a start before this one, and the value is its own.
//   - Only trouble of the network and of the server is tried again, with longer
//     and longer pauses; an answer that says no is final.
//
// Files: protocol.go (what is read and written, and what follows; pure), client.go
// (HTTP and retries), join.go (the two courses of events), server.go.
package discovery
