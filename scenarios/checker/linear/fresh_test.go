package linear

import (
	"strings"
	"testing"

	"drydock/scenarios/checker"
)

// TestFreshAnswers: a write that says that nothing was there before, where
// something was, is wrong; one that does not say is not.
func TestFreshAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		fresh []bool
		want  checker.Status
	}{
		"true to the store":        {[]bool{true, false}, checker.Held},
		"silent":                   {[]bool{false, false}, checker.Held},
		"denies what was there":    {[]bool{true, true}, checker.Violated},
		"denies what it had shown": {[]bool{false, true}, checker.Violated},
	} {
		ops := parse(t, `
			a 10-20 put /x =1 @2 i1 m1
			a 30-40 put /x =2 @3 i2 m2
			b 50-60 get /x ->2 @3 i2 m2
		`)
		for i, fresh := range tc.fresh {
			ops[i].Fresh = fresh
		}
		v := Check(ops, Options{Model: KV})
		if v.Status != tc.want {
			t.Errorf("%s: %s, want %s: %s", name, v.Status, tc.want, v.Summary)
		}
		if v.Violation != nil && !strings.Contains(v.Violation.Why, "nothing was there before") {
			t.Errorf("%s: %s", name, v.Violation.Why)
		}
	}
}
