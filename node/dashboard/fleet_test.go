package dashboard

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"drydock/node"
	"drydock/node/consensus"
	"drydock/node/fleet"
	"drydock/node/state"
)

// TestFleetPages holds the pages of a fleet with units in all the states that pages
// tell apart.
func TestFleetPages(t *testing.T) {
	s, h, m := newHarbour(t, Options{})
	fill(h, m)
	// What a browser loads may change without these.
	assets := regexp.MustCompile(`\?[0-9a-f]{12}`)
	for name, target := range map[string]string{
		"units.html": "units/", "unit.html": "units/hello.service", "global.html": "units/everywhere.service?machine=" + wholeID("11"),
		"machines.html": "machines/",
	} {
		a := s.ask("GET", Base+target, nil)
		if a.Status != 200 {
			t.Fatalf("%s: status %d", target, a.Status)
		}
		_, body, _ := strings.Cut(a.Body, `<main id="main" tabindex="-1">`)
		body, _, _ = strings.Cut(body, "</main>")
		golden(t, name, assets.ReplaceAll([]byte(strings.TrimSpace(body)+"\n"), nil))
	}
}

func TestFleetLists(t *testing.T) {
	s, h, _ := newHarbour(t, Options{})
	page := func(query string) answer { return s.ask("GET", Base+"units/"+query, nil) }
	page("").has(t, "There are no units.")
	s.ask("GET", Base+"machines/", nil).has(t, "No machine has come up yet.")
	for i := range 250 {
		h.put(fmt.Sprintf("u%03d.service", i), fleet.Inactive)
	}
	a := page("")
	a.has(t, "1 to 100 of 250", "u099.service", `rel="next" href="/mod/dashboard/units/?page=2"`)
	if strings.Contains(a.Body, "u100.service") {
		t.Error("a page with more than a page")
	}
	page("?page=3").has(t, "201 to 250 of 250", `rel="prev" href="/mod/dashboard/units/?page=2"`)
	page("?page=nonsense").has(t, "1 to 100 of 250")
	page("?q=u1").has(t, "u100.service", "u199.service")
	if a := page("?q=u1"); strings.Contains(a.Body, "There are more") || strings.Contains(a.Body, "u200.service") {
		t.Error("100 names contain u1, and more are told of")
	}
	page("?q=u").has(t, "There are more that match")
	page("?q=none").has(t, "No unit's name contains that.")
	h.up("11")
	page("?machine="+wholeID("11")).has(t, "Units on host11", "There are no units on this machine.")
	h.put("u007.service", fleet.Launched)
	h.place("u007.service", "", "11")
	page("?q=u007").has(t, ">host11</a>")
	// Another machine of the same name.
	h.must(&fleet.Command{Open: &fleet.Open{Term: fleetTerm, Machine: fleet.Machine{ID: wholeID("12"), Name: "host11", Boot: wholeID("b")}}})
	page("?q=u007").has(t, ">host11 11000000</a>")
	h.must(&fleet.Command{Open: &fleet.Open{Term: fleetTerm, Was: h.revision, Machine: fleet.Machine{ID: wholeID("12"), Name: "host12", Boot: wholeID("b")}}})
	page("?machine="+wholeID("11")+"&q=u00").has(t, "u007.service")
	for i := range 130 {
		h.up(fmt.Sprintf("2%03d", i))
	}
	s.ask("GET", Base+"machines/", nil).has(t, "132 of 132 up", `href="/mod/dashboard/machines/?page=2"`)
	s.ask("GET", Base+"machines/?page=2", nil).has(t, "host2129", `href="/mod/dashboard/machines/?page=1"`)
}

