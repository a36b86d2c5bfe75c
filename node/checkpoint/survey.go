package checkpoint

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
)

// bbolt's file format, version 2: the sizes and marks that survey needs.
const (
	boltMagic      = 0xED0CDAED
	pageHead       = 16
	boltMetaBytes  = 64
	elementBytes   = 16
	inBucketBytes  = 16
	flagBranch     = 0x01
	flagLeaf       = 0x02
	flagLeafBucket = 0x01
)

// surveyor walks the pages of a bbolt file before bbolt does. bbolt trusts what
// it reads: a page that leads back to itself makes it turn for ever, which no
// recover ends, and its pages carry no checksums. The survey reads every page
// that the newest meta page leads to and refuses one that is met twice, lies
// outside of the file, or has elements outside of itself.
type surveyor struct {
	file io.ReaderAt
	// pages is the number of pages in the file.
	pages uint64
	met   map[uint64]bool
	// todo are the pages to visit.
	todo []uint64
}

// survey checks a bbolt file of size bytes. A file whose meta pages are both
// invalid is left for bbolt to refuse.
func survey(file io.ReaderAt, size int64) error {
	s := &surveyor{file: file, pages: uint64(size / pageBytes), met: map[uint64]bool{}}
	root, ok, err := s.root()
	if err != nil || !ok {
		return err
	}
	s.todo = append(s.todo, root)
	for len(s.todo) > 0 {
		id := s.todo[len(s.todo)-1]
		s.todo = s.todo[:len(s.todo)-1]
		p, err := s.page(id)
		if err != nil {
			return err
		}
		if err := s.visit(id, p); err != nil {
			return err
		}
	}
	return nil
}

// root returns the root page named by the newest valid meta page.
func (s *surveyor) root() (root uint64, ok bool, err error) {
	le := binary.LittleEndian
	var newest uint64
	for id := range int64(2) {
		var m [boltMetaBytes]byte
		if _, err := s.file.ReadAt(m[:], id*pageBytes+pageHead); err == io.EOF {
			break
		} else if err != nil {
			return 0, false, err
		}
		sum := fnv.New64a()
		sum.Write(m[:boltMetaBytes-8])
		if le.Uint32(m[:]) != boltMagic || le.Uint64(m[boltMetaBytes-8:]) != sum.Sum64() {
			continue
		}
		if txid := le.Uint64(m[48:]); !ok || txid > newest {
			root, newest, ok = le.Uint64(m[16:]), txid, true
		}
	}
	return root, ok, nil
}

// page reads page id with its overflow, once.
func (s *surveyor) page(id uint64) ([]byte, error) {
	if id < 2 || id >= s.pages {
		return nil, fmt.Errorf("%w: page %d of %d", ErrCorrupt, id, s.pages)
	}
	p := make([]byte, pageBytes)
	if _, err := s.file.ReadAt(p, int64(id)*pageBytes); err != nil {
		return nil, err
	}
	if got := binary.LittleEndian.Uint64(p); got != id {
		return nil, fmt.Errorf("%w: page %d says it is page %d", ErrCorrupt, id, got)
	}
	more := uint64(binary.LittleEndian.Uint32(p[12:]))
	if more >= s.pages-id {
		return nil, fmt.Errorf("%w: page %d goes on for %d pages of %d", ErrCorrupt, id, more, s.pages)
	}
	for at := id; at <= id+more; at++ {
		if s.met[at] {
			return nil, fmt.Errorf("%w: page %d is used twice", ErrCorrupt, at)
		}
		s.met[at] = true
	}
	if more == 0 {
		return p, nil
	}
	p = make([]byte, (more+1)*pageBytes)
	_, err := s.file.ReadAt(p, int64(id)*pageBytes)
	return p, err
}

// visit checks the elements of page id and notes the pages they lead to.
func (s *surveyor) visit(id uint64, p []byte) error {
	le := binary.LittleEndian
	flags, count := le.Uint16(p[8:]), int(le.Uint16(p[10:]))
	if flags != flagBranch && flags != flagLeaf || pageHead+count*elementBytes > len(p) {
		return fmt.Errorf("%w: page %d has flags %#x and %d elements", ErrCorrupt, id, flags, count)
	}
	for i := range count {
		at := pageHead + i*elementBytes
		e := p[at : at+elementBytes]
		if flags == flagBranch {
			if uint64(at)+uint64(le.Uint32(e))+uint64(le.Uint32(e[4:])) > uint64(len(p)) {
				return fmt.Errorf("%w: page %d, element %d lies outside", ErrCorrupt, id, i)
			}
			s.todo = append(s.todo, le.Uint64(e[8:]))
			continue
		}
		value := uint64(at) + uint64(le.Uint32(e[4:])) + uint64(le.Uint32(e[8:]))
		end := value + uint64(le.Uint32(e[12:]))
		if end > uint64(len(p)) {
			return fmt.Errorf("%w: page %d, element %d lies outside", ErrCorrupt, id, i)
		}
		if le.Uint32(e)&flagLeafBucket == 0 {
			continue
		}
		if err := s.bucket(id, p[value:end]); err != nil {
			return err
		}
	}
	return nil
}

// bucket checks the value of a bucket: the number of its root page, or 0 and a
// small page in the value itself.
func (s *surveyor) bucket(id uint64, value []byte) error {
	if len(value) < inBucketBytes {
		return fmt.Errorf("%w: page %d holds a bucket of %d bytes", ErrCorrupt, id, len(value))
	}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		s.todo = append(s.todo, root)
		return nil
	}
	inline := value[inBucketBytes:]
	if len(inline) < pageHead || binary.LittleEndian.Uint16(inline[8:]) != flagLeaf {
		return fmt.Errorf("%w: page %d holds a malformed bucket", ErrCorrupt, id)
	}
	return s.visit(id, inline)
}
