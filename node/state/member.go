package state

import (
	"errors"
	"fmt"
	"slices"

	"drydock/node/wire"
	"drydock/node/world"
)

// Limits on members.
const (
	MaxMembers  = 64
	maxNameSize = 256
	maxURLs     = 16
	maxURLSize  = 1024
)

// Member is one member of the cluster as the state knows it.
type Member struct {
	ID         world.MemberID
	Name       string
	PeerURLs   []string
	ClientURLs []string
	// Learner is set while the member receives the log but has no vote.
	Learner bool
}

// ChangeKind says what a MemberChange does.
type ChangeKind uint8

// The changes of membership.
const (
	AddLearner ChangeKind = 1 + iota
	Promote
	Remove
)

// String names the change.
func (k ChangeKind) String() string {
	switch k {
	case AddLearner:
		return "add"
	case Promote:
		return "promote"
	case Remove:
		return "remove"
	}
	return "unknown"
}

// MemberChange is one change; several go through one joint configuration.
type MemberChange struct {
	Kind   ChangeKind
	Member Member // only ID matters but for AddLearner
}

// ErrMembership is matched by refusals of a membership change.
var ErrMembership = errors.New("membership")

// CheckChanges says whether changes make sense on the members as they are.
func (s *State) CheckChanges(changes []MemberChange) error {
	if len(changes) == 0 || len(changes) > MaxMembers {
		return fmt.Errorf("%w: %d changes given, want 1 to %d", ErrMembership, len(changes), MaxMembers)
	}
	voters := 0
	after := make(map[world.MemberID]bool)
	for _, m := range s.members {
		after[m.ID] = !m.Learner
		if !m.Learner {
			voters++
		}
	}
	for _, c := range changes {
		voter, known := after[c.Member.ID]
		if err := c.Member.check(); err != nil {
			return err
		}
		switch {
		case c.Kind == AddLearner && known:
			return fmt.Errorf("%w: member %x is there already", ErrMembership, uint64(c.Member.ID))
		case c.Kind == AddLearner && s.Removed(c.Member.ID):
			return fmt.Errorf("%w: member %x was removed, and an id is used once", ErrMembership, uint64(c.Member.ID))
		case c.Kind != AddLearner && !known:
			return fmt.Errorf("%w: no member %x", ErrMembership, uint64(c.Member.ID))
		case c.Kind == Promote && voter:
			return fmt.Errorf("%w: member %x votes already", ErrMembership, uint64(c.Member.ID))
		case c.Kind == AddLearner && len(after) >= MaxMembers:
			return fmt.Errorf("%w: at most %d members", ErrMembership, MaxMembers)
		}
		switch c.Kind {
		case AddLearner:
			after[c.Member.ID] = false
		case Promote:
			after[c.Member.ID] = true
			voters++
		case Remove:
			delete(after, c.Member.ID)
			if voter {
				voters--
			}
		}
	}
	if voters == 0 {
		return fmt.Errorf("%w: no voter would be left", ErrMembership)
	}
	return nil
}

// check refuses a member that no replica could read back.
func (m *Member) check() error {
	switch {
	case m.ID == 0:
		return fmt.Errorf("%w: a member's id must not be zero", ErrMembership)
	case len(m.Name) > maxNameSize:
		return fmt.Errorf("%w: name of %d bytes, at most %d", ErrMembership, len(m.Name), maxNameSize)
	}
	for _, urls := range [...][]string{m.PeerURLs, m.ClientURLs} {
		if len(urls) > maxURLs {
			return fmt.Errorf("%w: member %x has %d URLs, at most %d", ErrMembership, uint64(m.ID), len(urls), maxURLs)
		}
		for _, u := range urls {
			if len(u) > maxURLSize {
				return fmt.Errorf("%w: URL of %d bytes, at most %d", ErrMembership, len(u), maxURLSize)
			}
		}
	}
	return nil
}

// CheckFounders says whether a cluster can be founded by these members.
func CheckFounders(list []Member) error {
	if len(list) > MaxMembers {
		return fmt.Errorf("%w: %d founders, at most %d", ErrMembership, len(list), MaxMembers)
	}
	for i := range list {
		if err := list[i].check(); err != nil {
			return err
		}
	}
	return nil
}

// Members returns the members in order of id.
func (s *State) Members() []Member { return slices.Clone(s.members) }

// Member returns the member with that id.
func (s *State) Member(id world.MemberID) (Member, bool) {
	i, ok := s.findMember(id)
	if !ok {
		return Member{}, false
	}
	return s.members[i], true
}

func (s *State) findMember(id world.MemberID) (int, bool) {
	return slices.BinarySearchFunc(s.members, id, func(m Member, id world.MemberID) int {
		switch {
		case m.ID < id:
			return -1
		case m.ID > id:
			return 1
		}
		return 0
	})
}

// applyChanges carries out changes that CheckChanges accepted.
func (s *State) applyChanges(changes []MemberChange) {
	for _, c := range changes {
		i, ok := s.findMember(c.Member.ID)
		switch {
		case c.Kind == AddLearner && !ok:
			m := c.Member
			m.Learner = true
			s.members = slices.Insert(s.members, i, m)
			s.sessions = slices.Insert(s.sessions, i, new(session))
		case c.Kind == Promote && ok:
			s.members[i].Learner = false
		case c.Kind == Remove && ok:
			s.members = slices.Delete(s.members, i, i+1)
			s.sessions = slices.Delete(s.sessions, i, i+1)
			s.noteRemoved(c.Member.ID)
		}
	}
}

func appendMember(b []byte, m *Member) []byte {
	b = wire.AppendUint(b, uint64(m.ID))
	b = wire.AppendString(b, m.Name)
	for _, urls := range [][]string{m.PeerURLs, m.ClientURLs} {
		b = wire.AppendUint(b, uint64(len(urls)))
		for _, u := range urls {
			b = wire.AppendString(b, u)
		}
	}
	if m.Learner {
		return append(b, 1)
	}
	return append(b, 0)
}

func readMember(r *wire.Reader) Member {
	m := Member{ID: world.MemberID(r.Uint("member.id")), Name: r.String("member.name", maxNameSize)}
	m.PeerURLs = readURLs(r, "member.peerURLs")
	m.ClientURLs = readURLs(r, "member.clientURLs")
	m.Learner = r.Byte("member.learner") == 1
	if m.ID == 0 {
		r.Fail("member.id", "zero")
	}
	return m
}

func readURLs(r *wire.Reader, field string) []string {
	n := r.Count(field, maxURLs)
	var urls []string
	for i := 0; i < n && r.Err() == nil; i++ {
		urls = append(urls, r.String(field, maxURLSize))
	}
	return urls
}

func appendChanges(b []byte, changes []MemberChange) []byte {
	b = wire.AppendUint(b, uint64(len(changes)))
	for i := range changes {
		b = append(b, byte(changes[i].Kind))
		b = appendMember(b, &changes[i].Member)
	}
	return b
}

func readChanges(b []byte) ([]MemberChange, error) {
	r := wire.NewReader(b)
	n := r.Count("changes", MaxMembers)
	var list []MemberChange
	for i := 0; i < n && r.Err() == nil; i++ {
		k := ChangeKind(r.Byte("change.kind"))
		if k < AddLearner || k > Remove {
			r.Fail("change.kind", "unknown")
			break
		}
		list = append(list, MemberChange{Kind: k, Member: readMember(r)})
	}
	return list, r.Done("changes")
}
