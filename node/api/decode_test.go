// etcd's server cleaned decoded paths, as Go's did up to 1.21.
//
//go:debug httpmuxgo121=1
package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drydock/node/api"
	"drydock/node/keys"
)

const formType = "application/x-www-form-urlencoded"

func TestDecodeMakesCalls(t *testing.T) {
	write := func(c keys.Command) api.Call { return api.Call{Kind: api.Write, Path: c.Path, Write: c} }
	for _, tc := range []struct {
		method, target, form string
		want                 api.Call
	}{
		{"GET", "/v2/keys", "", api.Call{Path: "/"}},
		{"GET", "/v2/keys/a/?sorted=1&recursive=1&quorum=1", "", api.Call{Path: "/a", Recursive: true, Sorted: true, Linearizable: true}},
		{"HEAD", "/v2/keys/a", "", api.Call{Path: "/a", Head: true}},
		{"GET", "/v2/keys/a?wait=true&stream=true&waitIndex=7&recursive=t", "", api.Call{Kind: api.Watch, Path: "/a", Recursive: true, Stream: true, Since: 7}},
		{"GET", "/v2/keys/a?wait=true&waitIndex=7&quorum=true", "", api.Call{Path: "/a", Linearizable: true}},
		{"GET", "/v2/keys/a?waitIndex=7&stream=true", "", api.Call{Path: "/a"}},
		{"PUT", "/v2/keys/a", "value=v&ttl=5", write(keys.Command{Kind: keys.Set, Path: "/a", Value: "v", HasTTL: true, TTL: 5})},
		{"PUT", "/v2/keys/a", "dir=true&value=v", write(keys.Command{Kind: keys.Set, Path: "/a", Dir: true})},
		{"PUT", "/v2/keys/a", "refresh=true&ttl=0", write(keys.Command{Kind: keys.Set, Path: "/a", Refresh: true, HasTTL: true})},
		{"PUT", "/v2/keys/a?prevExist=0&prevValue=p&prevIndex=3", "value=v", write(keys.Command{Kind: keys.Create, Path: "/a", Value: "v"})},
		{"PUT", "/v2/keys/a?prevExist=1", "value=v&dir=true", write(keys.Command{Kind: keys.Update, Path: "/a", Value: "v"})},
		{"PUT", "/v2/keys/a?prevExist=1&prevIndex=3", "value=v", write(keys.Command{Kind: keys.CompareAndSwap, Path: "/a", Value: "v", PrevIndex: 3})},
		{"PUT", "/v2/keys/a?prevValue=p", "value=v", write(keys.Command{Kind: keys.CompareAndSwap, Path: "/a", Value: "v", PrevValue: "p"})},
		{"PUT", "/v2/keys/a?prevIndex=0", "", write(keys.Command{Kind: keys.Set, Path: "/a"})},
		{"POST", "/v2/keys/a?prevIndex=3&prevExist=true", "value=v&refresh=false", write(keys.Command{Kind: keys.CreateInOrder, Path: "/a", Value: "v"})},
		{"DELETE", "/v2/keys/a?dir=1&recursive=1&ttl=3", "prevValue=in-the-body", write(keys.Command{Kind: keys.Delete, Path: "/a", Dir: true, Recursive: true})},
		{"DELETE", "/v2/keys/a?dir=1&prevIndex=3", "", write(keys.Command{Kind: keys.CompareAndDelete, Path: "/a", PrevIndex: 3})},
	} {
		r := &api.Request{Method: tc.method, Target: tc.target, Body: []byte(tc.form), Token: "t-1"}
		if tc.form != "" {
			r.ContentType = formType
		}
		tc.want.Token = "t-1"
		got, resp := api.Decode(r)
		if diff := cmp.Diff(tc.want, got); diff != "" || resp != nil {
			t.Errorf("%s %s %s: %+v (-want +got)\n%s", tc.method, tc.target, tc.form, resp, diff)
		}
	}
}

