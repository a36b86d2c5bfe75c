package discovery

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestService(t *testing.T) {
	s := service(t)
	token := newToken(t, s.URL+"/new?size=5")
	if !regexp.MustCompile(`^` + regexp.QuoteMeta(s.URL) + `/[0-9a-f]{32}$`).MatchString(token) {
		t.Fatalf("URL %q", token)
	}
	if again := newToken(t, s.URL+"/new?size=5"); again == token {
		t.Errorf("the same token twice")
	}
	id := token[strings.LastIndex(token, "/")+1:]
	unknown := s.URL + "/" + strings.Repeat("0", 32)
	for _, tt := range []struct {
		method, url string
		status      int
		body        string
	}{
		{"GET", token + "/_config/size", 200, `"key":"/_etcd/registry/` + id + `/_config/size","value":"5"`},
		{"GET", s.URL + "/discovery/" + id + "/_config/size", 200, `"value":"5"`},
		{"GET", token, 200, `"dir":true`},
		{"PUT", token + "/a1?value=x", 201, `"value":"x"`},
		{"PUT", token + "/a1?value=x&prevExist=false", 412, `"errorCode":105`},
		{"GET", token + "/", 200, `"key":"/_etcd/registry/` + id + `/a1"`},
		{"HEAD", token + "/a1", 200, ""},
		{"DELETE", token + "/a1", 200, `"action":"delete"`},
		{"GET", unknown, 404, `"errorCode":100`},
		{"POST", token, 405, "Method Not Allowed"},
		{"GET", token + "/a/b", 404, "404"},
		{"GET", s.URL + "/discovery/short", 404, "404"},
		{"GET", s.URL + "/new?size=x", 400, "number from 1 to 64"},
		{"GET", s.URL + "/new?size=0", 400, "number from 1 to 64"},
		{"GET", s.URL + "/new?size=65", 400, "number from 1 to 64"},
		{"DELETE", s.URL + "/new", 405, "Method Not Allowed"},
		{"PUT", s.URL + "/new?size=1", 200, s.URL},
		{"GET", s.URL + "/discovery/new", 200, s.URL + "/discovery/"},
	} {
		status, body := do(t, tt.method, tt.url)
		if status != tt.status || !strings.Contains(body, tt.body) {
			t.Errorf("%s %s: %d %s; want %d %s", tt.method, tt.url, status, body, tt.status, tt.body)
		}
	}
	if _, body := do(t, "GET", newToken(t, s.URL+"/new")+"/_config/size"); !strings.Contains(body, `"value":"3"`) {
		t.Errorf("default size: %s", body)
	}
}

func TestNewPassesRefusalsOn(t *testing.T) {
	guarded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, _, ok := r.BasicAuth(); !ok || user != "root" {
			w.Header().Set("X-Etcd-Index", "0")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte("who are you?"))
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	for user, want := range map[string]int{"": http.StatusUnauthorized, "root": http.StatusOK} {
		r := httptest.NewRequest("GET", "/new", nil)
		r.Header.Set("X-Forwarded-Proto", "https")
		if user != "" {
			r.SetBasicAuth(user, "secret")
		}
		w := httptest.NewRecorder()
		Handler(guarded).ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d", user, w.Code)
		}
		if want == http.StatusOK && !strings.HasPrefix(w.Body.String(), "https://example.com/") {
			t.Errorf("URL %s", w.Body)
		}
		if want != http.StatusOK && (w.Body.String() != "who are you?" || w.Header().Get("X-Etcd-Index") != "0") {
			t.Errorf("%v %s", w.Header(), w.Body)
		}
	}
}

func TestOwns(t *testing.T) {
	token := strings.Repeat("f", 32)
	for path, want := range map[string]bool{
		"/new": true, "/discovery/new": true, "/" + token: true, "/" + token + "/_config/size": true,
		"/": false, "/newer": false, "/v2/keys/" + token: false, "/" + token + "0": false, "/" + strings.ToUpper(token): false,
		"/version": false, "/discovery": false, "": false,
	} {
		if Owns(path) != want {
			t.Errorf("%q: %v", path, !want)
		}
	}
}
