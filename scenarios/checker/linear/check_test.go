package linear

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

// parse reads a history of one operation a line:
//
//	CLIENT CALL-RETURN OP KEY [=VALUE] [?PREVVALUE] [#PREVINDEX] [->OUT] [@REVISION]
//	  [iINDEX] [mMODIFIED] [nCREATED] [!CODE] [stale] [refused] [never] [applied@R] [:item,item]
//
// A RETURN of "" is no answer. Items are NAME=VALUE, below the key.
func parse(t testing.TB, text string) []history.Op {
	t.Helper()
	var ops []history.Op
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		op := history.Op{ID: len(ops) + 1, Client: f[0], Kind: history.Kind(f[2]), Key: f[3], Status: history.OK}
		call, end, _ := strings.Cut(f[1], "-")
		number(t, call, &op.Call)
		if end == "" {
			op.Status = history.Unknown
		} else {
			number(t, end, &op.Return)
		}
		for _, word := range f[4:] {
			parseWord(t, &op, word)
		}
		ops = append(ops, op)
	}
	return ops
}

func number(t testing.TB, s string, to any) {
	t.Helper()
	if _, err := fmt.Sscan(s, to); err != nil {
		t.Fatalf("%q: %v", s, err)
	}
}

func parseWord(t testing.TB, op *history.Op, word string) {
	t.Helper()
	rest := word[1:]
	switch {
	case word == "stale":
		op.Stale = true
	case word == "refused":
		op.Status = history.Refused
	case word == "never":
		op.Settled = history.SettledNever
	case strings.HasPrefix(word, "applied@"):
		op.Settled = history.SettledApplied
		number(t, word[8:], &op.SettledRevision)
	case strings.HasPrefix(word, "->"):
		out := word[2:]
		op.Out = &out
	case word[0] == '=':
		op.Value = rest
	case word[0] == '?':
		op.PrevValue = &rest
	case word[0] == '#':
		number(t, rest, &op.PrevIndex)
	case word[0] == '@':
		number(t, rest, &op.Revision)
	case word[0] == 'i':
		number(t, rest, &op.Index)
	case word[0] == 'm':
		number(t, rest, &op.Modified)
	case word[0] == 'n':
		number(t, rest, &op.Created)
	case word[0] == '!':
		number(t, rest, &op.Code)
	case word[0] == ':':
		op.Items = []history.Item{}
		for pair := range strings.SplitSeq(rest, ",") {
			if name, value, ok := strings.Cut(pair, "="); ok {
				op.Items = append(op.Items, history.Item{Key: op.Key + "/" + name, Value: value})
			}
		}
	default:
		t.Fatalf("word %q", word)
	}
}

const child7, child8 = "00000000000000000007", "00000000000000000008"

