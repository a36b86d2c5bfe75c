package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIdentity(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadIdentity(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("an empty directory: %v", err)
	}
	want := Identity{Cluster: 0xabc, ID: 0xffffffffffffffff, Name: "n1", Bootstrap: []Address{{ID: 2, PeerURLs: []string{"http://127.0.0.1:1"}}}}
	if err := WriteIdentity(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	if err := WriteIdentity(dir, want); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("a second identity: %v", err)
	}
}

// TestFoundingIdentity: a directory that is being founded is nobody's yet.
func TestFoundingIdentity(t *testing.T) {
	dir := t.TempDir()
	for _, id := range []Identity{
		{Cluster: 1, ID: 2, Name: "cut short", Founding: true},
		{Cluster: 3, ID: 4, Name: "again", Founding: true},
		{Cluster: 3, ID: 4, Name: "again"},
	} {
		if err := WriteIdentity(dir, id); err != nil {
			t.Fatal(err)
		}
		got, err := ReadIdentity(dir)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(id, got); d != "" {
			t.Fatal(d)
		}
	}
	if err := WriteIdentity(dir, Identity{Cluster: 5, ID: 6}); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("over a member's: %v", err)
	}
}

func TestBadIdentity(t *testing.T) {
	for text, want := range map[string]string{
		``:                             "unexpected end",
		`{"version":2}`:                "version 2, this release reads 1",
		`{"version":1}`:                `cluster: "" is not an id`,
		`{"version":1,"cluster":"0"}`:  `cluster: "0" is not an id`,
		`{"version":1,"cluster":"1"}`:  `member: "" is not an id`,
		`{"version":1,"cluster":"1g"}`: `cluster: "1g" is not an id`,
		`{"version":1,"cluster":1}`:    "cannot unmarshal",
		`{"version":1,"cluster":"1","member":"2","bootstrap":[{"member":"x"}]}`: `bootstrap.member: "x" is not an id`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, identityFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadIdentity(dir); !errors.Is(err, ErrIdentity) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func FuzzIdentity(f *testing.F) {
	f.Add([]byte(`{"version":1,"cluster":"1","member":"2","name":"x","bootstrap":[{"member":"3","peerURLs":["http://a:1"]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if id, err := decodeIdentity(b); err == nil && (id.Cluster == 0 || id.ID == 0) {
			t.Fatalf("%q gave %+v", b, id)
		}
	})
}
