package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"drydock/node/api"
)

// The recorded conversations with a real etcd are not part of the project.
// They are played where they can be found.

// decidedOtherwise lists the cases that record an accident of the original.
var decidedOtherwise = map[string]string{
	"dirs-root-cad":        "the root is read only (107) for compare-and-delete as for every other write",
	"stats-store-failures": "a compare-and-delete whose condition differs counts as failed",
	"watch-stream-past":    "a stream from a past index delivers everything since, and goes on",
}

// elsewhere lists the cases that need more than the keyspace, by prefix.
var elsewhere = []struct{ prefix, why string }{
	{"auth-", "users and roles"},
	{"cluster-", "three members"},
	{"members-", "the members endpoint"},
	{"misc-", "other endpoints"},
	{"noleader-", "a cluster without a majority"},
	{"stats-leader-", "leader statistics"},
	{"stats-self", "a member's statistics"},
}

type caseFile struct {
	Name  string `json:"name"`
	Steps []step `json:"steps"`
}

type step struct {
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Query   string            `json:"query"`
	Form    string            `json:"form"`
	Body    string            `json:"body"`
	Headers map[string]string `json:"headers"`
	BodyGen *struct {
		Prefix, Unit string
		Count        int
	} `json:"body_gen"`

	Start     string `json:"start"`
	Await     string `json:"await"`
	Cancel    string `json:"cancel"`
	Events    int    `json:"events"`
	PendingMS int    `json:"pending_ms"`

	SleepMS int               `json:"sleep_ms"`
	PollMS  int               `json:"poll_ms"`
	Repeat  int               `json:"repeat"`
	Rebase  bool              `json:"rebase"`
	Hook    string            `json:"hook"`
	Capture map[string]string `json:"capture"`
	Expect  *expectation      `json:"expect"`
}

type expectation struct {
	Status    int               `json:"status"`
	Headers   map[string]string `json:"headers"`
	Absent    []string          `json:"absent"`
	JSON      any               `json:"json"`
	Text      *string           `json:"text"`
	Events    []any             `json:"events"`
	Unordered bool              `json:"unordered"`
	OnlyP     bool              `json:"only_prefix"`
	Pending   bool              `json:"pending"`
	Closed    bool              `json:"closed"`
	KeyOrder  string            `json:"key_order"`
	Newline   *bool             `json:"newline"`
}

func casesDir(t *testing.T) string {
	dir := os.Getenv("DRYDOCK_CONFORMANCE")
	if dir == "" {
		root, err := filepath.Abs("../..")
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(root, "..", "shared", "conformance", "etcd-v2", "cases")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the recorded conversations are not here: %v (DRYDOCK_CONFORMANCE names their folder)", err)
	}
	return dir
}

func TestRecordedConversations(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(casesDir(t), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			for _, e := range elsewhere {
				if strings.HasPrefix(name, e.prefix) {
					t.Skip("needs " + e.why)
				}
			}
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var c caseFile
			if err := json.Unmarshal(raw, &c); err != nil {
				t.Fatal(err)
			}
			p := newPlayer()
			diffs := p.play(c.Steps)
			why, other := decidedOtherwise[name]
			switch {
			case other && len(diffs) == 0:
				t.Errorf("passes, though decided otherwise: %s", why)
			case other:
				t.Skip("decided otherwise: " + why)
			}
			for _, d := range diffs {
				t.Error(d)
			}
		})
	}
}

// player plays a case against one member.
type player struct {
	m      *member
	prefix string
	base   int64
	vars   map[string]string
	open   map[string]*exchange
}

func newPlayer() *player {
	p := &player{m: newMember(), prefix: "/t5eaf00d", vars: map[string]string{}, open: map[string]*exchange{}}
	// Cases use small numbers for indexes that are long past.
	for range 20 {
		p.m.do(&api.Request{Method: "PUT", Target: "/v2/keys/_warm?value=1"})
	}
	p.base = int64(p.m.store.Index())
	return p
}

// play returns what differs in the first step that fails.
func (p *player) play(steps []step) []string {
	for i := range steps {
		st := &steps[i]
		x, err := p.carryOut(st)
		var diffs []string
		if err != nil {
			diffs = []string{err.Error()}
		} else if st.Expect != nil && st.Expect.Status != 0 {
			diffs = p.compare(st.Expect, x, st)
			for left := st.PollMS; len(diffs) > 0 && left > 0; left -= 100 {
				p.m.advance(100 * time.Millisecond)
				x = p.m.do(p.request(st))
				diffs = p.compare(st.Expect, x, st)
			}
		}
		if err := p.capture(st, x); err != nil && len(diffs) == 0 {
			diffs = []string{err.Error()}
		}
		if len(diffs) > 0 {
			for j := range diffs {
				diffs[j] = fmt.Sprintf("step %d (%s %s?%s): %s", i+1, st.Method, st.Path, st.Query, diffs[j])
			}
			return diffs
		}
	}
	return nil
}

