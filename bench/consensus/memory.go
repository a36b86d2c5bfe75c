package consensus

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"drydock/node"
	"drydock/node/host"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/world"
)

// memory is a data directory that takes no time and lasts as long as the
// process. It implements world.FS.
type memory struct {
	mu    sync.Mutex
	files map[string]*memoryFile
}

func newMemory() *memory { return &memory{files: make(map[string]*memoryFile)} }

func (m *memory) Create(name string) (world.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := &memoryFile{}
	m.files[name] = f
	return f, nil
}

func (m *memory) Open(name string) (world.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f, ok := m.files[name]; ok {
		return f, nil
	}
	return nil, missing("open", name)
}

func missing(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist} }

func (m *memory) Rename(oldname, newname string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.files[oldname]
	if !ok {
		return missing("rename", oldname)
	}
	delete(m.files, oldname)
	m.files[newname] = f
	return nil
}

func (m *memory) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.files[name]; !ok {
		return missing("remove", name)
	}
	delete(m.files, name)
	return nil
}

func (m *memory) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range m.files {
		if path.Dir(name) == strings.TrimSuffix(dir, "/") {
			names = append(names, path.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (m *memory) MkdirAll(string) error { return nil }
func (m *memory) SyncDir(string) error  { return nil }

// memoryFile is a file of memory.
type memoryFile struct {
	mu   sync.Mutex
	data []byte
}

func (f *memoryFile) ReadAt(b []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if off >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memoryFile) WriteAt(b []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.grow(off + int64(len(b)))
	return copy(f.data[off:], b), nil
}

// grow makes room for size bytes, at first for a whole segment: a disk doesn't
// copy a file that grows.
func (f *memoryFile) grow(size int64) {
	if size > int64(cap(f.data)) {
		bigger := make([]byte, len(f.data), max(size, memorySegment, 2*int64(cap(f.data))))
		copy(bigger, f.data)
		f.data = bigger
	}
	if had := int64(len(f.data)); size > had {
		f.data = f.data[:size]
		clear(f.data[had:])
	}
}

func (f *memoryFile) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.grow(size)
	f.data = f.data[:size]
	return nil
}

func (f *memoryFile) Size() (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(len(f.data)), nil
}

func (f *memoryFile) Close() error { return nil }
func (f *memoryFile) Sync() error  { return nil }

// errNoSnapshot is the end of a run whose members fell so far apart that one
// needs a snapshot, which memory doesn't hold.
var errNoSnapshot = errors.New("a member needs a snapshot, and in memory there are none")

// memoryStore keeps a checkpoint in memory. It implements node.Store, for members
// that never need a snapshot.
type memoryStore struct {
	mu      sync.Mutex
	found   bool
	sn      state.Snapshot
	records map[string]keys.Record
}

func (m *memoryStore) Write(_ world.FS, _ uint64, sn state.Snapshot, changes []keys.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records == nil {
		m.records = make(map[string]keys.Record)
	}
	m.sn, m.found = sn, true
	for _, r := range changes {
		at := r.Bucket + "\x00" + string(r.Key)
		if r.Value == nil {
			delete(m.records, at)
		} else {
			m.records[at] = r
		}
	}
	return nil
}

func (m *memoryStore) Load(world.FS) (state.Snapshot, []keys.Record, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]keys.Record, 0, len(m.records))
	for _, r := range m.records {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b keys.Record) int {
		return strings.Compare(a.Bucket+"\x00"+string(a.Key), b.Bucket+"\x00"+string(b.Key))
	})
	return m.sn, list, m.found, nil
}

func (m *memoryStore) Export(world.FS, string) (state.Snapshot, uint64, error) {
	return state.Snapshot{}, 0, errNoSnapshot
}

func (m *memoryStore) Import(world.FS, string) error { return errNoSnapshot }

func (m *memoryStore) ReadChunk(world.FS, string, uint64, int) ([]byte, error) {
	return nil, errNoSnapshot
}

func (m *memoryStore) Receive(world.FS, string) (node.Incoming, error) { return nil, errNoSnapshot }
func (m *memoryStore) Clean(world.FS, ...string) error                 { return nil }

// countedMemory and countedDisk count the syncs of the log's files.
type countedMemory struct {
	*memory
	syncs *atomic.Uint64
}

func (c countedMemory) Create(name string) (world.File, error) {
	return counted(c.syncs)(c.memory.Create(name))
}

func (c countedMemory) Open(name string) (world.File, error) {
	return counted(c.syncs)(c.memory.Open(name))
}

// countedDisk is a directory of the disk. It holds a bbolt file as host.Disk
// does, whose syncs aren't counted.
type countedDisk struct {
	*host.Disk
	syncs *atomic.Uint64
}

func (c countedDisk) Create(name string) (world.File, error) {
	return counted(c.syncs)(c.Disk.Create(name))
}

func (c countedDisk) Open(name string) (world.File, error) {
	return counted(c.syncs)(c.Disk.Open(name))
}

type countedFile struct {
	world.File
	syncs *atomic.Uint64
}

func (f countedFile) Sync() error {
	f.syncs.Add(1)
	return f.File.Sync()
}

func counted(syncs *atomic.Uint64) func(world.File, error) (world.File, error) {
	return func(f world.File, err error) (world.File, error) {
		if err != nil {
			return nil, err
		}
		return countedFile{f, syncs}, nil
	}
}