var verdicts = []struct {
	name    string
	model   Model
	history string
	want    checker.Status
	says    string // part of the summary
	ops     int    // of the violation, 0 for any
}{
	{"sequence", KV, "a 1-2 put /k =1 @1\na 3-4 get /k ->1 @1", checker.Held, "certified", 0},
	{"nothing", KV, "", checker.Unknown, "no operation", 0},
	{"all unknown reads", KV, "a 1- get /k", checker.Unknown, "no operation", 0},
	{"read before any write", KV, "a 1-2 get /k !100\na 3-4 put /k =1 @4", checker.Held, "certified", 0},
	{"concurrent either way", KV, "a 1-9 put /k =1 @2\nb 1-9 put /k =2 @1\nc 10-11 get /k ->1 @2", checker.Held, "certified", 0},
	{"gap in revisions", KV, "a 1-2 put /k =1 @3 i1\na 3-4 get /k ->1 @90 i1", checker.Held, "certified", 0},
	{"index begins above zero", KV, "a 1-2 put /k =1 @1 i41 m41 n41\na 3-4 put /k =2 @2 i42 m42 n42 ->1", checker.Held, "certified", 0},
	{"failed write takes a revision and no index", KV, "a 1-2 put /k =1 @1 i1\na 3-4 create /k =2 @2 i1 !105\na 5-6 put /k =3 @3 i2 ->1", checker.Held, "certified", 0},
	{
		"every kind of write", KV, `a 1-2 create /k =1 @1 i1 m1 n1
			a 3-4 update /k =2 @2 i2 m2 n1 ->1
			a 5-6 cas /k =3 ?2 @3 i3 m3 n1 ->2
			a 7-8 cas /k =4 #3 @4 i4 m4 n1 ->3
			a 9-10 cas /k =5 ?3 @5 i4 !101
			a 11-12 cad /k ?3 @6 i4 !101
			a 13-14 put /k =6 @7 i5 m5 n5 ->4
			a 15-16 cad /k #5 @8 i6 m6 n5 ->6
			a 17-18 delete /k @9 i6 !100
			a 19-20 update /k =7 @10 i6 !100
			a 21-22 append /l =8 @11 i7 m7 n7
			a 23-24 append /l =9 @12 i8 m8 n8
			a 25-26 list /l @12 i8 :` + child7 + "=8," + child8 + `=9
			a 27-28 put /l =10 @13 i8 !102
			a 29-30 get /l/` + child7 + ` ->8 @13 m7 n7
			a 31-32 put /l/x/y =11 @14 i9
			a 33-34 get /l/` + child7 + `/z @14 !104
			a 35-36 append /l/` + child7 + ` =12 @15 i9 !104
			a 37-38 delete /l @16 i9 !102
			a 39-40 delete /l/` + child7 + ` @17 i10 ->8
			a 41-42 list /l @17 :` + child8 + `=9,x=`, checker.Held, "certified", 0,
	},
	{"hidden children are not listed", KV, "a 1-2 put /l/_h =1 @1\na 3-4 put /l/v =2 @2\na 5-6 list /l @2 :v=2", checker.Held, "certified", 0},
	{"root", KV, "a 1-2 put / =1 @1 !107\na 3-4 put /x =1 @2\na 5-6 list / @2 :/x=1", checker.Held, "", 0},
	{"unknown, settled applied", KV, "a 1- put /k =1 applied@1\nb 5-6 get /k ->1 @1", checker.Held, "certified", 0},
	{"unknown, settled applied late", KV, "a 1- put /k =1 applied@2\nb 5-6 get /k !100 @1\nb 7-8 get /k ->1 @2", checker.Held, "certified", 0},
	{"unknown, settled never", KV, "a 1- put /k =1 never\nb 5-6 get /k !100", checker.Held, "", 0},
	{"unknown, unsettled and seen", KV, "a 1- put /k =1\nb 5-6 get /k ->1 @1\nb 7-8 put /k =2 @2", checker.Held, "searched", 0},
	{"unknown, unsettled and not seen", KV, "a 1- put /k =1\nb 5-6 get /k !100 @0\nb 7-8 put /k =2 @2", checker.Held, "certified", 0},
	{"refused without effect", KV, "a 1-2 put /k =1 refused\nb 5-6 get /k !100\nb 7-8 put /j =1 @1", checker.Held, "", 0},
	{"no revisions", KV, "a 1-5 put /k =1\nb 2-6 put /k =2\nc 7-8 get /k ->1", checker.Held, "searched", 0},
	{"no revisions, unknown append seen", KV, "a 1- append /l =1\nb 2-6 append /l =2\nc 7-8 list /l :p=1,q=2", checker.Held, "searched", 0},

	{"stale value", KV, "a 1-2 put /k =1 @1\nb 3-4 put /k =2 @2\nc 5-6 get /k ->1 @2", checker.Violated, "/k", 2},
	{"stale read with its revision", KV, "a 1-2 put /k =1 @1\nb 3-4 put /k =2 @2\nc 5-6 get /k ->1 @1", checker.Violated, "/k", 2},
	{"order broken, values fine", KV, "a 1-2 put /j =1 @1\nb 3-4 put /k =2 @2\nc 5-6 get /j ->1 @1", checker.Violated, "revision order broken", 2},
	{"order broken by an unknown write", KV, "b 3-4 put /k =2 @2\na 5- put /j =1 applied@1", checker.Violated, "revision order broken", 2},
	{"read of a write not yet asked for", KV, "b 1-2 get /k ->1 @1\na 3-4 put /k =1 @1", checker.Violated, "", 0},
	{"one revision twice", KV, "a 1-2 put /j =1 @1\nb 1-2 put /k =2 @1", checker.Violated, "two writes carry revision 1", 2},
	{"lost write", KV, "a 1-2 put /k =1 @1\na 3-4 get /k !100 @1", checker.Violated, "/k", 2},
	{"lost write without revisions", KV, "a 1-2 put /k =1\na 3-4 get /k !100", checker.Violated, "/k", 2},
	{"value from nowhere", KV, "a 1-2 put /k =1\na 3-4 get /k ->7", checker.Violated, "/k", 0},
	{"refused write seen", KV, "a 1-2 put /k =1 refused\nb 5-6 get /k ->1 @1\nc 7-8 put /k =2 @2", checker.Violated, "/k", 0},
	{"settled never but seen", KV, "a 1- put /k =1 never\nb 5-6 get /k ->1 @1\nc 7-8 put /k =2 @2", checker.Violated, "/k", 0},
	{"applied twice", KV, "a 1-2 append /l =1 @1\na 3-4 list /l @1 :" + childKey("", 1)[1:] + "=1,y=1", checker.Violated, "/l", 2},
	{"append lost", KV, "a 1-2 append /l =1 @1\na 3-4 append /l =2 @2\na 5-6 list /l @2 :" + childKey("", 1)[1:] + "=1", checker.Violated, "/l", 2},
	{"appends in wrong order", KV, "a 1-2 append /l =1\na 3-4 append /l =2\na 5-6 list /l :p=2,q=1", checker.Violated, "/l", 3},
	{"unknown append seen twice", KV, "a 1- append /l =1\nb 2-3 put /j =0\nc 5-6 list /l :p=1,q=1", checker.Violated, "/l", 0},
	{"wrong previous value", KV, "a 1-2 put /k =1 @1\na 3-4 put /k =2 @2 ->7", checker.Violated, "/k", 2},
	{"previous value of nothing", KV, "a 1-2 put /k =1 @1 ->0", checker.Violated, "/k", 1},
	{"wrong modified index", KV, "a 1-2 put /k =1 @1 i1 m1\na 3-4 get /k ->1 @1 i1 m2", checker.Violated, "modified index 2 must be 1", 2},
	{"set must renew created", KV, "a 1-2 put /k =1 @1 n1 m1 i1\na 3-4 put /k =2 @2 n1 m2 i2", checker.Violated, "created index 1 must be 2", 2},
	{"update must keep created", KV, "a 1-2 put /k =1 @1 n1 m1 i1\na 3-4 update /k =2 @2 n2 m2 i2", checker.Violated, "created index 2 must be 1", 2},
	{"failed write moved the index", KV, "a 1-2 put /k =1 @1 i1\na 3-4 create /k =2 @2 !105 i2", checker.Violated, "index 2 must be 1", 2},
	{"index moved twice", KV, "a 1-2 put /k =1 @1 i1\na 3-4 put /j =2 @2 i3", checker.Violated, "must be 2", 0},
	{"compare took a stale value", KV, "a 1-2 put /k =1 @1\na 3-4 put /k =2 @2\nb 5-6 cas /k =3 ?1 @3", checker.Violated, "/k", 2},
	{"compare refused the right value", KV, "a 1-2 put /k =1 @1\nb 5-6 cas /k =3 ?1 @3 !101", checker.Violated, "/k", 2},
	{"two creates", KV, "a 1-2 create /k =1\nb 1-2 create /k =2", checker.Violated, "/k", 2},
	{"delete undone", KV, "a 1-2 put /k =1\na 3-4 delete /k\nb 5-6 get /k ->1", checker.Violated, "/k", 0},
	{"get without a value", KV, "a 1-2 put /k =1 @1\na 3-4 get /k @1", checker.Violated, "/k", 2},
	{"not a model's operation", KV, "a 1-2 acquire /k", checker.Unknown, "no operation of the model kv", 0},

	{"register", Register, "a 1-2 read x\na 3-4 write x =1\na 5-6 cas x ?1 =2\na 7-8 cas x ?1 =3 !101\nb 9-10 read x ->2", checker.Held, "searched", 0},
	{"register, unknown seen later", Register, "a 1- write x =1\nb 2-3 read x\nb 4-5 read x ->1", checker.Held, "", 0},
	{"register, unknown undone", Register, "a 1- write x =1\nb 2-3 read x ->1\nb 4-5 read x", checker.Violated, "", 3},
	{"register, cas from nothing", Register, "a 1-2 cas x =1\nb 3-4 read x ->1", checker.Held, "", 0},
	{"register, cas on the wrong value", Register, "a 1-2 write x =1\nb 3-4 cas x ?0 =2", checker.Violated, "", 1},
	{"register, cas refused the right value", Register, "a 1-2 write x =1\nb 3-4 cas x ?1 =2 !101", checker.Violated, "", 2},
	{"register, stale", Register, "a 1-2 write x =1\na 3-4 write x =2\nb 5-6 read x ->1", checker.Violated, "", 0},
	{"registers are apart", Register, "a 1-2 write x =1\na 3-4 write y =2\nb 5-6 read x ->1", checker.Held, "", 0},

	{"lock", Lock, "a 1-2 acquire l\nb 3-4 acquire l !1\na 5-6 release l\nb 7-8 acquire l", checker.Held, "", 0},
	{"lock held twice", Lock, "a 1-2 acquire l\nb 3-4 acquire l\na 5-6 release l", checker.Violated, "", 2},
	{"lock released by another", Lock, "a 1-2 acquire l\nb 3-4 release l", checker.Violated, "", 2},
	{"lock busy though free", Lock, "a 1-2 acquire l !1", checker.Violated, "", 1},
	{"lock, unknown release", Lock, "a 1-2 acquire l\na 3- release l\nb 5-6 acquire l", checker.Held, "", 0},
	{"lock, unknown acquire blocks", Lock, "a 1- acquire l\nb 5-6 acquire l !1", checker.Held, "", 0},

	{"queue", Queue, "a 1-2 enqueue q =1\na 3-4 enqueue q =2\nb 5-6 dequeue q ->1\nb 7-8 dequeue q ->2\nb 9-10 dequeue q !1", checker.Held, "", 0},
	{"queue out of order", Queue, "a 1-2 enqueue q =1\na 3-4 enqueue q =2\nb 5-6 dequeue q ->2", checker.Violated, "", 3},
	{"queue gave twice", Queue, "a 1-2 enqueue q =1\nb 3-4 dequeue q ->1\nc 5-6 dequeue q ->1", checker.Violated, "", 0},
	{"queue empty though not", Queue, "a 1-2 enqueue q =1\nb 3-4 dequeue q", checker.Violated, "", 2},
	{"queue, unknown dequeue", Queue, "a 1-2 enqueue q =1\nb 3- dequeue q\nc 5-6 dequeue q", checker.Held, "", 0},
}

