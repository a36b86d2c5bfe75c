package serve

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/consensus"
	"drydock/node/fleet"
	"drydock/node/fleetapi"
	"drydock/node/state"
)

// Host is the node; host.Host is one.
type Host interface {
	// Fleet proposes a change and waits for the outcome.
	Fleet(ctx context.Context, c *fleet.Command) node.Answer
	// ReadFleet calls look with the fleet's state: as it is, if stale, else as it was
	// or became after the call. What look sees must be copied, and quickly.
	ReadFleet(ctx context.Context, stale bool, look func(*fleet.Store)) node.Answer
	// AskFleet has the leader say why units aren't placed; Answer.Why has the words in
	// the order of the names.
	AskFleet(ctx context.Context, units []string) node.Answer
	// WaitFleet waits until the fleet has changed after a revision, or ctx is over.
	WaitFleet(ctx context.Context, after uint64)
}

// Guard judges requests that only an administrator may make: it returns nil, or
// the refusal.
type Guard interface {
	Admin(r *http.Request) *api.Response
}

// Options are what a Handler is given.
type Options struct {
	// Host is the node. Local is the machine in the same process, nil if there is
	// none.
	Host  Host
	Local Local
	// Guard, if not nil, is asked before anything is done.
	Guard Guard
	// Client asks other nodes' client ports; nil is http.DefaultClient.
	Client *http.Client
	// Token is the cluster's join token, by which machines' nodes that aren't members
	// know that a member has judged a request. Member says whether a client URL is a
	// member's; nil knows of none.
	Token  string
	Member func(url string) bool
	// Stop, if not nil, ends requests that wait.
	Stop context.Context
	// Log takes what an operator may want to know; nil for none.
	Log *slog.Logger

	_ struct{}
}

