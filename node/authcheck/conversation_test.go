package authcheck_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestConversations goes through the files of testdata. A block holds requests,
// one a line:
//
//	METHOD PATH [as=USER:PASSWORD | sends=AUTHORIZATION] [BODY]
//
// The answers below it are those of etcd 3.4.23, but in decided.txt: they were
// written by this test, run with -rewrite and DRYDOCK_ORIGINAL naming the URL of
// a fresh one.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.txt"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%d conversations: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			base := os.Getenv("DRYDOCK_ORIGINAL")
			if base == "" {
				base, _ = startMember(t)
			} else if filepath.Base(file) == "decided.txt" {
				t.Skip("here the original answers differently")
			}
			datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
				var out strings.Builder
				for line := range strings.Lines(d.Input) {
					out.WriteString(say(t, base, strings.TrimSuffix(line, "\n")) + "\n")
				}
				return out.String()
			})
		})
	}
}

// say sends one request and tells of the answer what clients go by. A key's
// answer is told by its status, unless it is refused: indexes are not the same
// on every server.
func say(t *testing.T, base, line string) string {
	t.Helper()
	r := request(t, base, line)
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	words := []string{fmt.Sprint(resp.StatusCode)}
	for _, name := range []string{"Allow", "Location"} {
		if v := resp.Header.Get(name); v != "" {
			words = append(words, name+"="+v)
		}
	}
	if resp.Header.Get("X-Etcd-Cluster-Id") != "" {
		words = append(words, "cluster")
	}
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	words = append(words, strings.TrimPrefix(kind, "application/"))
	switch {
	case !strings.HasPrefix(r.URL.Path, "/v2/keys"):
		words = append(words, strings.ReplaceAll(string(body), "\n", "↵"))
	case resp.StatusCode == http.StatusUnauthorized:
		words = append(words, "index="+resp.Header.Get("X-Etcd-Index"), strings.ReplaceAll(string(body), "\n", "↵"))
	}
	return strings.TrimSpace(strings.Join(words, " "))
}

func request(t *testing.T, base, line string) *http.Request {
	t.Helper()
	method, rest, _ := strings.Cut(line, " ")
	path, rest, _ := strings.Cut(rest, " ")
	var credentials string
	if strings.HasPrefix(rest, "as=") || strings.HasPrefix(rest, "sends=") {
		credentials, rest, _ = strings.Cut(rest, " ")
	}
	r, err := http.NewRequestWithContext(t.Context(), method, base, strings.NewReader(rest))
	if err != nil {
		t.Fatal(err)
	}
	opaque, query, _ := strings.Cut(path, "?")
	// As it is written, that is, with what a client's library would clean.
	r.URL = &url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: opaque, Opaque: opaque, RawQuery: query}
	if name, password, ok := strings.Cut(strings.TrimPrefix(credentials, "as="), ":"); ok && strings.HasPrefix(credentials, "as=") {
		r.SetBasicAuth(name, password)
	}
	if raw, ok := strings.CutPrefix(credentials, "sends="); ok {
		r.Header.Set("Authorization", strings.ReplaceAll(raw, "_", " "))
	}
	if strings.HasPrefix(opaque, "/v2/keys") && rest != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}
