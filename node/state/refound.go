package state

import (
	"fmt"

	"drydock/node/fleet"
)

// Refound makes s the state of a new cluster whose only member is m, with all
// that s holds but its members and the sessions of machines: the keyspace, its
// history and time, the release, units and what is known of machines. Index and revision go on and never back, for clients remember them;
// the founding takes one of each, as New's does. The former members' ids are
// remembered as removed, and their commands never take effect here.
func (s *State) Refound(m Member) error {
	if err := CheckFounders([]Member{m}); err != nil {
		return err
	}
	if s.applied == 0 {
		return fmt.Errorf("%w: there is no state to found a cluster with", ErrMembership)
	}
	if s.HasMember(m.ID) || s.Removed(m.ID) {
		return fmt.Errorf("%w: %x is the id of a former member", ErrMembership, uint64(m.ID))
	}
	for i := range s.members {
		s.noteRemoved(s.members[i].ID)
	}
	m.Learner = false
	s.members, s.sessions = []Member{m}, []*session{new(session)}
	s.applied++
	s.revision++
	// No index of the former cluster has a digest of this one.
	s.past = [digestRing]pastDigest{}
	s.fleet.EndSessions(fleet.Env{Revision: s.revision, Term: s.term, Now: s.now.Cluster})
	s.chain.text("refound")
	s.chain.word(uint64(m.ID))
	s.remember(s.applied)
	return nil
}
