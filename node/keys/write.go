package keys

import (
	"fmt"
	"strings"
)

// Apply carries out one command of the log at the time that the log gives it,
// and returns the event that it made or why it was refused. It is
// deterministic. An Expire may make several events, each with an index of its
// own; Apply returns the last, or nil and nil when nothing was due.
//
// A command that DecodeCommand would refuse is the caller's mistake: Apply
// panics.
func (s *Store) Apply(c *Command, at Stamp) (*Event, *Error) {
	if why := c.invalid(); why != "" {
		panic("keys: apply: " + why)
	}
	if c.Kind == Expire {
		return s.expire(at), nil
	}
	ev, err := s.write(c, at)
	s.count.tally(c.Kind, err == nil)
	return ev, err
}

func (s *Store) write(c *Command, at Stamp) (*Event, *Error) {
	if c.Path == "/" && c.Kind != CreateInOrder {
		return nil, s.refuse(CodeRootReadOnly, "/")
	}
	switch c.Kind {
	case Set:
		return s.set(c, at)
	case Create:
		return s.create(c, c.Path, at)
	case CreateInOrder:
		return s.create(c, join(c.Path, fmt.Sprintf("%020d", s.index+1)), at)
	case Update:
		return s.update(c, at)
	case CompareAndSwap:
		return s.compareAndSwap(c, at)
	case Delete:
		return s.remove(c, at)
	case CompareAndDelete:
		return s.compareAndDelete(c, at)
	}
	panic("keys: apply: " + c.Kind.String() + " is not a client's write")
}

// set writes a file or makes a directory. A file that is there gives way to
// either; a directory to neither. (etcd v2 API, "Set", "Creating directories")
func (s *Store) set(c *Command, at Stamp) (*Event, *Error) {
	value, dir := c.Value, c.Dir
	if c.Refresh {
		e, err := s.lookup(c.Path)
		if err != nil {
			return nil, err
		}
		value, dir = e.view.Value, false
	}
	old := s.nodes[c.Path]
	if old != nil && old.view.Dir {
		return nil, s.refuse(CodeNotFile, c.Path)
	}
	if err := s.makeParents(c.Path); err != nil {
		return nil, err
	}
	ev := s.event(ActionSet, s.newNode(c, c.Path, value, dir, at), at)
	ev.Refresh = c.Refresh
	if old == nil {
		hash := s.attach(ev.Node)
		return s.commit(ev, hashes{node: hash}, nil), nil
	}
	ev.PrevNode = old.view
	return s.commit(ev, s.replace(old, ev.Node), nil), nil
}

// create makes a file or directory where nothing is. (etcd v2 API, "Atomically
// creating in-order keys", prevExist=false)
func (s *Store) create(c *Command, path string, at Stamp) (*Event, *Error) {
	if s.nodes[path] != nil {
		return nil, s.refuse(CodeNodeExist, path)
	}
	if err := s.makeParents(path); err != nil {
		return nil, err
	}
	ev := s.event(ActionCreate, s.newNode(c, path, c.Value, c.Dir, at), at)
	hash := s.attach(ev.Node)
	return s.commit(ev, hashes{node: hash}, nil), nil
}

// makeParents makes the directories above path that are missing, with the
// index of the write that needs them. A file in the way refuses the write; it
// comes before whatever is missing, so that nothing has been made then.
func (s *Store) makeParents(path string) *Error {
	if parent := s.nodes[parentOf(path)]; parent != nil && parent.view.Dir {
		return nil
	}
	for p := range lineage(parentOf(path)) {
		switch e := s.nodes[p]; {
		case e == nil:
			s.attach(&Node{Key: p, Dir: true, Created: s.index + 1, Modified: s.index + 1})
		case !e.view.Dir:
			return s.refuse(CodeNotDir, p)
		}
	}
	return nil
}

// update replaces a file's value and ttl, or a directory's ttl. (etcd v2 API,
// prevExist=true)
func (s *Store) update(c *Command, at Stamp) (*Event, *Error) {
	e, err := s.lookup(c.Path)
	if err != nil {
		return nil, err
	}
	if !e.view.Dir {
		return s.rewrite(ActionUpdate, e, c, at), nil
	}
	if c.Value != "" {
		return nil, s.refuse(CodeNotFile, c.Path)
	}
	// The answer shows the new modified index; the directory keeps its old.
	shown := *e.view
	shown.Modified = s.index + 1
	shown.expireAfter(c, at)
	kept := shown
	kept.Modified = e.view.Modified
	ev := s.event(ActionUpdate, &shown, at)
	ev.PrevNode, ev.Refresh = e.view, c.Refresh
	h := s.replace(e, &kept)
	h.node = s.hashNode(&shown)
	return s.commit(ev, h, nil), nil
}

