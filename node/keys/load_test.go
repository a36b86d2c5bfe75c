package keys

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

func sampleStore(t testing.TB) *Store {
	s := New()
	for _, c := range []Command{
		{Kind: Set, Path: "/d/f", Value: "1"},
		{Kind: Set, Path: "/d/f", Value: "2", HasTTL: true, TTL: 60},
		{Kind: CreateInOrder, Path: "/q", Value: "job"},
		{Kind: Delete, Path: "/q", Recursive: true},
		{Kind: Update, Path: "/d", HasTTL: true, TTL: 9},
	} {
		if _, err := s.Apply(&c, stampAt(0)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestLoadOfNothingIsEmpty(t *testing.T) {
	s, err := loadAll(nil)
	if err != nil || s.Digest() != New().Digest() {
		t.Fatal(err)
	}
	if first := New().DrainDirty(); len(first) != 1 || first[0].Bucket != BucketMeta {
		t.Fatalf("an empty store drains %v", first)
	}
}

func TestLoadPassesOnTheErrorOfItsSource(t *testing.T) {
	broken := errors.New("disk on fire")
	if _, err := Load(func() (Record, bool, error) { return Record{}, false, broken }); !errors.Is(err, broken) {
		t.Fatal(err)
	}
}

func TestLoadedStoreGoesOnAlike(t *testing.T) {
	a := sampleStore(t)
	b := reload(t, a.Records())
	if extra := b.DrainDirty(); extra != nil {
		t.Errorf("a loaded store drains %d records", len(extra))
	}
	for _, c := range []Command{
		{Kind: CreateInOrder, Path: "/q"},
		{Kind: CompareAndSwap, Path: "/d/f", PrevIndex: 2, Value: "3"},
		{Kind: Expire},
	} {
		evA, errA := a.Apply(&c, stampAt(9e9))
		evB, errB := b.Apply(&c, stampAt(9e9))
		if errA != nil || errB != nil || evA.Node.Key != evB.Node.Key || a.Digest() != b.Digest() {
			t.Fatalf("%+v: %v %v, %v %v", c, evA, errA, evB, errB)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	node := func(n Node) []byte { return appendNode(nil, &n) }
	for name, tc := range map[string]struct {
		change func(r *[]Record)
		want   string
	}{
		"bucket":         {add("other", "k", nil), `bucket "other"`},
		"path":           {add(BucketNodes, "/d/", node(Node{Created: 1, Modified: 1})), `key "/d/": not a path`},
		"root":           {add(BucketNodes, "/", node(Node{Dir: true, Created: 1, Modified: 1})), "not a path"},
		"twice":          {add(BucketNodes, "/d", node(Node{Dir: true, Created: 1, Modified: 1})), `key "/d": twice`},
		"orphan":         {add(BucketNodes, "/o/p", node(Node{Created: 1, Modified: 1})), `key "/o/p": not in a directory`},
		"below a file":   {add(BucketNodes, "/d/f/p", node(Node{Created: 1, Modified: 1})), "not in a directory"},
		"from later":     {add(BucketNodes, "/l", node(Node{Created: 6, Modified: 6})), "modified at index 6, after 5"},
		"no index":       {add(BucketNodes, "/l", node(Node{})), "created at index 0"},
		"back in time":   {add(BucketNodes, "/l", node(Node{Created: 2, Modified: 1})), "created at index 2"},
		"valued dir":     {add(BucketNodes, "/l", node(Node{Dir: true, Value: "v", Created: 1, Modified: 1})), "a directory with a value"},
		"node flags":     {add(BucketNodes, "/l", []byte{8, 1, 1, 0}), "unknown flags"},
		"short node":     {add(BucketNodes, "/l", []byte{0, 1}), "bad number"},
		"long node":      {add(BucketNodes, "/l", []byte{0, 1, 1, 0, 0}), "too many"},
		"node more":      {add(BucketNodes, "/l", node(Node{Created: 1, Modified: 1})), "digest"},
		"node less":      {drop(BucketNodes, "/d/f"), "digest"},
		"parent less":    {drop(BucketNodes, "/d"), `key "/d/f": not in a directory`},
		"event key":      {add(BucketHistory, "5", nil), "not an index"},
		"event less":     {drop(BucketHistory, string(eventKey(2))), "4 events, not 5"},
		"event moved":    {moveEvent(2, 6), "event 6 of a node modified at 2"},
		"event twice":    {copyEvent(1, 2), "2 in the place of 1"},
		"event action":   {patch(BucketHistory, string(eventKey(1)), 0, 99), "unknown action 99"},
		"event other":    {patch(BucketHistory, string(eventKey(1)), 0, 1), "digest"},
		"event flags":    {patch(BucketHistory, string(eventKey(1)), 1, 8), "unknown flags"},
		"event cut":      {add(BucketHistory, string(eventKey(6)), []byte{0}), "too short"},
		"event path":     {add(BucketHistory, string(eventKey(6)), eventAt("//", 6)), `an event at "//"`},
		"no meta":        {drop(BucketMeta, metaKey), "missing"},
		"other meta":     {add(BucketMeta, "m", nil), "not the one meta record"},
		"meta format":    {patch(BucketMeta, metaKey, 0, 2), "format 2, not 1"},
		"meta index":     {patch(BucketMeta, metaKey, 1, 6), "5 events, not 6"},
		"meta digest":    {patch(BucketMeta, metaKey, 9, 0), "digest"},
		"value has rot":  {rot(BucketNodes, "/d/f"), "digest"},
		"history rotted": {rot(BucketHistory, string(eventKey(2))), "digest"},
	} {
		records := sampleStore(t).Records()
		tc.change(&records)
		_, err := loadAll(records)
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, not %q", name, err, tc.want)
		}
	}
}

func add(bucket, key string, value []byte) func(*[]Record) {
	return func(r *[]Record) { *r = append(*r, Record{Bucket: bucket, Key: []byte(key), Value: value}) }
}

func find(r []Record, bucket, key string) int {
	for i := range r {
		if r[i].Bucket == bucket && string(r[i].Key) == key {
			return i
		}
	}
	panic("no record " + bucket + " " + key)
}

func drop(bucket, key string) func(*[]Record) {
	return func(r *[]Record) {
		i := find(*r, bucket, key)
		*r = append((*r)[:i:i], (*r)[i+1:]...)
	}
}

func patch(bucket, key string, at int, b byte) func(*[]Record) {
	return func(r *[]Record) { (*r)[find(*r, bucket, key)].Value[at] = b }
}

// rot flips a bit of the last byte that is not zero.
func rot(bucket, key string) func(*[]Record) {
	return func(r *[]Record) {
		v := (*r)[find(*r, bucket, key)].Value
		v[len(bytes.TrimRight(v, "\x00"))-1] ^= 1
	}
}

func moveEvent(from, to uint64) func(*[]Record) {
	return func(r *[]Record) { (*r)[find(*r, BucketHistory, string(eventKey(from)))].Key = eventKey(to) }
}

// copyEvent puts event from in the place of event over as well.
func copyEvent(over, from uint64) func(*[]Record) {
	return func(r *[]Record) {
		value := (*r)[find(*r, BucketHistory, string(eventKey(from)))].Value
		(*r)[find(*r, BucketHistory, string(eventKey(over)))] = Record{
			Bucket: BucketHistory, Key: eventKey(from), Value: value,
		}
	}
}

func eventAt(path string, index uint64) []byte {
	b := appendEventHead(nil, &Event{Action: ActionSet})
	return appendNode(appendString(b, path), &Node{Created: index, Modified: index})
}

// FuzzLoad reads its input as records: bucket, key length, value length, key,
// value. What loads is whole, and goes through its records again unchanged.
func FuzzLoad(f *testing.F) {
	var seed []byte
	for _, r := range sampleStore(f).Records() {
		bucket := map[string]byte{BucketNodes: 0, BucketHistory: 1, BucketMeta: 2}[r.Bucket]
		seed = append(seed, bucket, byte(len(r.Key)))
		seed = binary.BigEndian.AppendUint16(seed, uint16(len(r.Value)))
		seed = append(append(seed, r.Key...), r.Value...)
	}
	f.Add(seed)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var records []Record
		for len(b) >= 4 {
			k, v := int(b[1]), int(binary.BigEndian.Uint16(b[2:]))
			bucket := [...]string{BucketNodes, BucketHistory, BucketMeta, "other"}[b[0]&3]
			if b = b[4:]; len(b) < k+v {
				break
			}
			records = append(records, Record{Bucket: bucket, Key: b[:k], Value: b[k : k+v]})
			b = b[k+v:]
		}
		s, err := loadAll(records)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%v does not match ErrCorrupt", err)
			}
			return
		}
		again, err := loadAll(s.Records())
		if err != nil || s.Recompute() != again.Digest() {
			t.Fatalf("loaded once but not twice: %v", err)
		}
		s.Apply(&Command{Kind: Set, Path: "/d/f"}, Stamp{})
	})
}