func TestFleetChanges(t *testing.T) {
	s, h, _ := newHarbour(t, Options{})
	h.up("11")
	h.put("a.service", fleet.Inactive)
	h.put("t@.service", fleet.Inactive)
	post := func(target, op string, headers ...string) answer {
		return s.ask("POST", Base+target, url.Values{"op": {op}}, headers...)
	}
	if a := post("units/a.service", "launched"); a.Status != 303 || a.Header.Get("Location") != Base+"units/a.service?done=launched" {
		t.Errorf("%d to %s", a.Status, a.Header.Get("Location"))
	}
	for _, tc := range []struct {
		target, op string
		status     int
		says       string
	}{
		{"units/a.service", "frobnicate", 400, "This form can&#39;t be read"},
		{"units/none.service", "launched", 404, "There is no unit none.service"},
		{"units/none.service", "destroy", 404, "There is no unit none.service"},
		{"units/t@.service", "launched", 409, "cannot activate template"},
		{"units/t@.service", "restart", 409, "unit is not launched"},
		{"machines/" + wholeID("11"), "", 400, "This form can&#39;t be read"},
		{"machines/" + wholeID("99"), "drain", 404, "It is no longer there"},
	} {
		a := post(tc.target, tc.op)
		a.has(t, tc.says)
		if a.Status != tc.status {
			t.Errorf("%s %s: status %d", tc.target, tc.op, a.Status)
		}
	}
	if a := post("units/a.service", "destroy", "Origin", "http://elsewhere"); a.Status != 403 {
		t.Errorf("another site's page may destroy units: %d", a.Status)
	}
	if a := post("units/a.service", "destroy"); a.Status != 303 || a.Header.Get("Location") != Base+"units/?done=destroyed" {
		t.Errorf("%d to %s", a.Status, a.Header.Get("Location"))
	}
	for _, tc := range []struct {
		fails  node.Answer
		status int
		says   string
	}{
		{node.Answer{Status: consensus.Unknown, Reason: "timed out"}, 500, "It may or may not have been done"},
		{node.Answer{Status: consensus.Refused, Reason: "no leader"}, 503, "Nothing was done. no leader."},
	} {
		h.fails = &tc.fails
		a := post("machines/"+wholeID("11"), "drain")
		a.has(t, tc.says)
		if a.Status != tc.status {
			t.Errorf("%s: %d", tc.says, a.Status)
		}
	}
}

func TestFleetTrouble(t *testing.T) {
	s, h, _ := newHarbour(t, Options{})
	h.fails = &node.Answer{Status: consensus.Refused, Refusal: state.ErrNotYet, Reason: "not yet"}
	for _, target := range []string{"units/", "units/a.service", "machines/"} {
		a := s.ask("GET", Base+target, nil)
		a.has(t, "This cluster has no units yet")
		if a.Status != 503 {
			t.Errorf("%s: %d", target, a.Status)
		}
	}
	h.fails = &node.Answer{Status: consensus.Refused, Refusal: errors.New("new")}
	s.ask("GET", Base+"units/", nil).has(t, "new.")
	h.fails = nil
	if a := s.ask("GET", Base+"units/none.service", nil); a.Status != 404 {
		t.Errorf("a unit that isn't there: %d", a.Status)
	}
	if a := s.ask("GET", Base+"unit-live/none.service", nil); a.Status != 404 {
		t.Errorf("its stream: %d", a.Status)
	}
}

func TestFleetGuard(t *testing.T) {
	s, h, _ := newHarbour(t, Options{Guard: guard{}})
	h.put("a.service", fleet.Inactive)
	for _, target := range []string{"units/", "units/a.service", "machines/", "units-live", "machines-live", "unit-live/a.service"} {
		if a := s.ask("GET", Base+target, nil); a.Status != 401 || a.Header.Get("WWW-Authenticate") == "" || strings.Contains(a.Body, "ExecStart") {
			t.Errorf("%s is open to all: %d", target, a.Status)
		}
	}
	if a := s.ask("POST", Base+"units/a.service", url.Values{"op": {"destroy"}}); a.Status != 401 {
		t.Errorf("anybody may destroy units: %d", a.Status)
	}
	if _, there := h.unit("a.service"); !there {
		t.Error("it is gone")
	}
	if a := s.ask("GET", Base+"units/", nil, "Authorization", "Basic Ym9iOm9wZW4="); a.Status != 200 { // bob:open
		t.Errorf("a user who may is refused: %d", a.Status)
	}
	if a := s.ask("GET", Base+"units/", nil, "Authorization", "Basic Ym9iOmxhdGVy"); a.Status != 503 { // bob:later
		t.Errorf("a user who can't be judged: %d", a.Status)
	}
}

