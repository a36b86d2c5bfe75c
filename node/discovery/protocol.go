package discovery

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Errors of discovery, in etcd's words.
var (
	// ErrFull is matched when as many members as the cluster is to have were
	// there before. The Result names them: a worker may join them.
	ErrFull = errors.New("discovery: cluster is full")
	// ErrSizeNotFound is matched when nobody has said how large the cluster is to be.
	ErrSizeNotFound = errors.New("discovery: size key not found")
	// ErrBadSize is matched when the size is no number from 1 to MaxSize.
	ErrBadSize = errors.New("discovery: size key is bad")
	// ErrDuplicateID is matched when another member registered under the same id.
	ErrDuplicateID = errors.New("discovery: found duplicate id")
	// ErrDuplicateName is matched when two founders have the same name.
	ErrDuplicateName = errors.New("discovery: found duplicate name")
	// ErrRegistration is matched when what another node has registered can't be read.
	ErrRegistration = errors.New("discovery: bad registration")
	// ErrNoPeers is matched when a 2014 discovery says that a cluster was founded,
	// and none of its members is registered any more.
	ErrNoPeers = errors.New("discovery: the cluster has been started, but none of its members is registered")
	// ErrOptions is matched when the options make no sense.
	ErrOptions = errors.New("discovery: options")
)

// MaxSize is the largest cluster that can be asked for.
const MaxSize = 64

// Peer is a member that has registered.
type Peer struct {
	// ID is the member's id; 0 in 2014's protocol, which has none.
	ID       uint64
	Name     string
	PeerURLs []string
}

// entry is a key and its value as the discovery's cluster holds it.
type entry struct {
	Key     string  `json:"key"`
	Value   string  `json:"value"`
	Dir     bool    `json:"dir"`
	Created uint64  `json:"createdIndex"`
	Nodes   []entry `json:"nodes"`
}

// name is the last component of the key. The path before it is the server's own
// affair: discovery.etcd.io shows another than it was asked for.
func (e *entry) name() string { return path.Base(e.Key) }

// registrations are the visible files of a directory, in the order in which they
// came.
func registrations(dir entry) []entry {
	var list []entry
	for _, e := range dir.Nodes {
		if !e.Dir && !strings.HasPrefix(e.name(), "_") {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.Created, b.Created), cmp.Compare(a.Key, b.Key))
	})
	return list
}

// place says where a member stands: its rank among those who came, -1 if it is not
// there, and whether the cluster has no place for it.
func place(list []entry, self string, size int) (rank int, full bool) {
	rank = slices.IndexFunc(list, func(e entry) bool { return e.name() == self })
	if rank < 0 {
		return rank, len(list) >= size
	}
	return rank, rank >= size
}

// founders reads the first size registrations.
func founders(list []entry, size int) ([]Peer, error) {
	if len(list) > size {
		list = list[:size]
	}
	peers := make([]Peer, 0, len(list))
	names := make(map[string]bool, len(list))
	for _, e := range list {
		p, err := parseRegistration(e.name(), e.Value)
		if err != nil {
			return nil, err
		}
		if names[p.Name] {
			return nil, fmt.Errorf("%w %q: give each member a --name of its own and start again with a new URL", ErrDuplicateName, p.Name)
		}
		names[p.Name] = true
		peers = append(peers, p)
	}
	return peers, nil
}

func parseSize(value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > MaxSize {
		return 0, fmt.Errorf("%w: %q, want a number from 1 to %d", ErrBadSize, value, MaxSize)
	}
	return n, nil
}

// formatRegistration writes what a member says of itself: name=url, as often as
// it has URLs.
func formatRegistration(name string, peerURLs []string) string {
	pairs := make([]string, len(peerURLs))
	for i, u := range peerURLs {
		pairs[i] = name + "=" + u
	}
	return strings.Join(pairs, ",")
}

// parseRegistration reads what formatRegistration wrote under the key id.
func parseRegistration(id, value string) (Peer, error) {
	n, err := strconv.ParseUint(id, 16, 64)
	if err != nil || n == 0 {
		return Peer{}, fmt.Errorf("%w: the key %q is no member's id", ErrRegistration, id)
	}
	p := Peer{ID: n}
	for pair := range strings.SplitSeq(value, ",") {
		name, u, ok := strings.Cut(pair, "=")
		switch {
		case !ok || name == "":
			return Peer{}, fmt.Errorf("%w: %s: %q is not NAME=URL", ErrRegistration, id, pair)
		case p.Name != "" && p.Name != name:
			return Peer{}, fmt.Errorf("%w: %s: two names, %q and %q", ErrRegistration, id, p.Name, name)
		}
		if err := checkURL(u); err != nil {
			return Peer{}, fmt.Errorf("%w: %s: %w", ErrRegistration, id, err)
		}
		p.Name = name
		p.PeerURLs = append(p.PeerURLs, u)
	}
	return p, nil
}

// others reads a 2014 directory: the peer URLs of all but self, in order of names
// as the server has sorted them.
func others(dir entry, self string) ([]Peer, error) {
	var list []Peer
	for _, e := range dir.Nodes {
		if e.Dir || strings.HasPrefix(e.name(), "_") || e.name() == self {
			continue
		}
		if err := checkURL(e.Value); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrRegistration, e.name(), err)
		}
		list = append(list, Peer{Name: e.name(), PeerURLs: []string{e.Value}})
	}
	slices.SortFunc(list, func(a, b Peer) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// checkURL says whether s can be a peer's URL.
func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil {
		return err
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("%q is not http://HOST:PORT or https://HOST:PORT", s)
	}
	return nil
}
