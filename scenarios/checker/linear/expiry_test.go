package linear_test

import (
	"strings"
	"testing"

	"drydock/scenarios/checker"
	"drydock/scenarios/checker/linear"
	"drydock/sim/history"
)

// lines reads a history of one operation a line.
func lines(t *testing.T, text ...string) []history.Op {
	t.Helper()
	ops, err := history.Read(strings.NewReader(strings.Join(text, "\n")), "test")
	if err != nil {
		t.Fatal(err)
	}
	return ops
}

const (
	putTTL    = `{"client":"a","op":"put","key":"/t","value":"1","ttl":1,"call":10,"return":20,"revision":2,"index":1,"modified":1,"created":1}`
	expired   = `{"client":"cluster","op":"expire","key":"/t","call":100,"return":100,"revision":4,"modified":2}`
	goneAfter = `{"client":"a","op":"get","key":"/t","call":110,"return":120,"code":100,"revision":4,"index":2}`
	readAfter = `{"client":"a","op":"get","key":"/t","call":110,"return":120,"out":"1","revision":4,"index":2}`
)

// TestExpiries shows that keys may go by themselves, but only at an expiry,
// with revisions and without.
func TestExpiries(t *testing.T) {
	for _, tc := range []struct {
		name string
		ops  []string
		want checker.Status
	}{
		{"gone after it", []string{putTTL, expired, goneAfter}, checker.Held},
		{"there after it", []string{putTTL, expired, readAfter}, checker.Violated},
		{"gone without one", []string{putTTL, goneAfter}, checker.Violated},
		{"two by one command", []string{
			putTTL, strings.Replace(putTTL, `"/t","value":"1","ttl":1,"call":10,"return":20,"revision":2,"index":1,"modified":1,"created":1`, `"/u","value":"2","ttl":1,"call":30,"return":40,"revision":3,"index":2,"modified":2,"created":2`, 1),
			strings.Replace(expired, `"modified":2`, `"modified":3`, 1),
			`{"client":"cluster","op":"expire","key":"/u","call":100,"return":100,"revision":4,"modified":4}`,
			strings.Replace(goneAfter, `"index":2`, `"index":4`, 1),
		}, checker.Held},
		{"of nothing", []string{putTTL, expired, strings.NewReplacer("100", "105", `"revision":4,"modified":2`, `"revision":5`).Replace(expired), strings.Replace(goneAfter, `"revision":4`, `"revision":5`, 1)}, checker.Violated},
		{"of a directory", []string{
			`{"client":"a","op":"append","key":"/t","value":"1","call":10,"return":20,"revision":2,"index":1,"modified":1,"created":1}`,
			expired, goneAfter,
		}, checker.Held},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ops := lines(t, tc.ops...)
			if v := linear.Check(ops, linear.Options{}); v.Status != tc.want {
				t.Errorf("%s %q, want %s", v.Status, v.Summary, tc.want)
			}
			for i := range ops {
				ops[i].Revision, ops[i].Index, ops[i].Modified, ops[i].Created = 0, 0, 0, 0
			}
			if v := linear.Check(ops, linear.Options{}); v.Status != tc.want {
				t.Errorf("without revisions: %s %q, want %s", v.Status, v.Summary, tc.want)
			}
		})
	}
}

// TestRefresh shows that a refresh keeps the value and needs one to keep.
func TestRefresh(t *testing.T) {
	const (
		refresh = `{"client":"a","op":"update","key":"/t","refresh":true,"ttl":1,"call":30,"return":40,"revision":3,"index":2,"modified":2,"created":1}`
		again   = `{"client":"a","op":"get","key":"/t","call":50,"return":60,"out":"1","revision":3,"index":2,"modified":2,"created":1}`
	)
	for _, tc := range []struct {
		name string
		ops  []string
		want checker.Status
	}{
		{"keeps the value", []string{putTTL, refresh, again}, checker.Held},
		{"empties the value", []string{putTTL, refresh, strings.Replace(again, `"out":"1"`, `"out":""`, 1)}, checker.Violated},
		{"of nothing", []string{refresh}, checker.Violated},
		{"set of nothing, refused", []string{strings.NewReplacer(`"update"`, `"put"`, `"index":2,"modified":2,"created":1`, `"code":100`).Replace(refresh)}, checker.Held},
		{"set of nothing", []string{strings.Replace(refresh, `"update"`, `"put"`, 1)}, checker.Violated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ops := lines(t, tc.ops...)
			if v := linear.Check(ops, linear.Options{}); v.Status != tc.want {
				t.Errorf("%s %q, want %s", v.Status, v.Summary, tc.want)
			}
			for i := range ops {
				ops[i].Revision, ops[i].Index, ops[i].Modified, ops[i].Created = 0, 0, 0, 0
			}
			if v := linear.Check(ops, linear.Options{}); v.Status != tc.want {
				t.Errorf("without revisions: %s %q, want %s", v.Status, v.Summary, tc.want)
			}
		})
	}
}

func TestOrderReportsAtOnce(t *testing.T) {
	op := func(call, ret int64, revision uint64) *history.Op {
		return &history.Op{ID: int(call), Client: "c", Kind: history.Get, Key: "/a", Call: call, Return: ret, Status: history.OK, Revision: revision}
	}
	stale, none := op(90, 95, 1), op(90, 95, 0)
	stale.Stale = true
	o := linear.NewOrder()
	for _, x := range []*history.Op{op(10, 20, 5), op(12, 25, 4), op(20, 30, 4), op(21, 40, 9), op(35, 50, 5), stale, none} {
		if bad := o.Op(x); bad != nil {
			t.Fatalf("call %d: %s", x.Call, bad.Why)
		}
	}
	for _, x := range []*history.Op{op(60, 70, 8), op(41, 71, 5), op(26, 72, 3)} {
		if bad := o.Op(x); bad == nil || bad.At != x.Return || len(bad.Ops) != 2 {
			t.Errorf("call %d, revision %d: %+v", x.Call, x.Revision, bad)
		}
	}
}
