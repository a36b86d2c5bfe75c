package legacy

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"drydock/node"
	"drydock/node/host"
	"drydock/node/keys"
	"drydock/node/state"
)

// view copies what the member knows of itself and the others.
func view(h *host.Host) (v node.View, err error) {
	err = h.Look(func(n *node.Node) { v = n.View() })
	return v, err
}

// leaderOf finds the leader among the members, if one is known.
func leaderOf(v *node.View) (state.Member, bool) {
	i := slices.IndexFunc(v.Members, func(m state.Member) bool { return m.ID == v.Role.Lead })
	if v.Role.Lead == 0 || i < 0 {
		return state.Member{}, false
	}
	return v.Members[i], true
}

// leader answers the leader's peer URL.
func (s *server) leader(w http.ResponseWriter, _ *http.Request) {
	v, err := view(s.h)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	m, ok := leaderOf(&v)
	if !ok || len(m.PeerURLs) == 0 {
		sendJSON(w, fail(codeLeaderElect, "", v.EtcdIndex), applicationJSON)
		return
	}
	sendText(w, m.PeerURLs[0])
}

// machines answers all members' client URLs, the leader's first.
func (s *server) machines(w http.ResponseWriter, _ *http.Request) {
	v, err := view(s.h)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	var urls []string
	for _, m := range v.Members {
		if m.ID == v.Role.Lead {
			urls = append(slices.Clone(m.ClientURLs), urls...)
		} else {
			urls = append(urls, m.ClientURLs...)
		}
	}
	w.Header().Set("Content-Type", textPlain)
	sendBody(w, []byte(strings.Join(urls, ", ")))
}

// The speed test's size.
const (
	testWriters = 1000 // at a time
	testWrites  = 10   // of each
)

// speedTest writes one key ten thousand times.
func (s *server) speedTest(w http.ResponseWriter, r *http.Request) {
	if !s.testing.CompareAndSwap(false, true) {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "a speed test is running; one at a time", http.StatusServiceUnavailable)
		return
	}
	defer s.testing.Store(false)
	ctx, stop := context.WithCancelCause(r.Context())
	defer stop(nil)
	var all sync.WaitGroup
	for range testWriters {
		all.Go(func() {
			for range testWrites {
				if _, err := s.do(ctx, r, write(keys.Command{Kind: keys.Set, Path: "/foo", Value: "bar"})); err != nil {
					stop(err)
					return
				}
			}
		})
	}
	all.Wait()
	err := context.Cause(ctx)
	var d *denied
	switch {
	case err == nil:
		sendText(w, "speed test success")
	case errors.As(err, &d):
		sendDenied(w, d.resp)
	default:
		http.Error(w, "speed test failed: "+err.Error(), http.StatusInternalServerError)
	}
}
