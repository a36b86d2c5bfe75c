package state

import (
	"encoding/binary"
	"math/bits"
)

// Digest stands for a whole state: 128 bits that are equal on members that
// applied the same entries to the same index.
type Digest [16]byte

// chain is the running hash of everything that commands did: their ids,
// whether they took effect, and their answers. It is cheap enough for every
// command and depends on order, unlike the keyspace's content digest beside it.
type chain struct{ a, b uint64 }

func newChain() chain { return chain{0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f} }

func (c *chain) word(v uint64) {
	hi, lo := bits.Mul64(c.a^v, 0x9fb21c651e98df25)
	c.a = bits.RotateLeft64(c.b, 29) + lo
	c.b ^= hi + 0xd6e8feb86659fd93 + bits.RotateLeft64(v, 31)
}

func (c *chain) text(s string) {
	c.word(uint64(len(s)))
	for len(s) >= 8 {
		c.word(uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56)
		s = s[8:]
	}
	var tail uint64
	for i := range len(s) {
		tail |= uint64(s[i]) << (8 * i)
	}
	c.word(tail)
}

// Digest returns the state's digest: the chain folded with the keyspace's
// content. It costs a few instructions.
func (s *State) Digest() Digest {
	content := s.keys.Digest()
	c := s.chain
	c.word(binary.BigEndian.Uint64(content[:8]))
	c.word(binary.BigEndian.Uint64(content[8:]))
	c.word(s.revision)
	c.word(uint64(s.now.Cluster))
	if s.release > Release1 {
		c.word(uint64(s.release))
	}
	if a := s.auth; a != nil && !a.Empty() {
		users := a.Digest()
		c.word(binary.BigEndian.Uint64(users[:8]))
		c.word(binary.BigEndian.Uint64(users[8:]))
	}
	if !s.fleet.Empty() {
		units := s.fleet.Digest()
		c.word(binary.BigEndian.Uint64(units[:8]))
		c.word(binary.BigEndian.Uint64(units[8:]))
	}
	var d Digest
	binary.BigEndian.PutUint64(d[:8], c.a)
	binary.BigEndian.PutUint64(d[8:], c.b)
	return d
}

// digestRing is how many recent digests a replica keeps to compare with its
// leader's.
const digestRing = 1024

type pastDigest struct {
	index  uint64
	digest Digest
}

func (s *State) remember(index uint64) {
	s.past[index%digestRing] = pastDigest{index, s.Digest()}
}

// DigestAt returns the digest that the state had at index, if it still knows.
func (s *State) DigestAt(index uint64) (Digest, bool) {
	p := s.past[index%digestRing]
	return p.digest, p.index == index && index != 0
}
