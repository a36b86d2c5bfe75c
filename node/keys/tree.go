package keys

import (
	"iter"
	"slices"
	"sort"
	"strings"
)

// entry is a place in the tree. Its view is replaced at every change, never
// altered, so that events can share it.
type entry struct {
	view *Node
	// hash is hashNode(view).
	hash   sum
	parent *entry
	kids   kidList
	// due is the entry's place in the expiry queue, from 1; 0 when it has none.
	due int
}

// chunkSize is how many children a chunk of a kidList holds at most.
const chunkSize = 512

// kidList holds the children of a directory in the order of their keys, in
// chunks, so that neither inserting nor removing moves more than one chunk even
// where a directory has a million children.
type kidList struct {
	chunks [][]*entry
}

func (l *kidList) empty() bool { return len(l.chunks) == 0 }

// place finds the chunk that key belongs to and the position in it.
func (l *kidList) place(key string) (chunk, pos int, found bool) {
	chunk = sort.Search(len(l.chunks), func(i int) bool { return l.chunks[i][0].view.Key > key })
	if chunk == 0 {
		return 0, 0, false
	}
	chunk--
	pos, found = slices.BinarySearchFunc(l.chunks[chunk], key, func(e *entry, k string) int {
		return strings.Compare(e.view.Key, k)
	})
	return chunk, pos, found
}

func (l *kidList) insert(e *entry) {
	if l.empty() {
		l.chunks = [][]*entry{{e}}
		return
	}
	c, pos, found := l.place(e.view.Key)
	if found {
		panic("keys: " + e.view.Key + " is inserted where it already is")
	}
	if len(l.chunks[c]) < chunkSize {
		l.chunks[c] = slices.Insert(l.chunks[c], pos, e)
		return
	}
	if pos == chunkSize {
		// In-order keys arrive in order: they fill chunk after chunk.
		l.chunks = slices.Insert(l.chunks, c+1, []*entry{e})
		return
	}
	tail := slices.Clone(l.chunks[c][chunkSize/2:])
	clear(l.chunks[c][chunkSize/2:])
	l.chunks[c] = l.chunks[c][:chunkSize/2]
	l.chunks = slices.Insert(l.chunks, c+1, tail)
	l.insert(e)
}

func (l *kidList) remove(e *entry) {
	c, pos, found := l.place(e.view.Key)
	if !found {
		panic("keys: " + e.view.Key + " is removed where it is not")
	}
	l.chunks[c] = slices.Delete(l.chunks[c], pos, pos+1)
	if len(l.chunks[c]) == 0 {
		l.chunks = slices.Delete(l.chunks, c, c+1)
	}
}

// all yields the children in the order of their keys.
func (l *kidList) all() iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for _, chunk := range l.chunks {
			for _, e := range chunk {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// parentOf is the directory of a path that is not the root.
func parentOf(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}

// join appends a name to a directory's path.
func join(dir, name string) string {
	if dir == "/" {
		return dir + name
	}
	return dir + "/" + name
}

// hiddenName reports whether the last component of path begins with "_".
func hiddenName(path string) bool {
	return strings.HasPrefix(path[strings.LastIndexByte(path, '/')+1:], "_")
}

// lineage yields the directories above path from the root down, then path
// itself.
func lineage(path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !yield("/") || path == "/" {
			return
		}
		for i := 1; i < len(path); i++ {
			if path[i] == '/' && !yield(path[:i]) {
				return
			}
		}
		yield(path)
	}
}
