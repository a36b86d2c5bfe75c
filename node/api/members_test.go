package api_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/node/api"
)

const asJSON = "application/json"

func TestDecodePeerURLs(t *testing.T) {
	for _, tc := range []struct {
		contentType, body string
		want              []string
		status            int
		message           string
	}{
		{asJSON, `{"peerURLs":["http://h:1"]}`, []string{"http://h:1"}, 0, ""},
		{"Application/JSON; charset=utf-8", `{"peerURLs":[" https://b:1","http://[::1]:2 ","https://b:1"]}`, []string{"http://[::1]:2", "https://b:1"}, 0, ""},
		{asJSON, `{"peerURLs":["http://h:1"],"isLearner":true}`, []string{"http://h:1"}, 0, ""},
		{"", `{"peerURLs":["http://h:1"]}`, nil, 415, "Bad Content-Type , accept application/json"},
		{"text/plain", `{"peerURLs":["http://h:1"]}`, nil, 415, "Bad Content-Type text/plain, accept application/json"},
		{asJSON, ``, nil, 400, "unexpected end of JSON input"},
		{asJSON, `[]`, nil, 400, "cannot unmarshal array"},
		{asJSON, `{"peerURLs":"http://h:1"}`, nil, 400, "cannot unmarshal string"},
		{asJSON, `{}`, nil, 400, "no valid URLs given"},
		{asJSON, `{"peerURLs":[]}`, nil, 400, "no valid URLs given"},
		{asJSON, `{"peerURLs":["ftp://h:1"]}`, nil, 400, "URL scheme must be http, https, unix, or unixs: ftp://h:1"},
		{asJSON, `{"peerURLs":["h:1"]}`, nil, 400, "URL scheme must be"},
		{asJSON, `{"peerURLs":["http://h"]}`, nil, 400, `URL address does not have the form "host:port": http://h`},
		{asJSON, `{"peerURLs":["http://h:1/x"]}`, nil, 400, "URL must not contain a path: http://h:1/x"},
		{asJSON, `{"peerURLs":["http://h:1/"]}`, nil, 400, "URL must not contain a path"},
		{asJSON, `{"peerURLs":["http://h%zz:1"]}`, nil, 400, "invalid URL escape"},
		{asJSON, `{"peerURLs":["http://a:1","nothing"]}`, nil, 400, "URL scheme"},
	} {
		got, refusal := api.DecodePeerURLs(tc.contentType, []byte(tc.body))
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", tc.body, diff)
		}
		switch {
		case tc.status == 0 && refusal != nil:
			t.Errorf("%s: %v", tc.body, refusal)
		case tc.status != 0 && (refusal == nil || refusal.Status != tc.status || !strings.Contains(refusal.Message, tc.message)):
			t.Errorf("%s: %+v", tc.body, refusal)
		}
	}
}

func FuzzDecodePeerURLs(f *testing.F) {
	f.Add(asJSON, []byte(`{"peerURLs":["http://h:1"," unix://a:b "]}`))
	f.Add("text/plain;", []byte(`{"peerURLs":[null]}`))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		urls, refusal := api.DecodePeerURLs(contentType, body)
		if (len(urls) == 0) == (refusal == nil) {
			t.Fatalf("%v, %v", urls, refusal)
		}
		if refusal != nil && (refusal.Status < 400 || refusal.Status > 499 || refusal.Message == "") {
			t.Fatalf("%+v", refusal)
		}
	})
}

func seat(id uint64, voter, up bool) api.Seat {
	return api.Seat{ID: id, Name: "n", PeerURLs: []string{"http://h:" + string(rune('0'+id))}, Voter: voter, Up: up}
}

func TestAdmit(t *testing.T) {
	started := []api.Seat{seat(1, true, true), seat(2, true, false), seat(3, false, true)}
	absent := append([]api.Seat{{ID: 4, PeerURLs: []string{"http://h:4"}}}, started...)
	for name, tc := range map[string]struct {
		seats  []api.Seat
		urls   []string
		status int
	}{
		"a new one":                          {started, []string{"http://h:9"}, 0},
		"an address that is there":           {started, []string{"http://h:9", "http://h:2"}, 409},
		"while one has not started":          {absent, []string{"http://h:9"}, 500},
		"the one that has not started again": {absent, []string{"http://h:4"}, 500},
	} {
		if got := api.Admit(tc.seats, tc.urls); status(got) != tc.status {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func status(e *api.MemberError) int {
	if e == nil {
		return 0
	}
	return e.Status
}

func TestDismiss(t *testing.T) {
	const V, L = true, false // voter, learner
	for name, tc := range map[string]struct {
		seats  []api.Seat
		id     uint64
		status int
	}{
		"one of three":                   {[]api.Seat{seat(1, V, true), seat(2, V, true), seat(3, V, true)}, 2, 0},
		"the one of three that is down":  {[]api.Seat{seat(1, V, true), seat(2, V, false), seat(3, V, true)}, 2, 0},
		"another while one is down":      {[]api.Seat{seat(1, V, true), seat(2, V, false), seat(3, V, true)}, 3, 500},
		"one of five while one is down":  {[]api.Seat{seat(1, V, true), seat(2, V, true), seat(3, V, true), seat(4, V, true), seat(5, V, false)}, 1, 0},
		"one of five while two are down": {[]api.Seat{seat(1, V, true), seat(2, V, true), seat(3, V, true), seat(4, V, false), seat(5, V, false)}, 1, 500},
		"one of two":                     {[]api.Seat{seat(1, V, true), seat(2, V, true)}, 1, 0},
		"the other of two is down":       {[]api.Seat{seat(1, V, true), seat(2, V, false)}, 2, 0},
		"the last":                       {[]api.Seat{seat(1, V, true), seat(2, L, true)}, 1, 500},
		"a learner":                      {[]api.Seat{seat(1, V, true), seat(2, L, true)}, 2, 0},
		"nobody":                         {[]api.Seat{seat(1, V, true)}, 7, 404},
	} {
		if got := api.Dismiss(tc.seats, tc.id); status(got) != tc.status {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
