package front

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/consensus"
	"drydock/node/host"
	"drydock/node/keys"
)

// keys serves /v2/keys.
func (f *Front) keys(w *writer, r *http.Request) {
	in := intake{f: f}
	defer in.release()
	body, resp := in.read(w, r)
	if resp != nil {
		w.answer(resp)
		return
	}
	call, resp := api.Decode(&api.Request{
		Method: r.Method, Target: target(r), ContentType: r.Header.Get("Content-Type"), Body: body,
		Token: r.Header.Get(api.HeaderToken), ClusterID: f.cluster,
	})
	if resp == nil && f.guard != nil {
		resp = f.guard.Keys(r, &call)
	}
	switch {
	case resp != nil:
		if resp.Status == http.StatusBadRequest && tooLongKey(r.URL.Path) {
			f.meter.refuse(limitPath)
		}
		w.answer(resp)
	case call.Kind == api.Watch:
		w.leave()
		f.watch(w, r, &call)
	default:
		began := time.Now()
		a := f.host.Do(r.Context(), &call)
		f.conclude(&call, &a, began)
		resp := a.Response(&call)
		w.answer(&resp)
	}
}

// conclude completes the answer to a call that began then, and counts it.
func (f *Front) conclude(call *api.Call, a *node.Answer, began time.Time) {
	f.explain(a, began)
	if a.Status != consensus.Done {
		f.meter.failed(call.Kind, a.Status)
		if a.Reason == consensus.ReasonBusy {
			f.meter.refuse(limitQueue)
		}
	}
	if a.Meta.ClusterID == 0 {
		a.Meta.ClusterID = f.cluster // the host's own answers have none
	}
}

// Causes of time-outs, as etcd gives them; clients look for the first part.
const (
	causeLeaderFailed   = consensus.ReasonTimeout + ", possibly due to previous leader failure"
	causeConnectionLost = consensus.ReasonTimeout + ", possibly due to connection lost"
)

// explain gives an answer that came by time-out the cause that etcd would give.
func (f *Front) explain(a *node.Answer, began time.Time) {
	if a.Status == consensus.Done || (a.Reason != consensus.ReasonTimeout && a.Reason != consensus.ReasonNoLeader) {
		return
	}
	lead := f.host.Leadership()
	a.Reason = cause(&lead, began, f.connected(lead.Role))
}

// cause says why a request that began then has timed out by now.
func cause(lead *host.Leadership, began time.Time, connected bool) string {
	switch {
	case lead.Role.Lead == 0:
		return consensus.ReasonTimeout
	case lead.Since.After(began):
		return causeLeaderFailed
	case !connected:
		return causeConnectionLost
	}
	return consensus.ReasonTimeout
}

// connected says whether frames can go to the leader.
func (f *Front) connected(r node.Role) bool {
	if r.Leader || f.links == nil {
		return true
	}
	for _, l := range f.links.Links() {
		if l.ID == r.Lead {
			return l.Connected
		}
	}
	return true
}

// watch serves a watch: the head at once, each event as it comes.
func (f *Front) watch(w *writer, r *http.Request, call *api.Call) {
	w.long = true
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(f.closing, cancel)()
	if f.closing.Err() != nil {
		// An empty answer would have the client ask here again.
		f.watchFailed(w, call, context.Canceled)
		return
	}
	hw, err := f.host.Watch(ctx, call)
	if err != nil {
		f.watchFailed(w, call, err)
		return
	}
	defer hw.Close()
	f.meter.watches.Inc()
	defer f.meter.watches.Dec()
	for {
		n, err := hw.Next(ctx)
		if err != nil {
			f.watchFailed(w, call, err)
			return
		}
		if !f.tell(w, call, &n) || n.Last {
			return
		}
	}
}

// tell writes one piece of news. It returns false when nothing more can follow.
func (f *Front) tell(w *writer, call *api.Call, n *node.WatchNews) bool {
	switch {
	case n.Err != nil && w.status == 0:
		resp := api.Encode(call, nil, n.Err, n.Meta, n.Now)
		w.answer(&resp)
		return false
	case n.Err != nil:
		return false // the head is out: a body without an event means "ask again"
	case n.Head:
		resp := api.EncodeWatchHead(call, n.Meta)
		w.answer(&resp)
	default:
		if _, err := w.Write(api.EncodeWatchEvent(n.Event)); err != nil {
			return false
		}
		f.meter.events.Inc()
	}
	return !n.Last && w.FlushError() == nil
}

// watchFailed ends a watch. Before its head is out there is an answer to give.
func (f *Front) watchFailed(w *writer, call *api.Call, err error) {
	if errors.Is(err, host.ErrLagging) {
		f.meter.refuse(limitLag)
	}
	if w.status != 0 {
		return
	}
	resp := f.watchRefusal(call, err)
	w.answer(&resp)
}

