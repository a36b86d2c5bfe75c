package dashboard

import (
	"net/url"
	"strings"
	"testing"
)

func TestWays(t *testing.T) {
	s := newSite(t, Options{Version: "9.9"})
	s.set("/a/b", "hello")
	for _, tc := range []struct {
		method, target string
		status         int
		location, has  string
	}{
		{"GET", "/", 302, Base, ""},
		{"GET", "/mod/dashboard", 302, Base, "<a href=\"/mod/dashboard/\">Found</a>.\n\n"},
		{"GET", Base, 200, "", ", as the only voter."},
		{"GET", Base, 200, "", "etcd dashboard"},
		{"HEAD", Base, 200, "", ""},
		{"GET", Base + "nothing", 404, "", "404 page not found"},
		{"GET", Base + "static/nothing", 404, "", "404 page not found"},
		{"GET", Base + "static/app.css", 200, "", ":root"},
		{"GET", Base + "static/app.js", 200, "", "use strict"},
		{"GET", "/elsewhere", 404, "", "404 page not found"},
		{"POST", Base, 405, "", ""},
		{"PUT", Base + "keys/a", 405, "", ""},
		{"GET", Base + "keys/", 200, "", `<a href="/mod/dashboard/keys/a">a/</a>`},
		{"GET", Base + "keys", 307, Base + "keys/", ""},
		{"GET", Base + "keys/a/", 200, "", `<a href="/mod/dashboard/keys/a/b">b</a>`},
		{"GET", Base + "keys/a/b", 200, "", "\nhello</pre>"},
		{"GET", Base + "keys/a/c", 404, "", "There is no key <code>/a/c</code>"},
		{"GET", Base + "keys/a/b/c", 400, "", "/a/b is a key with a value"},
		{"GET", Base + "keys/" + strings.Repeat("x", 9000), 400, "", "at most 8192 bytes"},
		{"GET", Base + "goto?key=a%20b/c", 303, Base + "keys/a%20b/c", ""},
		{"GET", Base + "goto?key=../x", 400, "", "There can be no key"},
		{"GET", Base + "watch/a", 200, "", "<span class=\"val\">hello</span>"},
		{"GET", Base + "watch/none", 200, "", "Nothing has changed since then."},
	} {
		a := s.ask(tc.method, tc.target, nil)
		if a.Status != tc.status || a.Header.Get("Location") != tc.location {
			t.Errorf("%s %.60s: %d to %q, want %d to %q", tc.method, tc.target, a.Status, a.Header.Get("Location"), tc.status, tc.location)
		}
		a.has(t, tc.has)
		if a.Header.Get("Content-Security-Policy") == "" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: no policy: %v", tc.method, tc.target, a.Header)
		}
	}
}

