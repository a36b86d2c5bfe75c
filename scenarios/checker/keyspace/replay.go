package keyspace

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"drydock/sim/history"
)

// expiriesMax is how many nodes one expiry removes at most; the rest is left to
// the next. It is part of what a committed expiry means.
const expiriesMax = 1000

// Event is one change of the keyspace.
type Event struct {
	// Index is the store's index after it; the first event's is 1. Revision is
	// the command's place.
	Index, Revision uint64
	Action          string
	Key             string
	Dir             bool
	// Value is what the key holds now, Prev what it held before; nil if it is
	// not there, "" for a directory.
	Value, Prev *string
	Created     uint64
	// Refresh events change a time to live alone; watches don't see them.
	Refresh bool
	// Due is the cluster time at which the key is to expire, 0 for never; TTL
	// the seconds that were asked for.
	Due int64
	TTL uint64
	// Token is the request's, Cluster the replicated time of the command, Time
	// the run time at which some member had first applied it, 0 for never.
	Token         string
	Cluster, Time int64
	// Below are the keys that went with a removed directory.
	Below []string
}

// Removes says that the key is gone after the event.
func (e *Event) Removes() bool { return e.Value == nil }

// Replay is the events of a run; Events[i] has index i+1.
type Replay struct {
	Events []Event
	// byKey are the events that changed a key itself, in order; those that took
	// it with its directory among them.
	byKey map[string][]int
}

// NewReplay carries out the commands of a whole log.
func NewReplay(truth []history.Committed) *Replay {
	m := model{nodes: map[string]*node{}}
	for i := range truth {
		if c := &truth[i]; !c.Repeat && c.Kind != "" {
			m.now = c
			m.apply(c)
		}
	}
	r := &Replay{Events: m.events, byKey: map[string][]int{}}
	for i := range r.Events {
		e := &r.Events[i]
		r.byKey[e.Key] = append(r.byKey[e.Key], i)
		for _, key := range e.Below {
			r.byKey[key] = append(r.byKey[key], i)
		}
	}
	return r
}

// At returns the last event that changed the key at or before an index, nil if
// there was none.
func (r *Replay) At(key string, index uint64) *Event {
	list := r.byKey[clean(key)]
	n, _ := slices.BinarySearchFunc(list, index, func(i int, index uint64) int {
		return cmp.Or(cmp.Compare(r.Events[i].Index, index), -1)
	})
	if n == 0 {
		return nil
	}
	return &r.Events[list[n-1]]
}

// Children lists the keys right below a directory as of an index, in order.
func (r *Replay) Children(dir string, index uint64) []string {
	prefix := strings.TrimSuffix(clean(dir), "/") + "/"
	var list []string
	for key := range r.byKey {
		rest, below := strings.CutPrefix(key, prefix)
		if !below || strings.Contains(rest, "/") {
			continue
		}
		if e := r.At(key, index); e != nil && e.Key == key && !e.Removes() {
			list = append(list, key)
		}
	}
	slices.Sort(list)
	return list
}

// Seen dates events that a watch had seen before the time that is known of them: so
// they, and all before them, had come by then.
func (r *Replay) Seen(watches []history.Watch) {
	for i := range watches {
		for _, d := range watches[i].Events {
			if d.Modified == 0 || d.Modified > uint64(len(r.Events)) {
				continue
			}
			if e := &r.Events[d.Modified-1]; e.Time == 0 || d.Time < e.Time {
				e.Time = d.Time
			}
		}
	}
	soonest := int64(0)
	for i := len(r.Events) - 1; i >= 0; i-- {
		e := &r.Events[i]
		if e.Time == 0 || soonest > 0 && soonest < e.Time {
			e.Time = soonest
		}
		soonest = e.Time
	}
}

// Expiries are the removals of keys whose time was over as operations of their
// own, for a check of linearizability; ids count from first on. An expiry that
// no member was seen to apply comes at the end of the run.
func (r *Replay) Expiries(first int, end time.Duration) []history.Op {
	var ops []history.Op
	for i := range r.Events {
		e := &r.Events[i]
		if e.Action != "expire" {
			continue
		}
		at := e.Time
		if at == 0 {
			at = int64(end)
		}
		ops = append(ops, history.Op{
			ID: first + len(ops), Client: "cluster", Kind: history.Expire, Key: e.Key,
			Call: at, Return: at, Status: history.OK, Revision: e.Revision, Modified: e.Index, Created: e.Created,
		})
	}
	return ops
}

// node is a file or directory of the model.
type node struct {
	value   string
	dir     bool
	created uint64
	index   uint64 // modified
	due     int64  // 0: never
}

// model is the keyspace.
type model struct {
	nodes  map[string]*node
	dues   map[string]bool // the keys that expire
	now    *history.Committed
	events []Event
}

// next is the index of the event to come.
func (m *model) next() uint64 { return uint64(len(m.events)) + 1 }

