package keys

import (
	"encoding/binary"
	"iter"
	"maps"
	"slices"
)

// The buckets of a checkpoint that this package's records are in.
const (
	// BucketNodes holds the tree: path → node.
	BucketNodes = "keys"
	// BucketHistory holds the events: index, eight bytes big endian → event.
	BucketHistory = "keys.history"
	// BucketMeta holds one record, metaKey → format, index and digest. It is
	// written with every change, so that a checkpoint can be verified whole.
	BucketMeta = "keys.meta"
)

const (
	metaKey = "store"
	// metaFormat is the first byte of the meta record: the format of all.
	metaFormat = 1
)

// Record is a piece of the store on its way to or from a checkpoint. A nil
// Value deletes the key.
type Record struct {
	Bucket     string
	Key, Value []byte
}

// dirty is what has changed since the last DrainDirty.
type dirty struct {
	paths map[string]struct{}
	// meta says that the index, or anything else, has changed.
	meta bool
	// drained is the newest event that has been drained, oldest the oldest
	// that was in the history then.
	drained, oldest uint64
}

// newDirty is that of a store of which nothing has been drained.
func newDirty() dirty {
	return dirty{paths: map[string]struct{}{}, meta: true, oldest: 1}
}

func (d *dirty) touch(path string) {
	d.paths[path] = struct{}{}
	d.meta = true
}

// DrainDirty returns what has changed since the last call, or since Load: laid
// over the records drained before, it makes up Records. Paths come in order,
// then events, then the meta record.
func (s *Store) DrainDirty() []Record {
	if !s.dirty.meta {
		return nil
	}
	records := make([]Record, 0, len(s.dirty.paths)+2)
	for _, path := range slices.Sorted(maps.Keys(s.dirty.paths)) {
		r := Record{Bucket: BucketNodes, Key: []byte(path)}
		if e := s.nodes[path]; e != nil {
			r.Value = appendNode(nil, e.view)
		}
		records = append(records, r)
	}
	oldest := s.past.oldest()
	for i := s.dirty.oldest; i < oldest && i <= s.dirty.drained; i++ {
		records = append(records, Record{Bucket: BucketHistory, Key: eventKey(i)})
	}
	for i := max(oldest, s.dirty.drained+1); i <= s.past.last; i++ {
		records = append(records, s.eventRecord(i))
	}
	records = append(records, s.metaRecord())
	s.settled()
	return records
}

// settled notes that everything is drained.
func (s *Store) settled() {
	s.dirty = dirty{paths: map[string]struct{}{}, drained: s.past.last, oldest: s.past.oldest()}
}

// Records returns the whole store, as for a snapshot. Load is the way back.
func (s *Store) Records() []Record {
	records := make([]Record, 0, s.Len()+s.past.count+1)
	for e := range s.walk() {
		records = append(records, Record{
			Bucket: BucketNodes, Key: []byte(e.view.Key), Value: appendNode(nil, e.view),
		})
	}
	for i := s.past.oldest(); i <= s.past.last; i++ {
		records = append(records, s.eventRecord(i))
	}
	return append(records, s.metaRecord())
}

// walk yields every entry but the root, each after the directory it is in.
func (s *Store) walk() iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		var visit func(dir *entry) bool
		visit = func(dir *entry) bool {
			for kid := range dir.kids.all() {
				if !yield(kid) || !visit(kid) {
					return false
				}
			}
			return true
		}
		visit(s.root)
	}
}

func eventKey(index uint64) []byte { return binary.BigEndian.AppendUint64(nil, index) }

func (s *Store) eventRecord(index uint64) Record {
	ev := s.past.at(index).ev
	b := appendEventHead(nil, ev)
	b = appendString(b, ev.Node.Key)
	b = appendNode(b, ev.Node)
	if ev.PrevNode != nil {
		b = appendNode(b, ev.PrevNode)
	}
	return Record{Bucket: BucketHistory, Key: eventKey(index), Value: b}
}

func (s *Store) metaRecord() Record {
	b := binary.AppendUvarint([]byte{metaFormat}, s.index)
	digest := s.Digest()
	return Record{Bucket: BucketMeta, Key: []byte(metaKey), Value: append(b, digest[:]...)}
}

// Flags of an encoded node.
const (
	nodeDir = 1 << iota
	nodeTTL
	nodeFlagsEnd
)

// appendNode encodes a node without its key and children.
func appendNode(b []byte, n *Node) []byte {
	var flags byte
	if n.Dir {
		flags |= nodeDir
	}
	if n.HasTTL {
		flags |= nodeTTL
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, n.Created)
	b = binary.AppendUvarint(b, n.Modified)
	if n.HasTTL {
		b = binary.AppendVarint(b, int64(n.Due))
		b = binary.AppendVarint(b, n.Expiration)
	}
	return appendString(b, n.Value)
}

// Flags of an encoded event.
const (
	eventRefresh = 1 << iota
	eventPrev
	eventFlagsEnd
)

// actionCodes are the actions of events as encoded: by their place.
var actionCodes = [...]Action{
	ActionSet, ActionCreate, ActionUpdate, ActionCompareAndSwap, ActionDelete, ActionCompareAndDelete, ActionExpire,
}

// appendEventHead encodes an event without its index and nodes.
func appendEventHead(b []byte, ev *Event) []byte {
	var flags byte
	if ev.Refresh {
		flags |= eventRefresh
	}
	if ev.PrevNode != nil {
		flags |= eventPrev
	}
	code := slices.Index(actionCodes[:], ev.Action)
	if code < 0 {
		panic("keys: no event has the action " + string(ev.Action))
	}
	b = append(b, byte(code), flags)
	return binary.AppendVarint(b, int64(ev.At))
}
