package discovery

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRegistration(t *testing.T) {
	for _, tt := range []struct {
		id, value string
		want      *Peer
	}{
		{"a1", "n=http://h:1", &Peer{ID: 0xa1, Name: "n", PeerURLs: []string{"http://h:1"}}},
		{"ffffffffffffffff", "n=http://h:1,n=https://[::1]:2", &Peer{
			ID: 1<<64 - 1, Name: "n", PeerURLs: []string{"http://h:1", "https://[::1]:2"},
		}},
		{"0", "n=http://h:1", nil},
		{"xyz", "n=http://h:1", nil},
		{"10000000000000000", "n=http://h:1", nil},
		{"a1", "", nil},
		{"a1", "http://h:1", nil},
		{"a1", "=http://h:1", nil},
		{"a1", "n=", nil},
		{"a1", "n=ftp://h:1", nil},
		{"a1", "n=http://h:1,", nil},
		{"a1", "n=http://h:1,m=http://h:2", nil},
	} {
		got, err := parseRegistration(tt.id, tt.value)
		if tt.want == nil {
			if !errors.Is(err, ErrRegistration) {
				t.Errorf("%s %q: %v, %v", tt.id, tt.value, got, err)
			}
			continue
		}
		if diff := cmp.Diff(*tt.want, got); diff != "" || err != nil {
			t.Errorf("%s %q: %v %s", tt.id, tt.value, err, diff)
		}
		if back := formatRegistration(got.Name, got.PeerURLs); back != tt.value {
			t.Errorf("%q came back as %q", tt.value, back)
		}
	}
}

func TestOrderAndPlace(t *testing.T) {
	dir := entry{Nodes: []entry{
		{Key: "/x/c", Created: 9},
		{Key: "/x/a", Created: 11},
		{Key: "/x/_config", Dir: true, Created: 1},
		{Key: "/x/_state", Created: 2},
		{Key: "/x/d", Dir: true, Created: 3},
		{Key: "/x/b", Created: 4},
	}}
	list := registrations(dir)
	var names []string
	for _, e := range list {
		names = append(names, e.name())
	}
	if diff := cmp.Diff([]string{"b", "c", "a"}, names); diff != "" {
		t.Fatal(diff)
	}
	for _, tt := range []struct {
		self       string
		size, rank int
		full       bool
	}{
		{"b", 3, 0, false}, {"a", 3, 2, false}, {"a", 2, 2, true}, {"new", 3, -1, true}, {"new", 4, -1, false}, {"b", 1, 0, false},
	} {
		if rank, full := place(list, tt.self, tt.size); rank != tt.rank || full != tt.full {
			t.Errorf("%s of %d: rank %d, full %v", tt.self, tt.size, rank, full)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add(200, "7", []byte(`{"action":"get","node":{"key":"/x","dir":true,"nodes":[{"key":"/x/a1","value":"n=http://h:1","createdIndex":3}]}}`))
	f.Add(404, "7", []byte(`{"errorCode":100,"message":"Key not found","cause":"/x","index":7}`))
	f.Add(200, "", []byte(`{}`))
	f.Add(200, "", []byte(``))
	f.Add(502, "x", []byte(`bad gateway`))
	f.Fuzz(func(t *testing.T, status int, index string, body []byte) {
		a, err := parseAnswer("GET x", status, index, body)
		if err != nil {
			if len(err.Error()) > 2000 || (status >= 500) != errors.Is(err, errTrouble) && len(body) > 0 {
				t.Fatalf("%v", err)
			}
			return
		}
		if (a.code != 0) == (status == 200 || status == 201) {
			t.Fatalf("status %d, code %d", status, a.code)
		}
		list := registrations(a.node)
		if peers, err := founders(list, 3); err == nil {
			for _, p := range peers {
				if p.ID == 0 || p.Name == "" || len(p.PeerURLs) == 0 || strings.Contains(p.Name, "=") {
					t.Fatalf("%+v", p)
				}
			}
		}
		if peers, err := others(a.node, "n"); err == nil {
			for _, p := range peers {
				if p.Name == "n" || len(p.PeerURLs) != 1 {
					t.Fatalf("%+v", p)
				}
			}
		}
	})
}
