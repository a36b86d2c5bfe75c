package worker

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"drydock/node"
	"drydock/node/host"
	"drydock/node/state"
)

// PathJoin is where members let workers in, on the client port and on the peers'.
const PathJoin = "/drydock/join"

const (
	// maxJoinBytes bounds a request to join, and the answer.
	maxJoinBytes = 1 << 20
	maxNameBytes = 256
	// Wrong tokens are answered at most so often; then all wait.
	maxWrong    = 10
	wrongWindow = time.Second
)

// joinRequest is what a worker says when it comes.
type joinRequest struct {
	Name string `json:"name"`
	// Worker is the id that it was given before; empty if this is the first time.
	Worker string `json:"worker,omitempty"`
	// Cluster is the cluster that gave it.
	Cluster string `json:"cluster,omitempty"`
}

// joinAnswer is what it is told.
type joinAnswer struct {
	Cluster string       `json:"cluster"`
	Worker  string       `json:"worker"`
	Members []memberJSON `json:"members"`
}

// memberJSON is a member as /v2/members shows it.
type memberJSON struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
}

// JoinHandler lets workers in that know the secret, at PathJoin: it gives them an
// id and tells them where the members are. Without a secret nobody is let in.
func JoinHandler(h *host.Host, cluster uint64, secret string) http.Handler {
	return &welcome{
		cluster: cluster, secret: sha256.Sum256([]byte(secret)), open: secret != "",
		members: func() (list []state.Member, err error) {
			err = h.Look(func(n *node.Node) { list = n.State().Members() })
			return list, err
		},
	}
}

type welcome struct {
	cluster uint64
	secret  [sha256.Size]byte
	open    bool // there is a secret
	members func() ([]state.Member, error)

	mu    sync.Mutex
	wrong int // in this window
	began time.Time
}

// ServeHTTP implements http.Handler.
func (s *welcome) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	if s.tooMany() {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many wrong tokens; try again", http.StatusTooManyRequests)
		return
	}
	if !s.knows(r) {
		s.count()
		text := "the join token is wrong: give the worker the --join-token of the members"
		if !s.open {
			text = "this member lets no workers in: start it with --join-token"
		}
		http.Error(w, text, http.StatusForbidden)
		return
	}
	var req joinRequest
	if err := json.NewDecoder(io.LimitReader(r.Body, maxJoinBytes)).Decode(&req); err != nil {
		http.Error(w, "the request is not JSON: "+err.Error(), http.StatusBadRequest)
		return
	}
	a, status, err := s.letIn(&req)
	if err != nil {
		http.Error(w, err.Error(), status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// A worker that is gone asks again.
	_ = json.NewEncoder(w).Encode(a)
}

// knows compares in constant time: digests, so that the length doesn't show.
func (s *welcome) knows(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	sum := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(sum[:], s.secret[:]) == 1 && ok && s.open
}

func (s *welcome) tooMany() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.began) > wrongWindow {
		s.began, s.wrong = time.Now(), 0
	}
	return s.wrong >= maxWrong
}

func (s *welcome) count() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrong++
}

func (s *welcome) letIn(req *joinRequest) (*joinAnswer, int, error) {
	cluster := fmt.Sprintf("%x", s.cluster)
	switch {
	case req.Name == "" || len(req.Name) > maxNameBytes:
		return nil, http.StatusBadRequest, fmt.Errorf("name: want 1 to %d bytes, not %d", maxNameBytes, len(req.Name))
	case req.Cluster != "" && req.Cluster != cluster:
		return nil, http.StatusConflict, fmt.Errorf("this is cluster %s, and the worker belongs to %q: give it an empty data directory to change", cluster, req.Cluster)
	}
	if req.Worker == "" {
		id, err := drawID()
		if err != nil {
			return nil, http.StatusInternalServerError, err
		}
		req.Worker = id
	} else if _, err := parseID(req.Worker); err != nil {
		return nil, http.StatusBadRequest, fmt.Errorf("worker: %w", err)
	}
	members, err := s.members()
	if err != nil {
		return nil, http.StatusServiceUnavailable, err
	}
	a := &joinAnswer{Cluster: cluster, Worker: req.Worker, Members: []memberJSON{}}
	for _, m := range members {
		a.Members = append(a.Members, memberJSON{
			ID: fmt.Sprintf("%x", uint64(m.ID)), Name: m.Name,
			PeerURLs: append([]string{}, m.PeerURLs...), ClientURLs: append([]string{}, m.ClientURLs...),
		})
	}
	return a, 0, nil
}

// drawID draws an id that nobody has.
func drawID() (string, error) {
	var b [8]byte
	for {
		if _, err := rand.Read(b[:]); err != nil {
			return "", err
		}
		if n := binary.BigEndian.Uint64(b[:]); n != 0 {
			return strconv.FormatUint(n, 16), nil
		}
	}
}

func parseID(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 16, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not an id", text)
	}
	return n, nil
}
