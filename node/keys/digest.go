package keys

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// sum is a number modulo 2^128. The hashes of a set add up to one sum in
// whatever order, and a member of the set can be taken out again, which makes
// a digest of the whole cost no more than what has changed. That guards
// against members that differ by mistake, not against one who looks for a
// collision.
type sum struct{ hi, lo uint64 }

func (a *sum) add(b sum) {
	var carry uint64
	a.lo, carry = bits.Add64(a.lo, b.lo, 0)
	a.hi, _ = bits.Add64(a.hi, b.hi, carry)
}

func (a *sum) sub(b sum) {
	var borrow uint64
	a.lo, borrow = bits.Sub64(a.lo, b.lo, 0)
	a.hi, _ = bits.Sub64(a.hi, b.hi, borrow)
}

func (a sum) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, a.hi)
	return binary.BigEndian.AppendUint64(b, a.lo)
}

func hashBytes(b []byte) sum {
	h := sha256.Sum256(b)
	return sum{hi: binary.BigEndian.Uint64(h[:8]), lo: binary.BigEndian.Uint64(h[8:16])}
}

// maxScratch is the largest scratch buffer that is kept for the next use.
const maxScratch = 1 << 20

// hashNode is a hash of everything that a node is, but its children.
func (s *Store) hashNode(n *Node) sum {
	b := appendString(s.scratch[:0], n.Key)
	b = appendNode(b, n)
	if cap(b) <= maxScratch {
		s.scratch = b
	}
	return hashBytes(b)
}

// hashEvent is a hash of an event and its index. The hashes of its nodes stand
// for them; prev is zero when there was none.
func (s *Store) hashEvent(ev *Event, node, prev sum) sum {
	b := append(s.scratch[:0], "event"...)
	b = binary.AppendUvarint(b, ev.EtcdIndex)
	b = appendEventHead(b, ev)
	b = node.append(b)
	b = prev.append(b)
	s.scratch = b
	return hashBytes(b)
}

// rehashEvent is hashEvent with the nodes hashed anew.
func (s *Store) rehashEvent(ev *Event) sum {
	var prev sum
	if ev.PrevNode != nil {
		prev = s.hashNode(ev.PrevNode)
	}
	return s.hashEvent(ev, s.hashNode(ev.Node), prev)
}

// Digest is a fingerprint of the replicated content: index, tree and history.
// Stores with equal content have equal digests. It costs no more than the
// hashing of what has changed, done when it changed.
func (s *Store) Digest() [16]byte { return s.digest(s.content, s.past.content) }

func (s *Store) digest(content, past sum) [16]byte {
	b := binary.BigEndian.AppendUint64([]byte("drydock keys 1"), s.index)
	b = content.append(b)
	b = past.append(b)
	h := sha256.Sum256(b)
	return [16]byte(h[:16])
}

// Recompute is Digest from scratch, over the whole tree and history. The two
// differ only by a mistake of this package or of the machine's memory.
func (s *Store) Recompute() [16]byte {
	var content, past sum
	n := 0
	for e := range s.walk() {
		content.add(s.hashNode(e.view))
		n++
	}
	if n != s.Len() {
		panic(fmt.Sprintf("keys: %d entries in the tree, %d by path", n, s.Len()))
	}
	for i := s.past.oldest(); i <= s.past.last; i++ {
		past.add(s.rehashEvent(s.past.at(i).ev))
	}
	return s.digest(content, past)
}
