// Package corpus keeps what each release has written: frames of each kind, a
// batch and other commands, the description of a state, a segment of the log and
// a snapshot, as files of a few hundred bytes under testdata/release-N.
//
// Its tests read every file as the newest release, compare what comes out with
// what went in, boot a member from the log and snapshot of each release, and
// hold a program that works as an older release to that release's bytes. What a
// release has written is never written anew: a file that is there stays.
//
// A new release adds a function beside release3 that says what it writes, a line
// in releases, and its files by
//
//	go test ./sim/corpus -add
//
// which makes those that are missing and touches no other.
package corpus