func TestDecodeReadsFormsAlone(t *testing.T) {
	for contentType, want := range map[string]string{
		"":                                  "",
		formType:                            "v",
		"Application/X-WWW-Form-Urlencoded": "v",
		formType + "; charset=utf-8":        "v",
		formType + `; a="b;c\"d" ; e=f`:     "v",
		formType + ";":                      "v",
		"application/json":                  "",
		"multipart/form-data; boundary=x":   "",
		"text":                              "",
		";":                                 "210 mime: no media type",
		"a b":                               "210 mime: no media type",
		"text/":                             "210 mime: no media type",
		formType + "; charset":              "210 mime: invalid media parameter",
		formType + `; a="open`:              "210 mime: invalid media parameter",
		formType + `; a="b" c`:              "210 mime: invalid media parameter",
		formType + "; =b":                   "210 mime: invalid media parameter",
	} {
		call, resp := api.Decode(&api.Request{
			Method: "PUT", Target: "/v2/keys/a", ContentType: contentType, Body: []byte("value=v"),
		})
		got := call.Write.Value
		if resp != nil {
			var e struct {
				ErrorCode int
				Cause     string
			}
			if err := json.Unmarshal(resp.Body, &e); err != nil {
				t.Fatal(err)
			}
			got = fmt.Sprint(e.ErrorCode, " ", e.Cause)
		}
		if got != want {
			t.Errorf("%q: %q, not %q", contentType, got, want)
		}
	}
}

func TestDecodeIsBounded(t *testing.T) {
	big := "value=" + strings.Repeat("v", api.MaxFormBytes-len("value="))
	for name, tc := range map[string]struct {
		r    api.Request
		want string
	}{
		"largest form":  {api.Request{Target: "/v2/keys/a", Body: []byte(big)}, ""},
		"larger form":   {api.Request{Target: "/v2/keys/a", Body: []byte(big + "v")}, "http: POST too large"},
		"longest key":   {api.Request{Target: "/v2/keys/" + strings.Repeat("k", keys.MaxPathBytes-1)}, ""},
		"longer key":    {api.Request{Target: "/v2/keys/" + strings.Repeat("k", keys.MaxPathBytes)}, "key is longer than 8192 bytes"},
		"deepest key":   {api.Request{Target: "/v2/keys" + strings.Repeat("/d", api.MaxDepth)}, ""},
		"deeper key":    {api.Request{Target: "/v2/keys" + strings.Repeat("/d", api.MaxDepth+1)}, "key has more than 256 components"},
		"longest token": {api.Request{Target: "/v2/keys/a", Token: strings.Repeat("t", api.MaxTokenBytes)}, ""},
		"longer token":  {api.Request{Target: "/v2/keys/a", Token: strings.Repeat("t", api.MaxTokenBytes+1)}, "X-Drydock-Request"},
		"space token":   {api.Request{Target: "/v2/keys/a", Token: "a b"}, "X-Drydock-Request"},
		"newline token": {api.Request{Target: "/v2/keys/a", Token: "a\nb"}, "X-Drydock-Request"},
		"foreign token": {api.Request{Target: "/v2/keys/a", Token: "\u00e9"}, "X-Drydock-Request"},
	} {
		tc.r.Method, tc.r.ContentType = "PUT", formType
		_, resp := api.Decode(&tc.r)
		switch {
		case tc.want == "" && resp != nil:
			t.Errorf("%s: %d %s", name, resp.Status, resp.Body)
		case tc.want != "" && (resp == nil || resp.Status != 400 || !strings.Contains(string(resp.Body), tc.want)):
			t.Errorf("%s: %+v, not %q", name, resp, tc.want)
		}
	}
}

// TestDecodeTreatsPathsAsGoDoes compares redirects and not-founds with those
// of a ServeMux, which is what etcd's answers come from.
func TestDecodeTreatsPathsAsGoDoes(t *testing.T) {
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }
	mux.HandleFunc("/v2/keys", ok)
	mux.HandleFunc("/v2/keys/", ok)
	parts := rapid.SliceOfN(rapid.SampledFrom([]string{
		"/", "/", "//", "a", "b%20c", ".", "..", "%2F", "%2e", "é", "<&>", "_x", "+",
	}), 0, 6)
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.SampledFrom([]string{"/v2/keys", "/v2/keys", "/v2", ""}).Draw(t, "prefix")
		target := prefix + "/" + strings.Join(parts.Draw(t, "parts"), "")
		query := rapid.SampledFrom([]string{"", "?x=1", "?a=<b>&c='\""}).Draw(t, "query")
		method := rapid.SampledFrom([]string{"GET", "HEAD", "PUT"}).Draw(t, "method")
		u, err := url.ParseRequestURI(target + query)
		if err != nil {
			t.Skip("not a request line")
		}
		rec := httptest.NewRecorder()
		mux.ServeHTTP(rec, &http.Request{Method: method, URL: u, Host: "h", Header: http.Header{}, RequestURI: target + query})
		_, resp := api.Decode(&api.Request{Method: method, Target: target + query})
		if rec.Code == http.StatusTeapot {
			if resp != nil {
				t.Fatalf("%s %s: %d %s", method, target, resp.Status, resp.Body)
			}
			return
		}
		location, body := rec.Header().Get("Location"), rec.Body.String()
		if method == "HEAD" {
			body = "" // as a server drops it
		}
		if resp == nil || resp.Status != rec.Code || resp.Get("Location") != location || string(resp.Body) != body {
			t.Fatalf("%s %s: %+v, not %d %s %s", method, target, resp, rec.Code, location, body)
		}
	})
}

