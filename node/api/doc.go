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
// Invariants:
//
//   - Every path of a Call is clean (keys.IsClean) and within bounds, and every
//     Write is one that keys.Store.Apply takes.
//   - A request is judged by its own bytes alone, in the order in which etcd
//     3.4 checks them; the first failure is reported, with index 0.
//   - JSON is what encoding/json makes of the same strings: markup escaped,
//     bytes that are not UTF-8 replaced by U+FFFD, one newline at the end.
package api
