package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"drydock/node/api"
)

// TestScripts plays the conversations in testdata/scripts. A script's lines are
//
//	METHOD TARGET [FORM]       a request: status, X-Etcd-Index, body
//	NAME: METHOD TARGET        the same, left open
//	NAME?                      what has come on it since, and whether it is open
//	NAME!                      the client goes away
//	pass DURATION              time passes; what is due expires
//	restart                    the store goes through its records
//	headers METHOD TARGET      a request: status and all headers
//
// TARGET is below /v2/keys unless it begins with a colon. Run with -rewrite to
// accept what comes.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		s := &script{m: newMember(), open: map[string]*exchange{}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != "play" {
				t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
			}
			var out strings.Builder
			for line := range strings.Lines(d.Input) {
				out.WriteString(s.play(t, strings.TrimSpace(line)))
			}
			return out.String()
		})
	})
}

type script struct {
	m    *member
	open map[string]*exchange
}

func (s *script) play(t *testing.T, line string) string {
	words := strings.Fields(line)
	name, last := line[:len(line)-1], line[len(line)-1]
	switch {
	case words[0] == "pass":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			t.Fatal(err)
		}
		s.m.advance(d)
		return ""
	case words[0] == "restart":
		if err := s.m.restart(); err != nil {
			t.Fatal(err)
		}
		return ""
	case words[0] == "headers":
		resp := s.request(words[1:]).resp
		out := fmt.Sprintf("%d\n", resp.Status)
		for _, h := range resp.Headers {
			out += fmt.Sprintf("  %s: %s\n", h.Name, h.Value)
		}
		return out
	case last == '?' && len(words) == 1:
		return s.show(name)
	case last == '!' && len(words) == 1:
		s.m.drop(s.open[name])
		return ""
	case strings.HasSuffix(words[0], ":"):
		x := s.request(words[1:])
		s.open[strings.TrimSuffix(words[0], ":")] = x
		return fmt.Sprintf("%d %s\n", x.resp.Status, x.resp.Get("X-Etcd-Index"))
	}
	x := s.request(words)
	index := x.resp.Get("X-Etcd-Index")
	if index == "" {
		index = "-"
	}
	return fmt.Sprintf("%d %s %s\n", x.resp.Status, index, strings.TrimSpace(string(x.body)))
}

func (s *script) show(name string) string {
	x := s.open[name]
	state := "open"
	if x.ended {
		state = "ended"
	}
	out := fmt.Sprintf("%s: %s\n", name, state)
	for _, ev := range splitJSON(x.body[x.read:]) {
		out += "  " + string(ev)
	}
	x.read = len(x.body)
	return out
}

func (s *script) request(words []string) *exchange {
	r := &api.Request{Method: words[0], ClusterID: testCluster}
	if raw, ok := strings.CutPrefix(words[1], ":"); ok {
		r.Target = raw
	} else {
		r.Target = "/v2/keys" + words[1]
	}
	if len(words) > 2 {
		r.Body, r.ContentType = []byte(words[2]), "application/x-www-form-urlencoded"
	}
	return s.m.do(r)
}
