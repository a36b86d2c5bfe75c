package history_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drydock/sim/history"
)

func TestReadDefaults(t *testing.T) {
	file := "# written by hand\n\n" +
		`{"drydock-history":1,"scenario":"s","seed":"9"}` + "\n" +
		`{"client":"c1","op":"put","key":"/a","value":"1","call":10,"return":20}` + "\r\n" +
		`  {"client":"c2","op":"get","key":"/a","call":20,"return":20,"out":"1","node":null}` + "\n" +
		`{"client":"c1","op":"cas","key":"/a","value":"2","prevValue":"1","call":21,"status":"unknown"}` + "\n" +
		`{"client":"c1","op":"list","key":"/l","call":22,"return":30,"items":[{"key":"/l/1","value":"x","created":3}]}`
	header, got, err := history.Decode(strings.NewReader(file), "h", history.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if header != (history.Header{Version: 1, Scenario: "s", Seed: "9"}) {
		t.Errorf("header = %+v", header)
	}
	one := "1"
	want := []history.Op{
		{ID: 1, Client: "c1", Kind: history.Put, Key: "/a", Value: "1", Call: 10, Return: 20, Status: history.OK},
		{ID: 2, Client: "c2", Kind: history.Get, Key: "/a", Call: 20, Return: 20, Status: history.OK, Out: &one},
		{ID: 3, Client: "c1", Kind: history.CAS, Key: "/a", Value: "2", PrevValue: &one, Call: 21, Status: history.Unknown},
		{
			ID: 4, Client: "c1", Kind: history.List, Key: "/l", Call: 22, Return: 30, Status: history.OK,
			Items: []history.Item{{Key: "/l/1", Value: "x", Created: 3}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadRefuses(t *testing.T) {
	const good = `{"client":"c","op":"get","call":1,"return":2}` + "\n"
	for _, tc := range []struct{ name, file, want string }{
		{"no json", good + "put a 1", "h:2: not a JSON object: put a 1"},
		{"array", "[1]", "h:1: not a JSON object: [1]"},
		{"cut off", `{"client":"c"`, "h:1: not valid JSON: "},
		{"two on a line", `{"client":"c","op":"get","call":1,"return":2} {}`, "h:1: something follows the object"},
		{"unknown field", `{"client":"c","opp":"get"}`, "h:1: opp: is no field of an operation"},
		{"wrong case", `{"Client":"c"}`, "h:1: Client: is no field of an operation"},
		{"given twice", `{"client":"c","client":"d"}`, "h:1: client: is given twice"},
		{"wrong type", `{"client":7}`, "h:1: client: must be a text, not 7"},
		{"fraction", `{"client":"c","call":1.5}`, "h:1: call: must be a whole number of nanoseconds, not 1.5"},
		{"negative counter", `{"client":"c","revision":-1}`, "h:1: revision: must be a whole number, not negative, not -1"},
		{"no client", `{"op":"get","call":1,"return":2}`, "h:1: client: is missing"},
		{"no op", `{"client":"c","call":1,"return":2}`, "h:1: op: is missing"},
		{"bad op", `{"client":"c","op":"steal","call":1,"return":2}`, `h:1: op: "steal" is no kind of operation`},
		{"no call", `{"client":"c","op":"get","return":2}`, "h:1: call: is missing"},
		{"null call", `{"client":"c","op":"get","call":null,"return":2}`, "h:1: call: is missing"},
		{"negative call", `{"client":"c","op":"get","call":-1,"return":2}`, "h:1: call: must not be negative, is -1"},
		{"no return", `{"client":"c","op":"get","call":1}`, "h:1: return: is missing"},
		{"return first", `{"client":"c","op":"get","call":3,"return":2}`, "h:1: return: 2 is before the call at 3"},
		{"unknown returned first", `{"client":"c","op":"put","call":3,"return":2,"status":"unknown"}`, "h:1: return: 2 is before"},
		{"bad status", `{"client":"c","op":"get","call":1,"return":2,"status":"fine"}`, "h:1: status: must be"},
		{"empty status", `{"client":"c","op":"get","call":1,"return":2,"status":""}`, "h:1: status: must be"},
		{"bad id", `{"id":0,"client":"c","op":"get","call":1,"return":2}`, "h:1: id: must be above 0"},
		{"same id", good + `{"id":1,"client":"c","op":"get","call":2,"return":2}`, "h:2: id: 1 was used on line 1"},
		{"negative code", `{"client":"c","op":"get","call":1,"return":2,"code":-4}`, "h:1: code: must not be negative"},
		{"stale write", `{"client":"c","op":"put","call":1,"return":2,"stale":true}`, "h:1: stale: only a read"},
		{"items of a write", `{"client":"c","op":"put","call":1,"return":2,"items":[]}`, "h:1: items: only a list"},
		{"bad items", `{"client":"c","op":"list","call":1,"return":2,"items":[{"k":1}]}`, `h:1: items: must be a list of`},
		{"bad settled", `{"client":"c","op":"put","call":1,"status":"unknown","settled":"maybe"}`, "h:1: settled: must be"},
		{"settled answer", `{"client":"c","op":"put","call":1,"return":1,"settled":"never"}`, "h:1: settled: only an unknown"},
		{"settled nowhere", `{"client":"c","op":"put","call":1,"status":"unknown","settled":"never","settledRevision":3}`, "h:1: settledRevision: only with"},
		{"client twice", `{"client":"c","op":"get","call":1,"return":9}` + "\n" + `{"client":"c","op":"get","call":5,"return":6}`, "h:2: client: c asks at 5 while its operation of line 1 is open until 9"},
		{"late header", good + `{"drydock-history":1}`, "h:2: drydock-history: a header must be the first"},
		{"new header", `{"drydock-history":2}`, "h:1: drydock-history: version 2 of the format is not known; 1 is"},
		{"odd header", `{"drydock-history":1,"sead":"1"}`, `h:1: header: unknown field "sead"`},
		{"long line", `{"client":"` + strings.Repeat("x", 16<<20) + `"}`, "h:1: a line is longer than 16 MiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := history.Read(strings.NewReader(tc.file), "h")
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Fatalf("error %v, want %s…", err, tc.want)
			}
			var format *history.FormatError
			if !errors.As(err, &format) {
				t.Fatalf("%T is no FormatError", err)
			}
		})
	}
}

func TestOverlapAllowed(t *testing.T) {
	file := `{"client":"c","op":"get","call":1,"return":9}` + "\n" + `{"client":"c","op":"get","call":5,"return":6}`
	if _, _, err := history.Decode(strings.NewReader(file), "h", history.Options{Overlap: true}); err != nil {
		t.Fatal(err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("cable cut") }

func TestReadPassesReaderErrors(t *testing.T) {
	_, err := history.Read(brokenReader{}, "h")
	if err == nil || !strings.Contains(err.Error(), "cable cut") {
		t.Fatalf("error %v", err)
	}
}

func optional(t *rapid.T, name string) *string {
	if !rapid.Bool().Draw(t, name+"?") {
		return nil
	}
	s := rapid.String().Draw(t, name)
	return &s
}

func drawOp(t *rapid.T, id int) history.Op {
	op := history.Op{
		ID: id, Client: rapid.StringMatching(`c[0-9]{1,3}`).Draw(t, "client"),
		Kind:  rapid.SampledFrom([]history.Kind{history.Put, history.CAS, history.List, history.Dequeue}).Draw(t, "op"),
		Key:   rapid.String().Draw(t, "key"),
		Value: rapid.String().Draw(t, "value"), Token: rapid.String().Draw(t, "token"),
		PrevValue: optional(t, "prevValue"), Out: optional(t, "out"),
		PrevIndex: rapid.Uint64().Draw(t, "prevIndex"), Revision: rapid.Uint64().Draw(t, "revision"),
		Call: rapid.Int64Range(0, 1<<60).Draw(t, "call"), Code: rapid.IntRange(0, 500).Draw(t, "code"),
		Status: rapid.SampledFrom([]history.Status{history.OK, history.Refused, history.Unknown}).Draw(t, "status"),
	}
	op.Return = op.Call + rapid.Int64Range(1, 1<<40).Draw(t, "took")
	if op.Status == history.Unknown {
		op.Return = 0
		op.Settled, op.SettledRevision = history.SettledApplied, op.Revision
	}
	if op.Kind == history.List {
		op.Stale = true
		op.Items = []history.Item{{Key: op.Key, Value: op.Value, Created: op.Revision}}
	}
	return op
}

func TestWriteThenReadIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ops []history.Op
		for i := range rapid.IntRange(0, 8).Draw(t, "ops") {
			ops = append(ops, drawOp(t, i+1))
		}
		var file bytes.Buffer
		if err := history.Encode(&file, history.Header{Scenario: "s"}, ops); err != nil {
			t.Fatal(err)
		}
		_, got, err := history.Decode(&file, "h", history.Options{Overlap: true})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ops, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestSettle(t *testing.T) {
	ops := []history.Op{
		{ID: 1, Status: history.OK, Token: "a"},
		{ID: 2, Status: history.Unknown, Token: "b"},
		{ID: 3, Status: history.Unknown, Token: "c"},
		{ID: 4, Status: history.Unknown},
		{ID: 5, Status: history.Unknown, Token: "d"},
	}
	truth := []history.Committed{
		{Revision: 7, Token: "a"},
		{Revision: 8, Token: "b"},
		{Revision: 9, Token: "b", Repeat: true},
		{Revision: 10},
		{Revision: 11, Token: "d", Repeat: true},
	}
	got := history.Settle(ops, truth)
	want := []struct {
		settled  string
		revision uint64
	}{{"", 0}, {"applied", 8}, {"never", 0}, {"", 0}, {"never", 0}}
	for i, w := range want {
		if got[i].Settled != w.settled || got[i].SettledRevision != w.revision {
			t.Errorf("op %d: %q at %d, want %q at %d", i+1, got[i].Settled, got[i].SettledRevision, w.settled, w.revision)
		}
	}
	if ops[1].Settled != "" {
		t.Error("Settle changed its argument")
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"drydock-history":1,"scenario":"s"}` + "\n" + `{"client":"c1","op":"put","key":"/a","value":"1","call":10,"return":20}`))
	f.Add([]byte(`{"client":"c","op":"list","call":1,"return":2,"items":[{"key":"k","value":"v"}],"stale":true}`))
	f.Add([]byte(`{"client":"c","op":"cas","prevValue":null,"call":1,"status":"unknown","settled":"applied","settledRevision":4}`))
	f.Add([]byte("#\n\n{}"))
	f.Fuzz(func(t *testing.T, file []byte) {
		ops, err := history.Read(bytes.NewReader(file), "h")
		if err != nil {
			var format *history.FormatError
			if !errors.As(err, &format) {
				t.Fatalf("%T is no FormatError", err)
			}
			return
		}
		for i := range ops {
			if ops[i].Return == 0 && ops[i].Status != history.Unknown {
				return // a written 0 and no return look the same
			}
		}
		var again bytes.Buffer
		if err := history.Write(&again, ops); err != nil {
			t.Fatal(err)
		}
		if _, err := history.Read(&again, "again"); err != nil {
			t.Fatalf("what was read cannot be written and read: %v", err)
		}
	})
}
