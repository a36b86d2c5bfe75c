// Package dist draws delays: of a network link, a disk's sync, a client's pause.
//
// A Spec is the distribution as data, New checks it and makes a Dist of it, and
// Dist.Sample draws from a stream of random numbers.
//
// Invariants:
//
//   - The same Spec and stream give the same delays on every machine. All
//     arithmetic is on integers in fixed point: Go may fuse a floating-point
//     multiplication with an addition on one architecture and not on another,
//     and math.Exp and math.Log have assembly versions, so float64 delays would
//     differ in their last bit, and a simulation whose first delay differs by a
//     nanosecond is another simulation.
//   - A kind takes the same number of draws for every sample, whatever comes
//     out.
//   - Min <= sample <= Max, so that one unlucky draw can't outlast a run.
package dist
