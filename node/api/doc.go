// Package api decodes requests of the etcd v2 keys API and encodes the answers,
// bytes to values and values to bytes. It opens no connection and knows no
// node: production servers and simulated clients go through the same code.
//
// Decode turns a Request into a Call, or answers at once what needs no store:
// malformed requests, unknown paths and methods, paths that are not clean,
// cross-origin pre-flights. The host carries out the Call and has its outcome
// encoded by Encode (done), EncodeFailure (refused or unknown), or, for a
// watch, by EncodeWatchHead once and EncodeWatchEvent for each event.
//
// The members API, /v2/members, has its rules here as well: DecodePeerURLs, Admit
// and Dismiss. It has no simulated clients.
//
// Invariants:
//
//   - Every path of a Call is clean (keys.IsClean) and within bounds, and every
//     Write is one that keys.Store.Apply takes.
//   - A request is judged by its own bytes alone, in the order in which etcd
//     3.4 checks them; the first failure is reported, with index 0.
//   - JSON is what encoding/json makes of the same strings: markup escaped,
//     bytes that are not UTF-8 replaced by U+FFFD, one newline at the end.
//
// Decisions, where etcd 3.4 does by accident what no client would want:
//
//   - A stream from a past index delivers everything since then and goes on;
//     etcd's delivers one old event and then nothing.
//   - The history shows no hidden keys to a watch from above them, as a live
//     watch shows none; etcd's does.
//   - The root is read-only for every method: compareAndDelete is refused with
//     107 and its cause, where etcd says 102 without one.
//   - A compareAndDelete whose condition differs is counted as a failure in the
//     statistics of the store; etcd counts a success.
//   - Listings are sorted also where nobody asks for it; etcd's have any order.
//
// And where it keeps to an accident that clients may rely on: paths that are not
// clean are answered 301, quorum=true beats wait=true, a value's bytes that are
// not UTF-8 are lost, a semicolon in the query is an error.
package api
