package transport

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/node/world"
)

func goodHello() hello {
	return hello{
		Low: 1, High: 1, Cluster: testCluster, From: 1, To: 2, Life: 77, Attempt: 3, Stream: streamMessages,
		Name: "nörd 1", Release: "1.2.3", URLs: []string{"http://127.0.0.1:7001", "https://[::1]:2380"},
	}
}

func TestHelloRoundTrip(t *testing.T) {
	want := goodHello()
	got, err := parseHello(want.header())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func TestBadHello(t *testing.T) {
	for _, tc := range []struct{ field, value, want string }{
		{headProtocol, "", `Drydock-Protocol is "", want a range`},
		{headProtocol, "1", "want a range"},
		{headProtocol, "2-1", "want a range"},
		{headProtocol, "0-1", "want a range"},
		{headProtocol, "1-99999999", "want a range"},
		{headCluster, "", "Drydock-Cluster is \"\""},
		{headCluster, "xyz", "a hexadecimal number above zero"},
		{headFrom, "0", "Drydock-From"},
		{headTo, "-1", "Drydock-To"},
		{headTo, "11112222333344445", "Drydock-To"},
		{headLife, "", "Drydock-Life"},
		{headAttempt, "0", "Drydock-Attempt"},
		{headStream, "gossip", "want messages or snapshots"},
		{headName, "%zz", "escaped text"},
		{headName, strings.Repeat("n", maxText+1), "at most 256 bytes"},
		{headRelease, strings.Repeat("n", maxText+1), "Drydock-Release"},
		{headURLs, "%zz", "an escaped URL"},
		{headURLs, "ftp%3A%2F%2Fa%3A1", "must be http or https"},
		{headURLs, "http%3A%2F%2Fa", "want host and port"},
		{headURLs, "http%3A%2F%2Fa%3A1%2Fpath", "nothing but host and port"},
		{headURLs, "http%3A%2F%2Fu%40a%3A1", "nothing but host and port"},
		{headURLs, "http%3A%2F%2Fa%3A1" + strings.Repeat("0", maxURL), "an escaped URL"},
	} {
		h := goodHello()
		head := h.header()
		head.Set(tc.field, tc.value)
		if _, err := parseHello(head); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %q: %v, want %q", tc.field, tc.value, err, tc.want)
		}
	}
	h := goodHello()
	h.URLs = make([]string, maxURLs+1)
	if _, err := parseHello(h.header()); err == nil || !strings.Contains(err.Error(), "16 at most") {
		t.Errorf("too many URLs: %v", err)
	}
}

