package daemon

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"drydock/node/state"
	"drydock/node/world"
)

// parseCluster reads "name=peerURL,name=peerURL": a member with several URLs is
// named once for each. The members come in the order of their first mention.
func parseCluster(list string) ([]state.Member, error) {
	var members []state.Member
	owner := make(map[string]string)
	for _, part := range strings.Split(list, ",") {
		name, text, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q is not name=peerURL", part)
		}
		u, err := checkURL(text, false)
		if err != nil {
			return nil, err
		}
		if other, taken := owner[u]; taken {
			return nil, fmt.Errorf("%s is given to %s and to %s", u, other, name)
		}
		owner[u] = name
		i := slices.IndexFunc(members, func(m state.Member) bool { return m.Name == name })
		if i < 0 {
			i = len(members)
			members = append(members, state.Member{Name: name})
		}
		members[i].PeerURLs = append(members[i].PeerURLs, u)
	}
	if len(members) > state.MaxMembers {
		return nil, fmt.Errorf("%d members, at most %d", len(members), state.MaxMembers)
	}
	return members, nil
}

// foundingIDs gives founders their ids, which every founder has to compute alike
// before it has spoken to any other, and returns the cluster's.
func foundingIDs(token string, members []state.Member) (cluster uint64) {
	for i := range members {
		slices.Sort(members[i].PeerURLs)
		members[i].ID = memberID(token, members[i].Name, members[i].PeerURLs)
	}
	return clusterID(token, members)
}

func memberID(token, name string, peerURLs []string) world.MemberID {
	urls := slices.Sorted(slices.Values(peerURLs))
	return world.MemberID(hashID(append([]string{"member", token, name}, urls...)...))
}

func clusterID(token string, members []state.Member) uint64 {
	parts := []string{"cluster", token}
	for _, m := range slices.SortedFunc(slices.Values(members), func(a, b state.Member) int { return cmp.Compare(a.ID, b.ID) }) {
		parts = append(parts, fmt.Sprintf("%x", uint64(m.ID)))
	}
	return hashID(parts...)
}

// hashID makes an id of words, never zero.
func hashID(words ...string) uint64 {
	h := sha256.New()
	for _, w := range words {
		_ = binary.Write(h, binary.BigEndian, uint32(len(w)))
		h.Write([]byte(w))
	}
	return max(binary.BigEndian.Uint64(h.Sum(nil)), 1)
}

// drawID draws the id of a member that joins.
func drawID() (world.MemberID, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return 0, fmt.Errorf("drawing a member's id: %w", err)
	}
	return world.MemberID(max(binary.BigEndian.Uint64(b[:]), 1)), nil
}

// self finds this node among the founders.
func (c *Config) self(founders []state.Member) (*state.Member, error) {
	i := slices.IndexFunc(founders, func(m state.Member) bool { return m.Name == c.Name })
	if i < 0 {
		return nil, c.errorf("initial-cluster", "it has no member called %q (--name)", c.Name)
	}
	own := slices.Sorted(slices.Values(c.AdvertisePeerURLs))
	listed := slices.Sorted(slices.Values(founders[i].PeerURLs))
	if !slices.Equal(own, listed) {
		return nil, c.errorf("initial-cluster", "it says that %s is reached at %s, and %s says %s",
			c.Name, strings.Join(listed, ","), c.where("initial-advertise-peer-urls"), strings.Join(own, ","))
	}
	return &founders[i], nil
}

// errNoMember is matched when a running cluster was asked for this node and does
// not know it.
var errNoMember = errors.New("the cluster has not added this node")
