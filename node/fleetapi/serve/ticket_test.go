package serve

import (
	"net/http/httptest"
	"testing"
	"time"
)

// TestTicket: a ticket counts for one machine, one path, a while, and one token.
func TestTicket(t *testing.T) {
	now := time.Unix(1700000000, 0)
	const path = "/fleet/v1/units/a.service/journal"
	good := ticket("secret", "m1", path, now)
	for name, tc := range map[string]struct {
		token, ticket, url string
		at                 time.Time
		want               bool
	}{
		"right":           {"secret", good, path + "?machine=m1", now.Add(time.Minute), true},
		"a clock behind":  {"secret", good, path + "?machine=m1", now.Add(-time.Minute), true},
		"too late":        {"secret", good, path + "?machine=m1", now.Add(time.Hour), false},
		"another machine": {"secret", good, path + "?machine=m2", now, false},
		"another path":    {"secret", good, "/fleet/v1/units/b.service/journal?machine=m1", now, false},
		"another token":   {"other", good, path + "?machine=m1", now, false},
		"no token here":   {"", good, path + "?machine=m1", now, false},
		"none there":      {"secret", ticket("", "m1", path, now), path + "?machine=m1", now, false},
		"nonsense":        {"secret", "1", path + "?machine=m1", now, false},
		"empty":           {"secret", "", path + "?machine=m1", now, false},
	} {
		r := httptest.NewRequest("GET", tc.url, nil)
		r.Header.Set(HeaderHop, tc.ticket)
		if got := admits(tc.token, r, tc.at); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
