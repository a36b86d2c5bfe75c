package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

// ErrIO is the error of an operation that a fault made fail.
var ErrIO = errors.New("disk: input/output error")

// Fate is what becomes of an operation. The zero value lets it be.
type Fate struct {
	// Err makes it fail. A write that fails has been carried out in part; of
	// what a failed sync was to make durable nothing ever will be, not even by
	// a later sync that succeeds: so kernels behave.
	Err error
	// Elsewhere makes a write land at Off instead.
	Elsewhere bool
	Off       int64
}

// SetFate makes fn decide over each operation before it happens; nil takes that
// back. Beside what hooks see it is asked about reads (OpRead) and about the
// loan of a file to bbolt (OpBolt), where an error makes the commit come to
// nothing.
func (d *Disk) SetFate(fn func(Event) Fate) { d.fate = fn }

// judge asks for the fate of an operation.
func (d *Disk) judge(e Event) Fate {
	if d.fate == nil {
		return Fate{}
	}
	return d.fate(e)
}

// judged is judge for operations that can only fail.
func (d *Disk) judged(what string, e Event) error {
	if err := d.judge(e).Err; err != nil {
		return pathError(what, e.Name, err)
	}
	return nil
}

// forsake makes what waits in the file never durable: a sync of it has failed.
func (n *inode) forsake(upTo uint64) {
	for _, o := range n.pending {
		if o.seq < upTo {
			o.forsaken = true
		}
	}
}

// overlay makes the forsaken writes before o, which are still to be seen, show
// what o has put over them.
func (n *inode) overlay(o *op) {
	for _, p := range n.pending {
		if !p.forsaken || p.seq >= o.seq || p.kind != OpWrite {
			continue
		}
		switch o.kind {
		case OpWrite:
			from, to := max(o.off, p.off), min(o.off+int64(len(o.data)), p.off+int64(len(p.data)))
			if from < to {
				copy(p.data[from-p.off:to-p.off], o.data[from-o.off:])
			}
		default:
			p.data = p.data[:0] // cut off, or replaced as a whole
		}
	}
}

// Unlink takes a name out of its directory, durably, as if it had never been
// there. Who has the file open keeps it.
func (d *Disk) Unlink(name string) error {
	dir, base, err := d.split("unlink", name)
	if err != nil {
		return err
	}
	if dir.live[base] == nil {
		return pathError("unlink", name, fs.ErrNotExist)
	}
	d.note(Event{Kind: OpRot, Name: name, Off: -1})
	delete(dir.live, base)
	delete(dir.durable, base)
	for _, o := range dir.pending {
		o.set = slices.DeleteFunc(o.set, func(e entry) bool { return e.name == base })
	}
	return nil
}

// Durable returns whether the named file would be there after a power cut.
func (d *Disk) Durable(name string) bool {
	dir := d.find(path.Dir(name))
	return dir != nil && dir.durable[path.Base(name)] != nil
}

// fullFor says that nothing more can be written in a bbolt session. Only the
// other files count, since those of bbolt differ in size from run to run.
func (d *Disk) fullFor(name string) error {
	if d.capacity > 0 && d.Used() >= d.capacity {
		return fmt.Errorf("disk: take back %s: %w", name, ErrFull)
	}
	return nil
}
