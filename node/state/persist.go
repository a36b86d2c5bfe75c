package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"drydock/node/fleet"
	"drydock/node/keys"
	"drydock/node/wire"
)

// ErrCorrupt is matched when stored records don't give the state that was
// stored.
var ErrCorrupt = errors.New("state: stored state is corrupt")

// Snapshot is what describes a stored state beside its records.
type Snapshot struct {
	Index, Term, Revision uint64
	Digest                Digest
	// Extra holds members, sessions, time and chain, encoded, and what releases
	// after the first have added.
	Extra []byte
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Describe returns the description of the state as it is now. Conf is the
// consensus configuration at this index, encoded by its owner. Its form is that
// of the cluster's release, so that members of older releases read it until the
// cluster is raised: its first byte is the release, and each release appends.
func (s *State) Describe(conf []byte) Snapshot {
	b := []byte{byte(s.Release())}
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
	if s.Release() >= Release2 {
		b = appendIDs(b, s.removed)
		b = s.appendAuth(b)
	}
	// The records of keyspace and fleet are covered by the digest, this by its own sum.
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return Snapshot{Index: s.applied, Term: s.term, Revision: s.revision, Digest: s.Digest(), Extra: b}
}

// DrainDirty returns the records that changed since the last call, for the next
// checkpoint.
func (s *State) DrainDirty() []keys.Record { return s.Drain().Records() }

// Drained is what DrainDirty returns, before it is listed: it doesn't change with the
// state, so that may be done elsewhere.
type Drained struct {
	keys  []keys.Record
	fleet *fleet.Drained
	bytes int
}

// Drain takes the records that changed since the last call.
func (s *State) Drain() Drained {
	d := Drained{keys: s.keys.DrainDirty(), fleet: s.fleet.Drain()}
	for i := range d.keys {
		d.bytes += len(d.keys[i].Key) + len(d.keys[i].Value)
	}
	d.bytes += d.fleet.Len() * fleetRecordBytes
	return d
}

// fleetRecordBytes is about what a record of the fleet's takes.
const fleetRecordBytes = 64

// Records lists what was drained.
func (d Drained) Records() []keys.Record {
	list := slices.Grow(d.keys, d.fleet.Len())
	d.fleet.Each(func(r fleet.Record) { list = append(list, keys.Record(r)) })
	return list
}

// Bytes is about how much it will be.
func (d Drained) Bytes() int { return d.bytes }

// Records returns all records, as for a snapshot.
func (s *State) Records() []keys.Record {
	return withFleet(s.keys.Records(), s.fleet.Records())
}

// Load rebuilds a state from its description and records, and verifies it
// against the digest it was stored with. It returns the consensus configuration
// that Describe was given.
func Load(sn Snapshot, next func() (keys.Record, bool, error)) (*State, []byte, error) {
	return LoadAs(Newest, sn, next)
}

// LoadAs is Load for a program of release r. A state of a newer release is
// refused with an error that matches ErrRelease and not ErrCorrupt.
func LoadAs(r Release, sn Snapshot, next func() (keys.Record, bool, error)) (*State, []byte, error) {
	s := &State{applied: sn.Index, term: sn.Term, revision: sn.Revision, speaks: r}
	conf, err := s.readExtra(sn.Extra)
	if err != nil {
		return nil, nil, stored(sn, err)
	}
	if err := s.loadRecords(next); err != nil {
		return nil, nil, fmt.Errorf("%w: at index %d: %w", ErrCorrupt, sn.Index, err)
	}
	if s.keys.Digest() != s.keys.Recompute() || s.fleet.Digest() != s.fleet.Recompute() || s.Digest() != sn.Digest {
		return nil, nil, fmt.Errorf("%w: digest at index %d is %x, stored was %x", ErrCorrupt, sn.Index, s.Digest(), sn.Digest)
	}
	s.remember(s.applied)
	return s, conf, nil
}

// stored names the snapshot that can't be read: corrupt, unless a newer release
// made it.
func stored(sn Snapshot, err error) error {
	if errors.Is(err, ErrRelease) {
		return fmt.Errorf("state at index %d: %w", sn.Index, err)
	}
	return fmt.Errorf("%w: at index %d: %w", ErrCorrupt, sn.Index, err)
}

func (s *State) readExtra(b []byte) ([]byte, error) {
	if len(b) < 4 || crc32.Checksum(b[:len(b)-4], castagnoli) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		return nil, errors.New("checksum of the description differs")
	}
	r := wire.NewReader(b[:len(b)-4])
	s.release = Release(r.Byte("release"))
	switch {
	case r.Err() == nil && s.release == 0:
		return nil, errors.New("a stored state of release 0")
	case s.release > s.Speaks():
		return nil, tooOld("the stored state", s.Speaks(), s.release)
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
	if s.release >= Release2 {
		s.removed = readIDs(r, "removed", maxRemoved)
		s.readAuth(r)
	}
	return conf, r.Done("extra")
}

// ConfAs returns the consensus configuration in a description, for a program of release
// r; see LoadAs.
func ConfAs(r Release, sn Snapshot) ([]byte, error) {
	conf, err := (&State{speaks: r}).readExtra(sn.Extra)
	if err != nil {
		return nil, stored(sn, err)
	}
	return conf, nil
}
