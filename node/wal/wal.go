package wal

import (
	"errors"
	"fmt"
)

// Dir is the directory of the log's files.
const Dir = "wal"

// Bounds and defaults.
const (
	// DefaultSegmentBytes is the size of a segment file when Options says none.
	DefaultSegmentBytes = 64 << 20
	// MinSegmentBytes is the smallest segment that Options may ask for.
	MinSegmentBytes = 4 << 10
	// MaxBatchBytes bounds one encoded batch. A batch larger than a segment
	// gets a segment of its own size.
	MaxBatchBytes = 256 << 20
	// MaxBatchEntries bounds the entries of one batch.
	MaxBatchEntries = 1 << 20
	// maxSpares is how many released segments wait to be used again.
	maxSpares = 2
)

// Errors of this package. CorruptError says more where it applies.
var (
	// ErrNoLog: the directory holds no log; Create makes one.
	ErrNoLog = errors.New("wal: no log")
	// ErrExists: Create met a log.
	ErrExists = errors.New("wal: a log exists")
	// ErrIdentity: the log belongs to another cluster or member.
	ErrIdentity = errors.New("wal: log of another member")
	// ErrCorrupt: the log is damaged in a way that no crash explains.
	ErrCorrupt = errors.New("wal: corrupt")
	// ErrTooLarge: a batch exceeds MaxBatchBytes or MaxBatchEntries.
	ErrTooLarge = errors.New("wal: batch too large")
	// ErrOrder: a batch does not continue the log (a gap between entries, a
	// marker that goes back or names an entry that is not there).
	ErrOrder = errors.New("wal: batch out of order")
	// ErrFailed: an earlier write or sync failed, so what the files hold is no
	// longer known; the log must be opened anew.
	ErrFailed = errors.New("wal: log failed earlier")
	// ErrPositionLost: Scan was asked to go on from a place that the log no
	// longer has; scan again from the zero Position.
	ErrPositionLost = errors.New("wal: position is gone")
)

// CorruptError says where a log is damaged. It matches ErrCorrupt.
type CorruptError struct {
	// Segment is the sequence number of the damaged segment.
	Segment uint64
	// Offset is the byte in the segment at which the first bad record starts.
	Offset int64
	// Reason says what is wrong there.
	Reason string
}

// Error names the place and the reason.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("wal: corrupt: segment %d, offset %d: %s", e.Segment, e.Offset, e.Reason)
}

// Unwrap makes the error match ErrCorrupt.
func (e *CorruptError) Unwrap() error { return ErrCorrupt }

// Entry is one entry of the replicated log.
type Entry struct {
	// Index is the entry's place in the log, from 1.
	Index uint64
	// Term is the term in which a leader proposed it.
	Term uint64
	// Type is the consensus library's kind of entry, opaque here.
	Type uint8
	// Data is the entry's content.
	Data []byte
}

// HardState is what a member must remember of its votes and of the commit index.
type HardState struct {
	Term, Vote, Commit uint64
}

// Marker says that a checkpoint is durable which holds everything up to Index.
type Marker struct {
	Index, Term uint64
}

// Batch is what is written as one unit: after a crash either all of it is in
// the log or nothing. Its parts take effect in the order Reset (with Marker),
// Entries, Marker, Hard, Boot.
type Batch struct {
	// Entries continue the log or replace its suffix: an entry at index i drops
	// every earlier one at i or above.
	Entries []Entry
	// Hard, if not nil, is the new hard state.
	Hard *HardState
	// Marker, if not nil, is the new marker.
	Marker *Marker
	// Boot, if not 0, is the new incarnation counter of the member.
	Boot uint64
	// Reset goes with Marker: a snapshot replaced the log; every entry is
	// dropped and the log goes on after Marker.Index.
	Reset bool
}

// Identity names whose log it is.
type Identity struct {
	Cluster, Member uint64
}

// Options are the fixed properties of a log.
type Options struct {
	Identity
	// SegmentBytes is the size of a segment file; 0 means DefaultSegmentBytes.
	SegmentBytes int64
}

// segmentBytes returns the segment size with its default, or an error.
func (o Options) segmentBytes() (int64, error) {
	switch {
	case o.SegmentBytes == 0:
		return DefaultSegmentBytes, nil
	case o.SegmentBytes < MinSegmentBytes:
		return 0, fmt.Errorf("wal: segment of %d bytes, need at least %d", o.SegmentBytes, MinSegmentBytes)
	}
	return o.SegmentBytes, nil
}

// Recovered is what Open found.
type Recovered struct {
	Identity
	// Boot is the last incarnation counter written, 0 if none.
	Boot uint64
	// Hard is the last hard state.
	Hard HardState
	// Marker is the last marker.
	Marker Marker
	// Entries are the entries after Marker.Index, without gaps.
	Entries []Entry
	// Truncated is the number of bytes of a torn tail that were dropped.
	Truncated int64
}
