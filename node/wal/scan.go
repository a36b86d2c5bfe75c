package wal

import (
	"fmt"

	"drydock/node/world"
)

// Position is a place between two records; the zero Position is the log's start.
type Position struct {
	// Segment is the sequence number of the segment, Offset the byte in it at
	// which the next record starts.
	Segment uint64
	Offset  int64
	// chain is the checksum of the record before it.
	chain uint32
}

// Record is one batch as Scan finds it.
type Record struct {
	// Segment and Offset say where the record starts, End where the next one does.
	Segment     uint64
	Offset, End int64
	// SyncedSegment and SyncedOffset are the place up to which a sync had
	// completed when the record was written.
	SyncedSegment uint64
	SyncedOffset  int64
	// Batch is what it holds; it is the callee's to keep.
	Batch Batch
}

// Scan reads the records from a position to the end of what is in the files,
// which it leaves alone, and returns the position to go on from later. It is
// for auditors: it takes the files as they are and judges nothing. A log that
// no longer has the position, because it was recovered to an earlier end or its
// segments were released, gives ErrPositionLost; no log at all gives ErrNoLog.
// An error of fn ends the scan before that record.
func Scan(fs world.FS, from Position, fn func(Record) error) (Position, error) {
	found, err := list(fs)
	if err != nil {
		return from, fmt.Errorf("wal: scan: %w", err)
	}
	if len(found.segments) == 0 {
		return from, ErrNoLog
	}
	s := scanner{fs: fs, at: from, fn: fn}
	for _, sequence := range found.segments {
		if sequence < from.Segment {
			continue
		}
		ok, err := s.segment(sequence)
		if err != nil || !ok {
			return s.at, err
		}
	}
	if from.Segment > 0 && s.at == from && !s.seen {
		return from, ErrPositionLost
	}
	return s.at, nil
}

// scanner is a scan under way.
type scanner struct {
	fs world.FS
	at Position
	fn func(Record) error
	// seen says that the place to start from was found.
	seen bool
	// generation is that of the record before at.
	generation uint64
}

// segment reads one segment and says whether the next may follow.
func (s *scanner) segment(sequence uint64) (bool, error) {
	data, err := readFile(s.fs, segmentName(sequence), 0)
	if err != nil {
		return false, fmt.Errorf("wal: scan: %w", err)
	}
	if s.at.Segment == sequence && !s.seen {
		if err := s.resume(data); err != nil {
			return false, err
		}
	} else if ok, err := s.enter(sequence, data); !ok {
		return false, err
	}
	s.seen = true
	for s.at.Offset <= int64(len(data)) {
		f, err := parseFrame(data[s.at.Offset:])
		r := recovery{generation: s.generation}
		if err != nil || f.prev != s.at.chain || !r.follows(f) {
			break
		}
		if err := s.hand(f); err != nil {
			return false, err
		}
		s.step(sequence, s.at.Offset, f)
	}
	return true, nil
}

// step moves behind the record f at off.
func (s *scanner) step(sequence uint64, off int64, f frame) {
	s.at = Position{Segment: sequence, Offset: off + f.size, chain: f.crc}
	s.generation = f.generation
}

// hand gives a batch to fn.
func (s *scanner) hand(f frame) error {
	if f.kind != kindBatch {
		return nil
	}
	b, err := decodeBatch(f.payload)
	if err != nil {
		return &CorruptError{s.at.Segment, s.at.Offset, err.Error()}
	}
	return s.fn(Record{
		Segment: s.at.Segment, Offset: s.at.Offset, End: s.at.Offset + f.size,
		SyncedSegment: f.synced.segment, SyncedOffset: f.synced.offset, Batch: b,
	})
}

// resume follows the chain from the segment's header to the position. Looking at
// the record before it alone would not do: a crash may leave that record as it
// was and take away the one before.
func (s *scanner) resume(data []byte) error {
	f, err := parseFrame(data)
	if err != nil || f.kind != kindHeader {
		return ErrPositionLost
	}
	off, r := f.size, recovery{generation: f.generation, chain: f.crc}
	for off < s.at.Offset {
		f, err = parseFrame(data[off:])
		if err != nil || f.prev != r.chain || !r.follows(f) {
			return ErrPositionLost
		}
		off, r.generation, r.chain = off+f.size, f.generation, f.crc
	}
	if off != s.at.Offset || r.chain != s.at.chain {
		return ErrPositionLost
	}
	s.generation = r.generation
	return nil
}

// enter reads a segment's header and says whether the scan goes on in it: it
// does in the oldest one when it starts at the log's start, and in one that
// continues the chain.
func (s *scanner) enter(sequence uint64, data []byte) (bool, error) {
	start := s.at.Segment == 0
	f, err := parseFrame(data)
	if err == nil && f.kind == kindHeader {
		var h header
		if h, err = decodeHeader(f.payload); err == nil && h.sequence == sequence {
			follows := sequence == s.at.Segment+1 && f.prev == s.at.chain && h.previous == s.at.Offset
			if start || follows {
				s.step(sequence, 0, f)
				return true, nil
			}
		}
	}
	if !s.seen && !start {
		// The segment of the position was released and this is not its
		// successor.
		return false, ErrPositionLost
	}
	return false, nil
}