// ask sends a handshake, as it is, and returns the answer.
func ask(t *testing.T, m *member, h *hello, change ...func(http.Header)) (status int, why Why, text string) {
	t.Helper()
	conn, err := net.Dial("tcp", m.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	head := h.header()
	for _, c := range change {
		c(head)
	}
	req := &http.Request{Method: http.MethodGet, URL: pathURL("m"), Host: "m", Header: head, ProtoMajor: 1, ProtoMinor: 1}
	if err := req.Write(conn); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp.StatusCode, "", ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, Why(resp.Header.Get(headRefused)), strings.TrimSpace(string(body))
}

func TestRefusals(t *testing.T) {
	m := startMember(t, 2, "", func(o *Options) {
		o.Removed = func(id world.MemberID) bool { return id == 13 }
	})
	m.SetPeers([]Peer{{ID: 1, URLs: []string{"http://127.0.0.1:1"}}, {ID: 2, URLs: []string{m.url}}})
	for _, tc := range []struct {
		name   string
		change func(*hello)
		header func(http.Header)
		status int
		why    Why
		text   string
	}{
		{"welcome", func(*hello) {}, nil, 101, "", ""},
		{"newer", func(h *hello) { h.High = 7 }, nil, 101, "", ""},
		{"too new", func(h *hello) { h.Low, h.High, h.Release = 2, 3, "9.0" }, nil, 426, WhyVersion, "this member (release 1.2.3) speaks versions 1 to 1 of the protocol, the caller (release unknown) 2 to 3"},
		{"too new, other fields", func(h *hello) { h.Low, h.High, h.Stream = 2, 3, "tubes" }, nil, 426, WhyVersion, "speaks versions 1 to 1"},
		{"cluster", func(h *hello) { h.Cluster = 0xdead }, nil, 412, WhyCluster, "this member is of cluster c1, the caller of cluster dead"},
		{"self", func(h *hello) { h.From = 2 }, nil, 508, WhySelf, "the caller has this member's own id 2"},
		{"addressee", func(h *hello) { h.To = 0xabc }, nil, 421, WhyAddressee, "this is member 2, not abc"},
		{"removed", func(h *hello) { h.From = 13 }, nil, 410, WhyRemoved, "member d was removed from the cluster for good"},
		{"stranger", func(h *hello) { h.From, h.URLs = 9, nil }, nil, 403, WhyStranger, "member 9 is not known here and gives no URL to be answered at"},
		{"guest", func(h *hello) { h.From, h.URLs = 9, []string{"http://127.0.0.1:1"} }, nil, 101, "", ""},
		{"field", func(h *hello) { h.Stream = "tubes" }, nil, 400, WhyRequest, `Drydock-Stream is "tubes", want messages or snapshots`},
		{"no hello", func(*hello) {}, func(h http.Header) { h.Del(headProtocol) }, 400, WhyRequest, "Drydock-Protocol"},
		{"websocket", func(*hello) {}, func(h http.Header) { h.Set("Upgrade", "websocket") }, 400, WhyRequest, `can't upgrade to "websocket"`},
	} {
		h := goodHello()
		tc.change(&h)
		if tc.header == nil {
			tc.header = func(http.Header) {}
		}
		status, why, text := ask(t, m, &h, tc.header, func(head http.Header) {
			if tc.why == WhyVersion {
				head.Del(headRelease) // may mean something else there
			}
		})
		if status != tc.status || why != tc.why || !strings.Contains(text, tc.text) {
			t.Errorf("%s: %d %q %q, want %d %q %q", tc.name, status, why, text, tc.status, tc.why, tc.text)
		}
	}
	resp, err := http.Post(m.url+Path, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", resp.StatusCode)
	}
	eventually(t, "the guest to be forgotten", func() bool { _, known := m.Stats(9); return !known })
}

// TestRefusalIsSaidOnce: a member of another cluster is told so, and both logs
// have it once however often it tries.
func TestRefusalIsSaidOnce(t *testing.T) {
	var told []Why
	b := startMember(t, 2, "")
	a := startMember(t, 1, "", func(o *Options) {
		o.Cluster = 0xbad
		o.OnRefused = func(_ world.MemberID, r *Refusal) { told = append(told, r.Why) }
	})
	a.SetPeers([]Peer{b.entry()})
	eventually(t, "several attempts", func() bool { return b.Totals().Refused > 4 })
	s, _ := a.Stats(2)
	if s.Connected || !strings.Contains(s.Reason, "this member is of cluster c1, the caller of cluster bad") {
		t.Fatalf("%+v", s)
	}
	a.Close()
	if n := a.log.count("cluster bad"); n != 1 {
		t.Errorf("the caller says it %d times:\n%s", n, a.log)
	}
	if n := b.log.count("cluster bad"); n != 1 {
		t.Errorf("the called says it %d times:\n%s", n, b.log)
	}
	if len(told) != 1 || told[0] != WhyCluster {
		t.Errorf("told %v", told)
	}
}

// TestAnswersThatAreNoWelcome has the caller look at who answers as closely.
func TestAnswersThatAreNoWelcome(t *testing.T) {
	welcome := func(change func(http.Header)) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			head := w.Header()
			head.Set("Connection", "Upgrade")
			head.Set("Upgrade", upgradeTo)
			head.Set(headProtocol, "1")
			head.Set(headCluster, "c1")
			head.Set(headFrom, "2")
			change(head)
			w.WriteHeader(http.StatusSwitchingProtocols)
		}
	}
	a := startMember(t, 1, "")
	for _, tc := range []struct {
		answer http.HandlerFunc
		want   string
	}{
		{welcome(func(http.Header) {}), ""},
		{http.NotFound, `answered 404 "404 page not found", which is not a member's (is it a peer port?)`},
		{func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hi\x1b[31m")) }, `answered 200 "hi [31m"`},
		{welcome(func(h http.Header) { h.Set("Upgrade", "websocket") }), `upgraded to "websocket"`},
		{welcome(func(h http.Header) { h.Set(headProtocol, "2") }), `it chose version "2" of 1 to 1`},
		{welcome(func(h http.Header) { h.Set(headCluster, "c2") }), "it is of cluster c2, this member of cluster c1"},
		{welcome(func(h http.Header) { h.Set(headFrom, "3") }), "it is member 3, not 2"},
		{welcome(func(h http.Header) { h.Set(headRelease, "%z") }), "Drydock-Release"},
		{func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(headRefused, string(WhyRemoved))
			w.WriteHeader(http.StatusGone)
			_, _ = w.Write([]byte(strings.Repeat("gone ", 1000)))
		}, "refused (removed): gone"},
		{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "no HTTP answer"},
	} {
		s := httptest.NewServer(tc.answer)
		l, err := a.connect(t.Context(), s.URL, 2, streamMessages)
		if err == nil {
			_ = l.conn.Close()
		}
		if (tc.want == "") != (err == nil) || (err != nil && (!strings.Contains(err.Error(), tc.want) || len(err.Error()) > 700)) {
			t.Errorf("%v, want %q", err, tc.want)
		}
		var refusal *Refusal
		if strings.HasPrefix(tc.want, "refused") && !errors.As(err, &refusal) {
			t.Errorf("%v is no Refusal", err)
		}
		s.Close()
	}
	for raw, want := range map[string]string{
		"https://127.0.0.1:1": "TLS for peers is not configured",
		"unix://x:1":          "must be http or https",
		"http://127.0.0.1:1":  "refused",
	} {
		if _, err := a.connect(t.Context(), raw, 2, streamMessages); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", raw, err, want)
		}
	}
}

func FuzzHello(f *testing.F) {
	h := goodHello()
	var b strings.Builder
	if err := h.header().Write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.String())
	f.Add("Drydock-Protocol: 1-1\r\nDrydock-Cluster: 0\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET / HTTP/1.1\r\nHost: a\r\n" + text + "\r\n")))
		if err != nil {
			return
		}
		h, err := parseHello(req.Header)
		if err != nil {
			return
		}
		again, err := parseHello(h.header())
		if err != nil {
			t.Fatalf("%+v: %v", h, err)
		}
		if diff := cmp.Diff(h, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
