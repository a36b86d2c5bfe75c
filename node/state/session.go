package state

import (
	"drydock/node/wire"
)

// Window is how many sequences a session remembers above its low mark: a
// member may have that many commands undecided at once.
const Window = 1 << 14

// session remembers which commands of one member's present life were applied.
//
// Invariant: every sequence below low is decided; bits hold what is applied in
// [low, low+Window), bit i of the ring standing for the sequence s with
// s%Window == i.
type session struct {
	incarnation uint64
	low         uint64
	bits        [Window / 64]uint64
	count       int // bits that are set
}

// admit says whether the command takes effect now, and remembers that it did.
func (s *session) admit(id ID, low uint64) bool {
	switch {
	case id.Incarnation < s.incarnation:
		// The member has come back since: it told that client "unknown", and
		// what it promises now must not be overtaken by its former life.
		return false
	case id.Incarnation > s.incarnation:
		*s = session{incarnation: id.Incarnation, low: low}
	}
	s.advance(low)
	if id.Seq < s.low || id.Seq-s.low >= Window {
		return false
	}
	word, bit := &s.bits[id.Seq%Window/64], uint64(1)<<(id.Seq%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	s.count++
	return true
}

// advance moves the low mark up and forgets what is below.
func (s *session) advance(low uint64) {
	if low <= s.low {
		return
	}
	if low-s.low >= Window || s.count == 0 {
		s.bits, s.count, s.low = [Window / 64]uint64{}, 0, low
		return
	}
	for ; s.low < low; s.low++ {
		word, bit := &s.bits[s.low%Window/64], uint64(1)<<(s.low%64)
		if *word&bit != 0 {
			*word &^= bit
			s.count--
		}
	}
}

// append encodes the session: its applied sequences as gaps, in order.
func (s *session) append(b []byte) []byte {
	b = wire.AppendUint(b, s.incarnation)
	b = wire.AppendUint(b, s.low)
	b = wire.AppendUint(b, uint64(s.count))
	for i, left := uint64(0), s.count; left > 0; i++ {
		seq := s.low + i
		if s.bits[seq%Window/64]&(1<<(seq%64)) != 0 {
			b = wire.AppendUint(b, i)
			left--
		}
	}
	return b
}

func readSession(r *wire.Reader) *session {
	s := &session{incarnation: r.Uint("session.incarnation"), low: r.Uint("session.low")}
	n := r.Count("session.applied", Window)
	for i := 0; i < n && r.Err() == nil; i++ {
		gap := r.Uint("session.seq")
		if gap >= Window {
			r.Fail("session.seq", "outside the window")
			return s
		}
		seq := s.low + gap
		word, bit := &s.bits[seq%Window/64], uint64(1)<<(seq%64)
		if *word&bit != 0 {
			r.Fail("session.seq", "repeated")
			return s
		}
		*word |= bit
		s.count++
	}
	return s
}
