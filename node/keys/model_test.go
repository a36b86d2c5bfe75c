package keys

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// model is the keyspace with nothing but a map of paths, scanned whole for
// every question. It shares no code with Store but the types of its answers.
type model struct {
	index  uint64
	nodes  map[string]Node
	events []Event
	live   []modelWatch
	told   []Delivery
}

type modelWatch struct {
	id                WatcherID
	path              string
	recursive, stream bool
	since             uint64
}

func (m *model) paths() []string { return slices.Sorted(maps.Keys(m.nodes)) }

// ancestors of /a/b are /a.
func ancestors(path string) []string {
	var out []string
	parts := strings.Split(path[1:], "/")
	for i := 1; i < len(parts); i++ {
		out = append(out, "/"+strings.Join(parts[:i], "/"))
	}
	return out
}

// obstacle is why path can't be reached: code and cause, or zero.
func (m *model) obstacle(path string, makeParents bool) (int, string) {
	for _, p := range ancestors(path) {
		n, ok := m.nodes[p]
		if !ok && !makeParents {
			return 100, p
		}
		if ok && !n.Dir {
			return 104, p
		}
	}
	if _, ok := m.nodes[path]; !ok && !makeParents {
		return 100, path
	}
	return 0, ""
}

func (m *model) below(path string) []string {
	return slices.DeleteFunc(m.paths(), func(p string) bool { return !strings.HasPrefix(p, path+"/") })
}

func (m *model) apply(c *Command, at Stamp) (*Event, int, string) {
	if c.Kind == Expire {
		return m.expire(at), 0, ""
	}
	path := c.Path
	if c.Kind == CreateInOrder {
		path = strings.TrimSuffix(path, "/") + fmt.Sprintf("/%020d", m.index+1)
	} else if path == "/" {
		return nil, 107, "/"
	}
	makes := c.Kind == Create || c.Kind == CreateInOrder || (c.Kind == Set && !c.Refresh)
	if code, cause := m.obstacle(path, makes); code != 0 {
		return nil, code, cause
	}
	old, exists := m.nodes[path]
	if code, cause := m.forbids(c, path, old, exists); code != 0 {
		return nil, code, cause
	}
	m.index++
	ev := Event{EtcdIndex: m.index, At: at.Cluster}
	if exists {
		ev.PrevNode = &old
	}
	if c.Kind == Delete || c.Kind == CompareAndDelete {
		ev.Action = Action(c.Kind.String())
		ev.Node = &Node{Key: path, Dir: old.Dir, Created: old.Created, Modified: m.index}
		return m.remove(ev, path), 0, ""
	}
	n := m.written(c, path, old, at)
	ev.Action = Action(c.Kind.String())
	if c.Kind == CreateInOrder {
		ev.Action = ActionCreate
	}
	ev.Refresh = c.Refresh && exists
	for _, p := range ancestors(path) {
		if _, ok := m.nodes[p]; !ok {
			m.nodes[p] = Node{Key: p, Dir: true, Created: m.index, Modified: m.index}
		}
	}
	ev.Node = &n
	m.nodes[path] = n
	if c.Kind == Update && n.Dir {
		kept := n
		kept.Modified = old.Modified
		m.nodes[path] = kept
	}
	m.publish(ev, nil)
	return &ev, 0, ""
}

func (m *model) forbids(c *Command, path string, old Node, exists bool) (int, string) {
	switch c.Kind {
	case Set:
		if old.Dir {
			return 102, path
		}
	case Create, CreateInOrder:
		if exists {
			return 105, path
		}
	case Update:
		if old.Dir && c.Value != "" {
			return 102, path
		}
	case CompareAndSwap, CompareAndDelete:
		value := c.PrevValue == "" || c.PrevValue == old.Value
		index := c.PrevIndex == 0 || c.PrevIndex == old.Modified
		v := fmt.Sprintf("[%s != %s]", c.PrevValue, old.Value)
		i := fmt.Sprintf("[%d != %d]", c.PrevIndex, old.Modified)
		switch {
		case old.Dir:
			return 102, path
		case !value && !index:
			return 101, v + " " + i
		case !value:
			return 101, v
		case !index:
			return 101, i
		}
	case Delete:
		if old.Dir && !c.Dir && !c.Recursive {
			return 102, path
		}
		if old.Dir && !c.Recursive && len(m.below(path)) > 0 {
			return 108, path
		}
	}
	return 0, ""
}

