package front_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"drydock/node/front"
)

// FuzzRequest feeds requests as they come from a socket. Each gets one answer of a
// known form.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"GET /v2/keys/a?recursive=true HTTP/1.1\r\nHost: h\r\n\r\n",
		"PUT /v2/keys/a HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\nvalue=1",
		"POST /v2/keys/q HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nvalue=1\r\n0\r\n\r\n",
		"GET /v2/keys/a?wait=true&stream=true&waitIndex=1 HTTP/1.1\r\nHost: h\r\n\r\n",
		"DELETE /v2/keys/a%2fb/..?recursive=1 HTTP/1.1\r\nHost: h\r\nX-Drydock-Request: 1\r\n\r\n",
		"POST /v2/members HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"peerURLs\":[]}",
		"PUT /v2/members/1cd09db950fa1747 HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n{\"peerURLs\":[\"http://h:1\"]}",
		"GET http://h/v2/stats/self HTTP/1.0\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
		"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
		"HEAD / HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n",
		"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /debug/vars HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	x := cluster(f, 1, func(x *member) {
		x.options = front.Options{Limits: front.Limits{BodyTime: time.Second}}
		// What fuzzing writes must not slow it down.
		x.cfg.CheckpointEntries = 1000
	})[0]
	h := x.handler.Load()
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			t.Skip() // net/http answers these itself
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(ctx))
		checkForm(t, r, w)
	})
}

// checkForm says whether an answer has the form of its status and type.
func checkForm(t *testing.T, r *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	body := w.Body.String()
	if w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Error("no CORS headers")
	}
	kind := w.Header().Get("Content-Type")
	switch {
	case w.Code < 200 || w.Code > 599:
		t.Errorf("status %d", w.Code)
	case w.Code == http.StatusMovedPermanently && w.Header().Get("Location") == "":
		t.Error("moved to nowhere")
	case kind == "application/json" && r.Method != "HEAD" && w.Code >= 400:
		var e struct {
			ErrorCode *int
			Message   *string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Message == nil {
			t.Errorf("%d %s: %v", w.Code, body, err)
		}
		if strings.HasPrefix(r.URL.Path, "/v2/keys") && e.ErrorCode == nil {
			t.Errorf("%d %s", w.Code, body)
		}
	case kind == "application/json" && r.Method != "HEAD":
		for d := json.NewDecoder(w.Body); d.More(); {
			var v any
			if err := d.Decode(&v); err != nil {
				t.Errorf("%s: %v", body, err)
				break
			}
		}
	case w.Code >= 400 && kind != "text/plain; charset=utf-8":
		t.Errorf("%d as %q", w.Code, kind)
	}
}
