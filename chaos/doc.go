// Package chaos is the vocabulary of faults: what each one means, which
// parameters it takes, when a plan injects it and what a world must offer so
// that it can.
//
// A fault means the same in every world. A scenario file names faults through
// this vocabulary, a Conductor carries the resulting Plan out, and a Target (the
// simulated cluster, or a lab of real machines) does the damage.
//
// Invariants:
//
//   - The package is deterministic: one thread, no clock, no map order. All
//     randomness is drawn from the Host's named streams, one for each step, so
//     editing one step never reshuffles another.
//   - Nodes are chosen when a fault strikes, not when the plan is read, and the
//     chosen names are what the timeline shows.
//   - Every fault with a lasting effect is undone by its own undo, by a heal
//     step, or by Conductor.Heal, whichever comes first, and only once.
//   - A fault that lies in wait (Kind.LiesInWait) counts as effective when it
//     strikes, not when it is injected.
//   - A fault that changed nothing is counted as not effective; it is never
//     mistaken for one that was survived.
//
// A Nemesis draws whole plans from the vocabulary by a seed (nemesis.go); how
// often each fault is drawn, and with which parameters, is in deck.go.
//
// A new fault joins by one Params type and one entry of the vocabulary
// (vocabulary.go), and a card of the deck; the file format, its schema and its documentation follow
// from the struct's tags:
//
//	json     the parameter's name in a scenario file
//	doc      what it means, for people
//	default  its value when absent
//	scalar   "true" marks the parameter that a bare value stands for
//	         (`crash: leader` is `crash: {node: leader}`)
//	enum     the allowed words, separated by |
package chaos
