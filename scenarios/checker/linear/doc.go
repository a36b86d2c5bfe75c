// Package linear judges whether a history of operations is linearizable: is
// there one order of all operations that keeps real time and in which every
// answer is what the store must answer?
//
// # How
//
// Certificate first. Answers of the keyspace carry the revision at which the
// operation took effect, so the store itself names the order. The checker
// replays its own model of the keyspace (space.go, written from the etcd v2
// API's description) in that order, compares every answer, and checks that no
// operation sits before one that had ended before it began. If all fits, that
// order is the proof, found in linear time (certificate.go).
//
// If it does not fit, or answers carry no revision, porcupine searches for any
// order, part by part (search.go, models.go), and what it finds to be
// impossible is cut down to a small history that is still impossible
// (shrink.go). If the values alone could be explained, but not in the order
// that the revisions name, the history is violated all the same: the store
// promises one order over all keys.
//
// Keys with a time to live go by themselves. Whoever knows the store's log adds
// each expiry as an operation at its revision (history.Expire), at the time at
// which it was first applied: in the store's order everything can be taken to
// happen when it is first applied.
//
// Stale reads promise less and are judged apart (stale.go).
//
// # Unknown outcomes
//
// An unknown write may take effect at any time after its call, or never. If it
// was settled, the certificate puts it where the log has it, or leaves it out.
// If not, a refusal of the certificate is no verdict and the search decides,
// where the write may come at any place after its call; the last place of all
// stands for never. A refused operation is left out: if it had an effect all
// the same, an answer shows it.
//
// # Invariants
//
//   - Held and Violated are proofs; a search that ran out of time is Unknown.
//   - An index or a creation that no answer told agrees with everything: the
//     search never accuses by what it cannot know.
//   - Every cut of a violation keeps its meaning: the smaller history is
//     impossible by itself.
package linear