func TestCheck(t *testing.T) {
	for _, tc := range verdicts {
		t.Run(tc.name, func(t *testing.T) {
			ops := parse(t, tc.history)
			v := Check(ops, Options{Model: tc.model, Timeout: 10 * time.Second})
			if v.Status != tc.want {
				t.Fatalf("%s, want %s: %s", v.Status, tc.want, v.Summary)
			}
			if !strings.Contains(v.Summary, tc.says) {
				t.Errorf("summary %q does not say %q", v.Summary, tc.says)
			}
			if (v.Violation != nil) != (tc.want == checker.Violated) {
				t.Fatalf("violation %+v", v.Violation)
			}
			if v.Violation == nil {
				return
			}
			if n := len(v.Violation.Ops); tc.ops != 0 && n != tc.ops || n == 0 {
				t.Errorf("violation of %d operations, want %d: %s", n, tc.ops, show(v))
			}
		})
	}
}

func show(v checker.Verdict) string {
	var b strings.Builder
	if err := checker.Render(&b, v); err != nil {
		return err.Error()
	}
	return b.String()
}

var staleVerdicts = []struct {
	name, history string
	opt           StaleOptions
	want          checker.Status
	says          string
}{
	{"old but true", "a 1-2 put /k =1 @1\na 3-4 put /k =2 @2\nb 5-6 get /k ->1 @1 stale", StaleOptions{}, checker.Held, "1 stale"},
	{"before everything", "a 1-2 put /k =1 @1\nb 5-6 get /k !100 @0 stale", StaleOptions{}, checker.Held, ""},
	{"after everything", "a 1-2 put /k =1 @1 i5\nb 5-6 get /k ->1 @9 i5 stale", StaleOptions{}, checker.Held, ""},
	{"old value at a new revision", "a 1-2 put /k =1 @1\na 3-4 put /k =2 @2\nb 5-6 get /k ->1 @2 stale", StaleOptions{}, checker.Violated, "must be \"2\""},
	{"wrong index", "a 1-2 put /k =1 @1 i5\nb 5-6 get /k ->1 @1 i6 stale", StaleOptions{}, checker.Violated, "index 6 must be 5"},
	{"from the future", "b 1-2 get /k ->1 @1 stale\na 3-4 put /k =1 @1", StaleOptions{}, checker.Violated, "before the write of revision 1"},
	{"never written", "a 1- put /k =1 never\nb 5-6 get /k ->1 @1 stale", StaleOptions{}, checker.Violated, ""},
	{"settled write seen", "a 1- put /k =1 applied@1\nb 5-6 get /k ->1 @1 stale", StaleOptions{}, checker.Held, ""},
	{"no revisions, written", "a 1-2 put /k =1\na 3-4 put /k =2\nb 5-6 get /k ->1 stale", StaleOptions{}, checker.Held, ""},
	{"no revisions, invented", "a 1-2 put /k =1\nb 5-6 get /k ->3 stale", StaleOptions{}, checker.Violated, "nobody had written"},
	{"no revisions, too early", "b 1-2 get /k ->1 stale\na 5-6 put /k =1", StaleOptions{}, checker.Violated, "nobody had written"},
	{"no revisions, appended", "a 1-2 append /l =1\nb 5-6 list /l :p=1 stale", StaleOptions{}, checker.Held, ""},
	{"no revisions, refused", "a 1-2 put /k =1 refused\nb 5-6 get /k ->1 stale", StaleOptions{}, checker.Violated, "nobody had written"},
	{"order broken", "a 1-2 put /k =1 @1\na 3-4 get /k ->7 @1\nb 5-6 get /k ->1 @1 stale", StaleOptions{}, checker.Unknown, "no clear order"},
}

