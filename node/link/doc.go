// Package link is what machines and members say to each other about units.
//
// A machine keeps a session with the cluster: it says hello, is welcomed, and from
// then on sends a beat every so often, which the leader acknowledges after it has
// made sure that it still leads. What the machine is to have comes as orders, with a
// version; what it does have goes as reports. Any frame may be lost, repeated or
// overtaken: beats and versions make up for it.
//
// A frame names the cluster and the machine, holds one message and ends with a
// CRC-32C over all before it; package wire has the encoding's parts:
//
//	magic 'M' | version 1 | kind | cluster u64 | machine | message | crc32c u32
//
// Invariants: encoding is deterministic; decoding never panics, bounds every count by
// the bytes that are there, and returns errors that match ErrFrame and name the field.
//
// Files: frame.go the messages, lease.go the arithmetic of leases, which both sides
// share, codec.go, write.go and read.go the encoding.
package link
