package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestFounding lets more members come than there are places, at once.
func TestFounding(t *testing.T) {
	s := service(t)
	for _, way := range []struct{ name, url string }{
		{"a token", newToken(t, s.URL+"/new?size=3")},
		{"a directory", s.URL + "/v2/keys/clusters/mine"},
		{"below its own path", newToken(t, s.URL+"/discovery/new")},
	} {
		t.Run(way.name, func(t *testing.T) {
			if strings.Contains(way.url, "/v2/keys/") {
				do(t, "PUT", way.url+"/_config/size?value=3")
			}
			const members = 5
			results, errs := make([]Result, members), make([]error, members)
			var all sync.WaitGroup
			for i := range members {
				all.Go(func() { results[i], errs[i] = Join(within(t), options(way.url, i+1)) })
			}
			all.Wait()
			full := 0
			for i := range members {
				switch {
				case errors.Is(errs[i], ErrFull):
					full++
				case errs[i] != nil:
					t.Errorf("member %d: %v", i, errs[i])
				}
				if diff := cmp.Diff(results[0].Founders, results[i].Founders); diff != "" {
					t.Errorf("members 0 and %d don't agree: %s", i, diff)
				}
				in := false
				for _, p := range results[i].Founders {
					in = in || p.Name == fmt.Sprintf("n%d", i+1)
				}
				if in == errors.Is(errs[i], ErrFull) {
					t.Errorf("member %d: among the founders %v, and yet %v", i, in, errs[i])
				}
				if results[i].Renew || len(results[i].Join) != 0 || results[i].Token != way.url[strings.LastIndex(way.url, "/")+1:] {
					t.Errorf("member %d: %+v", i, results[i])
				}
			}
			if full != members-3 || len(results[0].Founders) != 3 {
				t.Errorf("%d were told that it is full; founders %v", full, results[0].Founders)
			}
			// A founder that begins again, before it has a data directory, is itself.
			again := int(results[0].Founders[0].ID - 0xa0)
			o := options(way.url, again)
			if _, err := Join(within(t), o); !errors.Is(err, ErrDuplicateID) {
				t.Errorf("another with a founder's id: %v", err)
			}
			o.Again = true
			if res, err := Join(within(t), o); err != nil || len(res.Founders) != 3 {
				t.Errorf("a founder's second start: %+v, %v", res, err)
			}
			o.PeerURLs = []string{"http://10.0.0.99:7001"}
			if _, err := Join(within(t), o); !errors.Is(err, ErrDuplicateID) {
				t.Errorf("a founder that moved: %v", err)
			}
		})
	}
}

func newToken(t *testing.T, url string) string {
	t.Helper()
	status, body := do(t, "GET", url)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", url, status, body)
	}
	return body
}

func TestRefusals(t *testing.T) {
	s := service(t)
	sized := func(dir, size string) string {
		url := s.URL + "/v2/keys/" + dir
		do(t, "PUT", url+"/_config/size?value="+size)
		return url
	}
	put := func(url, name, value string) string {
		do(t, "PUT", url+"/"+name+"?value="+value)
		return url
	}
	unknown := s.URL + "/" + strings.Repeat("0a", 16)
	for _, tt := range []struct {
		name, url, text string
		want            error
	}{
		{"no such token", unknown, "discovery: size key not found", ErrSizeNotFound},
		{"no such token, by its key", s.URL + registry + "mistyped", "discovery: size key not found", ErrSizeNotFound},
		{"size in words", sized("words", "three"), "discovery: size key is bad", ErrBadSize},
		{"size zero", sized("zero", "0"), "discovery: size key is bad", ErrBadSize},
		{"size beyond reason", sized("many", "65"), "discovery: size key is bad", ErrBadSize},
		{"id taken", put(sized("id", "2"), "a1", "x=http://h:1"), "discovery: found duplicate id", ErrDuplicateID},
		{"name taken", put(sized("name", "2"), "b1", "n1=http://h:1"), "discovery: found duplicate name", ErrDuplicateName},
		{"full", put(sized("full", "1"), "b1", "n2=http://h:1"), "discovery: cluster is full", ErrFull},
		{"full of what can't be read", put(sized("odd", "1"), "b1", "what"), "discovery: cluster is full", ErrFull},
		{"others can't be read", put(sized("odder", "2"), "b1", "what"), "discovery: bad registration", ErrRegistration},
		{"begun, but nobody there", put(s.URL+"/v2/keys/lost", "_state", "started"), "none of its members", ErrNoPeers},
		{"2014, others can't be read", put(put(s.URL+"/v2/keys/bad", "_state", "started"), "x", "y"), "bad registration", ErrRegistration},
		{"a file", put(s.URL+"/v2/keys", "file", "1") + "/file", "Not a directory", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Join(within(t), options(tt.url, 1))
			if err == nil || !strings.Contains(err.Error(), tt.text) || (tt.want != nil && !errors.Is(err, tt.want)) {
				t.Errorf("got %v, want %v: %s", err, tt.want, tt.text)
			}
		})
	}
}

