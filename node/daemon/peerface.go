package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"drydock/node"
	"drydock/node/consensus"
	"drydock/node/host"
	"drydock/node/machine/tether"
	"drydock/node/state"
	"drydock/node/world"
)

// The paths of the peer port that nodes which are not members yet ask: whose port
// it is, and to be let in.
const (
	pathCluster = "/drydock/cluster"
	pathJoin    = "/drydock/members"
	// peerTimeout bounds one question.
	peerTimeout = 2 * time.Second
	// maxFaceBytes bounds an answer.
	maxFaceBytes = 1 << 20
)

// door is what answers at the peer port while the member is being made: founders
// that start together ask each other, and must not wait for each other's answers.
// Everybody else waits until it opens.
type door struct {
	opened chan struct{}
	inside http.Handler // set before opened is closed
}

func (d *door) open(inside http.Handler) {
	d.inside = inside
	close(d.opened)
}

// ServeHTTP implements http.Handler.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Who founds with this node, and machines, which have others to ask.
	if r.URL.Path == pathCluster || r.URL.Path == tether.Path {
		select {
		case <-d.opened:
		default:
			http.Error(w, "this node is being started and is no member yet", http.StatusServiceUnavailable)
			return
		}
	}
	select {
	case <-d.opened:
		d.inside.ServeHTTP(w, r)
	case <-r.Context().Done():
	}
}

// errRefused is matched when a member has refused for good.
var errRefused = errors.New("refused")

// peerFace is what a member tells of its cluster.
type peerFace struct {
	cluster uint64
	members []state.Member
}

type faceJSON struct {
	Cluster string       `json:"cluster"`
	Member  string       `json:"member,omitempty"` // the one that was added
	Members []memberJSON `json:"members"`
}

type memberJSON struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
	Learner    bool     `json:"learner,omitempty"`
}

type joinRequest struct {
	Name     string   `json:"name"`
	PeerURLs []string `json:"peerURLs"`
}

// askPeers asks the first of urls that answers whose it is.
func askPeers(ctx context.Context, c *http.Client, urls []string) (*peerFace, error) {
	var failures []error
	for _, u := range urls {
		face, _, err := exchange(ctx, c, http.MethodGet, u+pathCluster, nil)
		if err == nil {
			return face, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

// askToJoin asks the first of urls that answers to add this node, and returns its
// id.
func askToJoin(ctx context.Context, c *http.Client, urls []string, req joinRequest) (*peerFace, world.MemberID, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return nil, 0, err
	}
	var failures []error
	for _, u := range urls {
		face, id, err := exchange(ctx, c, http.MethodPost, u+pathJoin, body)
		if err == nil || errors.Is(err, errRefused) {
			return face, id, err
		}
		failures = append(failures, err)
	}
	return nil, 0, errors.Join(failures...)
}

func exchange(ctx context.Context, c *http.Client, method, url string, body []byte) (*peerFace, world.MemberID, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxFaceBytes))
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", url, err)
	}
	switch {
	case resp.StatusCode >= 400 && resp.StatusCode < 500:
		return nil, 0, fmt.Errorf("%s: %w: %s (%s)", url, errRefused, strings.TrimSpace(string(text)), resp.Status)
	case resp.StatusCode >= 300:
		return nil, 0, fmt.Errorf("%s: %s: %s", url, resp.Status, strings.TrimSpace(string(text)))
	}
	face, id, err := decodeFace(text)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", url, err)
	}
	return face, id, nil
}

func decodeFace(text []byte) (*peerFace, world.MemberID, error) {
	var j faceJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return nil, 0, err
	}
	cluster, err := strconv.ParseUint(j.Cluster, 16, 64)
	if err != nil || cluster == 0 {
		return nil, 0, fmt.Errorf("cluster: %q is not an id", j.Cluster)
	}
	face := &peerFace{cluster: cluster}
	if len(j.Members) > state.MaxMembers {
		return nil, 0, fmt.Errorf("members: %d, at most %d", len(j.Members), state.MaxMembers)
	}
	for _, m := range j.Members {
		id, err := strconv.ParseUint(m.ID, 16, 64)
		if err != nil || id == 0 {
			return nil, 0, fmt.Errorf("members: %q is not an id", m.ID)
		}
		face.members = append(face.members, state.Member{
			ID: world.MemberID(id), Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, Learner: m.Learner,
		})
	}
	var self uint64
	if j.Member != "" {
		if self, err = strconv.ParseUint(j.Member, 16, 64); err != nil {
			return nil, 0, fmt.Errorf("member: %q is not an id", j.Member)
		}
	}
	return face, world.MemberID(self), nil
}

