package wal

import (
	"errors"
	"fmt"

	"drydock/node/world"
)

// Found is what Verify has found.
type Found struct {
	// Recovered is what Open would return. Where the log is damaged it is what
	// comes before the damage.
	Recovered
	// Segments are the files of the log, the oldest first. Those behind a
	// damage are not among them.
	Segments []FoundSegment
	// Spares counts the files that wait to be used again, and SpareBytes is
	// what they take.
	Spares     int
	SpareBytes int64
	// Generation is that of the last good record.
	Generation uint64
	// SyncedSegment and SyncedOffset are the furthest place that a record says
	// to have been synced.
	SyncedSegment uint64
	SyncedOffset  int64
	// Unfinished says that the log was about to be made when a crash came.
	Unfinished bool
}

// FoundSegment is one file of a log.
type FoundSegment struct {
	// Sequence is the segment's number, Name its file.
	Sequence uint64
	Name     string
	// Bytes is the file's length, Used how many of them hold good records.
	Bytes, Used int64
	// Records counts the good ones, the header among them.
	Records int
}

// Verify reads a log through as Open does, whoever it belongs to, and changes
// nothing. It fails as Open would, with what it has found until then: with
// ErrNoLog, or with a CorruptError that says where.
func Verify(fs world.FS) (Found, error) {
	files, err := list(fs)
	if err != nil {
		return Found{}, fmt.Errorf("wal: verify: %w", err)
	}
	out := Found{Spares: len(files.spares), Unfinished: files.unfinished}
	for _, sequence := range files.spares {
		n, err := fileSize(fs, spareName(sequence))
		if err != nil {
			return out, fmt.Errorf("wal: verify: %w", err)
		}
		out.SpareBytes += n
	}
	if len(files.segments) == 0 {
		return out, ErrNoLog
	}
	r := recovery{fs: fs, anyone: true, found: files.segments}
	err = r.read()
	for i, seg := range r.segments {
		out.Segments = append(out.Segments, FoundSegment{
			Sequence: seg.sequence, Name: segmentName(seg.sequence),
			Bytes: seg.size, Used: seg.end, Records: r.records[i],
		})
	}
	out.Recovered = Recovered{
		Identity: r.want, Boot: r.state.boot, Hard: r.state.hard, Marker: r.state.marker,
		Entries: r.entries, Truncated: r.truncated,
	}
	out.Generation, out.SyncedSegment, out.SyncedOffset = r.generation, r.synced.segment, r.synced.offset
	return out, err
}

// File names the damaged file, relative to the data directory.
func (e *CorruptError) File() string { return segmentName(e.Segment) }

// Identify says whose log it is, by the header of its oldest segment. It fails
// with ErrNoLog if there is none, and with a CorruptError if the header can't
// be read.
func Identify(fs world.FS) (Identity, error) {
	files, err := list(fs)
	if err != nil {
		return Identity{}, fmt.Errorf("wal: identify: %w", err)
	}
	if len(files.segments) == 0 {
		return Identity{}, ErrNoLog
	}
	sequence := files.segments[0]
	data, err := readHead(fs, segmentName(sequence))
	if err != nil {
		return Identity{}, fmt.Errorf("wal: identify: %w", err)
	}
	r := recovery{anyone: true}
	_, err = r.enter(sequence, data, true)
	return r.want, err
}

// readHead returns as much of a segment's start as its header takes.
func readHead(fs world.FS, name string) ([]byte, error) {
	file, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	n, err := file.Size()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	data := make([]byte, min(n, padded(frameBytes+headerLen)))
	_, err = file.ReadAt(data, 0)
	return data, errors.Join(err, file.Close())
}

// fileSize returns the length of a file.
func fileSize(fs world.FS, name string) (int64, error) {
	file, err := fs.Open(name)
	if err != nil {
		return 0, err
	}
	n, err := file.Size()
	return n, errors.Join(err, file.Close())
}
