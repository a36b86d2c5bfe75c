package keys

import (
	"cmp"
	"fmt"
	"slices"
)

// WatcherID names a live watch of this member's store; never zero.
type WatcherID uint64

// Delivery is an event that a watch is to see.
type Delivery struct {
	Watcher WatcherID
	Event   *Event
}

// Watch begins a watch of path: of that key alone or, if recursive, of all
// below it as well, hidden names excepted. The key need not exist. (etcd v2
// API, "Waiting for a change")
//
// since 0 asks for what comes next; otherwise the watch sees the events of
// index since and later, those of the history first. Without stream it ends
// after one event: if the history has it, that event is returned with id 0 and
// there is no watch. With stream everything the history has is returned, and
// the watch goes on until Cancel.
//
// An index older than the history is refused with code 401.
func (s *Store) Watch(path string, recursive, stream bool, since uint64) (WatcherID, []*Event, *Error) {
	if !IsClean(path) {
		panic(fmt.Sprintf("keys: watch: path %q is not clean", path))
	}
	if since == 0 {
		since = s.index + 1
	}
	oldest := s.past.oldest()
	if since < oldest {
		return 0, nil, s.refuse(CodeEventCleared,
			fmt.Sprintf("the requested history has been cleared [%d/%d]", oldest, since))
	}
	var found []*Event
	for i := since; i <= s.past.last; i++ {
		if ev := s.past.at(i).ev; ev.matches(path, recursive) {
			found = append(found, ev)
			if !stream {
				return 0, found, nil
			}
		}
	}
	return s.hub.add(path, recursive, stream, since), found, nil
}

// Cancel ends a watch. One that has ended already is no mistake.
func (s *Store) Cancel(id WatcherID) { s.hub.cancel(id) }

// TakeDeliveries returns what watches are to see of the events since the last
// call: events in their order, and for each the watches in the order in which
// they began. A watch without stream has ended with its delivery. A stream that
// watches the very key that is removed gets that event twice, as in etcd.
func (s *Store) TakeDeliveries() []Delivery {
	d := s.hub.deliveries
	s.hub.deliveries = nil
	return d
}

type watcher struct {
	id        WatcherID
	path      string
	recursive bool
	stream    bool
	// since is the first index that the watcher wants.
	since uint64
}

// hub finds the watchers of an event by its path and the paths above it.
type hub struct {
	last       WatcherID
	byID       map[WatcherID]*watcher
	byPath     map[string]*audience
	deliveries []Delivery
	// hits is room for the watchers that an event reaches.
	hits []*watcher
}

// audience is the watchers of one path, each list in the order of their ids.
type audience struct {
	plain, deep []*watcher
}

func newHub() hub {
	return hub{byID: map[WatcherID]*watcher{}, byPath: map[string]*audience{}}
}

func (h *hub) add(path string, recursive, stream bool, since uint64) WatcherID {
	h.last++
	w := &watcher{id: h.last, path: path, recursive: recursive, stream: stream, since: since}
	h.byID[w.id] = w
	a := h.byPath[path]
	if a == nil {
		a = &audience{}
		h.byPath[path] = a
	}
	list := a.list(recursive)
	*list = append(*list, w)
	return w.id
}

func (a *audience) list(recursive bool) *[]*watcher {
	if recursive {
		return &a.deep
	}
	return &a.plain
}

func (h *hub) cancel(id WatcherID) {
	w := h.byID[id]
	if w == nil {
		return
	}
	delete(h.byID, id)
	a := h.byPath[w.path]
	list := a.list(w.recursive)
	i, found := slices.BinarySearchFunc(*list, id, func(w *watcher, id WatcherID) int {
		return cmp.Compare(w.id, id)
	})
	if !found {
		panic(fmt.Sprintf("keys: watch %d of %s is not among its watchers", id, w.path))
	}
	*list = slices.Delete(*list, i, i+1)
	h.tidy(w.path, a)
}

// tidy forgets a path that nobody watches any more.
func (h *hub) tidy(path string, a *audience) {
	if len(a.plain) == 0 && len(a.deep) == 0 {
		delete(h.byPath, path)
	}
}

// watches reports whether anybody watches this very path.
func (h *hub) watches(path string) bool {
	return len(h.byPath) > 0 && h.byPath[path] != nil
}

// notify delivers an event to the watchers of its key, to the recursive ones
// of the directories above it, unless it is hidden from them, and to those of
// the paths below that went with it.
func (h *hub) notify(ev *Event, below []string) {
	if len(h.byID) == 0 {
		return
	}
	key := ev.Node.Key
	for p := range lineage(key) {
		if p == key {
			h.reach(p, ev, true)
		} else if h.byPath[p] != nil && !hiddenBelow(p, key) {
			h.reach(p, ev, false)
		}
	}
	if ev.Action.Removes() {
		// etcd tells the watchers of a key twice that it is gone, once as the
		// key removed and once as the event's; a compare-and-delete was recorded
		// so. One-shot watchers have left by then, a stream gets it again.
		h.reach(key, ev, true)
	}
	for _, p := range below {
		h.reach(p, ev, true)
	}
	slices.SortFunc(h.hits, func(a, b *watcher) int { return cmp.Compare(a.id, b.id) })
	for _, w := range h.hits {
		h.deliveries = append(h.deliveries, Delivery{Watcher: w.id, Event: ev})
	}
	clear(h.hits)
	h.hits = h.hits[:0]
}

// reach adds to hits the recursive watchers of path, and with plain all others
// too. Those that see one event alone leave the hub.
func (h *hub) reach(path string, ev *Event, plain bool) {
	a := h.byPath[path]
	if a == nil {
		return
	}
	a.deep = h.take(a.deep, ev.EtcdIndex)
	if plain {
		a.plain = h.take(a.plain, ev.EtcdIndex)
	}
	h.tidy(path, a)
}

// take adds to hits the watchers of a list that want the index, and returns
// those that stay.
func (h *hub) take(list []*watcher, index uint64) []*watcher {
	return slices.DeleteFunc(list, func(w *watcher) bool {
		if index < w.since {
			return false
		}
		h.hits = append(h.hits, w)
		if !w.stream {
			delete(h.byID, w.id)
		}
		return !w.stream
	})
}
