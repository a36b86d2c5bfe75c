// Package authcheck finds out who sends a request, and serves the auth API.
//
// Passwords are hashed with bcrypt, which takes long on purpose: some tens of
// milliseconds of a core. So it's done by the goroutines of the requests, not by
// the node's; only so many at a time; and a password that was right is
// remembered for its hash, under a key that dies with the process. A name that
// nobody has takes as long as a wrong password.
//
// What a user may do is decided by package auth, how requests and answers look
// by package face. A Guard is what node/front and others ask before they carry a
// request out.
//
// Invariants:
//
//   - While auth is off nothing is looked at: a Guard costs one load.
//   - A request with an Authorization header is that user's or nobody's, never a
//     guest's.
//   - Neither a password nor anything that a password could be had from is kept
//     longer than its request, logged or proposed: the log has the hash.
//   - At most Parallel hashes are computed and Waiting requests wait for theirs;
//     who comes beyond that is told to try again.
//
// Two things are not as in etcd: of a password longer than the 72 bytes that
// bcrypt takes every byte counts, and where certificates name users only the
// client's own does, not its issuer's.
//
// A member serves by its own copy, as etcd does: what was changed through another
// member counts here a moment later. What was open stays open; a watch is judged
// when it begins.
//
// Files: guard.go (who and whether), password.go (hashes and their cache),
// handler.go (the API), metrics.go.
package authcheck
