// Package stream gives every consumer of randomness in a simulation a stream of
// its own, drawn from one seed and the consumer's name.
//
// Invariants:
//
//   - What a stream yields depends on the seed, the stream's name and how much
//     was drawn from it before; nothing else. A draw more or less in one place
//     therefore never moves another place, so that a changed fault or a new
//     feature leaves the rest of a run as it was.
//   - Number streams and byte streams of one name are apart.
//   - The generator is ChaCha8 with a key that is a SHA-256: both are specified
//     bit by bit, so a seed means the same on every machine.
//
// Integer draws are exact everywhere. The floating-point draws ExpFloat64 and
// NormFloat64 go through math.Exp and math.Log, whose last bit differs between
// architectures: whatever decides the course of a run uses integers (package
// dist does).
package stream