func (m *model) written(c *Command, path string, old Node, at Stamp) Node {
	n := Node{Key: path, Value: c.Value, Dir: c.Dir, Created: m.index, Modified: m.index}
	if c.Kind == Update || c.Kind == CompareAndSwap {
		n.Created, n.Dir = old.Created, old.Dir
	}
	if c.Refresh && old.Key != "" {
		n.Value, n.Dir = old.Value, old.Dir
	}
	if n.Dir {
		n.Value = ""
	}
	if c.HasTTL {
		n.HasTTL = true
		n.Due = at.Cluster + time.Duration(c.TTL)*time.Second
		n.Expiration = at.Wall + int64(c.TTL)*1e9
	}
	return n
}

func (m *model) remove(ev Event, path string) *Event {
	gone := m.below(path)
	for _, p := range append(gone, path) {
		delete(m.nodes, p)
	}
	m.publish(ev, gone)
	return &ev
}

func (m *model) expire(at Stamp) (last *Event) {
	for {
		var next *Node
		for _, p := range m.paths() {
			n := m.nodes[p]
			if n.HasTTL && n.Due <= at.Cluster && (next == nil || n.Due < next.Due) {
				next = &n
			}
		}
		if next == nil {
			return last
		}
		m.index++
		last = m.remove(Event{
			Action: ActionExpire, EtcdIndex: m.index, At: at.Cluster, PrevNode: next,
			Node: &Node{Key: next.Key, Dir: next.Dir, Created: next.Created, Modified: m.index},
		}, next.Key)
	}
}

// sees is what a watch's path lets it see, its index aside.
func sees(path string, recursive bool, key string) bool {
	if key == path {
		return true
	}
	top := strings.TrimSuffix(path, "/") + "/"
	return recursive && strings.HasPrefix(key, top) && !strings.Contains("/"+key[len(top):], "/_")
}

func (m *model) publish(ev Event, gone []string) {
	m.events = append(m.events, ev)
	if ev.Refresh {
		return
	}
	var stay []modelWatch
	for _, w := range m.live {
		hit := ev.EtcdIndex >= w.since &&
			(sees(w.path, w.recursive, ev.Node.Key) || slices.Contains(gone, w.path))
		if hit {
			m.told = append(m.told, Delivery{Watcher: w.id, Event: &ev})
			if w.stream && ev.Action.Removes() && w.path == ev.Node.Key {
				m.told = append(m.told, Delivery{Watcher: w.id, Event: &ev})
			}
		}
		if !hit || w.stream {
			stay = append(stay, w)
		}
	}
	m.live = stay
}

func (m *model) watch(path string, recursive, stream bool, since uint64) []*Event {
	var found []*Event
	for i := range m.events {
		ev := &m.events[i]
		took := ev.Action.Removes() && ev.Node.Dir && strings.HasPrefix(path, ev.Node.Key+"/")
		if since > 0 && ev.EtcdIndex >= since && !ev.Refresh && (took || sees(path, recursive, ev.Node.Key)) {
			found = append(found, ev)
			if !stream {
				break
			}
		}
	}
	return found
}

// list is what a get shows of path: whole trees, or one level below the top.
func (m *model) list(path string, recursive, top bool) *Node {
	n, ok := m.nodes[path]
	if !ok {
		n = Node{Key: "/", Dir: true}
	}
	if !recursive && !top {
		return &n
	}
	for _, p := range m.paths() {
		dir, name := p[:strings.LastIndex(p, "/")], p[strings.LastIndex(p, "/")+1:]
		if dir == strings.TrimSuffix(path, "/") && name[0] != '_' {
			n.Nodes = append(n.Nodes, m.list(p, recursive, false))
		}
	}
	return &n
}

