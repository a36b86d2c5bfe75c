package api

import (
	"net/url"
	"strconv"
	"strings"

	"drydock/node/keys"
)

// Reply is the answer to a read or write, before it has a form.
type Reply struct {
	// Call is what was asked for.
	Call *Call
	// Event is what came of it, or Err the store's refusal, if it was done.
	Event *keys.Event
	Err   *keys.Error
	// Outcome, if not zero, says that it was not done, or not known to be, and Cause
	// why.
	Outcome Outcome
	Cause   string
	// Meta goes into the head. A read's ttls count from Now, an event's from the write.
	Meta Meta
	Now  keys.Stamp
}

// Response returns the answer as headers and body.
func (r *Reply) Response() Response {
	r.settle()
	list := &headerList{list: corsHeaders(7)}
	r.head(list)
	resp := Response{Status: r.status(), Headers: list.list}
	if !r.Call.Head {
		resp.Body = r.appendBody(nil)
	}
	return resp
}

// settle makes an error of what was not done. (etcd v2 API, error 300)
func (r *Reply) settle() {
	if r.Outcome != 0 {
		r.Meta.Revision = 0
		r.Err = &keys.Error{Code: keys.CodeRaftInternal, Cause: r.Cause}
	}
}

func (r *Reply) status() int {
	switch {
	case r.Err != nil:
		return r.Err.Status()
	case r.Event.IsCreated():
		return 201
	}
	return 200
}

// head writes all headers but those of CORS. An error has no X-Raft headers, as
// etcd's has none.
func (r *Reply) head(f fields) {
	if r.Err == nil {
		doneFields(f, r.Event.EtcdIndex, &r.Meta)
		return
	}
	f.text("Content-Type", "application/json")
	clusterField(f, &r.Meta)
	f.number("X-Etcd-Index", r.Err.Index, 10)
	revisionField(f, &r.Meta)
	if r.Outcome != 0 {
		f.text(HeaderOutcome, r.Outcome.String())
	}
}

func (r *Reply) appendBody(b []byte) []byte {
	switch {
	case r.Err != nil:
		return appendError(b, r.Err)
	case r.Call.NoValueOnSuccess && r.Call.Kind == Write:
		return append(appendString(append(b, `{"action":`...), string(r.Event.Action)), "}\n"...)
	case r.Call.Kind == Read:
		return appendEvent(b, r.Event, r.Now.Cluster)
	}
	return appendEvent(b, r.Event, r.Event.At)
}

// Encode writes the answer to a read or write that was done: ev, or err if the
// store refused it. A read's ttls count from now, an event's from the write.
func Encode(call *Call, ev *keys.Event, err *keys.Error, m Meta, now keys.Stamp) Response {
	r := Reply{Call: call, Event: ev, Err: err, Meta: m, Now: now}
	return r.Response()
}

// EncodeFailure writes the answer to a call that was not done, or not known to
// be. (etcd v2 API, error 300)
func EncodeFailure(call *Call, outcome Outcome, cause string, m Meta) Response {
	r := Reply{Call: call, Outcome: outcome, Cause: cause, Meta: m}
	return r.Response()
}

// EncodeWatchHead writes the head of a watch's answer, which goes out at once;
// m.EtcdIndex is the index at which the watch began. A watch that could not
// begin is answered by Encode with its error.
func EncodeWatchHead(_ *Call, m Meta) Response {
	list := &headerList{list: corsHeaders(6)}
	doneFields(list, m.EtcdIndex, &m)
	return Response{Status: 200, Headers: list.list}
}

// EncodeWatchEvent writes one event of a watch: a line of JSON.
func EncodeWatchEvent(ev *keys.Event) []byte { return appendEvent(nil, ev, ev.At) }

// encodeError writes a refusal.
func encodeError(e *keys.Error, m Meta, head bool) Response {
	r := Reply{Call: &Call{Head: head}, Err: e, Meta: m}
	return r.Response()
}

func appendError(b []byte, e *keys.Error) []byte {
	b = append(b, `{"errorCode":`...)
	b = strconv.AppendInt(b, int64(e.Code), 10)
	b = append(b, `,"message":`...)
	b = appendString(b, e.Message())
	if e.Cause != "" {
		b = append(b, `,"cause":`...)
		b = appendString(b, e.Cause)
	}
	b = append(b, `,"index":`...)
	b = strconv.AppendUint(b, e.Index, 10)
	return append(b, "}\n"...)
}

// fields takes the headers of an answer, in order.
type fields interface {
	text(name, value string)
	number(name string, n uint64, base int)
}

// headerList makes a list of them.
type headerList struct{ list []Header }

func (l *headerList) text(name, value string) { l.list = append(l.list, Header{name, value}) }

func (l *headerList) number(name string, n uint64, base int) {
	l.text(name, strconv.FormatUint(n, base))
}

// doneFields are the headers of everything that is not an error.
func doneFields(f fields, index uint64, m *Meta) {
	f.text("Content-Type", "application/json")
	clusterField(f, m)
	f.number("X-Etcd-Index", index, 10)
	f.number("X-Raft-Index", m.RaftIndex, 10)
	f.number("X-Raft-Term", m.RaftTerm, 10)
	revisionField(f, m)
}

func clusterField(f fields, m *Meta) {
	if m.ClusterID != 0 {
		f.number("X-Etcd-Cluster-Id", m.ClusterID, 16)
	}
}

func revisionField(f fields, m *Meta) {
	if m.Revision != 0 {
		f.number(HeaderRevision, m.Revision, 10)
	}
}

// corsHeaders are on every answer, so that pages of any origin may use the
// API; there is room for more after them.
func corsHeaders(more int) []Header {
	return append(make([]Header, 0, 3+more),
		Header{"Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE"},
		Header{"Access-Control-Allow-Origin", "*"},
		Header{"Access-Control-Allow-Headers", "accept, content-type, authorization"})
}

// text is an answer for people.
func text(method string, status int, body string) *Response {
	resp := &Response{Status: status, Headers: append(corsHeaders(3),
		Header{"Content-Type", "text/plain; charset=utf-8"},
		Header{"X-Content-Type-Options", "nosniff"})}
	if method != "HEAD" {
		resp.Body = []byte(body)
	}
	return resp
}

// moved leads a client to the clean form of its path. Only a GET is told so in
// words.
func moved(method, clean, query string) *Response {
	to := (&url.URL{Path: clean, RawQuery: query}).String()
	h := append(corsHeaders(2), Header{"Location", to})
	resp := &Response{Status: 301}
	if method == "GET" || method == "HEAD" {
		h = append(h, Header{"Content-Type", "text/html; charset=utf-8"})
	}
	if method == "GET" {
		resp.Body = []byte(`<a href="` + markup.Replace(to) + `">Moved Permanently</a>.` + "\n\n")
	}
	resp.Headers = h
	return resp
}

var markup = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")