// Test2014 goes through the protocol of the time: the first founds, others join.
func Test2014(t *testing.T) {
	s := service(t)
	url := s.URL + "/v2/keys/cluster"
	first, err := Join(within(t), options(url, 1))
	if diff := cmp.Diff(Result{
		Token: "cluster", Renew: true,
		Founders: []Peer{{ID: 0xa1, Name: "n1", PeerURLs: []string{"http://10.0.0.1:7001"}}},
	}, first); diff != "" || err != nil {
		t.Fatalf("%v %s", err, diff)
	}
	for n := 3; n > 1; n-- {
		res, err := Join(within(t), options(url, n))
		if err != nil || !res.Renew || len(res.Founders) != 0 || len(res.Join) != 4-n || res.Join[0].Name != "n1" {
			t.Fatalf("member %d: %+v, %v", n, res, err)
		}
		if res.Join[0].PeerURLs[0] != "http://10.0.0.1:7001" {
			t.Errorf("peers %v", res.Join)
		}
	}
	if _, body := do(t, "GET", url+"/n2"); !strings.Contains(body, `"ttl":604800`) {
		t.Errorf("registration %s", body)
	}
	if _, body := do(t, "GET", url+"/_state"); !strings.Contains(body, `"value":"started"`) {
		t.Errorf("state %s", body)
	}
}

// TestTrouble puts a server in between that fails at times: before it has passed
// a request on, or after.
func TestTrouble(t *testing.T) {
	s := service(t)
	var count atomic.Int64
	flaky := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := count.Add(1)
		if n%3 == 0 {
			http.Error(w, "nobody leads", http.StatusInternalServerError)
			return
		}
		req := r.Clone(r.Context())
		req.URL.Scheme, req.URL.Host, req.RequestURI = "http", s.Listener.Addr().String(), ""
		if n%3 == 1 {
			if resp, err := http.DefaultTransport.RoundTrip(req); err == nil {
				resp.Body.Close()
			}
			panic(http.ErrAbortHandler)
		}
		s.Config.Handler.ServeHTTP(w, r)
	}))
	defer flaky.Close()
	defer http.DefaultClient.CloseIdleConnections()
	do(t, "PUT", s.URL+"/v2/keys/sized/_config/size?value=1")
	for _, dir := range []string{"sized", "grows"} {
		o := options(flaky.URL+"/v2/keys/"+dir, 1)
		c, err := newClient(&o)
		if err != nil {
			t.Fatal(err)
		}
		c.pause = time.Millisecond
		join := c.found
		if dir == "grows" {
			join = c.join2014
		}
		res, err := join(within(t), &o)
		c.close()
		if err != nil || len(res.Founders) != 1 || res.Founders[0].ID != 0xa1 {
			t.Errorf("%s: %+v, %v", dir, res, err)
		}
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	s := service(t)
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	do(t, "PUT", s.URL+"/v2/keys/alone/_config/size?value=2")
	for _, url := range []string{s.URL + "/v2/keys/alone", dead.URL + "/v2/keys/x"} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if _, err := Join(ctx, options(url, 1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", url, err)
		}
		cancel()
	}
}

func TestOptions(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"no id":             func(o *Options) { o.ID = 0 },
		"no name":           func(o *Options) { o.Name = "" },
		"hidden name":       func(o *Options) { o.Name = "_n" },
		"name with comma":   func(o *Options) { o.Name = "a,b" },
		"no peer URL":       func(o *Options) { o.PeerURLs = nil },
		"peer URL w/o host": func(o *Options) { o.PeerURLs = []string{"http:///"} },
		"peer URL, comma":   func(o *Options) { o.PeerURLs = []string{"http://h:1/,http://i:1"} },
		"scheme":            func(o *Options) { o.URL = "ftp://h/v2/keys/x" },
		"no path":           func(o *Options) { o.URL = "http://h" },
		"no directory":      func(o *Options) { o.URL = "http://h/v2/keys/" },
		"query":             func(o *Options) { o.URL += "?size=3" },
		"not a URL":         func(o *Options) { o.URL = "http://h:x/v2/keys/x" },
		"proxy":             func(o *Options) { o.Proxy = "::" },
	} {
		o := options("http://127.0.0.1:1/v2/keys/x", 1)
		change(&o)
		if _, err := Join(t.Context(), o); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), ": ") {
			t.Errorf("%s: %v", name, err)
		}
		if err := Keep(t.Context(), o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: Keep: %v", name, err)
		}
	}
}
