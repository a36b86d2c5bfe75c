package api

import (
	"net/url"
	"strconv"
	"strings"

	"drydock/node/keys"
)

// Encode writes the answer to a read or write that was done: ev, or err if the
// store refused it. A read's ttls count from now, an event's from the write.
func Encode(call *Call, ev *keys.Event, err *keys.Error, m Meta, now keys.Stamp) Response {
	if err != nil {
		return encodeError(err, m, call.Head)
	}
	resp := Response{Status: 200, Headers: doneHeaders(ev.EtcdIndex, m)}
	if ev.IsCreated() {
		resp.Status = 201
	}
	switch {
	case call.Head:
	case call.NoValueOnSuccess && call.Kind == Write:
		resp.Body = append(appendString([]byte(`{"action":`), string(ev.Action)), "}\n"...)
	case call.Kind == Read:
		resp.Body = appendEvent(nil, ev, now.Cluster)
	default:
		resp.Body = appendEvent(nil, ev, ev.At)
	}
	return resp
}

// EncodeFailure writes the answer to a call that was not done, or not known to
// be. (etcd v2 API, error 300)
func EncodeFailure(call *Call, outcome Outcome, cause string, m Meta) Response {
	m.Revision = 0
	resp := encodeError(&keys.Error{Code: keys.CodeRaftInternal, Cause: cause}, m, call.Head)
	resp.Headers = append(resp.Headers, Header{HeaderOutcome, outcome.String()})
	return resp
}

// EncodeWatchHead writes the head of a watch's answer, which goes out at once;
// m.EtcdIndex is the index at which the watch began. A watch that could not
// begin is answered by Encode with its error.
func EncodeWatchHead(_ *Call, m Meta) Response {
	return Response{Status: 200, Headers: doneHeaders(m.EtcdIndex, m)}
}

// EncodeWatchEvent writes one event of a watch: a line of JSON.
func EncodeWatchEvent(ev *keys.Event) []byte { return appendEvent(nil, ev, ev.At) }

// encodeError writes a refusal. It has no X-Raft headers, as etcd's has none.
func encodeError(e *keys.Error, m Meta, head bool) Response {
	h := corsHeaders(5)
	h = append(h, Header{"Content-Type", "application/json"})
	h = appendCluster(h, m)
	h = append(h, Header{"X-Etcd-Index", strconv.FormatUint(e.Index, 10)})
	h = appendRevision(h, m)
	resp := Response{Status: e.Status(), Headers: h}
	if head {
		return resp
	}
	b := append([]byte(`{"errorCode":`), strconv.Itoa(e.Code)...)
	b = append(b, `,"message":`...)
	b = appendString(b, e.Message())
	if e.Cause != "" {
		b = append(b, `,"cause":`...)
		b = appendString(b, e.Cause)
	}
	b = append(b, `,"index":`...)
	b = strconv.AppendUint(b, e.Index, 10)
	resp.Body = append(b, "}\n"...)
	return resp
}

// doneHeaders are the headers of everything that is not an error.
func doneHeaders(index uint64, m Meta) []Header {
	h := corsHeaders(6)
	h = append(h, Header{"Content-Type", "application/json"})
	h = appendCluster(h, m)
	h = append(h,
		Header{"X-Etcd-Index", strconv.FormatUint(index, 10)},
		Header{"X-Raft-Index", strconv.FormatUint(m.RaftIndex, 10)},
		Header{"X-Raft-Term", strconv.FormatUint(m.RaftTerm, 10)})
	return appendRevision(h, m)
}

// corsHeaders are on every answer, so that pages of any origin may use the
// API; there is room for more after them.
func corsHeaders(more int) []Header {
	return append(make([]Header, 0, 3+more),
		Header{"Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE"},
		Header{"Access-Control-Allow-Origin", "*"},
		Header{"Access-Control-Allow-Headers", "accept, content-type, authorization"})
}

func appendCluster(h []Header, m Meta) []Header {
	if m.ClusterID == 0 {
		return h
	}
	return append(h, Header{"X-Etcd-Cluster-Id", strconv.FormatUint(m.ClusterID, 16)})
}

func appendRevision(h []Header, m Meta) []Header {
	if m.Revision == 0 {
		return h
	}
	return append(h, Header{HeaderRevision, strconv.FormatUint(m.Revision, 10)})
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
