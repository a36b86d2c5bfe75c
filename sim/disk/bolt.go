package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
)

// BoltPageBytes is the page size that bbolt files must have, so that images
// don't depend on the host; the first two pages are the meta pages.
const (
	BoltPageBytes = 4096
	metaPages     = 2
)

// errBusy says that the one session a disk can lend is taken.
var errBusy = errors.New("a bbolt session is open")

// boltSession is the time between BoltPath and its done.
type boltSession struct {
	d    *Disk
	name string
	mem  *os.File
	// before is the image lent, nil if there was no file.
	before []byte
	exists bool
	// wrote says that the file was opened for writing.
	wrote bool
}

// BoltPath lends the named file as one of the operating system. openFile may be
// called once, and done after what it opened is closed; done takes the image
// back. A session may hold one commit if the file was there before (two could
// be cut apart, and the image between them is not known here).
func (d *Disk) BoltPath(name string) (path string, openFile func(string, int, os.FileMode) (*os.File, error), done func() error, err error) {
	dir, base, err := d.split("bolt", name)
	if err != nil {
		return "", nil, nil, err
	}
	if d.lent != nil {
		return "", nil, nil, pathError("bolt", name, errBusy)
	}
	mem, err := newMemFile(name)
	if err != nil {
		return "", nil, nil, fmt.Errorf("disk: memory file for %s: %w", name, err)
	}
	s := &boltSession{d: d, name: name, mem: mem}
	if n := dir.live[base]; n != nil {
		s.exists, s.before = true, n.live
		if _, err := mem.WriteAt(n.live, 0); err != nil {
			return "", nil, nil, errors.Join(err, mem.Close())
		}
	}
	d.lent = s
	return name, s.open, s.done, nil
}

// open hands out the memory file.
func (s *boltSession) open(_ string, flag int, _ os.FileMode) (*os.File, error) {
	if !s.exists && flag&os.O_CREATE == 0 {
		return nil, pathError("open", s.name, fs.ErrNotExist)
	}
	if flag&(os.O_WRONLY|os.O_RDWR) != 0 {
		s.wrote = true
	}
	return duplicate(s.mem, s.name)
}

// done takes the image back and gives the memory file back.
func (s *boltSession) done() error {
	if s.d.lent != s {
		return pathError("bolt", s.name, fs.ErrClosed)
	}
	s.d.lent = nil
	if !s.wrote {
		return s.mem.Close()
	}
	after, err := readAll(s.mem)
	if err = errors.Join(err, s.mem.Close()); err != nil {
		return fmt.Errorf("disk: take back %s: %w", s.name, err)
	}
	if s.exists && bytes.Equal(s.before, after) {
		return nil
	}
	if err := errors.Join(s.d.fullFor(s.name), s.d.judged("write", Event{Kind: OpBolt, Name: s.name})); err != nil {
		return err // the file is as it was
	}
	if len(s.before) > 0 && !onePage(s.before, after) {
		return fmt.Errorf("disk: %s: more than one commit in a bbolt session", s.name)
	}
	return s.d.putBolt(s.name, s.before, after)
}

// putBolt makes after the content of the file.
func (d *Disk) putBolt(name string, before, after []byte) error {
	dir, base, err := d.split("bolt", name)
	if err != nil {
		return err
	}
	n := dir.live[base]
	if n == nil {
		d.note(Event{Kind: OpCreate, Name: name})
		n = d.newInode(name)
		d.link(dir, OpCreate, entry{base, n})
	}
	n.bolt = true
	// The image is no part of the event: its layout differs from run to run.
	d.note(Event{Kind: OpBolt, Name: name})
	o := &op{kind: OpBolt, file: n, data: after, before: before}
	atOnce := d.record(o)
	// The old image stays with whoever holds it as before: live is replaced.
	n.live = bytes.Clone(after)
	n.pending = append(n.pending, o)
	if atOnce {
		n.flush(o.seq + 1)
	}
	return nil
}

// onePage says that at most one of the meta pages differs.
func onePage(before, after []byte) bool {
	changed := 0
	for p := range metaPages {
		if !bytes.Equal(page(before, p), page(after, p)) {
			changed++
		}
	}
	return changed <= 1
}

// page returns page p of image, or what there is of it.
func page(image []byte, p int) []byte {
	from := min(p*BoltPageBytes, len(image))
	return image[from:min(from+BoltPageBytes, len(image))]
}

// partialImage draws one of the images that a crash between bbolt's first write
// and its last sync may leave. bbolt writes the pages, syncs, writes the meta
// page, syncs; pages are never overwritten while a meta page leads to them.
//
// Which pages bbolt picks depends on the order of a Go map, so the number of
// draws must not depend on them, nor whether the commit survives.
func partialImage(rng *rand.Rand, before, after []byte) []byte {
	metaStage := rng.IntN(2) == 0
	var sectors [metaPages * BoltPageBytes / SectorBytes]bool
	for i := range sectors {
		sectors[i] = rng.IntN(2) == 0
	}
	picks := rand.New(rand.NewPCG(rng.Uint64(), 0))
	image := make([]byte, max(len(before), len(after)))
	copy(image, before)
	pages := (len(after) + BoltPageBytes - 1) / BoltPageBytes
	for p := metaPages; p < pages; p++ {
		if metaStage || picks.IntN(2) == 0 {
			copy(page(image, p), page(after, p))
		}
	}
	for i, kept := range sectors {
		if off := i * SectorBytes; metaStage && kept && off < len(after) {
			copy(image[off:], after[off:min(off+SectorBytes, len(after))])
		}
	}
	return image
}

// readAll returns the content of f.
func readAll(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	image := make([]byte, info.Size())
	_, err = f.ReadAt(image, 0)
	if err == io.EOF {
		err = nil
	}
	return image, err
}
