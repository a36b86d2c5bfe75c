// Package faketest is a world for tests of the runner and of its commands: a
// store of one client that is right or wrong in the way that the scenario's
// name asks for, so that worker processes need no other channel.
//
//	wrong      every third seed reads a value that was overwritten
//	moody      the trace differs from run to run
//	panics     panics
//	dies       panics where nobody can recover it
//	fails      the world fails
//	hangs      ends only when it is cancelled
//	short      does next to nothing
//	idle       no fault takes effect
//	drifts     reads wrong, and takes another course where DriftEnv is set
//	fragile    reads wrong if there are a crash, a pause and two clients or more
//
// Any other name gives a run in which everything holds.
package faketest
