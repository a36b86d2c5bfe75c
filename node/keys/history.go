package keys

import "strings"

// HistoryLimit is how many events are kept for watches from a past index
// (etcd v2 API, "Watching from cleared event index").
const HistoryLimit = 1000

// history is the last events, one for each index, without a gap. The event of
// index i is kept at i modulo HistoryLimit.
type history struct {
	ring []pastEvent
	// last is the index of the newest event, 0 for none; count how many are kept.
	last  uint64
	count int
	// content is the sum of the hashes of the events kept.
	content sum
}

type pastEvent struct {
	ev   *Event
	hash sum
}

// oldest is the index of the oldest event kept. Without events it is the index
// of the one to come.
func (h *history) oldest() uint64 { return h.last + 1 - uint64(h.count) }

func (h *history) at(index uint64) *pastEvent { return &h.ring[index%HistoryLimit] }

// add appends an event; the oldest goes when there are too many.
func (h *history) add(ev *Event, hash sum) {
	if h.ring == nil {
		h.ring = make([]pastEvent, HistoryLimit)
	}
	place := h.at(ev.EtcdIndex)
	if h.count == HistoryLimit {
		h.content.sub(place.hash)
	} else {
		h.count++
	}
	*place = pastEvent{ev: ev, hash: hash}
	h.content.add(hash)
	h.last = ev.EtcdIndex
}

// matches reports whether a watch of path is to see a past event.
func (ev *Event) matches(path string, recursive bool) bool {
	key := ev.Node.Key
	switch {
	case ev.Refresh:
		return false
	case key == path:
		return true
	case isBelow(key, path):
		return recursive && !hiddenBelow(path, key)
	}
	// A directory that went took along what was below it. What was there is
	// not known any more, so every path below counts.
	return ev.Action.Removes() && ev.Node.Dir && isBelow(path, key)
}

// isBelow reports whether path lies below dir.
func isBelow(path, dir string) bool {
	if dir == "/" {
		return path != "/"
	}
	return len(path) > len(dir) && path[len(dir)] == '/' && strings.HasPrefix(path, dir)
}

// hiddenBelow reports whether a component of path below dir begins with "_";
// path must lie below dir.
func hiddenBelow(dir, path string) bool {
	if dir == "/" {
		return strings.Contains(path, "/_")
	}
	return strings.Contains(path[len(dir):], "/_")
}
