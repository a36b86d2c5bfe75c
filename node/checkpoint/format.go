package checkpoint

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"strings"
)

// The format of snapshot files; see the package comment.
const (
	snapMagic  = "DDSNAP01"
	frameBytes = 8
	// flushBytes is the size at which a frame of records is full.
	flushBytes = 64 << 10
	// maxPayload bounds a frame: a full one, and one record of the largest size.
	maxPayload = flushBytes + MaxBucketBytes + MaxKeyBytes + MaxValueBytes + 3*binary.MaxVarintLen64 + 1
	endBytes   = 1 + 8 + sha256.Size
)

// The kinds of frames, the first byte of the payload.
const (
	frameMeta    = 'M'
	frameRecords = 'R'
	frameEnd     = 'E'
)

// snapWriter writes a snapshot file.
type snapWriter struct {
	file io.WriterAt
	off  int64
	sum  hash.Hash
	// buf holds a frame's header and the payload so far; empty between frames.
	buf     []byte
	records uint64
}

// newSnapWriter begins a snapshot in file with its description. It writes from
// the file's start to its end.
func newSnapWriter(file io.WriterAt, m Meta) (*snapWriter, error) {
	w := &snapWriter{file: file, sum: sha256.New()}
	if err := w.write([]byte(snapMagic)); err != nil {
		return nil, err
	}
	w.begin(frameMeta)
	var err error
	if w.buf, err = appendMeta(w.buf, m); err != nil {
		return nil, err
	}
	return w, w.flush()
}

// begin starts a frame.
func (w *snapWriter) begin(kind byte) {
	w.buf = append(w.buf[:0], make([]byte, frameBytes)...)
	w.buf = append(w.buf, kind)
}

// add appends a record.
func (w *snapWriter) add(r Record) error {
	if len(w.buf) == 0 {
		w.begin(frameRecords)
	}
	w.buf = binary.AppendUvarint(w.buf, uint64(len(r.Bucket)))
	w.buf = append(w.buf, r.Bucket...)
	w.buf = binary.AppendUvarint(w.buf, uint64(len(r.Key)))
	w.buf = append(w.buf, r.Key...)
	w.buf = binary.AppendUvarint(w.buf, uint64(len(r.Value)))
	w.buf = append(w.buf, r.Value...)
	w.records++
	if len(w.buf) < flushBytes {
		return nil
	}
	return w.flush()
}

// flush writes the frame in buf.
func (w *snapWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	payload := w.buf[frameBytes:]
	binary.LittleEndian.PutUint32(w.buf[0:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(w.buf[4:], crc32.Checksum(payload, castagnoli))
	err := w.write(w.buf)
	w.buf = w.buf[:0]
	return err
}

// write appends p to the file.
func (w *snapWriter) write(p []byte) error {
	w.sum.Write(p)
	_, err := w.file.WriteAt(p, w.off)
	w.off += int64(len(p))
	return err
}

// finish writes the last frame and returns the file's size.
func (w *snapWriter) finish() (int64, error) {
	if err := w.flush(); err != nil {
		return 0, err
	}
	sum := w.sum.Sum(nil)
	w.begin(frameEnd)
	w.buf = binary.LittleEndian.AppendUint64(w.buf, w.records)
	w.buf = append(w.buf, sum...)
	err := w.flush()
	return w.off, err
}

// snapReader reads a snapshot file.
type snapReader struct {
	r   *bufio.Reader
	sum hash.Hash
	// left is how much of the file is not read yet, which bounds lengths.
	left    int64
	payload []byte
	records uint64
	// bucket and key are of the last record; the next must be above.
	bucket string
	key    []byte
}

// readSnapshot reads size bytes of r as a snapshot file and hands out its
// description and then its records, which are the callees' to keep. What is
// wrong with the file is ErrCorrupt; the caller must not trust what it was
// handed before readSnapshot returned nil.
func readSnapshot(r io.Reader, size int64, meta func(Meta) error, each func(Record) error) error {
	s := &snapReader{r: bufio.NewReaderSize(r, flushBytes), sum: sha256.New(), left: size}
	magic, err := s.take(len(snapMagic))
	if err != nil {
		return err
	}
	if string(magic) != snapMagic {
		return fmt.Errorf("%w: not a snapshot file of a version this program knows", ErrCorrupt)
	}
	s.sum.Write(magic)
	for first := true; ; first = false {
		before := s.sum.Sum(nil)
		if err := s.frame(); err != nil {
			return err
		}
		kind, body := s.payload[0], s.payload[1:]
		switch {
		case first != (kind == frameMeta):
			return fmt.Errorf("%w: the description must be the first frame, and only that", ErrCorrupt)
		case kind == frameMeta:
			m, err := decodeMeta(body)
			if err != nil {
				return err
			}
			if err := meta(m); err != nil {
				return err
			}
		case kind == frameRecords:
			if err := s.hand(body, each); err != nil {
				return err
			}
		case kind == frameEnd:
			return s.end(body, before)
		default:
			return fmt.Errorf("%w: frame of unknown kind %d", ErrCorrupt, kind)
		}
	}
}

// take reads the next n bytes into payload.
func (s *snapReader) take(n int) ([]byte, error) {
	if int64(n) > s.left {
		return nil, fmt.Errorf("%w: %d bytes due, %d left", ErrCorrupt, n, s.left)
	}
	if cap(s.payload) < n {
		s.payload = make([]byte, n)
	}
	s.payload = s.payload[:n]
	if _, err := io.ReadFull(s.r, s.payload); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%w: file cut short", ErrCorrupt)
		}
		return nil, err
	}
	s.left -= int64(n)
	return s.payload, nil
}