var (
	anyPath = rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "a-", "_h"}), 0, 3).Draw(t, "parts")
		return "/" + strings.Join(parts, "/")
	})
	anyValue = rapid.SampledFrom([]string{"", "x", "y"})
	anyFlag  = rapid.Bool()
	rarely   = rapid.SampledFrom([]bool{false, false, false, true})
)

func anyCommand(t *rapid.T, index uint64) *Command {
	c := &Command{Kind: Kind(rapid.IntRange(int(Set), int(Expire)).Draw(t, "kind"))}
	if c.Kind == Expire {
		return c
	}
	c.Path = anyPath.Draw(t, "path")
	c.Dir, c.Recursive = rarely.Draw(t, "dir"), rarely.Draw(t, "recursive")
	c.Refresh = rarely.Draw(t, "refresh")
	if !c.Refresh {
		c.Value = anyValue.Draw(t, "value")
	}
	if rarely.Draw(t, "ttl?") || c.Refresh {
		c.HasTTL, c.TTL = true, rapid.Uint64Range(0, 3).Draw(t, "ttl")
	}
	c.PrevValue = anyValue.Draw(t, "prevValue")
	if anyFlag.Draw(t, "prevIndex?") {
		// Mostly a late index, so that conditions hold now and then.
		late := index - min(index, 3)
		c.PrevIndex = rapid.Uint64Range(late, index).Draw(t, "prevIndex")
	}
	return c
}

// TestStoreIsTheModel applies any commands to both and compares everything
// that can be seen.
func TestStoreIsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, m := New(), &model{nodes: map[string]Node{}}
		disk := map[string][]byte{}
		now := Stamp{Cluster: time.Second, Wall: 1e18}
		t.Repeat(map[string]func(*rapid.T){
			"apply": func(t *rapid.T) {
				for range rapid.IntRange(1, 6).Draw(t, "commands") {
					applyBoth(t, s, m, now)
				}
			},
			"get": func(t *rapid.T) {
				path, recursive := anyPath.Draw(t, "path"), anyFlag.Draw(t, "recursive")
				ev, refusal := s.Get(path, recursive, false, now)
				code, cause := 0, ""
				if path != "/" {
					code, cause = m.obstacle(path, false)
				}
				if code != 0 {
					if refusal == nil || refusal.Code != code || refusal.Cause != cause {
						t.Fatalf("get %s: %v, not %d %s", path, refusal, code, cause)
					}
					return
				}
				want := m.list(path, recursive, true)
				if diff := cmp.Diff(want, ev.Node); diff != "" || refusal != nil {
					t.Fatalf("get %s: %v (-want +got):\n%s", path, refusal, diff)
				}
			},
			"pass": func(t *rapid.T) {
				d := time.Duration(rapid.IntRange(1, 2000).Draw(t, "ms")) * time.Millisecond
				now.Cluster, now.Wall = now.Cluster+d, now.Wall+int64(d)
			},
			"watch": func(t *rapid.T) {
				w := modelWatch{path: anyPath.Draw(t, "path"), recursive: anyFlag.Draw(t, "recursive")}
				w.stream = anyFlag.Draw(t, "stream")
				w.since = rapid.Uint64Range(0, s.Index()+2).Draw(t, "since")
				id, past, err := s.Watch(w.path, w.recursive, w.stream, w.since)
				if err != nil {
					t.Fatal(err)
				}
				want := m.watch(w.path, w.recursive, w.stream, w.since)
				if diff := cmp.Diff(want, past); diff != "" {
					t.Fatalf("%+v: history (-want +got):\n%s", w, diff)
				}
				if (id == 0) != (!w.stream && len(want) > 0) {
					t.Fatalf("%+v: id %d after %d events", w, id, len(want))
				}
				if w.id = id; id != 0 {
					m.live = append(m.live, w)
				}
			},
			"cancel": func(t *rapid.T) {
				id := WatcherID(rapid.Uint64Range(0, 20).Draw(t, "id"))
				s.Cancel(id)
				m.live = slices.DeleteFunc(m.live, func(w modelWatch) bool { return w.id == id })
			},
			"drain": func(t *rapid.T) { overlay(disk, s.DrainDirty()) },
			"restart": func(t *rapid.T) {
				r := reload(t, s.Records())
				if r.Digest() != s.Digest() {
					t.Fatalf("loaded with digest %x, not %x", r.Digest(), s.Digest())
				}
				overlay(disk, s.DrainDirty())
				r.hub, r.count = s.hub, s.count
				s = r
			},
			"": func(t *rapid.T) { compareStores(t, s, m) },
		})
		overlay(disk, s.DrainDirty())
		whole := map[string][]byte{}
		overlay(whole, s.Records())
		if diff := cmp.Diff(whole, disk); diff != "" {
			t.Fatalf("drained records are not the whole (-whole +drained):\n%s", diff)
		}
	})
}

