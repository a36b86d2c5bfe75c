// Package worker runs a node without a vote: it joins a cluster by a URL and a
// token, and passes clients' requests on to the members.
//
// A worker knows where the members are and keeps to one of them while that one
// answers, so that a client reads what it wrote. A member that fails is left alone
// for a while, longer each time; when all have failed each is tried again with
// every request, so that a cluster that comes back is found at once. What it knows
// is kept in the data directory: it can start while the cluster is away.
//
// Invariants:
//
//   - A request that may have reached a member is sent to another only if it reads.
//     A write whose answer was lost is answered 502, with X-Drydock-Outcome:
//     unknown; the client has to look. One that reached nobody is 503 and refused.
//   - What a member has begun to answer goes to the client as it comes, flushed at
//     once. A watch whose member goes away ends as a body without an event does,
//     which clients take for "ask again"; any other answer that is cut is cut.
//   - A list of members that comes from another cluster is not taken.
//   - The token is shown to members only, and compared in constant time there.
//     Without TLS whoever listens on the way can read it, as everything else.
//
// The worker's own answers are below /drydock/worker, and what its machine knows of
// units; everything else is the cluster's. Whoever runs it is told of the cluster and
// its members (Options.Known), to make the host a machine of it.
//
// Files: worker.go (Run), joining.go (the worker's side of joining and the list of
// members), welcome.go (the members' side), balance.go (whom to ask), proxy.go,
// memory.go (what is kept on disk).
package worker
