package linear

import (
	"fmt"
	"slices"
	"strings"

	"drydock/sim/history"
)

// The error codes of the keyspace (etcd v2 API, "Error codes").
const (
	codeNotFound = 100
	codeCompare  = 101
	codeNotFile  = 102
	codeNotDir   = 104
	codeExists   = 105
	codeRootOnly = 107
)

// node is one file or directory. modified and created are 0 where a search
// cannot know them; then they agree with everything.
type node struct {
	key, value string
	dir        bool
	// ordered: made by an append, so it comes after all made so before it.
	ordered           bool
	modified, created uint64
}

// space is a keyspace, or the part of it that one partition of keys sees.
type space struct {
	nodes []node // in order of key; a directory's children are one run
	hash  uint64 // of the set of nodes
}

// The numbers of FNV-1a with 64 bits.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// hash is FNV-1a over all that tells two nodes apart.
func (n *node) hash() uint64 {
	const prime = fnvPrime
	h := uint64(fnvOffset)
	for _, s := range [2]string{n.key, n.value} {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * prime
		}
		h = (h ^ 0x100) * prime
	}
	for _, v := range [2]uint64{n.modified, n.created} {
		for range 8 {
			h = (h ^ v&0xff) * prime
			v >>= 8
		}
	}
	if n.dir {
		h = (h ^ 0x101) * prime
	}
	if n.ordered {
		h = (h ^ 0x102) * prime
	}
	return h
}

func (s *space) find(key string) (int, bool) {
	return slices.BinarySearchFunc(s.nodes, key, func(n node, key string) int {
		return strings.Compare(n.key, key)
	})
}

func (s *space) get(key string) *node {
	if i, ok := s.find(key); ok {
		return &s.nodes[i]
	}
	return nil
}

func (s *space) put(n node) {
	i, ok := s.find(n.key)
	if ok {
		s.hash ^= s.nodes[i].hash()
		s.nodes[i] = n
	} else {
		s.nodes = slices.Insert(s.nodes, i, n)
	}
	s.hash ^= n.hash()
}

func (s *space) remove(key string) {
	if i, ok := s.find(key); ok {
		s.hash ^= s.nodes[i].hash()
		s.nodes = slices.Delete(s.nodes, i, i+1)
	}
}

// removeBelow removes what a directory held.
func (s *space) removeBelow(dir string) {
	s.nodes = slices.DeleteFunc(s.nodes, func(n node) bool {
		below := strings.HasPrefix(n.key, dir+"/")
		if below {
			s.hash ^= n.hash()
		}
		return below
	})
}

func (s *space) clone() *space {
	return &space{nodes: slices.Clone(s.nodes), hash: s.hash}
}

// equal reports the same content; hash makes the answer cheap.
func (s *space) equal(o *space) bool {
	return s.hash == o.hash && slices.Equal(s.nodes, o.nodes)
}

// children lists what a listing of the directory shows: one level, without
// names that begin with '_'.
func (s *space) children(dir string) []node {
	prefix := strings.TrimSuffix(dir, "/") + "/"
	i, _ := s.find(prefix)
	var list []node
	for ; i < len(s.nodes) && strings.HasPrefix(s.nodes[i].key, prefix); i++ {
		name := s.nodes[i].key[len(prefix):]
		if name != "" && name[0] != '_' && !strings.Contains(name, "/") {
			list = append(list, s.nodes[i])
		}
	}
	return list
}

// lastOrdered is the last child that was appended to the directory, or nil.
func (s *space) lastOrdered(dir string) *node {
	prefix := strings.TrimSuffix(dir, "/")
	end, _ := s.find(prefix + "0") // '0' is the character after '/'
	for i := end - 1; i >= 0 && strings.HasPrefix(s.nodes[i].key, prefix+"/"); i-- {
		if s.nodes[i].ordered && !strings.Contains(s.nodes[i].key[len(prefix)+1:], "/") {
			return &s.nodes[i]
		}
	}
	return nil
}

// clean gives every spelling of a path one form: "/a/b", the root is "/".
func clean(key string) string {
	return "/" + strings.Trim(key, "/")
}

// ancestors are the proper ancestors of key that lie at or below top.
func ancestors(key, top string) []string {
	var list []string
	for i := 1; i < len(key); i++ {
		if key[i] == '/' && len(key[:i]) >= len(top) {
			list = append(list, key[:i])
		}
	}
	return list
}

// answer is what the keyspace answers to an operation.
type answer struct {
	code              int
	value             *string // read, or replaced
	dir               bool
	items             []node
	modified, created uint64
	changed           bool // the index moved
}

