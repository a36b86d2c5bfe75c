package state

import (
	"errors"
	"fmt"
	"slices"

	"drydock/node/wire"
	"drydock/node/world"
)

// maxRemoved is how many ids of removed members a state remembers.
const maxRemoved = 1024

// Publish is what a KindPublish says: how a member is called and reached. What
// is empty stays as it is.
type Publish struct {
	ID         world.MemberID
	Name       string
	PeerURLs   []string
	ClientURLs []string
}

// Refusals of a Publish; each matches ErrMembership.
var (
	// ErrNoMember says that no member has the id.
	ErrNoMember = fmt.Errorf("%w: no such member", ErrMembership)
	// ErrURLTaken says that a peer URL is another member's.
	ErrURLTaken = fmt.Errorf("%w: a peer URL belongs to another member", ErrMembership)
)

// CheckPublish says whether p would take effect on the members as they are; the
// error matches ErrMembership, or ErrNotYet.
func (s *State) CheckPublish(p *Publish) error {
	if err := s.Allows(KindPublish); err != nil {
		return err
	}
	m := p.member()
	if err := m.check(); err != nil {
		return err
	}
	if !s.HasMember(p.ID) {
		return fmt.Errorf("%w: %x", ErrNoMember, uint64(p.ID))
	}
	for i := range s.members {
		other := &s.members[i]
		if other.ID == p.ID {
			continue
		}
		for _, u := range p.PeerURLs {
			if slices.Contains(other.PeerURLs, u) {
				return fmt.Errorf("%w: %s is %x's", ErrURLTaken, u, uint64(other.ID))
			}
		}
	}
	return nil
}

// Published says whether p would change nothing.
func (s *State) Published(p *Publish) bool {
	i, ok := s.findMember(p.ID)
	if !ok {
		return false
	}
	m := &s.members[i]
	same := func(want, have []string) bool { return len(want) == 0 || slices.Equal(want, have) }
	return (p.Name == "" || p.Name == m.Name) && same(p.PeerURLs, m.PeerURLs) && same(p.ClientURLs, m.ClientURLs)
}

// publish applies a KindPublish; the error says why it has no effect.
func (s *State) publish(p *Publish) error {
	if err := s.CheckPublish(p); err != nil {
		return err
	}
	i, _ := s.findMember(p.ID)
	m := s.members[i]
	if p.Name != "" {
		m.Name = p.Name
	}
	if len(p.PeerURLs) > 0 {
		m.PeerURLs = p.PeerURLs
	}
	if len(p.ClientURLs) > 0 {
		m.ClientURLs = p.ClientURLs
	}
	s.members[i] = m
	return nil
}

func (p *Publish) member() Member {
	return Member{ID: p.ID, Name: p.Name, PeerURLs: p.PeerURLs, ClientURLs: p.ClientURLs}
}

func (p *Publish) append(b []byte) []byte {
	m := p.member()
	return appendMember(b, &m)
}

func readPublish(body []byte) (Publish, error) {
	r := wire.NewReader(body)
	m := readMember(r)
	err := r.Done("publish")
	if err == nil && m.Learner {
		err = errors.New("publish: nobody publishes whether it votes")
	}
	return Publish{ID: m.ID, Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs}, err
}

// Removed says whether a member of that id was removed, as far as is
// remembered: since Release2, and the last ones only.
func (s *State) Removed(id world.MemberID) bool { return slices.Contains(s.removed, id) }

// noteRemoved remembers the id of a member that is removed.
func (s *State) noteRemoved(id world.MemberID) {
	if s.Release() < Release2 {
		return
	}
	if len(s.removed) == maxRemoved {
		s.removed = slices.Delete(s.removed, 0, 1)
	}
	s.removed = append(s.removed, id)
}
