package state

import "slices"

// SameMembers says whether list is what Members would return. It allocates
// nothing: hosts ask after every step.
func (s *State) SameMembers(list []Member) bool {
	return slices.EqualFunc(s.members, list, func(a, b Member) bool {
		return a.ID == b.ID && a.Learner == b.Learner && a.Name == b.Name &&
			slices.Equal(a.PeerURLs, b.PeerURLs) && slices.Equal(a.ClientURLs, b.ClientURLs)
	})
}
