// Package disk is the simulated disk of one node: a small in-memory file
// system that knows what a power cut would leave of it.
//
// Every file has two contents and every directory two sets of entries: the
// live one, which programs see, and the durable one, which survives. An
// operation changes the live side at once and waits in a list; Sync and SyncDir
// carry the waiting operations over to the durable side.
//
// Jobs take simulated time although they run at once. The simulator brackets a
// job's run with Begin and End, and calls Complete when the job's simulated time
// is over; only then do the job's syncs count. A crash in between cuts the job
// at a random operation: what came before the cut has happened, syncs included,
// and the rest has not. Operations outside of a job (at boot) count at once.
//
// After a power cut each operation that was not synced is lost, kept, or (for
// writes, if asked for) kept in part by sectors of 512 bytes, independently of
// the others, whatever their order. Directory entries fare likewise; a rename
// is lost or kept as one. A dead process without a power cut loses nothing but
// the rest of its jobs in flight.
//
// SetFate makes operations fail or go astray. A sync that fails leaves what it
// was to make durable readable and forsaken: no later sync covers it.
//
// bbolt wants a file of the operating system. BoltPath lends it an anonymous
// one for the length of a session and takes the image back afterwards, so that
// no descriptor outlives a job. The session counts as one operation that is
// synced in itself; a cut inside it leaves an image that bbolt's own order of
// writes allows: some of the new pages and the old meta pages, or all of the
// pages and new meta pages written in part. bbolt ranges over Go maps while it
// lays out pages, so images (not what they mean) differ from run to run; they
// are kept out of the fingerprint, and whether a commit survives a crash is
// drawn without looking at them.
//
// Invariants:
//
//   - Nothing depends on map order, time or the host: equal operations and equal
//     draws give equal disks and equal fingerprints.
//   - live = durable + waiting operations, at any moment.
//   - A handle opened before a crash never touches the disk after it.
//
// disk.go has the type and its fingerprint, file.go files, dir.go directories,
// job.go jobs, crash.go crashes, fault.go faults, bolt.go bbolt's sessions.
package disk
