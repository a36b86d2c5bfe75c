// Package lab is what all labs have in common, whatever their machines are made
// of: the lab file, the machines that follow from it, what a driver must offer and
// may lack, and how a fault of the vocabulary becomes something done to a machine
// or a link.
//
// A lab is a number of machines on one network of their own. A Driver makes such
// machines; the Ground is one lab of a driver while it runs. Names, addresses and
// MACs follow from a machine's place in the file and stay with it for the lab's
// life (state.go keeps them).
//
// Invariants:
//
//   - A fault that a driver can't do is refused by its name and the capability
//     that is missing, before anything is done.
//   - Faults mean what package chaos says, since they are its faults.
//   - A fault's undo is on record before the fault is applied.
package lab
