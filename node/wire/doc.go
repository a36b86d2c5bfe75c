// Package wire is the node's own encoding of everything that members send each
// other, and the small varint toolkit that the log's commands use as well.
//
// A frame is one unit of sending. It names the cluster, sender and receiver,
// holds one body and ends with a CRC-32C over all before it:
//
//	magic 'D' | version 1 | kind | cluster u64 | from u64 | to u64 | body | crc32c u32
//
// Bodies are raft messages packed together, forwarded commands, refusals of
// such, pieces of a snapshot stream with their acknowledgements, or the word of
// which release a member speaks. A kind of frame comes with a release (Kind.Since);
// the form of those before stays, and so does the version.
//
// Raft's own protobuf encoding costs several times more than this one and its
// structs would be shared by pointer between simulated members; here every
// link, simulated ones too, carries bytes, and a decoded message aliases only
// the frame that it came in.
//
// Invariants: encoding is deterministic; decoding never panics, never reads
// beyond the frame, bounds every count by the bytes that are there, and returns
// errors that match ErrFrame and name the field.
package wire
