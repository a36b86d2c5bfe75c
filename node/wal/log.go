package wal

import (
	"errors"
	"fmt"

	"drydock/node/world"
)

// Log is an open log. It is used only inside jobs of world.LaneLog, which run
// one at a time, so it has no lock.
type Log struct {
	fs       world.FS
	identity Identity
	// segmentBytes is the size of an ordinary segment.
	segmentBytes int64
	// segments are the live ones from the oldest to the newest; never empty.
	segments []*segment
	// spares are released segments of segmentBytes each, by their old numbers.
	spares []uint64
	// generation is that of the records written now, chain the checksum of the
	// last one.
	generation uint64
	chain      uint32
	// synced is the watermark.
	synced mark
	// linked says that an entry of Dir changed since the last sync.
	linked bool
	state  state
	// buf is used for one record after another.
	buf []byte
	// err is the first failure to write or sync.
	err error
}

// Create makes an empty log, durably. It fails with ErrExists if there is one.
func Create(fs world.FS, opts Options) (*Log, error) {
	size, err := opts.segmentBytes()
	if err != nil {
		return nil, err
	}
	if err := fs.MkdirAll(Dir); err != nil {
		return nil, fmt.Errorf("wal: create: %w", err)
	}
	found, err := list(fs)
	if err != nil {
		return nil, fmt.Errorf("wal: create: %w", err)
	}
	if len(found.segments) > 0 {
		return nil, ErrExists
	}
	l := &Log{fs: fs, identity: opts.Identity, segmentBytes: size, generation: 1}
	if err := l.createFirst(); err != nil {
		return nil, fmt.Errorf("wal: create: %w", err)
	}
	return l, nil
}

// createFirst makes the first segment under another name and renames it once
// its header is durable: a first segment without a header is never seen.
func (l *Log) createFirst() error {
	file, err := l.fs.Create(createName)
	if err != nil {
		return err
	}
	seg := &segment{sequence: 1, file: file, size: l.segmentBytes}
	if err := fill(file, seg.size); err != nil {
		return errors.Join(err, file.Close())
	}
	l.segments = []*segment{seg}
	if err := l.writeHeader(0); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := file.Sync(); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := l.fs.Rename(createName, segmentName(1)); err != nil {
		return errors.Join(err, file.Close())
	}
	l.linked = true
	if err := l.Sync(); err != nil {
		return errors.Join(err, file.Close())
	}
	return nil
}

// Append writes b at the log's end. It never syncs: nothing may be told to
// anybody until Sync has returned. A batch that is refused with ErrOrder or
// ErrTooLarge leaves the log as it was; any other error is final.
func (l *Log) Append(b *Batch) error {
	if l.err != nil {
		return l.err
	}
	if len(b.Entries) == 0 && b.Hard == nil && b.Marker == nil && b.Boot == 0 && !b.Reset {
		return nil
	}
	if err := checkEntries(b.Entries); err != nil {
		return err
	}
	if n := batchBound(b); n > MaxBatchBytes {
		return fmt.Errorf("%w: up to %d bytes", ErrTooLarge, n)
	}
	next := l.state
	if err := next.apply(b); err != nil {
		return err
	}
	l.buf = appendBatch(beginFrame(l.buf[:0]), b)
	if need := padded(int64(len(l.buf))); !l.fits(need) {
		if err := l.roll(need); err != nil {
			return l.fail("roll", err)
		}
		// roll used the buffer.
		l.buf = appendBatch(beginFrame(l.buf[:0]), b)
	}
	if err := l.write(kindBatch); err != nil {
		return l.fail("append", err)
	}
	l.state = next
	l.raise(b)
	return nil
}

// raise keeps the segments' highest indexes after b was written to the newest.
func (l *Log) raise(b *Batch) {
	if b.Reset {
		for _, seg := range l.segments {
			seg.top = 0
		}
	}
	if n := len(b.Entries); n > 0 {
		seg := l.newest()
		seg.top = max(seg.top, b.Entries[n-1].Index)
	}
}

// newest is the segment that is written to.
func (l *Log) newest() *segment { return l.segments[len(l.segments)-1] }

// fits says whether the newest segment has room for n bytes.
func (l *Log) fits(n int64) bool { return l.newest().end+n <= l.newest().size }

// write finishes the record in buf and writes it to the newest segment.
func (l *Log) write(kind uint8) error {
	seg := l.newest()
	rec, crc := finishFrame(l.buf, frame{kind: kind, prev: l.chain, generation: l.generation, synced: l.synced})
	l.buf = rec
	seg.dirty = true
	if _, err := seg.file.WriteAt(rec, seg.end); err != nil {
		return err
	}
	seg.end += int64(len(rec))
	l.chain = crc
	return nil
}

