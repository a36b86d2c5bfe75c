package worker

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMemory(t *testing.T) {
	dir := t.TempDir()
	m, err := readMemory(dir, "w")
	if err != nil || m.Worker != "" || m.Name != "w" {
		t.Fatalf("%+v, %v", m, err)
	}
	m.Cluster, m.Worker = "c1", "a7"
	m.Members = []memberJSON{{ID: "1", Name: "n1", ClientURLs: []string{"http://h:1"}, PeerURLs: []string{"http://h:2"}}}
	if err := m.write(dir); err != nil {
		t.Fatal(err)
	}
	back, err := readMemory(dir, "renamed")
	m.Name = "renamed"
	if diff := cmp.Diff(m, back); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if !Remembers(dir) || Remembers(t.TempDir()) {
		t.Error("who remembers, and who doesn't")
	}
	if info, err := os.Stat(filepath.Join(dir, memoryFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for name, text := range map[string]string{
		"empty":                   ``,
		"not JSON":                `worker`,
		"another version":         `{"version":2}`,
		"a worker and no cluster": `{"version":1,"worker":"c1"}`,
		"an id that is none":      `{"version":1,"cluster":"c1","worker":"0"}`,
		"a cluster that is none":  `{"version":1,"cluster":"xyz","worker":"1"}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, memoryFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readMemory(dir, "w"); !errors.Is(err, ErrMemory) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
	member := t.TempDir()
	identity := `{"version":1,"cluster":"c1","member":"7","name":"one"}`
	if err := os.WriteFile(filepath.Join(member, "member.json"), []byte(identity), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readMemory(member, "w"); err == nil || !strings.Contains(err.Error(), "belongs to member one") {
		t.Errorf("a member's directory: %v", err)
	}
}

func FuzzDecodeMemory(f *testing.F) {
	f.Add([]byte(`{"version":1,"cluster":"c1","worker":"a7","name":"w","members":[{"id":"1","name":"n","clientURLs":["http://h:1","ftp://h"]}]}`))
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := decodeMemory(text)
		if err != nil {
			return
		}
		for _, u := range clientURLs(m.Members) {
			if err := checkURL(u); err != nil {
				t.Fatal(err)
			}
		}
		dir := t.TempDir()
		if err := m.write(dir); err != nil {
			t.Fatal(err)
		}
		back, err := readMemory(dir, m.Name)
		if err != nil || back.Worker != m.Worker || !sameMembers(back.Members, m.Members) {
			t.Fatalf("%+v came back as %+v, %v", m, back, err)
		}
	})
}
