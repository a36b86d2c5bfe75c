package checker_test

import (
	"strings"
	"testing"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

func text(s string) *string { return &s }

func TestRender(t *testing.T) {
	v := checker.Verdict{
		Status: checker.Violated, Check: "keys are linearizable", Ops: 611,
		Violation: &checker.Violation{
			Key: "/app/3", Why: "revision order broken", Notes: map[int]string{7: "must be 815 or later"},
			Ops: []history.Op{
				{ID: 1, Client: "c4", Kind: history.Put, Key: "/app/3", Value: "92", Call: 13_902_000_000, Return: 13_951_000_000, Status: history.OK, Revision: 815},
				{ID: 7, Client: "c7", Kind: history.Get, Key: "/app/3", Call: 14_098_000_000, Return: 14_201_400_000, Status: history.OK, Code: 100, Revision: 811},
			},
		},
	}
	var b strings.Builder
	if err := checker.Render(&b, v); err != nil {
		t.Fatal(err)
	}
	want := `VIOLATED   keys are linearizable: /app/3, smallest history, 2 of 611 operations
  revision order broken
  c4  put /app/3 = 92  13.902 - 13.951  ok, revision 815
  c7  get /app/3       14.098 - 14.201  not found (100), revision 811  <- must be 815 or later
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	b.Reset()
	if err := checker.Render(&b, checker.Verdict{Status: checker.Held}); err != nil || b.Len() != 0 {
		t.Errorf("without a violation: %v %q", err, b.String())
	}
}

func TestRenderCountsSteps(t *testing.T) {
	v := checker.Verdict{Violation: &checker.Violation{Ops: []history.Op{
		{ID: 1, Client: "0", Kind: history.RegRead, Call: 12, Return: 15, Status: history.OK},
		{ID: 2, Client: "1", Kind: history.RegWrite, Value: "x", Call: 13, Status: history.Unknown},
	}}}
	var b strings.Builder
	if err := checker.Render(&b, v); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"12 - 15  nothing", "13 -     no answer"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

func TestAskAndAnswer(t *testing.T) {
	for _, tc := range []struct {
		op          history.Op
		ask, answer string
	}{
		{history.Op{Kind: history.CAS, Key: "/a", PrevValue: text("1"), PrevIndex: 7, Value: "2", Status: history.OK, Code: 101}, "cas /a if 1 and index 7 = 2", "compare failed (101)"},
		{history.Op{Kind: history.Put, Key: "/a", Value: "", Status: history.OK, Out: text("a b")}, `put /a = ""`, `ok, was "a b"`},
		{history.Op{Kind: history.Get, Key: "/a", Stale: true, Status: history.OK, Out: text(strings.Repeat("x", 50))}, "get /a (stale)", `"` + strings.Repeat("x", 32) + `"… (50 bytes)`},
		{history.Op{Kind: history.Append, Key: "/l", Value: "1", Status: history.Unknown, Settled: "applied", SettledRevision: 9}, "append /l + 1", "no answer, found in the log at revision 9"},
		{history.Op{Kind: history.Delete, Key: "/a", Status: history.Refused}, "delete /a", "refused"},
		{history.Op{Kind: history.Dequeue, Key: "q", Status: history.OK, Code: 7}, "dequeue q", "code 7"},
		{history.Op{Kind: history.List, Key: "/l", Status: history.OK, Items: []history.Item{{Value: "1"}, {Value: "2"}, {}, {}, {}, {}, {}, {}}}, "list /l", `[1 2 "" "" "" "" 2 more]`},
		{history.Op{Kind: history.List, Key: "/l", Status: history.OK}, "list /l", "[]"},
	} {
		if got := checker.Ask(&tc.op); got != tc.ask {
			t.Errorf("ask %q, want %q", got, tc.ask)
		}
		if got := checker.Answer(&tc.op); got != tc.answer {
			t.Errorf("answer %q, want %q", got, tc.answer)
		}
	}
}
