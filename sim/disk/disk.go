package disk

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"

	"drydock/node/world"
)

// SectorBytes is the unit in which a torn write is kept or lost.
const SectorBytes = 512

// ErrFull says that a write would exceed the capacity set by SetCapacity.
var ErrFull = errors.New("disk: no space left")

// Kind names an operation that changes the disk.
type Kind uint8

// The kinds of operations.
const (
	OpCreate Kind = iota + 1
	OpWrite
	OpTruncate
	OpSync
	OpRename
	OpRemove
	OpMkdir
	OpSyncDir
	OpBolt
	OpBegin
	OpEnd
	OpComplete
	OpCrash
	OpRot
	OpRead // in fates only
)

// kindNames are the names that String gives.
var kindNames = [...]string{
	OpCreate: "create", OpWrite: "write", OpTruncate: "truncate", OpSync: "sync",
	OpRename: "rename", OpRemove: "remove", OpMkdir: "mkdir", OpSyncDir: "syncdir",
	OpBolt: "bolt", OpBegin: "begin", OpEnd: "end", OpComplete: "complete",
	OpCrash: "crash", OpRot: "rot", OpRead: "read",
}

// String names the kind as traces print it.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "unknown"
}

// Event is one operation, as the hook sees it.
type Event struct {
	Kind Kind
	// Name is the file or directory, or the job for OpBegin, OpEnd, OpComplete.
	Name string
	// Off and Len are the range of a write; Off is the size of a truncation.
	Off, Len int64
	// Sum is a checksum of the data written; OpBolt has none.
	Sum uint32
}

// op is an operation that is not yet durable.
type op struct {
	// seq orders operations; a sync covers those below its own.
	seq  uint64
	kind Kind

	file *inode
	off  int64
	data []byte
	// before is the image that a bbolt session started from.
	before []byte

	dir *directory
	set []entry
	// forsaken says that no sync will make it durable any more.
	forsaken bool
}

// entry is one change of a directory: name now means node, or nothing if nil.
type entry struct {
	name string
	node *inode
}

// Disk is one node's disk. It implements world.FS and checkpoint.Host. It is
// used from one goroutine.
type Disk struct {
	seq    uint64
	lastID uint64
	// epoch counts crashes; handles of an earlier epoch are dead.
	epoch uint64
	// nodes are the files in order of creation, dirs the directories by name.
	nodes []*inode
	dirs  []*directory
	// capacity bounds the sum of live file sizes; 0 is no bound.
	capacity int64

	lastJob Token
	jobs    []*job // in flight, in order of Begin
	current *job   // between Begin and End

	lent *boltSession // bbolt's file while a session is open

	hash uint64
	hook func(Event)
	fate func(Event) Fate
}

var _ world.FS = (*Disk)(nil)

// fnvOffset and fnvPrime are of the 64-bit FNV-1a hash.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// New returns an empty disk.
func New() *Disk { return &Disk{hash: fnvOffset} }

// SetHook makes fn see every operation that changes the disk, in order.
func (d *Disk) SetHook(fn func(Event)) { d.hook = fn }

// SetCapacity bounds the sum of the files' sizes in bytes; 0 takes the bound
// away. A write or truncation that would grow a file beyond it fails with
// ErrFull and changes nothing.
func (d *Disk) SetCapacity(bytes int64) { d.capacity = bytes }

// Used returns the sum of the files' sizes in bytes, bbolt's files left out.
func (d *Disk) Used() int64 {
	var sum int64
	for _, n := range d.nodes {
		if !n.bolt {
			sum += int64(len(n.live))
		}
	}
	return sum
}

// room says whether a file may grow by the given number of bytes.
func (d *Disk) room(grow int64) error {
	if d.capacity > 0 && grow > 0 && d.Used()+grow > d.capacity {
		return ErrFull
	}
	return nil
}

// Fingerprint is a hash of all operations that changed the disk, crashes included.
func (d *Disk) Fingerprint() uint64 { return d.hash }

// note folds an operation into the fingerprint and shows it to the hook.
func (d *Disk) note(e Event) {
	var b [29]byte
	b[0] = byte(e.Kind)
	binary.LittleEndian.PutUint64(b[1:], uint64(e.Off))
	binary.LittleEndian.PutUint64(b[9:], uint64(e.Len))
	binary.LittleEndian.PutUint32(b[17:], e.Sum)
	binary.LittleEndian.PutUint64(b[21:], uint64(len(e.Name)))
	h := d.hash
	for _, c := range b {
		h = (h ^ uint64(c)) * fnvPrime
	}
	for i := range len(e.Name) {
		h = (h ^ uint64(e.Name[i])) * fnvPrime
	}
	d.hash = h
	if d.hook != nil {
		d.hook(e)
	}
}

// record makes o part of the current job, if there is one, and says whether a
// sync takes effect at once.
func (d *Disk) record(o *op) (atOnce bool) {
	d.seq++
	o.seq = d.seq
	if d.current == nil {
		return true
	}
	d.current.ops = append(d.current.ops, o)
	return false
}

// Close gives back what the host lent: a memory file whose session never ended.
func (d *Disk) Close() error {
	if d.lent == nil {
		return nil
	}
	err := d.lent.mem.Close()
	d.lent = nil
	return err
}

// pathError wraps err with what was tried on which name.
func pathError(what, name string, err error) error {
	return &os.PathError{Op: what, Path: name, Err: err}
}
