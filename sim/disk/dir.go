package disk

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"drydock/node/world"
)

// directory is one directory. Directories themselves are durable at once.
type directory struct {
	name string
	// live and durable are the entries as programs see them and on the medium.
	live, durable map[string]*inode
	pending       []*op
}

// apply carries o out on entries.
func (o *op) applyDir(entries map[string]*inode) {
	for _, e := range o.set {
		if e.node == nil {
			delete(entries, e.name)
		} else {
			entries[e.name] = e.node
		}
	}
}

// flush makes the changes before upTo durable.
func (dir *directory) flush(upTo uint64) {
	done := 0
	for done < len(dir.pending) && dir.pending[done].seq < upTo {
		dir.pending[done].applyDir(dir.durable)
		done++
	}
	dir.pending = slices.Delete(dir.pending, 0, done)
}

// rebuild computes live from durable and pending.
func (dir *directory) rebuild() {
	dir.live = maps.Clone(dir.durable)
	for _, o := range dir.pending {
		o.applyDir(dir.live)
	}
}

// find returns the directory called name, or nil.
func (d *Disk) find(name string) *directory {
	i, ok := slices.BinarySearchFunc(d.dirs, name, func(dir *directory, name string) int {
		return strings.Compare(dir.name, name)
	})
	if !ok {
		return nil
	}
	return d.dirs[i]
}

// split returns the directory of name and the base name, or why not.
func (d *Disk) split(what, name string) (*directory, string, error) {
	if !fs.ValidPath(name) || name == "." {
		return nil, "", pathError(what, name, fs.ErrInvalid)
	}
	dir := d.find(path.Dir(name))
	if dir == nil {
		return nil, "", pathError(what, name, fs.ErrNotExist)
	}
	return dir, path.Base(name), nil
}

// lookup returns the file called name, or nil.
func (d *Disk) lookup(name string) *inode {
	dir, base, err := d.split("open", name)
	if err != nil {
		return nil
	}
	return dir.live[base]
}

// link does the changes to dir's live side and lets them wait for a SyncDir.
func (d *Disk) link(dir *directory, kind Kind, set ...entry) {
	o := &op{kind: kind, dir: dir, set: set}
	d.record(o)
	o.applyDir(dir.live)
	dir.pending = append(dir.pending, o)
}

// Create implements world.FS.
func (d *Disk) Create(name string) (world.File, error) {
	dir, base, err := d.split("create", name)
	if err != nil {
		return nil, err
	}
	if err := d.judged("create", Event{Kind: OpCreate, Name: name}); err != nil {
		return nil, err
	}
	n := dir.live[base]
	if n != nil {
		d.truncate(n, 0)
		return d.openHandle(n), nil
	}
	d.note(Event{Kind: OpCreate, Name: name})
	n = d.newInode(name)
	d.link(dir, OpCreate, entry{base, n})
	return d.openHandle(n), nil
}

// Open implements world.FS.
func (d *Disk) Open(name string) (world.File, error) {
	dir, base, err := d.split("open", name)
	if err != nil {
		return nil, err
	}
	n := dir.live[base]
	if n == nil {
		return nil, pathError("open", name, fs.ErrNotExist)
	}
	return d.openHandle(n), nil
}

// Rename implements world.FS. Both names must be in one directory, so that the
// change is atomic.
func (d *Disk) Rename(oldname, newname string) error {
	dir, base, err := d.split("rename", oldname)
	if err != nil {
		return err
	}
	to, newbase, err := d.split("rename", newname)
	if err != nil {
		return err
	}
	if to != dir {
		return fmt.Errorf("disk: rename %s to %s: across directories: %w", oldname, newname, fs.ErrInvalid)
	}
	n := dir.live[base]
	switch {
	case n == nil:
		return pathError("rename", oldname, fs.ErrNotExist)
	case base == newbase:
		return nil
	}
	if err := d.judged("rename", Event{Kind: OpRename, Name: oldname}); err != nil {
		return err
	}
	d.note(Event{Kind: OpRename, Name: oldname + " " + newname})
	n.name = newname
	d.link(dir, OpRename, entry{base, nil}, entry{newbase, n})
	return nil
}

// Remove implements world.FS.
func (d *Disk) Remove(name string) error {
	dir, base, err := d.split("remove", name)
	if err != nil {
		return err
	}
	if dir.live[base] == nil {
		return pathError("remove", name, fs.ErrNotExist)
	}
	if err := d.judged("remove", Event{Kind: OpRemove, Name: name}); err != nil {
		return err
	}
	d.note(Event{Kind: OpRemove, Name: name})
	d.link(dir, OpRemove, entry{base, nil})
	return nil
}

// MkdirAll implements world.FS. Directories are durable at once.
func (d *Disk) MkdirAll(dir string) error {
	if !fs.ValidPath(dir) {
		return pathError("mkdir", dir, fs.ErrInvalid)
	}
	if d.lookup(dir) != nil {
		return pathError("mkdir", dir, fs.ErrExist)
	}
	if d.find(dir) != nil {
		return nil
	}
	if parent := path.Dir(dir); parent != dir {
		if err := d.MkdirAll(parent); err != nil {
			return err
		}
	}
	d.note(Event{Kind: OpMkdir, Name: dir})
	d.dirs = append(d.dirs, &directory{name: dir, live: map[string]*inode{}, durable: map[string]*inode{}})
	slices.SortFunc(d.dirs, func(a, b *directory) int { return strings.Compare(a.name, b.name) })
	return nil
}

// List implements world.FS.
func (d *Disk) List(dir string) ([]string, error) {
	at := d.find(dir)
	if at == nil {
		return nil, pathError("list", dir, fs.ErrNotExist)
	}
	return slices.Sorted(maps.Keys(at.live)), nil
}

// SyncDir implements world.FS.
func (d *Disk) SyncDir(dir string) error {
	at := d.find(dir)
	if at == nil {
		return pathError("syncdir", dir, fs.ErrNotExist)
	}
	if err := d.judged("syncdir", Event{Kind: OpSyncDir, Name: dir}); err != nil {
		return err
	}
	d.note(Event{Kind: OpSyncDir, Name: dir})
	o := &op{kind: OpSyncDir, dir: at}
	if d.record(o) {
		at.flush(o.seq)
		d.sweep()
	}
	return nil
}

// sweep forgets the files that no name, waiting change or handle leads to.
func (d *Disk) sweep() {
	reached := map[*inode]bool{}
	for _, dir := range d.dirs {
		for _, entries := range []map[string]*inode{dir.live, dir.durable} {
			for _, name := range slices.Sorted(maps.Keys(entries)) {
				reached[entries[name]] = true
			}
		}
		for _, o := range dir.pending {
			for _, e := range o.set {
				if e.node != nil {
					reached[e.node] = true
				}
			}
		}
	}
	d.nodes = slices.DeleteFunc(d.nodes, func(n *inode) bool { return n.handles == 0 && !reached[n] })
}
