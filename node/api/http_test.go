package api_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drydock/node/api"
	"drydock/node/keys"
)

// reread reads an answer's bytes as a client does.
func reread(t rapid.TB, b []byte) api.Response {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(b))
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("%v: %q", err, b)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || r.Buffered() > 0 || resp.ContentLength != int64(len(body)) {
		t.Fatalf("%v, %d bytes behind %d: %q", err, r.Buffered(), resp.ContentLength, b)
	}
	if want := http.StatusText(resp.StatusCode); !strings.HasSuffix(resp.Status, " "+want) {
		t.Errorf("status %s, not %s", resp.Status, want)
	}
	out := api.Response{Status: resp.StatusCode, Body: body}
	// In the order of the bytes.
	for line := range strings.SplitSeq(string(b[:bytes.Index(b, []byte("\r\n\r\n"))]), "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok && name != "Content-Length" {
			out.Headers = append(out.Headers, api.Header{Name: name, Value: value})
		}
	}
	return out
}

// TestAppendIsTheResponse: bytes and values say the same.
func TestAppendIsTheResponse(t *testing.T) {
	text := rapid.SampledFrom([]string{"", "/a", "/a b", "\x00<\u00e4\xff\u2028>", strings.Repeat("x", 3000)})
	node := rapid.Custom(func(t *rapid.T) *keys.Node {
		return &keys.Node{Key: "/" + text.Draw(t, "key"), Value: text.Draw(t, "value"), Created: rapid.Uint64().Draw(t, "created"), HasTTL: rapid.Bool().Draw(t, "ttl"), Due: 1 << 40}
	})
	var frame api.Frame // used again and again
	rapid.Check(t, func(t *rapid.T) {
		r := api.Reply{
			Call:  &api.Call{Kind: rapid.SampledFrom([]api.CallKind{api.Read, api.Write}).Draw(t, "kind"), NoValueOnSuccess: rapid.Bool().Draw(t, "short")},
			Event: &keys.Event{Action: rapid.SampledFrom([]keys.Action{keys.ActionGet, keys.ActionSet, keys.ActionDelete}).Draw(t, "action"), Node: node.Draw(t, "node"), EtcdIndex: rapid.Uint64().Draw(t, "index")},
			Meta: api.Meta{
				ClusterID: rapid.Uint64Range(0, 3).Draw(t, "cluster"), RaftIndex: rapid.Uint64().Draw(t, "raft"),
				RaftTerm: 3, Revision: rapid.Uint64Range(0, 2).Draw(t, "revision"),
			},
		}
		switch rapid.IntRange(0, 3).Draw(t, "form") {
		case 0:
			r.Err = &keys.Error{Code: rapid.SampledFrom([]int{100, 101, 102, 105, 110, 209, 300}).Draw(t, "code"), Cause: text.Draw(t, "cause"), Index: 9}
		case 1:
			r.Outcome, r.Cause = api.Unknown, text.Draw(t, "cause")
		}
		want := r.Response()
		want.Headers = append([]api.Header{{Name: "Date", Value: "now"}}, want.Headers[3:]...) // those of CORS are the frame's
		frame.Lines, frame.Close = []byte("Date: now\r\n"), rapid.Bool().Draw(t, "close")
		b, status := r.Append([]byte("before"), &frame)
		if frame.Close {
			want.Headers = append(want.Headers, api.Header{Name: "Connection", Value: "close"})
		}
		got := reread(t, bytes.TrimPrefix(b, []byte("before")))
		if d := cmp.Diff(want, got); d != "" || status != want.Status {
			t.Fatalf("%d: %s", status, d)
		}
		again := want
		again.Headers = again.Headers[1:]
		if frame.Close {
			again.Headers = again.Headers[:len(again.Headers)-1]
		}
		if d := cmp.Diff(want, reread(t, again.Append(nil, &frame))); d != "" {
			t.Fatal(d)
		}
	})
}

// TestReasons: each status that is answered has its phrase.
func TestReasons(t *testing.T) {
	var frame api.Frame
	for _, status := range []int{200, 201, 400, 401, 403, 404, 405, 412, 500} {
		resp := api.Response{Status: status}
		reread(t, resp.Append(nil, &frame))
	}
	resp := api.Response{Status: 499}
	if b := resp.Append(nil, &frame); !strings.HasPrefix(string(b), "HTTP/1.1 499 status code 499\r\n") {
		t.Errorf("%q", b)
	}
}

func BenchmarkAppend(b *testing.B) {
	r := api.Reply{
		Call:  &api.Call{Kind: api.Read},
		Event: &keys.Event{Action: keys.ActionGet, Node: &keys.Node{Key: "/bench/k123", Value: strings.Repeat("abcdefgh", 32), Created: 12345, Modified: 23456}, EtcdIndex: 34567},
		Meta:  api.Meta{ClusterID: 1 << 60, RaftIndex: 34567, RaftTerm: 2, Revision: 45678},
	}
	var frame api.Frame
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out, _ = r.Append(out[:0], &frame)
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, r := range map[string]api.Request{
		"get": {Method: "GET", Target: "/v2/keys/bench/k123"},
		"put": {Method: "PUT", Target: "/v2/keys/bench/k123", ContentType: "application/x-www-form-urlencoded", Body: []byte("value=" + strings.Repeat("abcdefgh", 32))},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, resp := api.Decode(&r); resp != nil {
					b.Fatal(resp.Status)
				}
			}
		})
	}
}