// frame reads the next frame into payload, which is then not empty.
func (s *snapReader) frame() error {
	head, err := s.take(frameBytes)
	if err != nil {
		return err
	}
	s.sum.Write(head)
	n, crc := binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[4:])
	if n == 0 || n > maxPayload {
		return fmt.Errorf("%w: frame of %d bytes", ErrCorrupt, n)
	}
	payload, err := s.take(int(n))
	if err != nil {
		return err
	}
	if crc32.Checksum(payload, castagnoli) != crc {
		return fmt.Errorf("%w: frame with a wrong checksum", ErrCorrupt)
	}
	s.sum.Write(payload)
	return nil
}

// hand hands out the records in body.
func (s *snapReader) hand(body []byte, each func(Record) error) error {
	for len(body) > 0 {
		var fields [3][]byte
		for i := range fields {
			n, used := binary.Uvarint(body)
			if used <= 0 || n > uint64(len(body)-used) {
				return fmt.Errorf("%w: malformed record %d", ErrCorrupt, s.records)
			}
			fields[i], body = body[used:used+int(n)], body[used+int(n):]
		}
		r := Record{
			Bucket: string(fields[0]), Key: bytes.Clone(fields[1]), Value: append([]byte{}, fields[2]...),
		}
		if err := r.check(); err != nil {
			return fmt.Errorf("%w: record %d: %w", ErrCorrupt, s.records, err)
		}
		if c := strings.Compare(r.Bucket, s.bucket); c < 0 || c == 0 && bytes.Compare(r.Key, s.key) <= 0 {
			return fmt.Errorf("%w: record %d out of order", ErrCorrupt, s.records)
		}
		s.bucket, s.key = r.Bucket, r.Key
		s.records++
		if err := each(r); err != nil {
			return err
		}
	}
	return nil
}

// end checks the last frame: the number of records and the sum of all before.
func (s *snapReader) end(body, before []byte) error {
	switch {
	case len(body) != endBytes-1:
		return fmt.Errorf("%w: last frame of %d bytes", ErrCorrupt, len(body))
	case binary.LittleEndian.Uint64(body) != s.records:
		return fmt.Errorf("%w: %d records, but %d were written", ErrCorrupt, s.records, binary.LittleEndian.Uint64(body))
	case !bytes.Equal(body[8:], before):
		return fmt.Errorf("%w: wrong SHA-256", ErrCorrupt)
	case s.left != 0:
		return fmt.Errorf("%w: %d bytes behind the end", ErrCorrupt, s.left)
	}
	return nil
}
