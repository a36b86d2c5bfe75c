package discovery

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const (
	// registry is where the keyspace holds the tokens.
	registry = "/v2/keys/_etcd/registry/"
	// Prefix is where the service can be asked for by a path of its own. It
	// answers without it as well, since that is where its URLs lead.
	Prefix = "/discovery/"

	tokenBytes  = 16
	defaultSize = "3"
)

// Owns reports whether a request for path is the service's: /new, a token, or
// what is below /discovery/.
func Owns(path string) bool {
	if strings.HasPrefix(path, Prefix) || path == "/new" {
		return true
	}
	token, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return isToken(token)
}

func isToken(s string) bool {
	return len(s) == 2*tokenBytes && strings.Trim(s, "0123456789abcdef") == ""
}

// Handler serves discovery over the keyspace that keys serves at /v2/keys. Who
// may do what is up to keys: it gets every request with the caller's headers.
func Handler(keys http.Handler) http.Handler {
	return &server{keys: keys}
}

type server struct{ keys http.Handler }

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, prefix := r.URL.EscapedPath(), "/"
	if rest, ok := strings.CutPrefix(path, Prefix); ok {
		path, prefix = "/"+rest, Prefix
	}
	if path == "/new" {
		s.create(w, r, prefix)
		return
	}
	token, rest, _ := strings.Cut(strings.Trim(path, "/"), "/")
	if !isToken(token) || (strings.Contains(rest, "/") && rest != "_config/size") {
		http.NotFound(w, r)
		return
	}
	switch r.Method {
	case "GET", "HEAD", "PUT", "DELETE", "OPTIONS":
	default:
		refuse(w, "GET,HEAD,PUT,DELETE,OPTIONS")
		return
	}
	target := registry + token
	if rest != "" {
		target += "/" + rest
	}
	in, err := redirect(r, target, r.URL.RawQuery)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.keys.ServeHTTP(w, in)
}

// create draws a token and answers its URL.
func (s *server) create(w http.ResponseWriter, r *http.Request, prefix string) {
	if r.Method != "GET" && r.Method != "PUT" {
		refuse(w, "GET,PUT")
		return
	}
	value := r.FormValue("size")
	if value == "" {
		value = defaultSize
	}
	size, err := parseSize(value)
	if err != nil {
		http.Error(w, fmt.Sprintf("size: %q is not a number from 1 to %d", value, MaxSize), http.StatusBadRequest)
		return
	}
	var raw [tokenBytes]byte
	if _, err := rand.Read(raw[:]); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	token := hex.EncodeToString(raw[:])
	in, err := redirect(r, registry+token+"/_config/size", "prevExist=false")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	form := url.Values{"value": {fmt.Sprint(size)}}.Encode()
	in.Method, in.Body, in.ContentLength = "PUT", io.NopCloser(strings.NewReader(form)), int64(len(form))
	in.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	in.TransferEncoding = nil
	var made capture
	s.keys.ServeHTTP(&made, in)
	if made.status != http.StatusCreated {
		made.replay(w)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	// Nobody is left to tell when the connection is gone.
	_, _ = io.WriteString(w, origin(r)+prefix+token)
}

// redirect is r as a request for another path.
func redirect(r *http.Request, escaped, query string) (*http.Request, error) {
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, err
	}
	in := r.Clone(r.Context())
	in.URL = &url.URL{Path: path, RawPath: escaped, RawQuery: query}
	in.RequestURI = in.URL.RequestURI()
	in.Form, in.PostForm, in.MultipartForm = nil, nil, nil
	return in, nil
}

// origin is the server's address as the client knows it.
func origin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

func refuse(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
}

// capture keeps an answer instead of sending it.
type capture struct {
	head   http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (c *capture) Header() http.Header {
	if c.head == nil {
		c.head = make(http.Header)
	}
	return c.head
}

// WriteHeader implements http.ResponseWriter.
func (c *capture) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
}

// Write implements http.ResponseWriter.
func (c *capture) Write(b []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	return c.body.Write(b)
}

// replay sends what was kept.
func (c *capture) replay(w http.ResponseWriter) {
	for name, values := range c.head {
		w.Header()[name] = values
	}
	w.WriteHeader(max(c.status, http.StatusOK))
	// Nobody is left to tell when the connection is gone.
	_, _ = w.Write(c.body.Bytes())
}
