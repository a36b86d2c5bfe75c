package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
)

// Sizes and constants of the format; see the package comment.
const (
	magic      = 0x4c574444 // "DDWL"
	version    = 1
	frameBytes = 48
	alignment  = 8
	headerLen  = 96
	// batchFixed bounds the bytes of a batch beside its entries, entryFixed
	// those of an entry beside its data.
	batchFixed = 1 + 3*8 + 2*8 + 8 + 8 + binary.MaxVarintLen64
	entryFixed = 2*binary.MaxVarintLen64 + 1
)

// The kinds of records.
const (
	kindHeader = 1
	kindBatch  = 2
	kindBump   = 3
)

// The parts that a batch may have.
const (
	flagHard = 1 << iota
	flagMarker
	flagBoot
	flagReset
	flagsKnown = flagHard | flagMarker | flagBoot | flagReset
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Reasons why bytes are not a record.
var (
	errNoRecord = errors.New("no record")
	errLength   = errors.New("length out of bounds")
	errChecksum = errors.New("wrong checksum")
	errPayload  = errors.New("malformed payload")
)

// mark is a place in the log.
type mark struct {
	segment uint64
	offset  int64
}

// after says that m lies behind o.
func (m mark) after(o mark) bool {
	return m.segment > o.segment || m.segment == o.segment && m.offset > o.offset
}

// frame is a record's frame, with its payload.
type frame struct {
	kind       uint8
	crc, prev  uint32
	generation uint64
	// synced is the watermark.
	synced  mark
	payload []byte
	// size is what the record takes in the file, padding included.
	size int64
}

// padded rounds n up to the alignment.
func padded(n int64) int64 { return (n + alignment - 1) &^ (alignment - 1) }

// beginFrame appends room for a frame to dst; the payload is appended next.
func beginFrame(dst []byte) []byte {
	var zero [frameBytes]byte
	return append(dst, zero[:]...)
}

// finishFrame fills in the frame of rec, which is a frame and its payload, and
// pads it. It returns the record and its checksum.
func finishFrame(rec []byte, f frame) ([]byte, uint32) {
	le := binary.LittleEndian
	le.PutUint32(rec[0:], magic)
	le.PutUint32(rec[8:], f.prev)
	le.PutUint32(rec[12:], uint32(len(rec)-frameBytes))
	le.PutUint64(rec[16:], f.generation)
	le.PutUint64(rec[24:], f.synced.segment)
	le.PutUint64(rec[32:], uint64(f.synced.offset))
	rec[40] = f.kind
	crc := crc32.Checksum(rec[8:], castagnoli)
	le.PutUint32(rec[4:], crc)
	for len(rec)%alignment != 0 {
		rec = append(rec, 0)
	}
	return rec, crc
}

// parseFrame reads the record at the start of b, which may go on behind it. The
// payload is part of b.
func parseFrame(b []byte) (frame, error) {
	le := binary.LittleEndian
	if len(b) < frameBytes || le.Uint32(b) != magic {
		return frame{}, errNoRecord
	}
	n := int64(le.Uint32(b[12:]))
	if n > MaxBatchBytes || padded(frameBytes+n) > int64(len(b)) {
		return frame{}, errLength
	}
	f := frame{
		kind:       b[40],
		crc:        le.Uint32(b[4:]),
		prev:       le.Uint32(b[8:]),
		generation: le.Uint64(b[16:]),
		synced:     mark{le.Uint64(b[24:]), int64(le.Uint64(b[32:]))},
		payload:    b[frameBytes : frameBytes+n],
		size:       padded(frameBytes + n),
	}
	if crc32.Checksum(b[8:frameBytes+n], castagnoli) != f.crc {
		return frame{}, errChecksum
	}
	return f, nil
}

// header is the payload of a segment's first record.
type header struct {
	Identity
	sequence uint64
	// previous is the offset at which the segment before this one ended.
	previous int64
	state    state
}

// appendHeader appends h's bytes.
func appendHeader(dst []byte, h header) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, version)
	for _, v := range [...]uint64{
		h.Cluster, h.Member, h.sequence, uint64(h.previous), h.state.boot,
		h.state.hard.Term, h.state.hard.Vote, h.state.hard.Commit,
		h.state.marker.Index, h.state.marker.Term, h.state.last,
	} {
		dst = le.AppendUint64(dst, v)
	}
	return dst
}

// decodeHeader reads what appendHeader wrote.
func decodeHeader(p []byte) (header, error) {
	le := binary.LittleEndian
	if len(p) != headerLen {
		return header{}, fmt.Errorf("%w: header of %d bytes", errPayload, len(p))
	}
	if v := le.Uint64(p); v != version {
		return header{}, fmt.Errorf("%w: format version %d, this program knows %d", errPayload, v, version)
	}
	at := func(i int) uint64 { return le.Uint64(p[8*i:]) }
	h := header{
		Identity: Identity{Cluster: at(1), Member: at(2)},
		sequence: at(3),
		previous: int64(at(4)),
		state: state{
			boot:   at(5),
			hard:   HardState{Term: at(6), Vote: at(7), Commit: at(8)},
			marker: Marker{Index: at(9), Term: at(10)},
			last:   at(11),
		},
	}
	if h.previous < 0 || h.state.last < h.state.marker.Index {
		return header{}, fmt.Errorf("%w: header contradicts itself", errPayload)
	}
	return h, nil
}

