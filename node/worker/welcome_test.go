package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"drydock/node/state"
)

func newWelcome(secret string) *welcome {
	w := JoinHandler(nil, 0xc1, secret).(*welcome)
	w.members = func() ([]state.Member, error) {
		return []state.Member{{ID: 7, Name: "one", ClientURLs: []string{"http://h:1"}}}, nil
	}
	return w
}

func post(h http.Handler, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", PathJoin, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestWelcome(t *testing.T) {
	h := newWelcome("secret")
	for _, tt := range []struct {
		token, body string
		status      int
		text        string
	}{
		{"Bearer secret", `{"name":"w"}`, 200, `"cluster":"c1"`},
		{"Bearer secret", `{"name":"w","worker":"abc","cluster":"c1"}`, 200, `"worker":"abc"`},
		{"Bearer secret", `{"name":"w","worker":"0","cluster":"c1"}`, 400, "not an id"},
		{"Bearer secret", `{"name":"w","worker":"abc","cluster":"c2"}`, 409, "this is cluster c1"},
		{"Bearer secret", `{"name":""}`, 400, "name: want 1 to 256 bytes"},
		{"Bearer secret", `{"name":"` + strings.Repeat("n", 257) + `"}`, 400, "name: want 1 to 256 bytes"},
		{"Bearer secret", `name=w`, 400, "not JSON"},
		{"Bearer wrong", `{"name":"w"}`, 403, "the join token is wrong"},
		{"Bearer ", `{"name":"w"}`, 403, "the join token is wrong"},
		{"secret", `{"name":"w"}`, 403, "the join token is wrong"},
		{"", `{"name":"w"}`, 403, "the join token is wrong"},
	} {
		if w := post(h, tt.token, tt.body); w.Code != tt.status || !strings.Contains(w.Body.String(), tt.text) {
			t.Errorf("%q %s: %d %s; want %d %s", tt.token, tt.body, w.Code, w.Body, tt.status, tt.text)
		}
	}
	var ids [2]joinAnswer
	for i := range ids {
		if err := json.Unmarshal(post(h, "Bearer secret", `{"name":"w"}`).Body.Bytes(), &ids[i]); err != nil {
			t.Fatal(err)
		}
	}
	if ids[0].Worker == ids[1].Worker || len(ids[0].Members) != 1 || ids[0].Members[0].ClientURLs[0] != "http://h:1" {
		t.Errorf("%+v", ids)
	}
	r := httptest.NewRequest("GET", PathJoin, nil)
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != 405 || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %d", w.Code)
	}
	for _, token := range []string{"", "Bearer ", "Bearer x"} {
		if w := post(newWelcome(""), token, `{"name":"w"}`); w.Code != 403 || !strings.Contains(w.Body.String(), "lets no workers in") {
			t.Errorf("without a secret: %d %s", w.Code, w.Body)
		}
	}
	h.members = func() ([]state.Member, error) { return nil, errors.New("stopped") }
	if w := post(h, "Bearer secret", `{"name":"w"}`); w.Code != 503 {
		t.Errorf("a stopped member: %d", w.Code)
	}
}

// TestGuessingIsSlow counts how many wrong tokens are judged in ten seconds.
func TestGuessingIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newWelcome("secret")
		judged := 0
		for i := range 10000 {
			if post(h, fmt.Sprint("Bearer guess", i), `{"name":"w"}`).Code == 403 {
				judged++
			}
			<-time.After(time.Millisecond)
		}
		if judged < maxWrong || judged > 11*maxWrong {
			t.Errorf("%d guesses were judged", judged)
		}
		<-time.After(2 * wrongWindow)
		if w := post(h, "Bearer secret", `{"name":"w"}`); w.Code != 200 {
			t.Errorf("who knows it: %d", w.Code)
		}
	})
}

func FuzzWelcome(f *testing.F) {
	f.Add("Bearer secret", `{"name":"w"}`)
	f.Add("Bearer secret", `{"name":"w","worker":"abc","cluster":"c1"}`)
	f.Add("", `{`)
	h := newWelcome("secret")
	f.Fuzz(func(t *testing.T, token, body string) {
		if strings.ContainsAny(token, "\r\n") {
			return
		}
		w := post(h, token, body)
		if w.Code != http.StatusOK {
			return
		}
		if token != "Bearer secret" {
			t.Fatalf("%q was let in", token)
		}
		var a joinAnswer
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		if _, err := parseID(a.Worker); err != nil || a.Cluster != "c1" {
			t.Fatalf("%+v: %v", a, err)
		}
	})
}