func TestStale(t *testing.T) {
	for _, tc := range staleVerdicts {
		t.Run(tc.name, func(t *testing.T) {
			v := Stale(parse(t, tc.history), tc.opt)
			if v.Status != tc.want || !strings.Contains(v.Summary, tc.says) {
				t.Fatalf("%s %q, want %s %q", v.Status, v.Summary, tc.want, tc.says)
			}
			if v.Status == checker.Violated && len(v.Violation.Ops) == 0 {
				t.Error("a violation without operations")
			}
		})
	}
}

func TestStaleMonotone(t *testing.T) {
	ops := parse(t, "a 1-2 put /k =1 @1\na 3-4 put /k =2 @2\nb 5-6 get /k ->2 @2 stale\nb 7-8 get /k ->1 @1 stale")
	ops[2].Node, ops[3].Node = "n1", "n1"
	if v := Stale(ops, StaleOptions{}); v.Status != checker.Held {
		t.Errorf("going back is no matter unless asked: %s %s", v.Status, v.Summary)
	}
	if v := Stale(ops, StaleOptions{Monotone: true}); v.Status != checker.Violated || len(v.Violation.Ops) != 2 {
		t.Errorf("going back on one member: %s %s", v.Status, v.Summary)
	}
	restart := []history.Restart{{Time: 6, Node: "n1"}}
	if v := Stale(ops, StaleOptions{Monotone: true, Restarts: restart}); v.Status != checker.Held {
		t.Errorf("going back over a restart: %s %s", v.Status, v.Summary)
	}
	ops[3].Node = "n2"
	if v := Stale(ops, StaleOptions{Monotone: true}); v.Status != checker.Held {
		t.Errorf("another member: %s %s", v.Status, v.Summary)
	}
}
