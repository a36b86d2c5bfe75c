package fleetapi_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/node/fleet"
	"drydock/node/fleetapi"
)

// TestAsTheRealServer repeats a conversation that was recorded with the handlers of
// fleet 1.0 over their own fake registry. Left out of it is where fleet has no words
// of its own (errors of decoders), fails, or knows no current state, as with that
// registry; the scripts have what is answered there.
func TestAsTheRealServer(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	var said []struct {
		Request, Body, Answer string
		Status                int
	}
	if err := json.Unmarshal(text, &said); err != nil {
		t.Fatal(err)
	}
	if len(said) < 150 {
		t.Fatalf("only %d requests", len(said))
	}
	w := &scripted{store: fleet.New(), why: make(map[string]string)}
	for _, s := range said {
		r := ask(s.Request, s.Body)
		r.Path = strings.ReplaceAll(r.Path, "%40", "@")
		if s.Body == "" {
			r.ContentTypes = nil
		}
		resp := w.answer(r)
		if resp.Status != s.Status || string(resp.Body) != s.Answer {
			t.Errorf("%s %.100s: %d\n%s", s.Request, s.Body, resp.Status, cmp.Diff(s.Answer, string(resp.Body)))
		}
		if got := resp.Get("Server"); got != "fleetd/v1.0.0" {
			t.Errorf("%s: from %q", s.Request, got)
		}
	}
}

// FuzzBodies holds that whatever is taken can be applied, and shown.
func FuzzBodies(f *testing.F) {
	f.Add("PUT /fleet/v1/units/a.service", hello)
	f.Add("PATCH /fleet/v1/machines", `[{"op":"add","path":"/1/metadata/a","value":{"value":"x"}}]`)
	f.Fuzz(func(t *testing.T, line, body string) {
		w := &scripted{store: fleet.New(), why: make(map[string]string)}
		resp := w.answer(ask(line, body))
		if resp.Status >= 500 {
			t.Fatalf("%s: %d %s", line, resp.Status, resp.Body)
		}
		if resp = w.answer(ask("GET "+fleetapi.Prefix+"/units?details=true", "")); resp.Status != 200 || !json.Valid(resp.Body) {
			t.Fatalf("%s: then %d %s", line, resp.Status, resp.Body)
		}
	})
}