// watchRefusal is the answer to a watch that could not begin.
func (f *Front) watchRefusal(call *api.Call, err error) api.Response {
	why, meta := err.Error(), api.Meta{ClusterID: f.cluster}
	var refusal *host.Refusal
	if errors.As(err, &refusal) {
		why, meta = refusal.Answer.Reason, refusal.Answer.Meta
	}
	switch {
	case errors.Is(err, host.ErrBusy):
		f.meter.refuse(limitQueue)
	case why == consensus.ReasonBusy:
		// The node's bound on watches; a watch waits in no other line.
		f.meter.refuse(limitWatches)
		why += ": too many watches are open at this member"
	}
	if errors.Is(err, context.Canceled) {
		why = "etcdserver: server stopped"
	}
	f.meter.failed(call.Kind, consensus.Refused)
	return api.EncodeFailure(call, api.Refused, why, meta)
}

// intake reads the body of one request and accounts for it.
type intake struct {
	f    *Front
	held int64
}

// pieceBytes is how much of a body is read at a time.
const pieceBytes = 64 << 10

func (in *intake) hold(n int64) bool {
	in.held += n
	return in.f.bodies.Add(n) <= in.f.limits.BodyBytes
}

// release gives back what was held.
func (in *intake) release() { in.f.bodies.Add(-in.held) }

// read returns the body of a request that may carry a form, and nothing of others;
// or the answer to a request whose body is too large or does not come.
func (in *intake) read(w *writer, r *http.Request) ([]byte, *api.Response) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	l := &in.f.limits
	if (r.Method != "PUT" && r.Method != "POST") || !mayBeForm(r.Header.Get("Content-Type")) {
		return nil, in.skip(w, r)
	}
	if r.ContentLength > l.FormBytes {
		return nil, in.tooLarge(w, r)
	}
	w.readBy(l.BodyTime)
	room := r.ContentLength
	if room < 0 || room > pieceBytes {
		room = pieceBytes
	}
	body := make([]byte, 0, room+1)
	for {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		piece := body[len(body):min(cap(body), len(body)+pieceBytes)]
		n, err := r.Body.Read(piece)
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > l.FormBytes:
			return nil, in.tooLarge(w, r)
		case !in.hold(int64(n)):
			in.f.meter.refuse(limitBodies)
			w.last()
			resp := api.EncodeFailure(&api.Call{}, api.Refused, consensus.ReasonBusy, api.Meta{ClusterID: in.f.cluster})
			return nil, &resp
		case errors.Is(err, io.EOF):
			// What comes now is the next request, or that the client is gone.
			w.readBy(0)
			return body, nil
		case err != nil:
			return nil, in.broken(w, r, err)
		}
	}
}

// skip reads past a body that means nothing, so that the end of the connection
// can be seen behind it; one that is too long ends the connection.
func (in *intake) skip(w *writer, r *http.Request) *api.Response {
	w.readBy(in.f.limits.BodyTime)
	_, err := io.CopyN(io.Discard, r.Body, maxSkipped)
	switch {
	case errors.Is(err, io.EOF):
		w.readBy(0)
	case err != nil:
		return in.broken(w, r, err)
	case r.Method == "GET":
		// It may be a watch, and nobody could see its client go.
		return in.tooLarge(w, r)
	default:
		w.last()
	}
	return nil
}

// maxSkipped is how much of a meaningless body is read.
const maxSkipped = 256 << 10

func (in *intake) tooLarge(w *writer, r *http.Request) *api.Response {
	w.last()
	in.f.meter.refuse(limitForm)
	return in.f.badForm(r, fmt.Sprintf("http: POST too large (at most %d bytes)", in.f.limits.FormBytes))
}

func (in *intake) broken(w *writer, r *http.Request, err error) *api.Response {
	w.last()
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return in.f.badForm(r, err.Error())
	}
	in.f.meter.refuse(limitBodyTime)
	resp := in.f.badForm(r, fmt.Sprintf("the request's body did not come within %v", in.f.limits.BodyTime))
	resp.Status = http.StatusRequestTimeout
	return resp
}

func (f *Front) badForm(r *http.Request, why string) *api.Response {
	call := api.Call{Head: r.Method == "HEAD"}
	refusal := &keys.Error{Code: keys.CodeInvalidForm, Cause: why}
	resp := api.Encode(&call, nil, refusal, api.Meta{ClusterID: f.cluster}, keys.Stamp{})
	return &resp
}

// tooLongKey says whether it may have been the key that was refused.
func tooLongKey(p string) bool {
	p = strings.TrimPrefix(p, "/v2/keys")
	return len(p) > keys.MaxPathBytes || strings.Count(p, "/") > api.MaxDepth
}

// mayBeForm says whether a body is worth reading. Whether it is a form is for
// api.Decode to say.
func mayBeForm(contentType string) bool {
	const form = "application/x-www-form-urlencoded"
	contentType = strings.TrimSpace(contentType)
	return len(contentType) >= len(form) && strings.EqualFold(contentType[:len(form)], form)
}
