package legacy

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"drydock/node/api"
	"drydock/node/keys"
)

// v1Response is an event as v1 shows it.
type v1Response struct {
	Action     string     `json:"action"`
	Key        string     `json:"key"`
	Dir        bool       `json:"dir,omitempty"`
	PrevValue  *string    `json:"prevValue,omitempty"`
	Value      *string    `json:"value,omitempty"`
	NewKey     bool       `json:"newKey,omitempty"`
	Expiration *time.Time `json:"expiration,omitempty"`
	TTL        int64      `json:"ttl,omitempty"`
	Index      uint64     `json:"index"`
}

// v1Event turns an event into what v1 shows: a response, or for a directory a list
// of them. index, unless zero, stands in place of the node's own; at is the cluster
// time that ttls count from.
func v1Event(ev *keys.Event, index uint64, at time.Duration) any {
	if ev.Node.Dir {
		list := make([]v1Response, 0, len(ev.Node.Nodes))
		for _, kid := range ev.Node.Nodes {
			item := v1Response{Action: string(ev.Action), Key: kid.Key, Dir: kid.Dir, Index: kid.Modified}
			if !kid.Dir {
				item.Value = &kid.Value
			}
			list = append(list, item)
		}
		return list
	}
	resp := v1Response{Action: string(ev.Action), Key: ev.Node.Key, Index: ev.Node.Modified}
	if index != 0 {
		resp.Index = index
	}
	if !ev.Action.Removes() {
		resp.Value = &ev.Node.Value
	}
	if ev.PrevNode != nil && !ev.PrevNode.Dir {
		resp.PrevValue = &ev.PrevNode.Value
	}
	if ev.Node.HasTTL {
		expiration := time.Unix(0, ev.Node.Expiration).UTC()
		resp.Expiration, resp.TTL = &expiration, ev.Node.TTL(at)
	}
	switch ev.Action {
	case keys.ActionSet:
		resp.NewKey = ev.PrevNode == nil
	case keys.ActionCompareAndSwap, keys.ActionCreate:
		resp.Action = "testAndSet"
	}
	return resp
}

// v1Keys serves /v1/keys.
func (s *server) v1Keys(w http.ResponseWriter, r *http.Request, key string) {
	if err := r.ParseForm(); err != nil {
		s.v1Fail(w, r, fail(keys.CodeInvalidForm, err.Error(), 0))
		return
	}
	var call *api.Call
	switch r.Method {
	case "GET", "HEAD":
		call = read(key, false)
	case "PUT", "POST":
		c, f := v1Write(key, r.Form)
		if f != nil {
			s.v1Fail(w, r, f)
			return
		}
		call = write(c)
	case "DELETE":
		call = write(keys.Command{Kind: keys.Delete, Path: key})
	default:
		http.NotFound(w, r)
		return
	}
	a, err := s.do(r.Context(), r, call)
	if call.Kind == api.Read && nothingThere(err) {
		http.NotFound(w, r)
		return
	}
	if err != nil {
		s.v1Fail(w, r, err)
		return
	}
	// Reads show where the store stands, so that a watch can go on from there.
	index, at := uint64(0), a.Event.At
	if call.Kind == api.Read {
		index, at = a.Meta.EtcdIndex, a.Now.Cluster
	}
	s.v1Send(w, r, v1Event(a.Event, index, at))
}

// nothingThere says whether a read has found nothing at all of its path. That is
// answered as by a server that has no v1.
func nothingThere(err error) bool {
	var f *failure
	return errors.As(err, &f) && f.Code == keys.CodeKeyNotFound && strings.LastIndexByte(f.Cause, '/') == 0
}

// v1Write is the write that a v1 form asks for.
func v1Write(key string, form url.Values) (keys.Command, *failure) {
	c := keys.Command{Kind: keys.Set, Path: key, Value: form.Get("value")}
	if c.Value == "" {
		return c, fail(codeValueRequired, "Set", 0)
	}
	if ttl := form.Get("ttl"); ttl != "" {
		n, err := strconv.ParseUint(ttl, 10, 64)
		if err != nil {
			return c, fail(keys.CodeTTLNaN, "Set", 0)
		}
		c.HasTTL, c.TTL = true, n
	}
	if prev, ok := form["prevValue"]; ok {
		// An empty previous value means that there must be none.
		c.Kind = keys.Create
		if prev[0] != "" {
			c.Kind, c.PrevValue = keys.CompareAndSwap, prev[0]
		}
	}
	return c, nil
}

// v1Watch waits for one event of a key.
func (s *server) v1Watch(w http.ResponseWriter, r *http.Request, key string) {
	since := uint64(0)
	if r.Method == "POST" {
		n, err := strconv.ParseUint(r.FormValue("index"), 10, 64)
		if err != nil {
			s.v1Fail(w, r, fail(keys.CodeIndexNaN, "Watch From Index", 0))
			return
		}
		since = n
	}
	for {
		n, err := s.watchOnce(r.Context(), r, key, since)
		switch {
		case err != nil:
			s.v1Fail(w, r, err)
			return
		case n != nil:
			s.v1Send(w, r, v1Event(n.Event, n.Event.EtcdIndex, n.Event.At))
			return
		}
	}
}

// v1Stats passes on to what v2 has.
func (s *server) v1Stats(w http.ResponseWriter, r *http.Request, name string) {
	if s.next == nil {
		http.NotFound(w, r)
		return
	}
	in := r.Clone(r.Context())
	in.URL = &url.URL{Path: "/v2/stats/" + name, RawQuery: r.URL.RawQuery}
	in.RequestURI = in.URL.RequestURI()
	s.next.ServeHTTP(w, in)
}

func (s *server) v1Send(w http.ResponseWriter, r *http.Request, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", textPlain)
	if r.Method != "HEAD" {
		sendBody(w, body)
	}
}

// v1Fail answers what went wrong. A request's own fault shows the store's index.
func (s *server) v1Fail(w http.ResponseWriter, r *http.Request, err error) {
	var d *denied
	var f *failure
	switch {
	case errors.As(err, &d):
		sendDenied(w, d.resp)
	case errors.As(err, &f):
		if v, err := view(s.h); err == nil && f.Index == 0 {
			f.Index = v.EtcdIndex
		}
		sendJSON(w, f, applicationJSON)
	case errors.Is(err, errGone) || errors.Is(err, context.Canceled):
		http.Error(w, errGone.Error(), http.StatusServiceUnavailable)
	default:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