func (p *player) carryOut(st *step) (*exchange, error) {
	switch {
	case st.SleepMS > 0:
		p.m.advance(time.Duration(st.SleepMS) * time.Millisecond)
	case st.Rebase:
		p.base = int64(p.m.store.Index())
	case st.Hook == "restart":
		return nil, p.m.restart()
	case st.Cancel != "":
		p.m.drop(p.open[st.Cancel])
	case st.Start != "":
		x := p.m.do(p.request(st))
		p.open[st.Start] = x
		return x, nil
	case st.Await != "":
		return p.await(st)
	case st.Repeat > 0:
		var x *exchange
		for i := range st.Repeat {
			p.vars["i"] = strconv.Itoa(i)
			x = p.m.do(p.request(st))
		}
		return x, nil
	default:
		return p.m.do(p.request(st)), nil
	}
	return nil, nil
}

func (p *player) await(st *step) (*exchange, error) {
	x := p.open[st.Await]
	if x == nil {
		return nil, fmt.Errorf("no exchange %q is open", st.Await)
	}
	if st.PendingMS > 0 {
		p.m.advance(time.Duration(st.PendingMS) * time.Millisecond)
		if x.ended || len(x.body) != x.read {
			return nil, fmt.Errorf("%q did not stay open and silent: %s", st.Await, x.body[x.read:])
		}
		return x, nil
	}
	for range 200 {
		if x.ended {
			return x, nil
		}
		if events := splitJSON(x.body); st.Events > 0 && len(events) >= st.Events {
			x.read = len(bytes.Join(events[:st.Events], nil))
			return x, nil
		}
		p.m.advance(100 * time.Millisecond)
	}
	return nil, fmt.Errorf("%q did not end within 20s: %s", st.Await, x.body)
}

func (p *player) request(st *step) *api.Request {
	r := &api.Request{Method: st.Method, Target: p.expand(st.Path), ClusterID: testCluster}
	if st.Query != "" {
		r.Target += "?" + p.expand(st.Query)
	}
	switch {
	case st.BodyGen != nil:
		r.Body = []byte(p.expand(st.BodyGen.Prefix) + strings.Repeat(st.BodyGen.Unit, st.BodyGen.Count))
		r.ContentType = "application/x-www-form-urlencoded"
	case st.Form != "":
		r.Body, r.ContentType = []byte(p.expand(st.Form)), "application/x-www-form-urlencoded"
	default:
		r.Body = []byte(p.expand(st.Body))
	}
	if v := st.Headers["Content-Type"]; v != "" {
		r.ContentType = v
	}
	return r
}

func (p *player) capture(st *step, x *exchange) error {
	for name, where := range st.Capture {
		if header, ok := strings.CutPrefix(where, "header:"); ok {
			p.vars[name] = x.resp.Get(header)
			continue
		}
		v, err := decodeJSON(x.body)
		if err != nil {
			return err
		}
		for key := range strings.SplitSeq(where, ".") {
			object, _ := v.(map[string]any)
			if v = object[key]; v == nil {
				return fmt.Errorf("capture: no %s in %s", where, x.body)
			}
		}
		p.vars[name] = fmt.Sprint(v)
	}
	return nil
}

var template = regexp.MustCompile(`\{\{[^{}]+\}\}`)

// expand fills in the prefix, indexes counted from the base, and captures.
func (p *player) expand(s string) string {
	return template.ReplaceAllStringFunc(s, func(m string) string {
		name := m[2 : len(m)-2]
		switch name {
		case "P":
			return p.prefix
		case "N":
			return p.prefix[1:]
		}
		if offset, ok := strings.CutPrefix(name, "@"); ok {
			format := "%d"
			if rest, padded := strings.CutPrefix(offset, "020"); padded {
				format, offset = "%020d", rest
			}
			if n, err := strconv.ParseInt(offset, 10, 64); err == nil {
				return fmt.Sprintf(format, p.base+n)
			}
		}
		if v, ok := p.vars[name]; ok {
			return v
		}
		return m
	})
}

func decodeJSON(b []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("%w: %q", err, b)
	}
	if d.More() {
		return nil, fmt.Errorf("more than one value: %q", b)
	}
	return v, nil
}