// batchBound is an upper bound of the bytes that appendBatch appends.
func batchBound(b *Batch) int64 {
	n := int64(batchFixed) + int64(len(b.Entries))*entryFixed
	for i := range b.Entries {
		n += int64(len(b.Entries[i].Data))
	}
	return n
}

// appendBatch appends b's bytes. The entries' indexes are contiguous, so only
// the first is written.
func appendBatch(dst []byte, b *Batch) []byte {
	le := binary.LittleEndian
	at := len(dst)
	dst = append(dst, 0)
	if b.Hard != nil {
		dst[at] |= flagHard
		dst = le.AppendUint64(dst, b.Hard.Term)
		dst = le.AppendUint64(dst, b.Hard.Vote)
		dst = le.AppendUint64(dst, b.Hard.Commit)
	}
	if b.Marker != nil {
		dst[at] |= flagMarker
		dst = le.AppendUint64(dst, b.Marker.Index)
		dst = le.AppendUint64(dst, b.Marker.Term)
	}
	if b.Boot != 0 {
		dst[at] |= flagBoot
		dst = le.AppendUint64(dst, b.Boot)
	}
	if b.Reset {
		dst[at] |= flagReset
	}
	dst = binary.AppendUvarint(dst, uint64(len(b.Entries)))
	if len(b.Entries) > 0 {
		dst = le.AppendUint64(dst, b.Entries[0].Index)
	}
	for i := range b.Entries {
		e := &b.Entries[i]
		dst = binary.AppendUvarint(dst, e.Term)
		dst = append(dst, e.Type)
		dst = binary.AppendUvarint(dst, uint64(len(e.Data)))
		dst = append(dst, e.Data...)
	}
	return dst
}

// reader takes values off the front of p; after the first that is not there it
// is bad and yields zeros.
type reader struct {
	p   []byte
	bad bool
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.p)) {
		r.bad, r.p = true, nil
		return nil
	}
	b := r.p[:n:n]
	r.p = r.p[n:]
	return b
}

func (r *reader) byte() uint8 {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.p)
	if n <= 0 {
		r.bad, r.p = true, nil
		return 0
	}
	r.p = r.p[n:]
	return v
}

// decodeBatch reads what appendBatch wrote. The result shares nothing with p.
func decodeBatch(p []byte) (Batch, error) {
	r := reader{p: slices.Clone(p)}
	var b Batch
	flags := r.byte()
	if flags&^flagsKnown != 0 {
		return Batch{}, fmt.Errorf("%w: unknown flags %#x", errPayload, flags)
	}
	if flags&flagHard != 0 {
		b.Hard = &HardState{Term: r.uint64(), Vote: r.uint64(), Commit: r.uint64()}
	}
	if flags&flagMarker != 0 {
		b.Marker = &Marker{Index: r.uint64(), Term: r.uint64()}
	}
	if flags&flagBoot != 0 {
		b.Boot = r.uint64()
	}
	b.Reset = flags&flagReset != 0
	n := r.uvarint()
	// An entry takes three bytes at least, which bounds what is allocated here.
	if n > MaxBatchEntries || n > uint64(len(r.p))/3 {
		return Batch{}, fmt.Errorf("%w: %d entries in %d bytes", errPayload, n, len(r.p))
	}
	if n > 0 {
		b.Entries = r.entries(r.uint64(), n)
	}
	if r.bad || len(r.p) != 0 {
		return Batch{}, fmt.Errorf("%w: batch of %d bytes", errPayload, len(p))
	}
	return b, nil
}

// entries reads n entries from index first.
func (r *reader) entries(first, n uint64) []Entry {
	if first > math.MaxUint64-n {
		r.bad = true
		return nil
	}
	list := make([]Entry, n)
	for i := range list {
		e := Entry{Index: first + uint64(i), Term: r.uvarint(), Type: r.byte()}
		if data := r.bytes(r.uvarint()); len(data) > 0 {
			e.Data = data
		}
		list[i] = e
	}
	return list
}

// frameClaim says how many of the n bytes from a frame on the frame claims for
// its record, 0 if it is none or of a generation below oldest.
func frameClaim(b [frameBytes]byte, oldest uint64, n int64) int64 {
	le := binary.LittleEndian
	if le.Uint32(b[:]) != magic || le.Uint64(b[16:]) < oldest {
		return 0
	}
	return min(padded(frameBytes+int64(le.Uint32(b[12:]))), n)
}