func TestEncodeFailure(t *testing.T) {
	m := api.Meta{ClusterID: 0xab, RaftIndex: 9, RaftTerm: 2, EtcdIndex: 7, Revision: 8}
	call := &api.Call{Kind: api.Write}
	for outcome, want := range map[api.Outcome]string{api.Refused: "refused", api.Unknown: "unknown"} {
		r := api.EncodeFailure(call, outcome, "etcdserver: request timed out", m)
		body := `{"errorCode":300,"message":"Raft Internal Error","cause":"etcdserver: request timed out","index":0}` + "\n"
		if r.Status != 500 || string(r.Body) != body || r.Get(api.HeaderOutcome) != want ||
			r.Get("X-Etcd-Index") != "0" || r.Get("X-Etcd-Cluster-Id") != "ab" || r.Get(api.HeaderRevision) != "" {
			t.Errorf("%v: %d %v %s", outcome, r.Status, r.Headers, r.Body)
		}
	}
	if r := api.EncodeFailure(&api.Call{Head: true}, api.Refused, "x", m); r.Body != nil || r.Status != 500 {
		t.Errorf("HEAD: %d %s", r.Status, r.Body)
	}
}

// jsonNode and jsonEvent are the protocol's types, for encoding/json to encode.
type jsonNode struct {
	Key        string     `json:"key,omitempty"`
	Value      *string    `json:"value,omitempty"`
	Dir        bool       `json:"dir,omitempty"`
	Expiration *time.Time `json:"expiration,omitempty"`
	TTL        int64      `json:"ttl,omitempty"`
	Nodes      []jsonNode `json:"nodes,omitempty"`
	Modified   uint64     `json:"modifiedIndex,omitempty"`
	Created    uint64     `json:"createdIndex,omitempty"`
}

type jsonEvent struct {
	Action string    `json:"action"`
	Node   jsonNode  `json:"node"`
	Prev   *jsonNode `json:"prevNode,omitempty"`
}

func plainNode(n *keys.Node, at time.Duration, withValue bool) jsonNode {
	j := jsonNode{Key: n.Key, Dir: n.Dir, TTL: n.TTL(at), Modified: n.Modified, Created: n.Created}
	if n.Key == "/" {
		j.Key = ""
	}
	if withValue && !n.Dir {
		j.Value = &n.Value
	}
	if n.HasTTL {
		end := time.Unix(0, n.Expiration).UTC()
		j.Expiration = &end
	}
	for _, kid := range n.Nodes {
		j.Nodes = append(j.Nodes, plainNode(kid, at, true))
	}
	return j
}

