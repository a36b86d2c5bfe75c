package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"drydock/node/world"
)

// Names of files under Dir.
const (
	segmentSuffix = ".seg"
	spareSuffix   = ".spare"
	createName    = Dir + "/create.tmp"
	digits        = 16
)

// fillBytes is how much of a new segment is zeroed by one write.
const fillBytes = 1 << 20

// sparseBytes is the block in which a segment is read.
const sparseBytes = 64 << 10

// zeros is a block of an unused segment.
var zeros [sparseBytes]byte

// openStride is the step that an Open takes to a new generation, while a roll
// takes one of 1. Segments that a crash took away may turn up again as spares,
// so their generations must not; there are never so many between two syncs.
const openStride = 1 << 16

// segment is a live segment of an open log.
type segment struct {
	sequence uint64
	// file is open while the segment is the newest or has writes to sync.
	file world.File
	// end is where the next record goes, size the length of the file.
	end, size int64
	// top is the highest index of an entry in the segment, 0 if none matters.
	top uint64
	// dirty says that something was written since the last sync.
	dirty bool
}

// segmentName is the file of the segment with that sequence number.
func segmentName(sequence uint64) string {
	return fmt.Sprintf("%s/%0*x%s", Dir, digits, sequence, segmentSuffix)
}

// spareName is the file that a released segment becomes.
func spareName(sequence uint64) string {
	return fmt.Sprintf("%s/%0*x%s", Dir, digits, sequence, spareSuffix)
}

// parseName returns the sequence number in a base name with that suffix.
func parseName(base, suffix string) (uint64, bool) {
	hex, ok := strings.CutSuffix(base, suffix)
	if !ok || len(hex) != digits {
		return 0, false
	}
	n, err := strconv.ParseUint(hex, 16, 64)
	return n, err == nil && n != 0
}

// listing is what is found under Dir.
type listing struct {
	segments, spares []uint64
	unfinished       bool // Create was cut short
}

// list reads the directory; one that is missing is empty. Files that are not
// the log's are left alone.
func list(disk world.FS) (listing, error) {
	names, err := disk.List(Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return listing{}, err
	}
	var l listing
	for _, base := range names {
		if n, ok := parseName(base, segmentSuffix); ok {
			l.segments = append(l.segments, n)
		} else if n, ok := parseName(base, spareSuffix); ok {
			l.spares = append(l.spares, n)
		} else if Dir+"/"+base == createName {
			l.unfinished = true
		}
	}
	slices.Sort(l.segments)
	slices.Sort(l.spares)
	return l, nil
}

// fill makes a file of zeros.
func fill(file world.File, size int64) error {
	zero := make([]byte, min(size, fillBytes))
	for off := int64(0); off < size; off += int64(len(zero)) {
		if _, err := file.WriteAt(zero[:min(int64(len(zero)), size-off)], off); err != nil {
			return err
		}
	}
	return nil
}

// readFile returns a file's content from off on. Most of a segment is often
// zeros, which are left as the system gives them, for they take no memory.
func readFile(disk world.FS, name string, off int64) ([]byte, error) {
	file, err := disk.Open(name)
	if err != nil {
		return nil, err
	}
	size, err := file.Size()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if size <= off {
		return nil, file.Close()
	}
	data := make([]byte, size-off)
	n, err := readSparse(file, off, data)
	return data[:n], errors.Join(err, file.Close())
}

// readSparse reads into data, which is all zeros, and writes no block of it that
// stays so. It returns how much there was to read.
func readSparse(file io.ReaderAt, off int64, data []byte) (int, error) {
	block := make([]byte, min(len(data), sparseBytes))
	for at := 0; at < len(data); at += len(block) {
		b := block[:min(len(block), len(data)-at)]
		n, err := file.ReadAt(b, off+int64(at))
		if !bytes.Equal(b[:n], zeros[:n]) {
			copy(data[at:], b[:n])
		}
		switch {
		case n == len(b):
		case err == io.EOF:
			return at + n, nil
		default:
			return at + n, err
		}
	}
	return len(data), nil
}
