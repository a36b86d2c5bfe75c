package disk

import (
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"slices"

	"drydock/node/world"
)

// inode is a file, whatever its name.
type inode struct {
	id uint64
	// name is the last name the file had, for traces.
	name string
	// live is what programs see, durable what is on the medium.
	live, durable []byte
	// pending are the operations between durable and live, in order.
	pending []*op
	// bolt says that the content is bbolt's, whose size and layout may differ
	// between runs that are otherwise equal; nothing may depend on them.
	bolt bool
	// handles counts open handles of the current epoch.
	handles int
}

// newInode makes an empty file.
func (d *Disk) newInode(name string) *inode {
	d.lastID++
	n := &inode{id: d.lastID, name: name}
	d.nodes = append(d.nodes, n)
	return n
}

// apply carries o out on image and returns the result.
func (o *op) apply(image []byte) []byte {
	switch o.kind {
	case OpWrite:
		if len(o.data) == 0 {
			return image
		}
		image = grown(image, o.off+int64(len(o.data)))
		copy(image[o.off:], o.data)
	case OpTruncate:
		if o.off < int64(len(image)) {
			return image[:o.off]
		}
		image = grown(image, o.off)
	case OpBolt:
		return append(image[:0:0], o.data...)
	}
	return image
}

// grown returns image with at least size bytes, new ones zero.
func grown(image []byte, size int64) []byte {
	if missing := size - int64(len(image)); missing > 0 {
		image = slices.Grow(image, int(missing))
		old := len(image)
		image = image[:size]
		clear(image[old:])
	}
	return image
}

// flush makes the operations before upTo durable.
func (n *inode) flush(upTo uint64) {
	n.pending = slices.DeleteFunc(n.pending, func(o *op) bool {
		if o.seq >= upTo || o.forsaken {
			return false
		}
		n.durable = o.apply(n.durable)
		n.overlay(o)
		return true
	})
}

// rebuild computes live from durable and pending.
func (n *inode) rebuild() {
	n.live = append(n.live[:0], n.durable...)
	for _, o := range n.pending {
		n.live = o.apply(n.live)
	}
}

// change does o to the file's live side and lets it wait for a sync.
func (d *Disk) change(n *inode, o *op) {
	o.file = n
	d.record(o)
	n.live = o.apply(n.live)
	n.pending = append(n.pending, o)
}

// handle is an open file. It implements world.File.
type handle struct {
	d     *Disk
	node  *inode
	epoch uint64
	open  bool
}

var _ world.File = (*handle)(nil)

// openHandle opens n.
func (d *Disk) openHandle(n *inode) *handle {
	n.handles++
	return &handle{d: d, node: n, epoch: d.epoch, open: true}
}

// check refuses a closed handle and one whose process has died.
func (h *handle) check(what string) error {
	if !h.open || h.epoch != h.d.epoch {
		return pathError(what, h.node.name, fs.ErrClosed)
	}
	return nil
}

// ReadAt implements io.ReaderAt.
func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	if err := h.check("read"); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, pathError("read", h.node.name, fs.ErrInvalid)
	}
	if err := h.d.judged("read", Event{Kind: OpRead, Name: h.node.name, Off: off, Len: int64(len(p))}); err != nil {
		return 0, err
	}
	if off >= int64(len(h.node.live)) {
		return 0, io.EOF
	}
	n := copy(p, h.node.live[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements io.WriterAt.
func (h *handle) WriteAt(p []byte, off int64) (int, error) {
	if err := h.check("write"); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, pathError("write", h.node.name, fs.ErrInvalid)
	}
	if err := h.d.room(off + int64(len(p)) - int64(len(h.node.live))); err != nil {
		return 0, pathError("write", h.node.name, err)
	}
	e := Event{Kind: OpWrite, Name: h.node.name, Off: off, Len: int64(len(p)), Sum: crc32.Checksum(p, castagnoli)}
	fate := h.d.judge(e)
	switch {
	case fate.Err != nil:
		p = p[:len(p)/2]
		e.Len, e.Sum = int64(len(p)), crc32.Checksum(p, castagnoli)
	case fate.Elsewhere:
		e.Off = fate.Off
	}
	h.d.note(e)
	h.d.change(h.node, &op{kind: OpWrite, off: e.Off, data: slices.Clone(p)})
	if fate.Err != nil {
		return len(p), pathError("write", h.node.name, fate.Err)
	}
	return len(p), nil
}

// Truncate implements world.File.
func (h *handle) Truncate(size int64) error {
	if err := h.check("truncate"); err != nil {
		return err
	}
	if size < 0 {
		return pathError("truncate", h.node.name, fs.ErrInvalid)
	}
	if err := h.d.room(size - int64(len(h.node.live))); err != nil {
		return pathError("truncate", h.node.name, err)
	}
	if err := h.d.judged("truncate", Event{Kind: OpTruncate, Name: h.node.name, Off: size}); err != nil {
		return err
	}
	h.d.truncate(h.node, size)
	return nil
}

// truncate sets the length of n.
func (d *Disk) truncate(n *inode, size int64) {
	d.note(Event{Kind: OpTruncate, Name: n.name, Off: size})
	d.change(n, &op{kind: OpTruncate, off: size})
}

// Size implements world.File.
func (h *handle) Size() (int64, error) {
	if err := h.check("size"); err != nil {
		return 0, err
	}
	return int64(len(h.node.live)), nil
}

// Sync implements world.File.
func (h *handle) Sync() error {
	if err := h.check("sync"); err != nil {
		return err
	}
	if err := h.d.judged("sync", Event{Kind: OpSync, Name: h.node.name}); err != nil {
		h.node.forsake(h.d.seq + 1)
		return err
	}
	h.d.note(Event{Kind: OpSync, Name: h.node.name})
	o := &op{kind: OpSync, file: h.node}
	if h.d.record(o) {
		h.node.flush(o.seq)
	}
	return nil
}

// Close implements io.Closer.
func (h *handle) Close() error {
	if !h.open {
		return pathError("close", h.node.name, fs.ErrClosed)
	}
	h.open = false
	if h.epoch == h.d.epoch {
		h.node.handles--
	}
	return nil
}

// Rot flips one bit of the named file at off, on the medium and in the live
// view alike, as silent decay does.
func (d *Disk) Rot(name string, off int64, bit uint8) error {
	n := d.lookup(name)
	switch {
	case n == nil:
		return pathError("rot", name, fs.ErrNotExist)
	case off < 0 || off >= int64(len(n.live)):
		return fmt.Errorf("disk: rot %s at %d of %d bytes: %w", name, off, len(n.live), fs.ErrInvalid)
	}
	d.note(Event{Kind: OpRot, Name: name, Off: off, Len: int64(bit)})
	mask := byte(1) << (bit & 7)
	n.live[off] ^= mask
	if off < int64(len(n.durable)) {
		n.durable[off] ^= mask
	}
	return nil
}
