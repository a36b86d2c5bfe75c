package authcheck_test

import (
	"strings"
	"testing"
)

// Every member takes changes, has them when it answers, and soon all go by them.
func TestEveryMemberGuards(t *testing.T) {
	all := startCluster(t, 3)
	everywhere := func(line, status string) {
		t.Helper()
		for _, m := range all {
			var last string
			await(t, line+" is answered "+status, func() bool {
				last = say(t, m.url, line)
				return strings.HasPrefix(last, status)
			})
		}
	}
	here := func(i int, line, status string) {
		t.Helper()
		if got := say(t, all[i].url, line); !strings.HasPrefix(got, status) {
			t.Fatalf("member %d: %s: %s, want %s", i, line, got, status)
		}
	}
	here(0, `PUT /v2/auth/users/root {"user":"root","password":"one"}`, "201")
	here(0, `GET /v2/auth/users/root`, "200")
	everywhere(`GET /v2/auth/users/root`, "200")
	here(1, `PUT /v2/auth/enable`, "200")
	here(1, `DELETE /v2/auth/enable`, "401")
	everywhere(`DELETE /v2/auth/enable as=root:two`, "401")
	here(2, `DELETE /v2/auth/roles/guest as=root:one`, "200")
	here(2, `GET /v2/keys/a`, "401")
	everywhere(`GET /v2/keys/a`, "401")
	everywhere(`GET /v2/keys/a as=root:one`, "404")
	here(1, `PUT /v2/auth/users/root as=root:one {"user":"root","password":"two"}`, "200")
	here(1, `GET /v2/keys/a as=root:one`, "401")
	everywhere(`GET /v2/keys/a as=root:one`, "401")
	everywhere(`GET /v2/keys/a as=root:two`, "404")
}