// events reads a stream.
func (s *site) events(target string) (next func() (event, id, data string), end func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", s.URL+Base+target, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewScanner(resp.Body)
	return func() (event, id, data string) {
		s.t.Helper()
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				event = value
			case "id":
				id = value
			case "data":
				data += value
			case "":
				if event != "" {
					return event, id, data
				}
			}
		}
		s.t.Fatalf("the stream ended: %v", lines.Err())
		return "", "", ""
	}, func() { cancel(); resp.Body.Close() }
}

// TestJournalFollowsTheUnit has a page hear a journal's lines once each, from where
// it left off, and those of the machine that the unit moves to.
func TestJournalFollowsTheUnit(t *testing.T) {
	s, h, m := newHarbour(t, Options{})
	h.up("11", "22")
	h.put("a.service", fleet.Launched)
	h.place("a.service", "", "22")
	m.say("a.service", "one", "two", "three")
	next, end := s.events("unit-live/a.service?after=7&from=" + wholeID("22"))
	// The other machine's node can't be reached: nothing comes until the unit moves.
	until := func(want string) (id, data string) {
		t.Helper()
		late := time.Now().Add(20 * time.Second)
		for time.Now().Before(late) {
			if event, id, data := next(); event == want {
				return id, data
			}
		}
		t.Fatalf("no %s", want)
		return "", ""
	}
	until("live")
	h.place("a.service", "22", "11")
	if _, data := until("moved"); data != wholeID("11") {
		t.Errorf("moved to %s", data)
	}
	for i, want := range []string{"one", "two", "three"} {
		if id, data := until("line"); id != fmt.Sprint(i+1) || !strings.Contains(data, want) {
			t.Errorf("line %s: %s", id, data)
		}
	}
	m.say("a.service", "four")
	if id, data := until("line"); id != "4" || !strings.Contains(data, "four") {
		t.Errorf("line %s: %s", id, data)
	}
	h.must(&fleet.Command{Destroy: &fleet.Destroy{Name: "a.service"}})
	until("over")
	end()
	h.put("a.service", fleet.Launched)
	h.place("a.service", "", "11")
	next, end = s.events("unit-live/a.service?after=3&from=" + wholeID("11"))
	if id, _ := until("line"); id != "4" {
		t.Errorf("a reader of 3 lines gets line %s", id)
	}
	end()
}

func TestTape(t *testing.T) {
	t.Parallel()
	var got []string
	tp := &tape{head: make(http.Header), status: 200, line: func(l journalLine) bool {
		got = append(got, l.Text)
		return len(got) < 3
	}}
	for _, piece := range []string{`{"number":1,"te`, `xt":"a"}` + "\n" + `{"text":"b"}` + "\n", `{"text":"` + strings.Repeat("c", 5000) + `"}` + "\n"} {
		if _, err := tp.Write([]byte(piece)); err != nil && len(got) < 3 {
			t.Fatal(err)
		}
	}
	if len(got) != 3 || got[0] != "a" || got[1] != "b" || len(got[2]) > maxJournalLine+10 {
		t.Errorf("%.80q", got)
	}
	tp = &tape{head: make(http.Header), status: 200, line: func(journalLine) bool { return true }}
	if _, err := tp.Write([]byte("no json\n")); err == nil {
		t.Error("what isn't a line was taken for one")
	}
	tp.WriteHeader(404)
	tp.rest = nil
	_, _ = tp.Write([]byte(`{"error":{"code":404,"message":"unit does not exist"}}`))
	if tp.why() != "unit does not exist" {
		t.Error(tp.why())
	}
}
