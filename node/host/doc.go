// Package host runs a node in production: the machine's clock and files around
// the same reactor that the simulator drives.
//
// One goroutine turns the node. Others do what blocks: one for each lane of the
// disk, the transport's, and whoever asks. They talk to it by two bounded queues
// (what the cluster needs, and what clients want) and it to them by queues that
// never make it wait. The package holds no rule of the domain: what is asked and
// what it means is decided by node and api.
//
// Invariants:
//
//   - Node.Step is called by the reactor's goroutine only.
//   - Every request is answered exactly once: by the node, or by the host as
//     refused (it never reached the node) or unknown (the node stopped).
//   - Frames are dropped when the queue is full, as networks do; completions of
//     disk jobs are never dropped.
//   - A watch that isn't read is ended after maxLag events; what its history held
//     when it began does not count.
//   - One process at a time uses a data directory: it holds a lock on it.
//   - A failed job of the log is the node's end: Done is closed and Err says why.
//
// Files: host.go (start, stop, requests), post.go (requests by the batch), loop.go (the reactor's goroutine),
// watch.go (a watch's queue), rest.go (whether there is anything to do), users.go,
// disk.go, lanes.go and identity.go (files), clock.go.
package host
