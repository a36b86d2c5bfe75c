package qemu

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/vmlab/lab"
)

func TestRecords(t *testing.T) {
	r := records{filepath.Join(t.TempDir(), "snapshots.json")}
	if list, err := r.load(); err != nil || len(list) != 0 {
		t.Errorf("before any: %v, %v", list, err)
	}
	if _, err := r.find("one"); !errors.Is(err, lab.ErrNoSnapshot) {
		t.Errorf("before any: %v", err)
	}
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	one := lab.Snapshot{Name: "one", Taken: at, Paused: time.Second, Machines: []lab.SnapshotMachine{
		{Name: "core-01", Power: lab.PowerOn, NodeUp: true, NodePaused: true}, {Name: "core-02", Power: lab.PowerOff},
	}}
	two := lab.Snapshot{Name: "two", Taken: at.Add(time.Hour)}
	if err := errors.Join(r.add(&one), r.add(&two)); err != nil {
		t.Fatal(err)
	}
	got, err := r.find("one")
	if diff := cmp.Diff(&one, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := r.drop("one"); err != nil {
		t.Fatal(err)
	}
	list, err := r.load()
	if diff := cmp.Diff([]lab.Snapshot{two}, list); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestRecordsWrong(t *testing.T) {
	r := records{filepath.Join(t.TempDir(), "snapshots.json")}
	for text, want := range map[string]string{
		"{":                          "unexpected end of JSON",
		"{}":                         "cannot unmarshal object",
		`[{"name":"one"},{}]`:        `1: "" is no name of a snapshot`,
		`[{"name":"one,if=none"}]`:   `0: "one,if=none" is no name`,
		`[{"name":"one","taken":1}]`: "Time.UnmarshalJSON",
	} {
		if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := r.load(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), r.file) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if err := r.add(&lab.Snapshot{Name: "a"}); err == nil {
			t.Errorf("%s: was written over", text)
		}
	}
	if err := os.Truncate(r.file, maxRecords+1); err != nil {
		t.Fatal(err)
	}
	if _, err := r.load(); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a huge file: %v", err)
	}
}

func FuzzRecords(f *testing.F) {
	for _, text := range []string{`[{"name":"one","machines":[{"name":"core-01","power":"on"}]}]`, "null", "[{}]", ""} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := parseRecords(text)
		for _, s := range list {
			if !lab.IsName(s.Name) || err != nil {
				t.Errorf("%q: %q, %v", text, s.Name, err)
			}
		}
	})
}
