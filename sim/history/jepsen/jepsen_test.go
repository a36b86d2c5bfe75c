package jepsen_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/sim/history"
	"drydock/sim/history/jepsen"
)

func text(s string) *string { return &s }

func TestRead(t *testing.T) {
	file, err := os.Open("testdata/good.log")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	got, err := jepsen.Read(file, "good.log")
	if err != nil {
		t.Fatal(err)
	}
	want := []history.Op{
		{ID: 1, Client: "0", Kind: history.RegRead, Call: 2, Return: 3, Status: history.OK},
		{ID: 2, Client: "1", Kind: history.RegWrite, Value: "3", Call: 4, Return: 6, Status: history.OK},
		{ID: 3, Client: "2", Kind: history.CAS, PrevValue: text("3"), Value: "4", Call: 5, Return: 7, Status: history.OK},
		{ID: 4, Client: "0", Kind: history.CAS, PrevValue: text("0"), Value: "1", Call: 9, Return: 10, Status: history.Refused},
		{ID: 5, Client: "1", Kind: history.RegWrite, Value: "5", Call: 11, Status: history.Unknown, Error: ":timed-out"},
		{ID: 6, Client: "6", Kind: history.RegRead, Call: 13, Return: 14, Status: history.OK, Out: text("4")},
		{ID: 7, Client: "6", Kind: history.RegRead, Call: 16, Return: 17, Status: history.OK, Out: text("5")},
		{ID: 8, Client: "2", Kind: history.RegWrite, Value: "9", Call: 18, Status: history.Unknown},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadForms(t *testing.T) {
	for _, tc := range []struct {
		name, log string
		want      history.Op
	}{
		{"spaces", "INFO jepsen.util - 1 :invoke :cas [0 4]", history.Op{Kind: history.CAS, PrevValue: text("0"), Value: "4"}},
		{"dated, with thread", "2026-01-02 10:11:12,345{GMT}\tINFO\t[jepsen worker 1] jepsen.util: 1\t:invoke\t:write\t4", history.Op{Kind: history.RegWrite, Value: "4"}},
		{"bare", "1 :invoke :write 4", history.Op{Kind: history.RegWrite, Value: "4"}},
		{"commas", "1 :invoke :cas [0, 4]", history.Op{Kind: history.CAS, PrevValue: text("0"), Value: "4"}},
		{"from nothing", "1 :invoke :cas [nil 4]", history.Op{Kind: history.CAS, Value: "4"}},
		{"texts", `1 :invoke :cas ["a b" "]"]`, history.Op{Kind: history.CAS, PrevValue: text("a b"), Value: "]"}},
		{"negative", "1 :invoke :write -7", history.Op{Kind: history.RegWrite, Value: "-7"}},
		{"no value", "1 :invoke :read", history.Op{Kind: history.RegRead}},
		{"lock", "1 :invoke :acquire nil", history.Op{Kind: history.Acquire}},
		{"queue", "1 :invoke :enqueue 8", history.Op{Kind: history.Enqueue, Value: "8"}},
		{"windows", "1 :invoke :enqueue 8\r", history.Op{Kind: history.Enqueue, Value: "8"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := jepsen.Read(strings.NewReader("started\n\n"+tc.log), "l")
			if err != nil {
				t.Fatal(err)
			}
			tc.want.ID, tc.want.Client, tc.want.Call, tc.want.Status = 1, "1", 3, history.Unknown
			if diff := cmp.Diff([]history.Op{tc.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	for _, tc := range []struct{ name, log, want string }{
		{"type", "INFO jepsen.util - 1 :invok :read nil", `l:1: type: ":invok" is none of`},
		{"process", "INFO jepsen.util - :invoke :read nil", "l:1: process: no process number before :invoke"},
		{"first word", ":invoke :read nil", "l:1: process: no process number"},
		{"no function", "1 :invoke", "l:1: function: nothing follows :invoke"},
		{"function", "1 :invoke :steal 1", `l:1: function: ":steal" is not understood`},
		{"busy", "1 :invoke :read nil\n1 :invoke :read nil", "l:2: process: 1 invokes while its operation of line 1 is open"},
		{"not open", "1 :ok :read nil", "l:1: process: 1 has no operation open"},
		{"ended twice", "1 :invoke :read nil\n1 :ok :read 1\n1 :ok :read 1", "l:3: process: 1 has no operation open"},
		{"other function", "1 :invoke :read nil\n1 :ok :write 1", "l:2: function: :write ends the :read of line 1"},
		{"other value", "1 :invoke :write 1\n1 :ok :write 2", `l:2: value: "2" is not what line 1 asked for`},
		{"other pair", "1 :invoke :cas [1 2]\n1 :ok :cas [1 3]", `l:2: value: "[1 3]" is not what`},
		{"cas of a word", "1 :invoke :cas 4", "l:1: value: :cas takes a pair"},
		{"write of a pair", "1 :invoke :write [1 2]", "l:1: value: :cas takes a pair"},
		{"read of a pair", "1 :invoke :read nil\n1 :ok :read [1 2]", "l:2: value: a read of a pair"},
		{"short pair", "1 :invoke :cas [4]", "l:1: value: a pair must have 2 values, not 1"},
		{"nested pair", "1 :invoke :cas [4 [1 2]]", "l:1: value: a pair must be [old new]"},
		{"open pair", "1 :invoke :cas [4 5", "l:1: value: a pair must be [old new]"},
		{"open text", `1 :invoke :write "x`, "l:1: value: a quoted text has no end"},
		{"write of nil", "1 :invoke :write nil", "l:1: value: write of nil"},
		{"cas to nil", "1 :invoke :cas [1 nil]", "l:1: value: a cas to nil"},
		{"long line", strings.Repeat("x", 1<<20+1), "l:1: a line is longer than"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := jepsen.Read(strings.NewReader(tc.log), "l")
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

func FuzzRead(f *testing.F) {
	for _, name := range []string{"testdata/good.log", "testdata/bad.log", "testdata/undone.log"} {
		log, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(log))
	}
	f.Add("1 :invoke :cas [\"a\", nil] x\n1 :info :cas [,]")
	f.Fuzz(func(t *testing.T, log string) {
		ops, err := jepsen.Read(strings.NewReader(log), "l")
		if err != nil {
			return
		}
		for i, op := range ops {
			if op.ID != i+1 || op.Client == "" || op.Status != history.Unknown && op.Return <= op.Call {
				t.Fatalf("operation %+v", op)
			}
		}
		var file strings.Builder
		if err := history.Write(&file, ops); err != nil {
			t.Fatal(err)
		}
		if _, err := history.Read(strings.NewReader(file.String()), "h"); err != nil {
			t.Fatalf("the log's history is refused: %v", err)
		}
	})
}