func (m *model) apply(c *history.Committed) {
	if c.Kind == history.Expire {
		m.expire(c.Cluster)
		return
	}
	key := clean(c.Key)
	if c.Kind == history.Append {
		key = strings.TrimSuffix(key, "/") + fmt.Sprintf("/%020d", m.next())
	} else if key == "/" {
		return
	}
	here := m.nodes[key]
	switch c.Kind {
	case history.Put:
		if here != nil && here.dir || here == nil && c.Refresh {
			return
		}
		m.write("set", key, here, 0)
	case history.Create, history.Append:
		if here == nil {
			m.write("create", key, nil, 0)
		}
	case history.Update:
		switch {
		case here == nil || here.dir && c.Value != "":
		case here.dir:
			m.renew(key, here)
		default:
			m.write("update", key, here, here.created)
		}
	case history.CAS:
		if m.holds(here) {
			m.write("compareAndSwap", key, here, here.created)
		}
	case history.Delete:
		if here != nil && (!here.dir || c.Recursive || c.Dir && m.empty(key)) {
			m.remove("delete", key)
		}
	case history.CAD:
		if m.holds(here) {
			m.remove("compareAndDelete", key)
		}
	}
}

// holds says whether the present command's conditions hold on a file.
func (m *model) holds(here *node) bool {
	c := m.now
	return here != nil && !here.dir && (c.PrevValue == "" || c.PrevValue == here.value) &&
		(c.PrevIndex == 0 || c.PrevIndex == here.index)
}

// write makes the key hold what the present command says, and its directories.
func (m *model) write(action, key string, here *node, created uint64) {
	c, index := m.now, m.next()
	for _, up := range above(key) {
		if n := m.nodes[up]; n != nil && !n.dir {
			return
		}
	}
	for _, up := range above(key) {
		if m.nodes[up] == nil {
			m.nodes[up] = &node{dir: true, created: index, index: index}
		}
	}
	// Only what makes a key can make a directory of it.
	n := &node{value: c.Value, dir: c.Dir && created == 0, created: created, index: index}
	e := m.event(action, key)
	if here != nil {
		e.Prev = &here.value
		if c.Refresh {
			n.value, n.dir = here.value, false
		}
	}
	if created == 0 {
		n.created = index
	}
	if n.dir {
		n.value = ""
	}
	m.live(key, n)
	m.nodes[key] = n
	e.Value, e.Created, e.Dir, e.Due, e.Refresh = &n.value, n.created, n.dir, n.due, c.Refresh
	m.events = append(m.events, e)
}

// renew changes a directory's time to live alone.
func (m *model) renew(key string, here *node) {
	m.live(key, here)
	e := m.event("update", key)
	none := ""
	e.Value, e.Prev, e.Created, e.Dir, e.Due, e.Refresh = &none, &none, here.created, true, here.due, m.now.Refresh
	m.events = append(m.events, e)
}

// live gives a node the present command's time to live, or none.
func (m *model) live(key string, n *node) {
	n.due = 0
	delete(m.dues, key)
	c := m.now
	if !c.HasTTL {
		return
	}
	n.due = math.MaxInt64
	if most := uint64(math.MaxInt64-c.Cluster) / uint64(time.Second); c.TTL <= most {
		n.due = c.Cluster + int64(c.TTL)*int64(time.Second)
	}
	if m.dues == nil {
		m.dues = map[string]bool{}
	}
	m.dues[key] = true
}

func (m *model) event(action, key string) Event {
	c := m.now
	return Event{
		Index: m.next(), Revision: c.Revision, Action: action, Key: key,
		TTL: c.TTL, Token: c.Token, Cluster: c.Cluster, Time: c.Time,
	}
}

// remove takes a key away with all below it.
func (m *model) remove(action, key string) {
	here := m.nodes[key]
	e := m.event(action, key)
	e.Prev, e.Created, e.Dir, e.TTL = &here.value, here.created, here.dir, 0
	if here.dir {
		for _, other := range slices.Sorted(maps.Keys(m.nodes)) {
			if strings.HasPrefix(other, key+"/") {
				e.Below = append(e.Below, other)
				delete(m.nodes, other)
				delete(m.dues, other)
			}
		}
	}
	delete(m.nodes, key)
	delete(m.dues, key)
	m.events = append(m.events, e)
}

// expire removes what is due, the earliest first and of those the first by key.
func (m *model) expire(now int64) {
	for range expiriesMax {
		first := ""
		for key := range m.dues {
			n := m.nodes[key]
			if n.due > now {
				continue
			}
			if was := m.nodes[first]; first == "" || n.due < was.due || n.due == was.due && key < first {
				first = key
			}
		}
		if first == "" {
			return
		}
		m.remove("expire", first)
	}
}

func (m *model) empty(dir string) bool {
	for key := range m.nodes {
		if strings.HasPrefix(key, dir+"/") {
			return false
		}
	}
	return true
}

// clean gives every spelling of a key one form.
func clean(key string) string { return "/" + strings.Trim(key, "/") }

// above lists the directories above a key, the topmost first, without the root.
func above(key string) []string {
	var list []string
	for i := 1; i < len(key); i++ {
		if key[i] == '/' {
			list = append(list, key[:i])
		}
	}
	return list
}
