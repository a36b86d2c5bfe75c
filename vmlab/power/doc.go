// Package power is the switch of a lab's machine, the same whatever the machine is made
// of: it is off, on or paused; it is switched on once at a time, halts, loses its power
// or ends by itself, and is put away before it is switched on again. What a driver does
// at each of these is its Engine.
//
// Invariants:
//
//   - A machine has one life at a time, and whatever of a life was begun is ended, also
//     when its beginning failed.
//   - A machine whose life has not begun to the end, or has ended by itself, is off for
//     everybody who asks.
//   - A machine that was given up is off, and stays off, whoever still knows it.
//   - Who switches a machine holds its Turn; who asks how it is does not wait for that.
package power
