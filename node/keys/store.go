package keys

// Store is one member's copy of the keyspace. It is not safe for use by
// several goroutines at once.
type Store struct {
	index uint64
	// nodes holds every entry by path, the root included.
	nodes map[string]*entry
	root  *entry
	due   dueQueue
	past  history
	hub   hub
	count Stats
	// content is the sum of the hashes of all nodes but the root.
	content sum
	// scratch is where encodings are put together to be hashed.
	scratch []byte
	dirty   dirty
}

// New returns an empty store: a root directory, index 0.
func New() *Store {
	root := &entry{view: &Node{Key: "/", Dir: true}}
	return &Store{
		nodes: map[string]*entry{"/": root},
		root:  root,
		hub:   newHub(),
		dirty: newDirty(),
	}
}

// Index is the number of successful writes: etcd's index.
func (s *Store) Index() uint64 { return s.index }

// Len is the number of files and directories, the root not counted.
func (s *Store) Len() int { return len(s.nodes) - 1 }

// Get reads a file or lists a directory: one level of it, or with recursive
// everything below. Hidden names are left out of listings, but not the one
// that was asked for. A listing is in the order of keys whether sorted or not;
// now is the time that shown ttls count from. (etcd v2 API, "Get", "Listing a
// directory", "Hidden nodes")
func (s *Store) Get(path string, recursive, sorted bool, now Stamp) (*Event, *Error) {
	e, err := s.lookup(path)
	if err != nil {
		s.count.GetsFail++
		return nil, err
	}
	s.count.GetsSuccess++
	node := e.view
	if node.Dir {
		depth := 1
		if recursive {
			depth = len(s.nodes)
		}
		node = list(e, depth)
	}
	return &Event{Action: ActionGet, Node: node, EtcdIndex: s.index, At: now.Cluster}, nil
}

// list is a directory's view with its visible children, down to depth levels.
func list(e *entry, depth int) *Node {
	node := *e.view
	for kid := range e.kids.all() {
		switch {
		case hiddenName(kid.view.Key):
		case kid.view.Dir && depth > 1:
			node.Nodes = append(node.Nodes, list(kid, depth-1))
		default:
			node.Nodes = append(node.Nodes, kid.view)
		}
	}
	return &node
}

// lookup finds the entry at path. The error's cause is the file that is in the
// way, or the first component that is missing.
func (s *Store) lookup(path string) (*entry, *Error) {
	if e := s.nodes[path]; e != nil {
		return e, nil
	}
	for p := range lineage(path) {
		e := s.nodes[p]
		if e == nil {
			return nil, s.refuse(CodeKeyNotFound, p)
		}
		if !e.view.Dir {
			return nil, s.refuse(CodeNotDir, p)
		}
	}
	panic("keys: " + path + " is a directory by its lineage and yet not found")
}

func (s *Store) refuse(code int, cause string) *Error {
	return &Error{Code: code, Cause: cause, Index: s.index}
}

// attach puts a new node into the tree, below a parent that is there, and
// returns the node's hash.
func (s *Store) attach(view *Node) sum {
	parent := s.nodes[parentOf(view.Key)]
	if parent == nil || !parent.view.Dir {
		panic("keys: " + view.Key + " has no directory to be in")
	}
	e := &entry{view: view, hash: s.hashNode(view), parent: parent}
	parent.kids.insert(e)
	s.nodes[view.Key] = e
	s.content.add(e.hash)
	s.due.set(e)
	s.dirty.touch(view.Key)
	return e.hash
}

// replace gives an entry a new view and returns the hashes of both views.
func (s *Store) replace(e *entry, view *Node) hashes {
	h := hashes{node: s.hashNode(view), prev: e.hash}
	s.content.sub(h.prev)
	s.content.add(h.node)
	e.view, e.hash = view, h.node
	s.due.set(e)
	s.dirty.touch(view.Key)
	return h
}

// detach takes an entry out of the tree with all below it, and returns those
// paths below it that somebody watches.
func (s *Store) detach(e *entry) (watched []string) {
	e.parent.kids.remove(e)
	s.forget(e)
	if e.kids.empty() {
		return nil
	}
	var drop func(e *entry)
	drop = func(e *entry) {
		for kid := range e.kids.all() {
			if s.hub.watches(kid.view.Key) {
				watched = append(watched, kid.view.Key)
			}
			s.forget(kid)
			drop(kid)
		}
	}
	drop(e)
	return watched
}

// forget drops one entry from everything but its parent's children.
func (s *Store) forget(e *entry) {
	delete(s.nodes, e.view.Key)
	s.content.sub(e.hash)
	s.due.drop(e)
	s.dirty.touch(e.view.Key)
}
