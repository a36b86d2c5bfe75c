package dashboard

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"drydock/node/keys"
)

// directory is one with n keys.
func directory(n int) *keys.Node {
	dir := &keys.Node{Key: "/d", Dir: true, Created: 1, Modified: 1}
	for i := range n {
		dir.Nodes = append(dir.Nodes, &keys.Node{Key: fmt.Sprintf("/d/k%05d", i), Value: fmt.Sprint(i), Created: uint64(i), Modified: uint64(i)})
	}
	return dir
}

func TestPagesOfADirectory(t *testing.T) {
	d := &dashboard{}
	const at = Base + "keys/d"
	for _, tc := range []struct {
		keys           int
		query          string
		first, last    string
		from, to, all  int
		prev, next     string
		toggle, action string
	}{
		{0, "", "", "", 0, 0, 0, "", "", at + "?hidden=1", at},
		{200, "", "k00000", "k00199", 1, 200, 200, "", "", at + "?hidden=1", at},
		{201, "", "k00000", "k00199", 1, 200, 201, "", at + "?page=2", at + "?hidden=1", at},
		{201, "page=2", "k00200", "k00200", 201, 201, 201, at, "", at + "?hidden=1", at},
		{450, "page=2", "k00200", "k00399", 201, 400, 450, at, at + "?page=3", at + "?hidden=1", at},
		{450, "page=99", "k00400", "k00449", 401, 450, 450, at + "?page=2", "", at + "?hidden=1", at},
		{450, "page=-3", "k00000", "k00199", 1, 200, 450, "", at + "?page=2", at + "?hidden=1", at},
		{450, "page=x", "k00000", "k00199", 1, 200, 450, "", at + "?page=2", at + "?hidden=1", at},
		{450, "q=K0004", "k00040", "k00049", 1, 10, 10, "", "", at + "?hidden=1&q=K0004", at},
		{10000, "q=9&page=2", "", "", 201, 400, 3439, at + "?q=9", at + "?page=3&q=9", at + "?hidden=1&q=9", at},
		{10, "q=none", "", "", 0, 0, 0, "", "", at + "?hidden=1&q=none", at},
	} {
		q, err := url.ParseQuery(tc.query)
		if err != nil {
			t.Fatal(err)
		}
		l := d.list(nil, directory(tc.keys), keys.Stamp{}, q)
		if l.From != tc.from || l.To != tc.to || l.Matching != tc.all || l.Total != tc.keys ||
			l.Prev != tc.prev || l.Next != tc.next || l.Toggle != tc.toggle || l.Action != tc.action {
			t.Errorf("%d keys, %s: %d to %d of %d of %d, prev %s, next %s, toggle %s", tc.keys, tc.query,
				l.From, l.To, l.Matching, l.Total, l.Prev, l.Next, l.Toggle)
		}
		if tc.first != "" && (l.Rows[0].Name != tc.first || l.Rows[len(l.Rows)-1].Name != tc.last) {
			t.Errorf("%d keys, %s: from %s to %s", tc.keys, tc.query, l.Rows[0].Name, l.Rows[len(l.Rows)-1].Name)
		}
	}
}

func TestHiddenNames(t *testing.T) {
	s := newSite(t, Options{})
	for _, key := range []string{"/_top", "/a", "/d/_in", "/d/b", "/d/e/_deep"} {
		s.set(key, "x")
	}
	for target, want := range map[string]string{
		"keys/": "a d/", "keys/?hidden=1": "_top a d/", "keys/d": "b e/", "keys/d?hidden=1": "_in b e/", "keys/d/e?hidden=1": "_deep",
	} {
		var names []string
		for _, part := range strings.Split(s.ask("GET", Base+target, nil).Body, `class="name"><a href="`)[1:] {
			_, name, _ := strings.Cut(part, ">")
			name, _, _ = strings.Cut(name, "<")
			names = append(names, name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s lists %s, want %s", target, got, want)
		}
	}
}

// TestKeyPages compares what a page shows of keys with testdata.
func TestKeyPages(t *testing.T) {
	d := &dashboard{}
	dir := directory(2)
	dir.Nodes = append(dir.Nodes,
		&keys.Node{Key: "/d/<b>", Value: "<script>alert(1)</script>", Created: 7, Modified: 8},
		&keys.Node{Key: "/d/é ?#", Value: "\x00\xff", HasTTL: true, Due: 90 * time.Second, Modified: 9},
		&keys.Node{Key: "/d/sub", Dir: true, HasTTL: true, Due: 2 * time.Hour, Modified: 10})
	until := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	data := readValue("a\x00b")
	pages := map[string]*keyPage{
		"dir": {
			Path: "/d", Crumbs: crumbs("/d"), Listing: d.list(nil, dir, keys.Stamp{}, url.Values{"q": {"<x>"}}), Done: doneTexts["deleted"],
			Node: &nodeView{Dir: true, Created: 1, Modified: 1, API: "/v2/keys/d"}, New: &newForm{Action: keyURL("/d"), Kind: kindDir},
			Edit: &editForm{Action: keyURL("/d"), Dir: true}, Delete: &deleteForm{Action: keyURL("/d"), Dir: true, Name: "/d", Index: 1},
		},
		"list": {
			Path: "/d", Listing: d.list(nil, dir, keys.Stamp{}, nil), Node: &nodeView{Dir: true, Root: true}, New: &newForm{Kind: kindKey},
		},
		"file": {
			Path: "/d/a", Crumbs: crumbs("/d/a"), Problem: lostRace("/d/a", 412, "save"), News: changesURL("/d/a"),
			Node: &nodeView{Created: 3, Modified: 5, HasTTL: true, Left: 300, Until: until, Value: readValue("now\n"), API: "/v2/keys/d/a"},
			Edit: &editForm{Action: keyURL("/d/a"), Index: 5, Form: asText, Field: "</textarea>typed", TTL: "300", Over: true},
		},
		"data": {
			Path: "/d/a", Node: &nodeView{Created: 3, Modified: 5, Value: data},
			Edit:   &editForm{Action: keyURL("/d/a"), Index: 5, Form: data.Form, Field: data.Field},
			Delete: &deleteForm{Action: keyURL("/d/a"), Name: "/d/a", Index: 5},
		},
		"none": {Path: "/x/y", Crumbs: crumbs("/x/y"), New: &newForm{Action: keyURL("/x"), Name: "y", Kind: kindKey}},
	}
	for name, p := range pages {
		b, err := piece("keys", "content", p)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		golden(t, "keys-"+name+".html", b)
	}
}

// TestManyKeys holds that a directory of 10,000 keys is shown promptly and sends
// no more than a page of it.
func TestManyKeys(t *testing.T) {
	d := &dashboard{}
	dir := directory(10000)
	begun := time.Now()
	const rounds = 20
	for range rounds {
		p := &keyPage{Path: "/d", Listing: d.list(nil, dir, keys.Stamp{}, nil), Node: &nodeView{Dir: true}, New: &newForm{}}
		b, err := piece("keys", "content", p)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 100<<10 {
			t.Fatalf("the page has %d bytes", len(b))
		}
	}
	// It takes about 1 ms; the bound bears a slow machine with much else to do.
	if took := time.Since(begun) / rounds; took > 200*time.Millisecond {
		t.Errorf("a page took %v", took)
	}
}
