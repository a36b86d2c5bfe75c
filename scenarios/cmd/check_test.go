package cmd_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"drydock/node/ui"
	"drydock/scenarios/cmd"
)

// check runs the command and returns its exit code, what it wrote and its
// error's text.
func check(t *testing.T, stdin string, args ...string) (code int, out, fault string) {
	t.Helper()
	c := cmd.NewCheck()
	c.SilenceUsage, c.SilenceErrors = true, true
	var b bytes.Buffer
	c.SetIn(strings.NewReader(stdin))
	c.SetOut(&b)
	c.SetErr(&b)
	c.SetArgs(args)
	err := c.Execute()
	if err != nil {
		fault = err.Error()
	}
	return ui.Code(err), b.String(), fault
}

const (
	goodHistory = `{"drydock-history":1,"scenario":"by hand"}
{"client":"c4","op":"put","key":"/app/3","value":"92","call":13902000000,"return":13951000000,"revision":815}
{"client":"c1","op":"get","key":"/app/3","call":13960000000,"return":13988000000,"out":"92","revision":815}
{"client":"c7","op":"get","key":"/app/3","stale":true,"call":14098000000,"return":14201000000,"code":100,"revision":811}
`
	badHistory = `{"client":"c2","op":"put","key":"/app/3","value":"91","call":13000000000,"return":13100000000,"revision":811}
{"client":"c4","op":"put","key":"/app/3","value":"92","call":13902000000,"return":13951000000,"revision":815}
{"client":"c1","op":"get","key":"/app/3","call":13960000000,"return":13988000000,"out":"92","revision":815}
{"client":"c7","op":"get","key":"/app/3","call":14098000000,"return":14201000000,"out":"91","revision":811}
`
	lockHistory = `{"client":"a","op":"acquire","key":"l","call":1,"return":2}
{"client":"b","op":"acquire","key":"l","call":3,"return":4}
`
	badLog = "1 :invoke :write 1\n1 :ok :write 1\n2 :invoke :read nil\n2 :ok :read nil\n"
)

func TestCheckCommand(t *testing.T) {
	for _, tc := range []struct {
		name, stdin string
		args        []string
		code        int
		out, fault  string // parts
	}{
		{"held", goodHistory, []string{"-"}, 0, "\nheld\n", ""},
		{"held counts", goodHistory, []string{"-"}, 0, "3 operations of 3 clients: 3 answered, 0 refused, 0 unknown", ""},
		{"stale reads have their line", goodHistory, []string{"-"}, 0, "ok  stale reads show a prefix of history", ""},
		{"violated", badHistory, []string{"-"}, 1, "\nviolated\n", ""},
		{"violation shown", badHistory, []string{"-"}, 1, "VIOLATED   keys are linearizable: /app/3, smallest history, 2 of 4 operations", ""},
		{"lock", lockHistory, []string{"--model", "lock", "-"}, 1, "locks are linearizable: l", ""},
		{"jepsen", badLog, []string{"--format", "jepsen", "-"}, 1, "3 - 4  nothing  <- no order explains this answer", ""},
		{"nothing to judge", "", []string{"-"}, 3, "unknown  keys are linearizable  no operation was answered", ""},
		{"out of time", lockHistory, []string{"--model", "lock", "--timeout", "1ns", "-"}, 3, "in time", ""},
		{"wrong model", lockHistory, []string{"-"}, 2, "", `stdin: operation 1: "acquire" is no operation of the model kv; use --model lock`},
		{"unknown model", "", []string{"--model", "tree", "-"}, 2, "", `--model: "tree" is none of kv, lock, queue, register`},
		{"unknown format", "", []string{"--format", "edn", "-"}, 2, "", `--format: "edn" is neither`},
		{"no time", "", []string{"--timeout", "0s", "-"}, 2, "", "--timeout: must be above 0"},
		{"bad line", "{}\n", []string{"-"}, 2, "", "stdin:1: client: is missing"},
		{"bad log", "1 :invok :read\n", []string{"--format", "jepsen", "-"}, 2, "", "stdin:1: type:"},
		{"no file", "", []string{"nowhere.jsonl"}, 2, "", "nowhere.jsonl"},
		{"no argument", "", nil, 2, "", "accepts 1 arg"},
		{"overlap refused", `{"client":"a","op":"put","key":"/k","call":1,"return":9}` + "\n" + `{"client":"a","op":"get","key":"/k","call":2,"return":3,"out":""}`, []string{"-"}, 2, "", "stdin:2: client: a asks at 2"},
		{"overlap allowed", `{"client":"a","op":"put","key":"/k","call":1,"return":9}` + "\n" + `{"client":"a","op":"get","key":"/k","call":2,"return":3,"out":""}`, []string{"--overlap", "-"}, 0, "held", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, out, fault := check(t, tc.stdin, tc.args...)
			if code != tc.code || !strings.Contains(out, tc.out) || !strings.Contains(fault, tc.fault) {
				t.Fatalf("exit %d, want %d\nerror %q, want %q\n%s\nwant %q", code, tc.code, fault, tc.fault, out, tc.out)
			}
		})
	}
}

func TestCheckShowsTheSmallestHistory(t *testing.T) {
	_, out, _ := check(t, badHistory, "-")
	want := `VIOLATED   keys are linearizable: /app/3, smallest history, 2 of 4 operations
  revision order broken: c7 get /app/3 sits at revision 811, though revision 815 had been answered before it began
  c4  put /app/3 = 92  13.902 - 13.951  ok, revision 815
  c7  get /app/3       14.098 - 14.201  91, revision 811  <- must be revision 815 or later
`
	if !strings.Contains(out, want) {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestCheckJSON(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.jsonl")
	if err := os.WriteFile(file, []byte(badHistory), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{file}, 1, `"verdict":"violated","operations":4,"clients":4,"answered":4,"refused":0,"unknown":0,"checks":\[\{"status":"violated"`},
		{[]string{"--model", "lock", file}, 2, `"error":".*operation 1: .*use --model (kv|register)"`},
		{[]string{file + "x"}, 2, `"error":"open .*"`},
	} {
		code, out, fault := check(t, "", append([]string{"--json"}, tc.args...)...)
		if code != tc.code || fault != "" {
			t.Errorf("%v: exit %d %q, want %d", tc.args, code, fault, tc.code)
		}
		if !json.Valid([]byte(out)) || strings.Count(out, "\n") != 1 {
			t.Errorf("not one line of JSON: %s", out)
		}
		if !regexp.MustCompile(tc.want).MatchString(out) {
			t.Errorf("%s does not match %s", out, tc.want)
		}
	}
}

// BenchmarkCheckTenThousand: the size that people check must not make them wait.
func BenchmarkCheckTenThousand(b *testing.B) {
	var h strings.Builder
	for i := range 10_000 {
		c, at := i%10, i*100
		if i%2 == 0 {
			fmt.Fprintf(&h, `{"client":"c%d","op":"put","key":"/k%d","value":"v%d","call":%d,"return":%d}`+"\n", c, i%8/2, i, at, at+350)
		} else {
			fmt.Fprintf(&h, `{"client":"c%d","op":"get","key":"/k%d","out":"v%d","call":%d,"return":%d}`+"\n", c, (i-1)%8/2, i-1, at, at+350)
		}
	}
	for b.Loop() {
		c := cmd.NewCheck()
		c.SetIn(strings.NewReader(h.String()))
		c.SetOut(&bytes.Buffer{})
		c.SetArgs([]string{"-"})
		if err := c.Execute(); err != nil {
			b.Fatal(err)
		}
	}
}