func applyBoth(t *rapid.T, s *Store, m *model, now Stamp) {
	c := anyCommand(t, s.Index())
	round, err := DecodeCommand(c.AppendBinary(nil))
	if err != nil || round != *c {
		t.Fatalf("%+v came back as %+v, %v", *c, round, err)
	}
	ev, refusal := s.Apply(c, now)
	want, code, cause := m.apply(c, now)
	if diff := cmp.Diff(want, ev); diff != "" {
		t.Fatalf("%+v: event (-want +got):\n%s", *c, diff)
	}
	if (refusal != nil) != (code != 0) || (refusal != nil && (refusal.Code != code ||
		refusal.Cause != cause || refusal.Index != m.index)) {
		t.Fatalf("%+v: %v, not %d %s at %d", *c, refusal, code, cause, m.index)
	}
}

func compareStores(t *rapid.T, s *Store, m *model) {
	if s.Index() != m.index {
		t.Fatalf("index %d, not %d", s.Index(), m.index)
	}
	tree := map[string]Node{}
	for e := range s.walk() {
		tree[e.view.Key] = *e.view
	}
	if diff := cmp.Diff(m.nodes, tree); diff != "" {
		t.Fatalf("tree (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(m.told, s.TakeDeliveries()); diff != "" {
		t.Fatalf("deliveries (-want +got):\n%s", diff)
	}
	m.told = nil
	if got := s.Stats().Watchers; got != uint64(len(m.live)) {
		t.Fatalf("%d watchers, not %d", got, len(m.live))
	}
	if s.Digest() != s.Recompute() {
		t.Fatalf("digest %x, from scratch %x", s.Digest(), s.Recompute())
	}
	next, ok := s.NextExpiry()
	for _, p := range m.paths() {
		if n := m.nodes[p]; n.HasTTL && (!ok || n.Due < next) {
			t.Fatalf("%s is due at %v, the next expiry is %v, %v", p, n.Due, next, ok)
		}
	}
}

// overlay lays records over those of a checkpoint.
func overlay(disk map[string][]byte, records []Record) {
	for _, r := range records {
		key := r.Bucket + "\x00" + string(r.Key)
		if r.Value == nil {
			delete(disk, key)
		} else {
			disk[key] = r.Value
		}
	}
}

// reload brings records into a new store, the last first.
func reload(t interface{ Fatal(...any) }, records []Record) *Store {
	s, err := loadAll(records)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func loadAll(records []Record) (*Store, error) {
	i := len(records)
	return Load(func() (Record, bool, error) {
		if i == 0 {
			return Record{}, false, nil
		}
		i--
		return records[i], true, nil
	})
}