// stamp is what a successful write gets from outside of the partition.
type stamp struct {
	index uint64 // the write's index, 0 if not known
	child string // the key an append makes
	// unseen: child is made up, for a child that no listing shows.
	unseen bool
}

// impossible is the code of an answer that no store gives.
const impossible = -1

// childKey names a child made in order: the index, padded to 20 digits.
func childKey(dir string, index uint64) string {
	return fmt.Sprintf("%s/%020d", strings.TrimSuffix(dir, "/"), index)
}

// apply does one operation to s in place and answers as the store must. top is
// the partition's topmost key.
func (s *space) apply(op *history.Op, top string, at stamp) answer {
	key := clean(op.Key)
	if code := s.blocked(key, top); code != 0 {
		return answer{code: code}
	}
	here := s.get(key)
	if key == "/" {
		here = &node{key: "/", dir: true}
	}
	switch op.Kind {
	case history.Get, history.List, history.RegRead:
		return s.read(key, here)
	case history.Append:
		return s.append(op, key, here, top, at)
	}
	if key == "/" {
		return answer{code: codeRootOnly}
	}
	if code := refuses(op, here); code != 0 {
		return answer{code: code}
	}
	a := answer{changed: true, modified: at.index, created: at.index}
	value := op.Value
	if here != nil {
		old := here.value
		a.value = &old
		if op.Refresh {
			value = old
		}
	}
	switch op.Kind {
	case history.Delete, history.CAD, history.Expire:
		a.created = here.created
		dir := here.dir // removing moves what here points to
		s.remove(key)
		if dir {
			s.removeBelow(key)
		}
		return a
	case history.Update, history.CAS:
		a.created = here.created
	}
	s.mkdirs(key, top, at.index)
	s.put(node{key: key, value: value, modified: at.index, created: a.created})
	return a
}

// blocked is the error for a file in the middle of the path, or 0.
func (s *space) blocked(key, top string) int {
	for _, up := range ancestors(key, top) {
		if n := s.get(up); n != nil && !n.dir {
			return codeNotDir
		}
	}
	return 0
}

func (s *space) mkdirs(key, top string, index uint64) {
	for _, up := range ancestors(key, top) {
		if s.get(up) == nil {
			s.put(node{key: up, dir: true, modified: index, created: index})
		}
	}
}

func (s *space) read(key string, here *node) answer {
	if here == nil {
		return answer{code: codeNotFound}
	}
	a := answer{dir: here.dir, modified: here.modified, created: here.created}
	if here.dir {
		a.items = s.children(key)
		return a
	}
	value := here.value
	a.value = &value
	return a
}

func (s *space) append(op *history.Op, key string, here *node, top string, at stamp) answer {
	if here != nil && !here.dir {
		return answer{code: codeNotDir}
	}
	if n := s.lastOrdered(key); n != nil && !at.unseen && n.key >= at.child {
		return answer{code: impossible}
	}
	if here == nil {
		s.mkdirs(key, top, at.index)
		s.put(node{key: key, dir: true, modified: at.index, created: at.index})
	}
	s.put(node{key: at.child, value: op.Value, ordered: !at.unseen, modified: at.index, created: at.index})
	return answer{changed: true, modified: at.index, created: at.index}
}

// refuses is the error code of a write to a file whose condition does not hold
// on what is there, or 0.
func refuses(op *history.Op, here *node) int {
	switch op.Kind {
	case history.Create:
		if here != nil {
			return codeExists
		}
		return 0
	case history.Put, history.RegWrite:
		switch {
		case here != nil && here.dir:
			return codeNotFile
		case here == nil && op.Refresh:
			return codeNotFound
		}
		return 0
	}
	switch {
	case here == nil:
		return codeNotFound
	case op.Kind == history.Expire:
		return 0
	case here.dir:
		return codeNotFile
	case op.Kind == history.CAS || op.Kind == history.CAD:
		return compareFails(op, here)
	}
	return 0
}

// compareFails judges the conditions of cas and cad. A condition on an index
// that is not known (0) is taken to be as the answer says: it can excuse an
// answer, never accuse one.
func compareFails(op *history.Op, here *node) int {
	if op.PrevValue != nil && *op.PrevValue != here.value {
		return codeCompare
	}
	switch {
	case op.PrevIndex == 0 || op.PrevIndex == here.modified:
		return 0
	case here.modified == 0 && op.Status == history.OK && op.Code == 0:
		return 0
	}
	return codeCompare
}