// Handler serves the API below both prefixes, and answers everything else as
// fleet does.
func Handler(o Options) http.Handler {
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	if o.Stop == nil {
		o.Stop = context.Background()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &server{Options: o, limit: make(chan struct{}, maxWaiting)}
}

const (
	// maxWaiting bounds requests that wait for news or follow a journal.
	maxWaiting = 4096
	// gather is how long a change waits for company, so that a busy fleet doesn't have
	// its watchers ask again for each.
	gather = 100 * time.Millisecond
	// askTime bounds how long an answer waits for the leader's reasons.
	askTime = 2 * time.Second
	// readTime bounds a read.
	readTime = 2500 * time.Millisecond
	// maxBodyTime is how long a body may take to come.
	maxBodyTime = 30 * time.Second
)

type server struct {
	Options
	limit chan struct{}
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.Guard != nil {
		if refusal := s.Guard.Admin(r); refusal != nil {
			Write(w, forbid(refusal))
			return
		}
	}
	call, resp := decode(w, r)
	if resp == nil && call.Changes() && r.Header.Get("Origin") != "" {
		// Who changes units runs programs on all machines. No page of ours does it here,
		// and one of somebody else's may come under any name, this node's among them.
		resp = fleetapi.Fail(http.StatusForbidden, "pages in browsers may not change units here")
	}
	if resp != nil {
		Write(w, resp)
		return
	}
	ctx, end := context.WithCancel(r.Context())
	defer end()
	defer context.AfterFunc(s.Stop, end)()
	if call.Wait || call.Follow {
		select {
		case s.limit <- struct{}{}:
			defer func() { <-s.limit }()
		default:
			Write(w, fleetapi.Fail(http.StatusServiceUnavailable, "too many requests wait; try again"))
			return
		}
	}
	switch {
	case call.AtMachine():
		s.machine(w, r.WithContext(ctx), call)
	case call.Op == fleetapi.Discovery:
		Write(w, fleetapi.Describe())
	case call.Changes():
		Write(w, s.change(ctx, call))
	default:
		Write(w, s.read(ctx, call))
	}
}

// decode reads a request. A body is taken for what may have one, a byte more than is
// allowed, which tells that it is too long.
func decode(w http.ResponseWriter, r *http.Request) (*fleetapi.Call, *api.Response) {
	in := &fleetapi.Request{
		Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, ContentTypes: r.Header["Content-Type"],
	}
	switch r.Method {
	case http.MethodPut, http.MethodPatch, http.MethodPost:
		rc := http.NewResponseController(w)
		_ = rc.SetReadDeadline(time.Now().Add(maxBodyTime)) // a server may know no deadlines
		body, err := io.ReadAll(io.LimitReader(r.Body, fleetapi.MaxBodyBytes+1))
		_ = rc.SetReadDeadline(time.Time{})
		if _, tooLong := errors.AsType[*http.MaxBytesError](err); err != nil && !tooLong {
			return nil, fleetapi.Fail(http.StatusBadRequest, "unable to read body: "+err.Error())
		}
		in.Body = body
	}
	return fleetapi.Decode(in)
}

// forbid says in fleet's form what a guard has said in another.
func forbid(refusal *api.Response) *api.Response {
	message := "only users with the role root may do this"
	if refusal.Status >= http.StatusInternalServerError {
		message = "the user can't be judged now; try again"
	}
	return fleetapi.Fail(refusal.Status, message)
}

// Write sends an answer.
func Write(w http.ResponseWriter, resp *api.Response) {
	head(w, resp)
	_, _ = w.Write(resp.Body) // a client that is gone needs no answer
}

func head(w http.ResponseWriter, resp *api.Response) {
	for _, h := range resp.Headers {
		w.Header().Add(h.Name, h.Value)
	}
	w.WriteHeader(resp.Status)
}

// change carries out a call that changes something.
func (s *server) change(ctx context.Context, call *fleetapi.Call) *api.Response {
	if call.NeedsLook() {
		var resp *api.Response
		if failed := s.look(ctx, false, func(f *fleet.Store) { resp = call.Look(f) }); failed != nil {
			return failed
		}
		if resp != nil {
			return resp
		}
	}
	if call.Idle() {
		return call.Done(nil)
	}
	a := s.Host.Fleet(ctx, call.Command)
	if a.Refusal != nil {
		if resp := call.Refused(a.Refusal); resp != nil {
			return resp
		}
	}
	if failed := failure(&a); failed != nil {
		return failed
	}
	return call.Done(a.Fleet)
}

// read answers a call from the state.
func (s *server) read(ctx context.Context, call *fleetapi.Call) *api.Response {
	if call.Wait {
		waiting, end := context.WithTimeout(ctx, call.Timeout)
		s.Host.WaitFleet(waiting, call.After)
		if waiting.Err() == nil {
			pause(waiting, gather)
		}
		end()
	}
	var found *fleetapi.Found
	if failed := s.look(ctx, call.Local, func(f *fleet.Store) { found = call.Collect(f) }); failed != nil {
		return failed
	}
	if names := found.Troubled(); len(names) > 0 {
		asking, end := context.WithTimeout(ctx, askTime)
		if a := s.Host.AskFleet(asking, names); a.Status == consensus.Done {
			found.Explain(a.Why)
		}
		end()
	}
	return call.Encode(found)
}

// look has fn see the fleet's state, or returns the answer to who can't. As it has
// no effect, there is nothing unknown about one that failed; and as fleet's client
// waits for 3 s, it fails before that.
func (s *server) look(ctx context.Context, stale bool, fn func(*fleet.Store)) *api.Response {
	ctx, end := context.WithTimeout(ctx, readTime)
	defer end()
	a := s.Host.ReadFleet(ctx, stale, fn)
	if a.Status == consensus.Unknown {
		a.Status = consensus.Refused
	}
	return failure(&a)
}

// pause waits for a while, or for the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// failure is the answer to a request that the node didn't carry out, nil if it did.
func failure(a *node.Answer) *api.Response {
	switch {
	case a.Refusal == nil && a.Status == consensus.Done:
		return nil
	case errors.Is(a.Refusal, state.ErrNotYet):
		return fleetapi.Fail(http.StatusServiceUnavailable, "some member of the cluster runs a release that has no fleet yet")
	case a.Status == consensus.Done:
		// A refusal of the state that the API has no words for.
		return fleetapi.Fail(http.StatusInternalServerError, a.Refusal.Error())
	}
	reason := a.Reason
	if reason == "" && a.Refusal != nil {
		reason = a.Refusal.Error()
	}
	return fleetapi.Failed(a.Status == consensus.Unknown, reason)
}