func TestForms(t *testing.T) {
	s := newSite(t, Options{})
	first := s.set("/k", "one")
	s.set("/d/x", "1")
	index := func(n uint64) string { return url.QueryEscape(count(n)) }
	for _, tc := range []struct {
		name, target, form string
		status             int
		location, has      string
		key, value         string // what must be there afterwards; "-" for nothing
	}{
		{"save", "k", "op=save&index=" + index(first) + "&value=two%0d%0alines", 303, "keys/k?done=saved", "", "/k", "two\nlines"},
		{"lost race", "k", "op=save&index=" + index(first) + "&value=mine", 412, "", "Nothing was overwritten", "/k", "two\nlines"},
		{"lost race keeps text", "k", "op=save&index=" + index(first) + "&value=mine", 412, "", ">\nmine</textarea>", "/k", "two\nlines"},
		{"no index", "k", "op=save&value=mine", 400, "", "which version", "/k", "two\nlines"},
		{"index zero", "k", "op=save&index=0&value=mine", 400, "", "which version", "/k", "two\nlines"},
		{"bad ttl", "k", "op=save&index=9&value=mine&ttl=-3", 400, "", "Give whole seconds", "/k", "two\nlines"},
		{"bad digits", "k", "op=save&index=9&value=zz&form=hex", 400, "", "not hexadecimal digits", "/k", "two\nlines"},
		{"no op", "k", "value=x", 400, "", "what to do", "/k", "two\nlines"},
		{"create", "d", "op=create&kind=key&name=new/one&value=v", 303, "keys/d/new/one?done=created", "", "/d/new/one", "v"},
		{"create again", "d", "op=create&kind=key&name=new/one&value=w", 412, "", "It exists already", "/d/new/one", "v"},
		{"create keeps text", "d", "op=create&kind=key&name=new/one&value=w%3cb%3e", 412, "", ">\nw&lt;b&gt;</textarea>", "/d/new/one", "v"},
		{"create without name", "d", "op=create&kind=key&value=w", 400, "", "Give it a name", "", ""},
		{"create with bad name", "d", "op=create&kind=key&name=a//b", 400, "", "can&#39;t be empty", "", ""},
		{"create nothing", "d", "op=create&kind=what&name=a", 400, "", "what to make", "", ""},
		{"create below a key", "k", "op=create&kind=key&name=a", 400, "", "/k is a key with a value", "", ""},
		{"directory", "", "op=create&kind=dir&name=e&value=ignored", 303, "keys/e?done=created", "", "/e", ""},
		{"directory's ttl", "e", "op=ttl&ttl=500", 303, "keys/e?done=ttl", "", "/e", ""},
		{"no ttl", "e", "op=ttl&ttl=", 400, "", "Give the time to live", "/e", ""},
		{"ttl of what is no directory", "k", "op=ttl&ttl=500", 303, "keys/k?done=ttl", "", "/k", "two\nlines"},
		{"in order", "e", "op=create&kind=inorder&name=ignored&value=v", 303, "keys/e/00000000000000000008?done=created", "", "/e/00000000000000000008", "v"},
		{"root's ttl", "", "op=ttl&ttl=500", 400, "", "root can&#39;t be changed", "", ""},
		{"delete by old index", "k", "op=delete&index=" + index(first), 412, "", "Nothing was deleted", "/k", "two\nlines"},
		{"delete", "k", "op=delete&index=7", 303, "keys/?done=deleted", "", "/k", "-"},
		{"delete again", "k", "op=delete&index=3", 404, "", "There is no such key", "/k", "-"},
		{"save what is gone", "k", "op=save&index=3&value=late", 404, "", ">\nlate</textarea>", "/k", "-"},
		{"delete full directory", "d", "op=delete&dir=true", 403, "", "The directory is not empty", "/d/x", "1"},
		{"delete tree", "d", "op=delete&dir=true&recursive=true", 303, "keys/?done=deleted", "", "/d/x", "-"},
	} {
		form, err := url.ParseQuery(tc.form)
		if err != nil {
			t.Fatal(err)
		}
		a := s.ask("POST", Base+"keys/"+tc.target, form)
		want := tc.location
		if want != "" {
			want = Base + want
		}
		if a.Status != tc.status || a.Header.Get("Location") != want {
			t.Errorf("%s: %d to %q, want %d to %q\n%s", tc.name, a.Status, a.Header.Get("Location"), tc.status, want, a.Body)
		}
		a.has(t, tc.has)
		if tc.key == "" {
			continue
		}
		if v, ok := s.value(tc.key); ok != (tc.value != "-") || (ok && v != tc.value) {
			t.Errorf("%s: %s is %q (%v), want %q", tc.name, tc.key, v, ok, tc.value)
		}
	}
}

func TestOtherOriginsChangeNothing(t *testing.T) {
	s := newSite(t, Options{})
	form := url.Values{"op": {"create"}, "kind": {"key"}, "name": {"x"}}
	for _, tc := range []struct {
		headers []string
		status  int
	}{
		{[]string{"Origin", "http://evil.example"}, 403},
		{[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		{[]string{"Sec-Fetch-Site", "same-site", "Origin", "http://sub.example"}, 403},
		{[]string{"Origin", "null"}, 403},
		{[]string{"Sec-Fetch-Site", "same-origin", "Origin", "http://evil.example"}, 303},
	} {
		if a := s.ask("POST", Base+"keys/", form, tc.headers...); a.Status != tc.status {
			t.Errorf("%v: status %d, want %d", tc.headers, a.Status, tc.status)
		}
		if _, ok := s.value("/x"); ok != (tc.status == 303) {
			t.Errorf("%v: written is %v", tc.headers, ok)
		}
	}
}
