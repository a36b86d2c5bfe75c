// Package wal is the write-ahead log of a member: entries, hard state, markers
// and the incarnation counter, in files of fixed size under Dir.
//
// A segment file is filled with zeros when it is made and used again when it is
// released, since a sync that need not extend a file costs about half. It holds
// records, one after another, aligned to 8 bytes. The first is a header: whose
// log it is, the segment's sequence number, where the segment before it ended,
// and a copy of everything that is not an entry, so that a released segment
// takes nothing along. The others are batches, and bumps written by Open.
//
//	byte  0  magic
//	      4  CRC-32C of all that follows, to the end of the payload
//	      8  CRC of the record before this one (the chain)
//	     12  length of the payload
//	     16  generation
//	     24  synced watermark: segment, offset
//	     40  kind, then 7 zero bytes
//	     48  payload, padded to 8
//
// The generation grows with every segment and with every Open. Bytes of a
// segment's earlier life, and of a tail that a recovery dropped, carry a lower
// generation than the records around them and so never come back. Open makes
// its bump durable before anything else is written.
//
// The watermark is the place up to which a Sync had completed when the record
// was written. Where the chain of good records ends, it tells the two possible
// reasons apart: if a later record says that this place had been synced, no
// crash explains the damage and Open refuses (CorruptError); otherwise it is
// the torn tail of writes that nobody was told about, and Open drops it. Damage
// behind the last sync but before the next record is written can't be told from
// a torn tail; a reader that knows an index which must be there (a checkpoint's,
// a quorum's) has to compare.
//
// Invariants:
//
//   - What Open returns is a prefix of the batches appended, whole batches only,
//     and contains every batch before the last completed Sync.
//   - Entries have no gaps, and none is at or below the marker.
//   - Segments but the newest are released only when the marker that makes them
//     needless is durable, one by one from the oldest.
//   - A log that failed to write or sync once refuses everything from then on.
//
// wal.go has the types, format.go the bytes, log.go appending and syncing,
// segment.go files, recover.go Open, verify.go what Open would find, scan.go the
// reader for auditors.
package wal