// writeHeader writes the header of the newest segment, which is empty; previous
// is where the one before it ended.
func (l *Log) writeHeader(previous int64) error {
	l.buf = appendHeader(beginFrame(l.buf[:0]), header{
		Identity: l.identity, sequence: l.newest().sequence, previous: previous, state: l.state,
	})
	return l.write(kindHeader)
}

// roll begins a new segment with room for a record of n bytes.
func (l *Log) roll(n int64) error {
	old := l.newest()
	size := max(l.segmentBytes, padded(frameBytes+headerLen)+n)
	seg := &segment{sequence: old.sequence + 1, size: size}
	var err error
	if seg.file, err = l.segmentFile(seg); err != nil {
		return err
	}
	l.linked = true
	l.segments = append(l.segments, seg)
	l.generation++
	return l.writeHeader(old.end)
}

// segmentFile returns the file of a new segment: a spare one if there is one of
// the right size, or one filled with zeros.
func (l *Log) segmentFile(seg *segment) (world.File, error) {
	name := segmentName(seg.sequence)
	if len(l.spares) > 0 && seg.size == l.segmentBytes {
		spare := l.spares[0]
		l.spares = l.spares[1:]
		if err := l.fs.Rename(spareName(spare), name); err != nil {
			return nil, err
		}
		return l.fs.Open(name)
	}
	file, err := l.fs.Create(name)
	if err != nil {
		return nil, err
	}
	if err := fill(file, seg.size); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// Sync makes everything appended so far durable: one sync of a file, and one
// more with one of the directory if a segment was added.
func (l *Log) Sync() error {
	if l.err != nil {
		return l.err
	}
	newest := l.newest()
	for _, seg := range l.segments {
		if seg.dirty {
			if err := seg.file.Sync(); err != nil {
				return l.fail("sync", err)
			}
			seg.dirty = false
		}
		if seg != newest && seg.file != nil {
			if err := seg.file.Close(); err != nil {
				return l.fail("close", err)
			}
			seg.file = nil
		}
	}
	if l.linked {
		if err := l.fs.SyncDir(Dir); err != nil {
			return l.fail("sync", err)
		}
		l.linked = false
	}
	l.synced = mark{newest.sequence, newest.end}
	return nil
}

// Release gives back the segments whose entries are all at index or below, for
// use as new ones. Index must not be above the last marker appended; Release
// makes that marker durable first if it is not.
func (l *Log) Release(index uint64) error {
	if l.err != nil {
		return l.err
	}
	if index > l.state.marker.Index {
		return fmt.Errorf("%w: release to %d, but the marker is %d", ErrOrder, index, l.state.marker.Index)
	}
	for len(l.segments) > 1 && l.segments[0].top <= index {
		if err := l.Sync(); err != nil {
			return err
		}
		if err := l.releaseOldest(); err != nil {
			return l.fail("release", err)
		}
	}
	return nil
}

// releaseOldest takes the oldest segment out of the log, durably, before the
// next one follows: a crash must not leave a hole between two segments.
func (l *Log) releaseOldest() error {
	seg := l.segments[0]
	if seg.size == l.segmentBytes && len(l.spares) < maxSpares {
		if err := l.fs.Rename(segmentName(seg.sequence), spareName(seg.sequence)); err != nil {
			return err
		}
		l.spares = append(l.spares, seg.sequence)
	} else if err := l.fs.Remove(segmentName(seg.sequence)); err != nil {
		return err
	}
	l.segments = l.segments[1:]
	return l.fs.SyncDir(Dir)
}

// fail makes err the log's end.
func (l *Log) fail(what string, err error) error {
	l.err = fmt.Errorf("%w: %s: %w", ErrFailed, what, err)
	return l.err
}

// Size returns the bytes of the log's live segments.
func (l *Log) Size() int64 {
	var sum int64
	for _, seg := range l.segments {
		sum += seg.size
	}
	return sum
}

// Last returns the index of the last entry appended, or the marker's.
func (l *Log) Last() uint64 { return l.state.last }

// Close closes the log's files. It does not sync.
func (l *Log) Close() error {
	var errs []error
	for _, seg := range l.segments {
		if seg.file != nil {
			errs = append(errs, seg.file.Close())
			seg.file = nil
		}
	}
	if l.err == nil {
		l.err = fmt.Errorf("%w: closed", ErrFailed)
	}
	return errors.Join(errs...)
}