func drawNode(t *rapid.T, depth int) *keys.Node {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[<>&"\\\x00-\x20\x{2028}\x{2029}]{0,5}`),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 8), func(b []byte) string { return string(b) }))
	n := &keys.Node{Key: "/" + text.Draw(t, "key"), Dir: rapid.Bool().Draw(t, "dir")}
	n.Created, n.Modified = rapid.Uint64Min(1).Draw(t, "created"), rapid.Uint64Min(1).Draw(t, "modified")
	if !n.Dir {
		n.Value = text.Draw(t, "value")
	} else if depth > 0 {
		for range rapid.IntRange(0, 2).Draw(t, "kids") {
			n.Nodes = append(n.Nodes, drawNode(t, depth-1))
		}
	}
	if n.Key == "/" {
		n.Dir, n.Value, n.Created, n.Modified = true, "", 0, 0
	} else if rapid.Bool().Draw(t, "ttl") {
		n.HasTTL, n.Due = true, time.Duration(rapid.Int64Range(-5e9, 5e9).Draw(t, "due"))
		n.Expiration = rapid.Int64Min(0).Draw(t, "expiration")
	}
	return n
}

// TestJSONIsWhatEncodingJSONMakes holds the encoder against the library whose
// output clients were written for.
func TestJSONIsWhatEncodingJSONMakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		action := rapid.SampledFrom([]keys.Action{keys.ActionGet, keys.ActionSet, keys.ActionExpire}).Draw(t, "action")
		ev := &keys.Event{Action: action, Node: drawNode(t, 2), At: time.Duration(rapid.Int64Range(0, 2e9).Draw(t, "at"))}
		j := jsonEvent{Action: string(action), Node: plainNode(ev.Node, ev.At, !action.Removes())}
		if rapid.Bool().Draw(t, "prev") {
			ev.PrevNode = drawNode(t, 0)
			prev := plainNode(ev.PrevNode, ev.At, true)
			j.Prev = &prev
		}
		want, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want)+"\n", string(api.EncodeWatchEvent(ev))); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzDecode plays what decodes against a store; whatever comes in, an answer
// that is well formed comes out.
func FuzzDecode(f *testing.F) {
	for _, s := range [][4]string{
		{"PUT", "/v2/keys/a?prevExist=false", formType, "value=v&ttl=5"},
		{"DELETE", "/v2/keys/%41/b?recursive=true", "", ""},
		{"GET", "/v2/keys//a/../b?wait=true&waitIndex=3", "", ""},
		{"POST", "/v2/keys/q?x=1;y", formType + "; charset=\"u\\tf\"", "value=%zz"},
		{"OPTIONS", "*", "", ""},
	} {
		f.Add(s[0], s[1], s[2], []byte(s[3]), "token")
	}
	f.Fuzz(func(t *testing.T, method, target, contentType string, body []byte, token string) {
		m := newMember()
		m.do(&api.Request{Method: "PUT", Target: "/v2/keys/a?value=1"})
		r := &api.Request{Method: method, Target: target, ContentType: contentType, Body: body, Token: token}
		call, resp := api.Decode(r)
		if resp == nil && !keys.IsClean(call.Path) {
			t.Fatalf("%q leads to %q", target, call.Path)
		}
		x := m.do(r)
		if x.resp.Status < 200 || x.resp.Status > 500 {
			t.Fatalf("%s %q: status %d", method, target, x.resp.Status)
		}
		if x.resp.Get("Content-Type") == "application/json" && len(x.body) > 0 {
			if _, err := decodeJSON(x.body); err != nil {
				t.Fatalf("%s %q: %v", method, target, err)
			}
		}
		for _, h := range x.resp.Headers {
			if strings.ContainsAny(h.Value, "\r\n") {
				t.Fatalf("%s %q: header %s: %q", method, target, h.Name, h.Value)
			}
		}
		if m.store.Digest() != m.store.Recompute() {
			t.Fatalf("%s %q: the store's digest is off", method, target)
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	s := keys.New()
	r := &api.Request{Method: "PUT", Target: "/v2/keys/app/k", ContentType: formType, Body: []byte("value=" + strings.Repeat("v", 256))}
	b.ReportAllocs()
	for b.Loop() {
		call, _ := api.Decode(r)
		ev, err := s.Apply(&call.Write, keys.Stamp{})
		api.Encode(&call, ev, err, api.Meta{ClusterID: 1}, keys.Stamp{})
	}
}

func BenchmarkRead(b *testing.B) {
	s := keys.New()
	s.Apply(&keys.Command{Kind: keys.Set, Path: "/app/k", Value: strings.Repeat("v", 256)}, keys.Stamp{})
	r := &api.Request{Method: "GET", Target: "/v2/keys/app/k?quorum=true"}
	b.ReportAllocs()
	for b.Loop() {
		call, _ := api.Decode(r)
		ev, err := s.Get(call.Path, call.Recursive, call.Sorted, keys.Stamp{})
		api.Encode(&call, ev, err, api.Meta{ClusterID: 1}, keys.Stamp{})
	}
}
