package keys

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Load builds a store from all the records of a checkpoint, which next hands
// over one by one, in any order, until it returns false. No record at all is
// an empty store. Whatever Records could not have written is refused, with the
// bucket and key in the error, which matches ErrCorrupt; so is a whole whose
// digest is not the one in the meta record.
func Load(next func() (Record, bool, error)) (*Store, error) {
	l := loader{store: New()}
	for {
		r, ok, err := next()
		if err != nil {
			return nil, fmt.Errorf("keys: load: %w", err)
		}
		if !ok {
			break
		}
		if err := l.take(r); err != nil {
			return nil, fmt.Errorf("keys: load: bucket %q, key %q: %w", r.Bucket, r.Key, err)
		}
	}
	if !l.hasMeta && l.nodes == nil && l.events == nil {
		return l.store, nil
	}
	if err := l.build(); err != nil {
		return nil, fmt.Errorf("keys: load: %w", err)
	}
	l.store.settled()
	return l.store, nil
}

// loader gathers records until all are there.
type loader struct {
	store   *Store
	nodes   []*Node
	events  []*Event
	hasMeta bool
	index   uint64
	digest  [16]byte
}

// take decodes one record.
func (l *loader) take(rec Record) error {
	r := reader{b: rec.Value}
	switch rec.Bucket {
	case BucketNodes:
		if len(rec.Key) > MaxPathBytes+inOrderBytes || !IsClean(string(rec.Key)) || string(rec.Key) == "/" {
			return fmt.Errorf("not a path: %w", ErrCorrupt)
		}
		l.nodes = append(l.nodes, r.node(string(rec.Key)))
	case BucketHistory:
		if len(rec.Key) != 8 {
			return fmt.Errorf("not an index: %w", ErrCorrupt)
		}
		l.events = append(l.events, r.event(binary.BigEndian.Uint64(rec.Key)))
	case BucketMeta:
		if string(rec.Key) != metaKey || l.hasMeta {
			return fmt.Errorf("not the one meta record: %w", ErrCorrupt)
		}
		l.hasMeta = true
		if format := r.byte(); format != metaFormat {
			r.fail("format %d, not %d", format, metaFormat)
		}
		l.index = r.uvarint()
		for i := range l.digest {
			l.digest[i] = r.byte()
		}
	default:
		return fmt.Errorf("not a bucket of the keyspace: %w", ErrCorrupt)
	}
	return r.end()
}

// node reads what appendNode wrote.
func (r *reader) node(key string) *Node {
	flags := r.byte()
	n := &Node{Key: key, Dir: flags&nodeDir != 0, HasTTL: flags&nodeTTL != 0}
	n.Created, n.Modified = r.uvarint(), r.uvarint()
	if n.HasTTL {
		n.Due, n.Expiration = time.Duration(r.varint()), r.varint()
	}
	n.Value = r.string(MaxValueBytes)
	switch {
	case flags >= nodeFlagsEnd:
		r.fail("unknown flags %#x", flags)
	case n.Dir && n.Value != "":
		r.fail("a directory with a value")
	case r.err == nil && (n.Created == 0 || n.Created > n.Modified):
		r.fail("created at index %d, modified at %d", n.Created, n.Modified)
	}
	return n
}

// event reads an event's record.
func (r *reader) event(index uint64) *Event {
	ev := &Event{EtcdIndex: index}
	code, flags := r.byte(), r.byte()
	ev.Refresh = flags&eventRefresh != 0
	ev.At = time.Duration(r.varint())
	key := r.string(MaxPathBytes + inOrderBytes)
	ev.Node = r.node(key)
	if flags&eventPrev != 0 {
		ev.PrevNode = r.node(key)
	}
	switch {
	case r.err != nil:
		return ev
	case int(code) >= len(actionCodes):
		r.fail("unknown action %d", code)
		return ev
	case flags >= eventFlagsEnd:
		r.fail("unknown flags %#x", flags)
	case !IsClean(key) || key == "/":
		r.fail("an event at %q", key)
	case ev.Node.Modified != index:
		r.fail("event %d of a node modified at %d", index, ev.Node.Modified)
	}
	ev.Action = actionCodes[code]
	return ev
}

// build puts the parts together and checks that they fit.
func (l *loader) build() error {
	if !l.hasMeta {
		return fmt.Errorf("bucket %q, key %q: missing: %w", BucketMeta, metaKey, ErrCorrupt)
	}
	l.store.index = l.index
	if err := l.buildTree(); err != nil {
		return err
	}
	if err := l.buildHistory(); err != nil {
		return err
	}
	if got := l.store.Digest(); got != l.digest {
		return fmt.Errorf("bucket %q, key %q: digest %x, of the content %x: %w",
			BucketMeta, metaKey, l.digest, got, ErrCorrupt)
	}
	return nil
}

func (l *loader) buildTree() error {
	// A directory's path is a prefix of what is in it, so it comes first.
	slices.SortFunc(l.nodes, func(a, b *Node) int { return strings.Compare(a.Key, b.Key) })
	for _, n := range l.nodes {
		parent := l.store.nodes[parentOf(n.Key)]
		why := ""
		switch {
		case l.store.nodes[n.Key] != nil:
			why = "twice"
		case parent == nil || !parent.view.Dir:
			why = "not in a directory"
		case n.Modified > l.index:
			why = fmt.Sprintf("modified at index %d, after %d", n.Modified, l.index)
		}
		if why != "" {
			return fmt.Errorf("bucket %q, key %q: %s: %w", BucketNodes, n.Key, why, ErrCorrupt)
		}
		l.store.attach(n)
	}
	return nil
}

func (l *loader) buildHistory() error {
	slices.SortFunc(l.events, func(a, b *Event) int { return cmp.Compare(a.EtcdIndex, b.EtcdIndex) })
	want := min(l.index, HistoryLimit)
	if uint64(len(l.events)) != want {
		return fmt.Errorf("bucket %q: %d events, not %d: %w", BucketHistory, len(l.events), want, ErrCorrupt)
	}
	shared := map[string]*Node{}
	for i, ev := range l.events {
		if index := l.index - want + 1 + uint64(i); ev.EtcdIndex != index {
			return fmt.Errorf("bucket %q, key %q: event %d in the place of %d: %w",
				BucketHistory, eventKey(ev.EtcdIndex), ev.EtcdIndex, index, ErrCorrupt)
		}
		l.share(ev, shared)
		l.store.past.add(ev, l.store.rehashEvent(ev))
	}
	return nil
}

// share lets an event hold the nodes that the event before it at the same key,
// and the tree, hold already, as they did when the events were made.
func (l *loader) share(ev *Event, last map[string]*Node) {
	if prev := last[ev.Node.Key]; prev != nil && ev.PrevNode != nil && same(prev, ev.PrevNode) {
		ev.PrevNode = prev
	}
	if e := l.store.nodes[ev.Node.Key]; e != nil && same(e.view, ev.Node) {
		ev.Node = e.view
	}
	last[ev.Node.Key] = ev.Node
}

func same(a, b *Node) bool {
	return a.Key == b.Key && a.Value == b.Value && a.Dir == b.Dir && a.Created == b.Created &&
		a.Modified == b.Modified && a.HasTTL == b.HasTTL && a.Due == b.Due && a.Expiration == b.Expiration
}
