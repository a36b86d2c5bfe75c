// Package archive works on a member's data directory while no node runs on it:
// it says what the directory holds and whether it is whole (Inspect), puts what
// it holds into one file (Backup), and founds a new cluster with such a file
// (Restore).
//
// A backup is the replicated state and nothing of the member: no log, no vote,
// no id that could come back to life. It is a zip file of two entries, so that
// common tools can look into it:
//
//	state.snap     the state, in the format of snapshot files (package checkpoint)
//	manifest.json  what it is of, and the size and SHA-256 of state.snap
//
// The state is that at the end of the member's log. The last entries may not be
// known there as committed; a majority may have had them and clients may have
// been told so, therefore they are kept, as they would be if the other members
// elected this one. What nobody was told of may so take effect, too.
//
// A restored cluster has one member, and both it and the cluster have new ids: it
// can't talk to what is left of the old cluster, and no client takes the one
// for the other. Keys, times to live, history and indexes go on; etcd's index
// and raft's never go back behind the backup.
//
// Invariants:
//
//   - Inspect and Backup change nothing in the directory. They hold its lock,
//     and refuse a directory that a node uses.
//   - Backup gives a whole file or none, and reads back what it has written.
//   - Restore verifies all of the file before it writes anything, writes beside
//     the target and renames when all is durable. It refuses a target that holds
//     anything.
//
// Files: directory.go (a data directory that can't be changed), inspect.go and
// text.go (the report), format.go (the file), backup.go, restore.go.
package archive
