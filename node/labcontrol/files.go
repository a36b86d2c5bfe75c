package labcontrol

import (
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"

	"drydock/node/host"
	"drydock/node/world"
)

// Disk is a data directory whose files are written when they are synced. It
// implements world.FS and checkpoint.Host.
type Disk struct {
	*host.Disk
	faults *faults

	mu    sync.Mutex
	files map[string]*content // by name
}

func newDisk(d *host.Disk) *Disk {
	return &Disk{Disk: d, faults: newFaults(), files: map[string]*content{}}
}

// content is what a file holds beside what is on the disk; all that have the file
// open share it.
type content struct {
	mu      sync.Mutex
	file    world.File // to write by, when the power goes
	pending []write
	size    int64 // that the file seems to have
}

// write is one that was not synced.
type write struct {
	at   int64
	data []byte
}

// Create implements world.FS.
func (d *Disk) Create(name string) (world.File, error) {
	if err := d.faults.before(opWrite, name, 0); err != nil {
		return nil, err
	}
	f, err := d.Disk.Create(name)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c := &content{file: f}
	d.files[name] = c
	return &file{File: f, disk: d, name: name, content: c}, nil
}

// Open implements world.FS.
func (d *Disk) Open(name string) (world.File, error) {
	f, err := d.Disk.Open(name)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.files[name]
	if c == nil {
		size, err := f.Size()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		c = &content{size: size}
		d.files[name] = c
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		c.file = f
	}
	return &file{File: f, disk: d, name: name, content: c}, nil
}

// Rename implements world.FS.
func (d *Disk) Rename(oldname, newname string) error {
	if err := d.Disk.Rename(oldname, newname); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, newname)
	if c := d.files[oldname]; c != nil {
		delete(d.files, oldname)
		d.files[newname] = c
	}
	return nil
}

// Remove implements world.FS.
func (d *Disk) Remove(name string) error {
	if err := d.Disk.Remove(name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, name)
	return nil
}

// SyncDir implements world.FS.
func (d *Disk) SyncDir(dir string) error {
	if err := d.faults.before(opSync, dir, 0); err != nil {
		return err
	}
	return d.Disk.SyncDir(dir)
}

// file is an open file.
type file struct {
	world.File
	disk    *Disk
	name    string
	content *content
}

// ReadAt implements world.File.
func (f *file) ReadAt(p []byte, at int64) (int, error) {
	c := f.content
	c.mu.Lock()
	defer c.mu.Unlock()
	if at >= c.size {
		return 0, io.EOF
	}
	want := p
	if rest := c.size - at; int64(len(p)) > rest {
		want = p[:rest]
	}
	clear(want)
	if _, err := f.File.ReadAt(want, at); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	for _, w := range c.pending {
		overlay(want, at, w)
	}
	if len(want) < len(p) {
		return len(want), io.EOF
	}
	return len(want), nil
}

// overlay puts what of a write lies in p, which is at a place of the file, there.
func overlay(p []byte, at int64, w write) {
	from, to := max(at, w.at), min(at+int64(len(p)), w.at+int64(len(w.data)))
	if from < to {
		copy(p[from-at:to-at], w.data[from-w.at:to-w.at])
	}
}

// WriteAt implements world.File.
func (f *file) WriteAt(p []byte, at int64) (int, error) {
	if err := f.disk.faults.before(opWrite, f.name, len(p)); err != nil {
		return 0, err
	}
	c := f.content
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = append(c.pending, write{at: at, data: slices.Clone(p)})
	c.size = max(c.size, at+int64(len(p)))
	return len(p), nil
}

// Size implements world.File.
func (f *file) Size() (int64, error) {
	f.content.mu.Lock()
	defer f.content.mu.Unlock()
	return f.content.size, nil
}

// Truncate implements world.File.
func (f *file) Truncate(size int64) error {
	c := f.content
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := f.File.Truncate(size); err != nil {
		return err
	}
	var kept []write
	for _, w := range c.pending {
		if w.at < size {
			w.data = w.data[:min(int64(len(w.data)), size-w.at)]
			kept = append(kept, w)
		}
	}
	c.pending, c.size = kept, size
	return nil
}

// Sync implements world.File: what was written is on the disk when it returns.
func (f *file) Sync() error {
	if err := f.disk.faults.before(opSync, f.name, 0); err != nil {
		return err
	}
	c := f.content
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.pending {
		if _, err := f.File.WriteAt(w.data, w.at); err != nil {
			return err
		}
	}
	c.pending = nil
	return f.File.Sync()
}

// Close implements world.File. What was not synced stays to be lost.
func (f *file) Close() error {
	c := f.content
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == f.File {
		c.file = nil
	}
	return f.File.Close()
}

// sector is what a disk writes in one step, in bytes.
const sector = 512

// settle writes what the disk still got of what was not synced: all of it, if the
// power stays, or what a seed decides of it, nothing being the likeliest. With torn,
// a write may be there in part.
func (d *Disk) settle(p *PowerLoss) (kept, lost, torn int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	rng := rand.New(rand.NewPCG(p.Seed, 1))
	var names []string
	for name := range d.files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		c := d.files[name]
		c.mu.Lock()
		for _, w := range c.pending {
			part, whole := w.data, true
			if p.Unsynced {
				part, whole = d.part(rng, w, p.Torn)
			}
			switch {
			case len(part) == 0:
				lost++
				continue
			case whole:
				kept++
			default:
				torn++
			}
			if !d.put(name, c, write{at: w.at, data: part}) {
				lost++
			}
		}
		// A sync that comes now, before the process ends, writes it all again.
		c.mu.Unlock()
	}
	return kept, lost, torn
}

// part is what of a write reaches the disk.
func (d *Disk) part(rng *rand.Rand, w write, torn bool) (part []byte, whole bool) {
	draw := rng.IntN(4)
	switch {
	case draw == 0:
		return w.data, true
	case draw == 1 && torn && len(w.data) > sector:
		sectors := 1 + rng.IntN((len(w.data)-1)/sector)
		return w.data[:sectors*sector-int(w.at%sector)], false
	}
	return nil, false
}

// put writes to a file that may be closed by now.
func (d *Disk) put(name string, c *content, w write) bool {
	f := c.file
	if f == nil {
		var err error
		if f, err = d.Disk.Open(name); err != nil {
			return false // it was removed
		}
		defer func() { _ = f.Close() }()
	}
	_, err := f.WriteAt(w.data, w.at)
	return err == nil
}