// compareAndSwap is an update of a file whose value, index or both are as the
// client says. (etcd v2 API, "Atomic Compare-and-Swap")
func (s *Store) compareAndSwap(c *Command, at Stamp) (*Event, *Error) {
	e, err := s.comparable(c)
	if err != nil {
		return nil, err
	}
	return s.rewrite(ActionCompareAndSwap, e, c, at), nil
}

// compareAndDelete removes a file whose value, index or both are as the client
// says. (etcd v2 API, "Atomic Compare-and-Delete")
func (s *Store) compareAndDelete(c *Command, at Stamp) (*Event, *Error) {
	e, err := s.comparable(c)
	if err != nil {
		return nil, err
	}
	return s.takeAway(ActionCompareAndDelete, e, at), nil
}

// comparable finds the file at the command's path and checks its conditions.
func (s *Store) comparable(c *Command) (*entry, *Error) {
	e, err := s.lookup(c.Path)
	if err != nil {
		return nil, err
	}
	if e.view.Dir {
		return nil, s.refuse(CodeNotFile, c.Path)
	}
	var differs []string
	if c.PrevValue != "" && c.PrevValue != e.view.Value {
		differs = append(differs, fmt.Sprintf("[%s != %s]", c.PrevValue, e.view.Value))
	}
	if c.PrevIndex != 0 && c.PrevIndex != e.view.Modified {
		differs = append(differs, fmt.Sprintf("[%d != %d]", c.PrevIndex, e.view.Modified))
	}
	if differs != nil {
		return nil, s.refuse(CodeCompareFailed, strings.Join(differs, " "))
	}
	return e, nil
}

// rewrite gives a file a new value and ttl and keeps its created index.
func (s *Store) rewrite(a Action, e *entry, c *Command, at Stamp) *Event {
	value := c.Value
	if c.Refresh {
		value = e.view.Value
	}
	node := s.newNode(c, c.Path, value, false, at)
	node.Created = e.view.Created
	ev := s.event(a, node, at)
	ev.PrevNode, ev.Refresh = e.view, c.Refresh
	return s.commit(ev, s.replace(e, node), nil)
}

// remove deletes a file or, when the command allows, a directory. (etcd v2
// API, "Deleting a key", "Deleting a directory")
func (s *Store) remove(c *Command, at Stamp) (*Event, *Error) {
	e, err := s.lookup(c.Path)
	if err != nil {
		return nil, err
	}
	if e.view.Dir && !c.Recursive {
		if !c.Dir {
			return nil, s.refuse(CodeNotFile, c.Path)
		}
		if !e.kids.empty() {
			return nil, s.refuse(CodeDirNotEmpty, c.Path)
		}
	}
	return s.takeAway(ActionDelete, e, at), nil
}

// takeAway removes an entry with all below it: one step of the index, one
// event, which also reaches the watchers of what was below.
func (s *Store) takeAway(a Action, e *entry, at Stamp) *Event {
	old := e.view
	ev := s.event(a, &Node{Key: old.Key, Dir: old.Dir, Created: old.Created, Modified: s.index + 1}, at)
	ev.PrevNode = old
	h := hashes{node: s.hashNode(ev.Node), prev: e.hash}
	return s.commit(ev, h, s.detach(e))
}

// newNode is the node that the command makes at path with the next index.
func (s *Store) newNode(c *Command, path, value string, dir bool, at Stamp) *Node {
	n := &Node{Key: path, Value: value, Dir: dir, Created: s.index + 1, Modified: s.index + 1}
	if dir {
		n.Value = ""
	}
	n.expireAfter(c, at)
	return n
}

// expireAfter sets or removes the node's ttl as the command says. It is for
// nodes that nobody has seen yet.
func (n *Node) expireAfter(c *Command, at Stamp) {
	n.HasTTL, n.Due, n.Expiration = c.HasTTL, 0, 0
	if c.HasTTL {
		end := at.later(c.TTL)
		n.Due, n.Expiration = end.Cluster, end.Wall
	}
}

func (s *Store) event(a Action, n *Node, at Stamp) *Event {
	return &Event{Action: a, Node: n, EtcdIndex: s.index + 1, At: at.Cluster}
}

// hashes are those of an event's nodes; zero for a node that is not there.
type hashes struct{ node, prev sum }

// commit moves the index to the event's, keeps the event and tells watchers;
// below lists the watched paths that a removed directory took with it.
func (s *Store) commit(ev *Event, h hashes, below []string) *Event {
	if ev.EtcdIndex != s.index+1 {
		panic(fmt.Sprintf("keys: event of index %d after index %d", ev.EtcdIndex, s.index))
	}
	s.index = ev.EtcdIndex
	s.past.add(ev, s.hashEvent(ev, h.node, h.prev))
	if !ev.Refresh {
		s.hub.notify(ev, below)
	}
	return ev
}
