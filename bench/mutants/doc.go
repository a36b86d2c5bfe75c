// Command mutants plants bugs in the product's own code, one at a time in a copy
// of the tree, and sees whether the simulator finds them.
//
// The catalogue is data: each mutant is an edit of a few lines with its area,
// its fault in a sentence and the checker that should catch it. Some change no
// behaviour that anybody was promised; whoever catches one of those is wrong.
//
// The program is built once as it is, which gives the trace hashes of a few
// seeds of every scenario of the library, and once for each mutant. A mutant is
// hunted with `drydock run` over the scenarios that its entry hints at, then
// over the whole library in turns, with ever more seeds. The first violation
// ends the hunt, unless the program as it is violates the same scenario and
// seed, too. A mutant under which no trace changes was not reached: no checker
// could have seen it.
//
// What a hunt may cost is counted in CPU time, so that a busy machine changes
// how long it takes and little else. Every mutant first gets half of an even
// share of the budget; what the killed ones did not need is shared by the rest.
// Building is counted apart.
//
// Exit status: 0 if at least 90% of the mutants that were reached are killed and
// no null one is; 1 if not; 2 for a wrong call, or a catalogue that does not fit
// the tree; 4 if something failed; 130 if interrupted.
//
// Files: catalogue.go and catalogue_*.go (the bugs), tree.go (the copy, building),
// probe.go (running scenarios), hunt.go (one mutant), campaign.go (all of them),
// report.go, main.go.
package main