// peerServer answers nodes that are not members yet.
type peerServer struct {
	cluster uint64
	host    *host.Host
}

func (p *peerServer) register(mux *http.ServeMux) {
	mux.HandleFunc("GET "+pathCluster, func(w http.ResponseWriter, _ *http.Request) { p.reply(w, 0) })
	mux.HandleFunc("GET /members", p.members)
	mux.HandleFunc("POST "+pathJoin, p.join)
}

func (p *peerServer) list() ([]state.Member, error) {
	var members []state.Member
	err := p.host.Look(func(n *node.Node) { members = n.State().Members() })
	return members, err
}

func (p *peerServer) reply(w http.ResponseWriter, added world.MemberID) {
	members, err := p.list()
	if err == nil && len(members) == 0 {
		err = errors.New("this member is joining and has no state yet")
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	j := faceJSON{Cluster: fmt.Sprintf("%x", p.cluster), Members: membersJSON(members)}
	if added != 0 {
		j.Member = fmt.Sprintf("%x", uint64(added))
	}
	writeJSON(w, j)
}

// members is etcd's list on the peer port.
func (p *peerServer) members(w http.ResponseWriter, _ *http.Request) {
	members, err := p.list()
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("X-Etcd-Cluster-ID", fmt.Sprintf("%x", p.cluster))
	writeJSON(w, membersJSON(members))
}

func membersJSON(members []state.Member) []memberJSON {
	list := make([]memberJSON, 0, len(members))
	for _, m := range members {
		list = append(list, memberJSON{
			ID: fmt.Sprintf("%x", uint64(m.ID)), Name: m.Name, Learner: m.Learner,
			PeerURLs: append([]string{}, m.PeerURLs...), ClientURLs: append([]string{}, m.ClientURLs...),
		})
	}
	return list
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// The reader may be gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(v)
}

// join adds a node that asks for it, as a learner; the leader promotes it when it
// has caught up. Asking again is answered alike until the member has started.
func (p *peerServer) join(w http.ResponseWriter, r *http.Request) {
	req, err := decodeJoin(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	members, err := p.list()
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	for _, m := range members {
		same := slices.Equal(slices.Sorted(slices.Values(m.PeerURLs)), req.PeerURLs)
		switch {
		case same && m.Name == req.Name && len(m.ClientURLs) == 0:
			p.reply(w, m.ID)
			return
		case m.Name == req.Name && m.Name != "":
			http.Error(w, fmt.Sprintf("the cluster has a member called %q (%x)", m.Name, uint64(m.ID)), http.StatusConflict)
			return
		case slices.ContainsFunc(req.PeerURLs, func(u string) bool { return slices.Contains(m.PeerURLs, u) }):
			http.Error(w, fmt.Sprintf("member %s (%x) has that peer URL", m.Name, uint64(m.ID)), http.StatusConflict)
			return
		}
	}
	id, err := drawID()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	a := p.host.Change(r.Context(), []state.MemberChange{{Kind: state.AddLearner, Member: state.Member{ID: id, Name: req.Name, PeerURLs: req.PeerURLs}}})
	switch {
	case a.Status != consensus.Done:
		http.Error(w, a.Reason, http.StatusServiceUnavailable)
	case a.Refusal != nil:
		http.Error(w, a.Refusal.Error(), http.StatusConflict)
	default:
		p.reply(w, id)
	}
}

func decodeJoin(r *http.Request) (*joinRequest, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, fmt.Errorf("content type %q, want application/json", r.Header.Get("Content-Type"))
	}
	var req joinRequest
	if err := json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&req); err != nil {
		return nil, err
	}
	if req.Name == "" || len(req.Name) > 256 || len(req.PeerURLs) == 0 || len(req.PeerURLs) > 16 {
		return nil, errors.New("name and peerURLs (1 to 16) must be given")
	}
	for i, u := range req.PeerURLs {
		clean, err := checkURL(u, false)
		if err != nil {
			return nil, fmt.Errorf("peerURLs: %w", err)
		}
		req.PeerURLs[i] = clean
	}
	slices.Sort(req.PeerURLs)
	return &req, nil
}
