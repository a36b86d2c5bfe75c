package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"drydock/node/keys"
	"drydock/node/wire"
)

// ErrCorrupt is matched when stored records don't give the state that was
// stored.
var ErrCorrupt = errors.New("state: stored state is corrupt")

// Snapshot is what describes a stored state beside its keyspace records.
type Snapshot struct {
	Index, Term, Revision uint64
	Digest                Digest
	// Extra holds members, sessions, time and chain, encoded.
	Extra []byte
}

const extraVersion = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Describe returns the description of the state as it is now. Conf is the
// consensus configuration at this index, encoded by its owner.
func (s *State) Describe(conf []byte) Snapshot {
	b := []byte{extraVersion}
	b = wire.AppendBytes(b, conf)
	b = wire.AppendUint(b, uint64(s.now.Cluster))
	b = wire.AppendUint(b, uint64(s.now.Wall))
	b = binary.BigEndian.AppendUint64(b, s.chain.a)
	b = binary.BigEndian.AppendUint64(b, s.chain.b)
	b = wire.AppendUint(b, uint64(len(s.members)))
	for i := range s.members {
		b = appendMember(b, &s.members[i])
		b = s.sessions[i].append(b)
	}
	// The keyspace's records are covered by the digest, this by its own sum.
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return Snapshot{Index: s.applied, Term: s.term, Revision: s.revision, Digest: s.Digest(), Extra: b}
}

// DrainDirty returns the keyspace records that changed since the last call, for
// the next checkpoint.
func (s *State) DrainDirty() []keys.Record { return s.keys.DrainDirty() }

// Load rebuilds a state from its description and records, and verifies it
// against the digest it was stored with. It returns the consensus configuration
// that Describe was given.
func Load(sn Snapshot, next func() (keys.Record, bool, error)) (*State, []byte, error) {
	s := &State{applied: sn.Index, term: sn.Term, revision: sn.Revision}
	conf, err := s.readExtra(sn.Extra)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: at index %d: %w", ErrCorrupt, sn.Index, err)
	}
	if s.keys, err = keys.Load(next); err != nil {
		return nil, nil, fmt.Errorf("%w: at index %d: %w", ErrCorrupt, sn.Index, err)
	}
	if s.keys.Digest() != s.keys.Recompute() || s.Digest() != sn.Digest {
		return nil, nil, fmt.Errorf("%w: digest at index %d is %x, stored was %x", ErrCorrupt, sn.Index, s.Digest(), sn.Digest)
	}
	s.remember(s.applied)
	return s, conf, nil
}

func (s *State) readExtra(b []byte) ([]byte, error) {
	if len(b) < 4 || crc32.Checksum(b[:len(b)-4], castagnoli) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		return nil, errors.New("checksum of the description differs")
	}
	r := wire.NewReader(b[:len(b)-4])
	if v := r.Byte("version"); r.Err() == nil && v != extraVersion {
		return nil, fmt.Errorf("version %d, this release reads %d", v, extraVersion)
	}
	conf := r.Bytes("conf", 1<<20)
	s.now.Cluster = time.Duration(r.Uint("time"))
	s.now.Wall = int64(r.Uint("wall"))
	s.chain.a, s.chain.b = r.Uint64("chain"), r.Uint64("chain")
	n := r.Count("members", MaxMembers)
	for i := 0; i < n && r.Err() == nil; i++ {
		m := readMember(r)
		if i > 0 && m.ID <= s.members[i-1].ID {
			r.Fail("members", "not in order of id")
		}
		s.members = append(s.members, m)
		s.sessions = append(s.sessions, readSession(r))
	}
	return conf, r.Done("extra")
}

// ConfOf returns the consensus configuration in a description.
func ConfOf(sn Snapshot) ([]byte, error) {
	return new(State).readExtra(sn.Extra)
}
