package wal

import (
	"bytes"
	"fmt"

	"drydock/node/world"
)

// Open recovers the log: it reads all of it, drops a torn tail, and makes what
// it returns durable. It fails with ErrNoLog if there is none, ErrIdentity if
// it is another member's, and a CorruptError if it is damaged.
func Open(fs world.FS, opts Options) (*Log, Recovered, error) {
	size, err := opts.segmentBytes()
	if err != nil {
		return nil, Recovered{}, err
	}
	found, err := list(fs)
	if err != nil {
		return nil, Recovered{}, fmt.Errorf("wal: open: %w", err)
	}
	if len(found.segments) == 0 {
		return nil, Recovered{}, ErrNoLog
	}
	r := recovery{fs: fs, want: opts.Identity, found: found.segments}
	if err := r.read(); err != nil {
		return nil, Recovered{}, err
	}
	l := &Log{
		fs: fs, identity: opts.Identity, segmentBytes: size, segments: r.segments,
		generation: r.generation, chain: r.chain, state: r.state, synced: r.synced,
	}
	if err := l.resume(r.found[len(r.segments):], found); err != nil {
		return nil, Recovered{}, fmt.Errorf("wal: open: %w", err)
	}
	return l, Recovered{
		Identity: opts.Identity, Boot: r.state.boot, Hard: r.state.hard, Marker: r.state.marker,
		Entries: r.entries, Truncated: r.truncated,
	}, nil
}

// recovery reads a log.
type recovery struct {
	fs   world.FS
	want Identity
	// anyone accepts the log of whatever member, and puts its identity in want.
	anyone bool
	found  []uint64 // sequence numbers of the segment files, ascending

	// segments are those that belong to the log, without their files.
	segments   []*segment
	generation uint64
	chain      uint32
	state      state
	// synced is the furthest watermark of a record.
	synced mark
	// entries are those after the marker; first is the index of the first of
	// them, or where it would be.
	entries []Entry
	first   uint64

	// truncated counts the bytes behind the end that were of this life.
	truncated int64
	// records counts those of each of segments, their headers among them.
	records []int
}

// read follows the chain to its end and judges why it ends there.
func (r *recovery) read() error {
	var data []byte
	for i, sequence := range r.found {
		next, err := readFile(r.fs, segmentName(sequence), 0)
		if err != nil {
			return fmt.Errorf("wal: open: %w", err)
		}
		ok, err := r.enter(sequence, next, i == 0)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		data = next
		if err := r.walk(data); err != nil {
			return err
		}
	}
	if err := r.judge(data); err != nil {
		return err
	}
	if r.first > r.state.marker.Index+1 {
		return &CorruptError{r.segments[0].sequence, 0, fmt.Sprintf(
			"entries from %d on are missing: the log begins at %d", r.state.marker.Index+1, r.first)}
	}
	return nil
}

// enter reads the header of a segment and says whether it continues the chain.
func (r *recovery) enter(sequence uint64, data []byte, oldest bool) (bool, error) {
	f, err := parseFrame(data)
	var h header
	if err == nil && f.kind == kindHeader {
		h, err = decodeHeader(f.payload)
	} else if err == nil {
		err = fmt.Errorf("%w: the first record is no header", errPayload)
	}
	if err == nil && h.sequence != sequence {
		err = fmt.Errorf("header of segment %d", h.sequence)
	}
	if oldest {
		// The oldest header was durable before the segment got its name, or
		// before its predecessor was released.
		if err != nil {
			return false, &CorruptError{sequence, 0, err.Error()}
		}
		if r.anyone {
			r.want = h.Identity
		}
		if h.Identity != r.want {
			return false, fmt.Errorf("%w: cluster %x member %x, want cluster %x member %x",
				ErrIdentity, h.Cluster, h.Member, r.want.Cluster, r.want.Member)
		}
		r.state, r.first = h.state, h.state.last+1
	} else {
		last := r.segments[len(r.segments)-1]
		if err != nil || sequence != last.sequence+1 || f.prev != r.chain ||
			h.previous != last.end || f.generation <= r.generation || h.Identity != r.want {
			return false, nil
		}
	}
	r.segments = append(r.segments, &segment{sequence: sequence, end: f.size, size: int64(len(data))})
	r.records = append(r.records, 0)
	r.accept(f)
	return true, nil
}

// accept makes f the last record of the chain.
func (r *recovery) accept(f frame) {
	r.generation, r.chain = f.generation, f.crc
	r.records[len(r.records)-1]++
	if f.synced.after(r.synced) {
		r.synced = f.synced
	}
}

// walk reads the records of the newest segment up to the first that does not
// continue the chain.
func (r *recovery) walk(data []byte) error {
	seg := r.segments[len(r.segments)-1]
	for {
		f, err := parseFrame(data[seg.end:])
		if err != nil || f.prev != r.chain || !r.follows(f) {
			return nil
		}
		if f.kind == kindBatch {
			b, err := decodeBatch(f.payload)
			if err == nil {
				err = r.take(&b)
			}
			if err != nil {
				// The checksum is right, so this is what was written.
				return &CorruptError{seg.sequence, seg.end, err.Error()}
			}
		}
		r.accept(f)
		seg.end += f.size
	}
}

// follows says whether a record's generation and kind are due here.
func (r *recovery) follows(f frame) bool {
	return f.kind == kindBatch && f.generation == r.generation ||
		f.kind == kindBump && f.generation > r.generation
}

