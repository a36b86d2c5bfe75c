package stream

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"math/rand/v2"
)

// Source hands out the streams of one seed. It belongs to one goroutine.
type Source struct {
	seed uint64
	// The maps are only ever looked up, never ranged over.
	numbers map[string]*rand.Rand
	readers map[string]*rand.ChaCha8
}

// New returns the source of all streams of seed.
func New(seed uint64) *Source {
	return &Source{
		seed:    seed,
		numbers: make(map[string]*rand.Rand),
		readers: make(map[string]*rand.ChaCha8),
	}
}

// Seed returns the seed that the source was made with.
func (s *Source) Seed() uint64 { return s.seed }

// Stream returns the stream of numbers of that name, such as "net/n1-n2". Asking
// again returns the same stream, which goes on where it was: two consumers that
// must not disturb each other need two names.
func (s *Source) Stream(name string) *rand.Rand {
	r, ok := s.numbers[name]
	if !ok {
		r = rand.New(rand.NewChaCha8(s.key('n', name)))
		s.numbers[name] = r
	}
	return r
}

// Reader returns the stream of bytes of that name, such as "raft/n1". It never
// fails and never reads short. Asking again returns the same stream, which goes
// on where it was.
func (s *Source) Reader(name string) io.Reader {
	r, ok := s.readers[name]
	if !ok {
		r = rand.NewChaCha8(s.key('b', name))
		s.readers[name] = r
	}
	return r
}

// key derives a stream's key. The name comes last, behind fields of fixed
// length, so no two streams hash the same bytes.
func (s *Source) key(kind byte, name string) [32]byte {
	buf := make([]byte, 0, 32+len(name))
	buf = append(buf, "drydock stream 1"...)
	buf = append(buf, kind)
	buf = binary.BigEndian.AppendUint64(buf, s.seed)
	buf = append(buf, name...)
	return sha256.Sum256(buf)
}
