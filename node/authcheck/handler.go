package authcheck

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/auth"
	"drydock/node/auth/face"
	"drydock/node/consensus"
	"drydock/node/state"
)

// Host carries changes of users and roles out; host.Host is one.
type Host interface {
	// Book returns users and roles as they are now, nil while that is not known.
	Book() *auth.Book
	// Auth proposes a change and waits for its outcome.
	Auth(ctx context.Context, c *auth.Command) node.Answer
}

// Handler serves /v2/auth/ and what is below, for users that g lets through.
func Handler(h Host, g *Guard) http.Handler {
	s := &server{host: h, guard: g}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp := s.answer(w, r)
		for _, x := range resp.Headers {
			w.Header()[x.Name] = []string{x.Value}
		}
		w.WriteHeader(resp.Status)
		_, _ = w.Write(resp.Body) // a client that is gone needs no answer
	})
}

type server struct {
	host  Host
	guard *Guard
}

// answer goes through a request in the original's order: path and method, who
// asks, what they ask for.
func (s *server) answer(w http.ResponseWriter, r *http.Request) api.Response {
	cluster := s.guard.options.Cluster
	// Before the guard looks: what it judges by is no older than this.
	seen := s.host.Book()
	call, resp := face.Decode(&api.Request{Method: r.Method, Target: target(r)})
	if resp == nil && call.NeedsRoot() {
		resp = s.guard.Admin(r)
	}
	if resp != nil {
		return *resp
	}
	if !call.Changes() {
		book := s.host.Book()
		if book == nil {
			return face.Later(errStarting)
		}
		return face.Answer(book, &call, cluster)
	}
	body, err := readBody(w, r)
	if err != nil {
		return face.Refused(&auth.Error{Status: http.StatusBadRequest, Message: "The request's body can't be read"}, cluster)
	}
	if resp := call.ReadBody(body, cluster); resp != nil {
		return *resp
	}
	call.Command.Unjudged = seen == nil || !seen.Enabled()
	return s.change(r.Context(), &call)
}

// change carries a call out that changes users or roles.
func (s *server) change(ctx context.Context, call *face.Call) api.Response {
	cluster := s.guard.options.Cluster
	if call.Password != "" {
		waiting, cancel := context.WithTimeout(ctx, s.guard.options.Wait)
		defer cancel()
		hash, err := s.guard.passwords.hash(waiting, call.Password)
		if err != nil {
			return face.Later(err)
		}
		call.Command.Hash = hash
	}
	a := s.host.Auth(ctx, &call.Command)
	_, refused := errors.AsType[*auth.Error](a.Refusal)
	switch {
	case refused:
		return face.Refused(a.Refusal, cluster)
	case errors.Is(a.Refusal, state.ErrNotYet):
		return face.NotYet(cluster)
	case a.Status == consensus.Done && a.Refusal == nil && a.Auth != nil:
		return face.Done(call, a.Auth, cluster)
	case a.Status == consensus.Unknown:
		return face.Failed(api.Unknown, cluster)
	}
	return face.Failed(api.Refused, cluster)
}

// maxBodyTime is how long a body may take to come.
const maxBodyTime = 30 * time.Second

// readBody reads one byte more than is allowed, which tells a body that is too
// long.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(maxBodyTime)) // a server may know no deadlines
	body, err := io.ReadAll(io.LimitReader(r.Body, face.MaxBodyBytes+1))
	if err == nil {
		// What comes now is the next request, or that the client is gone.
		_ = rc.SetReadDeadline(time.Time{})
	}
	return body, err
}

// target is the path and query of the request line.
func target(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}