// take applies a batch to what was recovered so far.
func (r *recovery) take(b *Batch) error {
	if err := r.state.apply(b); err != nil {
		return err
	}
	if b.Reset {
		for _, seg := range r.segments {
			seg.top = 0
		}
		r.entries, r.first = nil, b.Marker.Index+1
	}
	if n := len(b.Entries); n > 0 {
		seg := r.segments[len(r.segments)-1]
		seg.top = max(seg.top, b.Entries[n-1].Index)
		from := b.Entries[0].Index
		if from < r.first {
			r.entries, r.first = nil, from
		}
		r.entries = append(r.entries[:from-r.first], b.Entries...)
	}
	if b.Marker != nil && b.Marker.Index >= r.first {
		n := min(b.Marker.Index-r.first+1, uint64(len(r.entries)))
		r.entries, r.first = r.entries[n:], r.first+n
	}
	return nil
}

// judge looks behind the end of the chain for a proof that the log went on
// durably. Without one, what is there is a torn tail.
func (r *recovery) judge(data []byte) error {
	last := r.segments[len(r.segments)-1]
	end := mark{last.sequence, last.end}
	if err := r.search(end, last.sequence, data, last.end, r.generation); err != nil {
		return err
	}
	for _, sequence := range r.found[len(r.segments):] {
		later, err := readFile(r.fs, segmentName(sequence), 0)
		if err != nil {
			return fmt.Errorf("wal: open: %w", err)
		}
		if err := r.search(end, sequence, later, 0, r.generation+1); err != nil {
			return err
		}
	}
	return nil
}

// search looks at the records of a segment from off on whose generation is at
// least oldest (those below it are of an earlier life). One whose watermark is
// behind end proves that the log was durable beyond its end.
func (r *recovery) search(end mark, sequence uint64, data []byte, off int64, oldest uint64) error {
	torn := off
	for at := off; at+frameBytes <= int64(len(data)); {
		// Most of a segment was never written. No record begins in a block of zeros.
		if at%sparseBytes == 0 && bytes.HasPrefix(data[at:], zeros[:]) {
			at += sparseBytes
			continue
		}
		f, err := parseFrame(data[at:])
		if err != nil || f.generation < oldest {
			at += alignment
			continue
		}
		if f.synced.after(end) {
			return &CorruptError{end.segment, end.offset, fmt.Sprintf(
				"no good record here, but the one in segment %d at %d was written when the log was durable up to segment %d, %d",
				sequence, at, f.synced.segment, f.synced.offset)}
		}
		at += f.size
		torn = at
	}
	if torn == off {
		torn += tornBytes(data[off:], oldest)
	}
	r.truncated += torn - off
	return nil
}

// tornBytes says how long the record was whose frame survives at the start of
// b while its payload does not; 0 if there is no such frame.
func tornBytes(b []byte, oldest uint64) int64 {
	var f [frameBytes]byte
	if copy(f[:], b) < frameBytes {
		return 0
	}
	return frameClaim(f, oldest, int64(len(b)))
}

// resume makes the recovered log durable and writable. A process that died
// without a power cut leaves writes that are readable but not durable, so all of
// it is synced before it is returned. If it died of a sync that failed, a system
// may hold such writes for done, and sync them no more: what no record says to
// have been synced is written again first. What lies behind the end is then put out
// of the way, and a bump of the generation made durable, before anything else
// can be written.
func (l *Log) resume(dropped []uint64, found listing) error {
	for _, sequence := range dropped {
		if err := l.fs.Remove(segmentName(sequence)); err != nil {
			return err
		}
	}
	if found.unfinished {
		if err := l.fs.Remove(createName); err != nil {
			return err
		}
	}
	if err := l.adopt(found.spares); err != nil {
		return err
	}
	for _, seg := range l.segments {
		var err error
		if seg.file, err = l.fs.Open(segmentName(seg.sequence)); err != nil {
			return err
		}
		seg.dirty = true
		if err := l.rewrite(seg); err != nil {
			return err
		}
	}
	l.linked = true
	if err := l.Sync(); err != nil {
		return err
	}
	// Beyond every generation that a lost segment may have carried.
	l.generation = (l.generation/openStride + 1) * openStride
	if !l.fits(frameBytes) {
		if err := l.roll(0); err != nil {
			return err
		}
	} else {
		l.buf = beginFrame(l.buf[:0])
		if err := l.write(kindBump); err != nil {
			return err
		}
	}
	return l.Sync()
}

// rewrite writes the part of a segment again that lies behind the watermark.
func (l *Log) rewrite(seg *segment) error {
	from := l.synced.offset
	switch {
	case seg.sequence < l.synced.segment:
		return nil
	case seg.sequence > l.synced.segment:
		from = 0
	}
	for from < seg.end {
		buf := make([]byte, min(seg.end-from, fillBytes))
		if _, err := seg.file.ReadAt(buf, from); err != nil {
			return err
		}
		if _, err := seg.file.WriteAt(buf, from); err != nil {
			return err
		}
		from += int64(len(buf))
	}
	return nil
}

// adopt takes over spare segments of the right size and removes the others.
func (l *Log) adopt(spares []uint64) error {
	for _, sequence := range spares {
		file, err := l.fs.Open(spareName(sequence))
		if err != nil {
			return err
		}
		size, err := file.Size()
		if err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
		if size == l.segmentBytes && len(l.spares) < maxSpares {
			l.spares = append(l.spares, sequence)
		} else if err := l.fs.Remove(spareName(sequence)); err != nil {
			return err
		}
	}
	return nil
}
