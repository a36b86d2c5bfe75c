package systemd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/node/runtime"
)

func TestParseEntry(t *testing.T) {
	at := time.UnixMicro(1700000000123456)
	head := `{"__CURSOR":"c1","__REALTIME_TIMESTAMP":"1700000000123456"`
	for _, tc := range []struct {
		name, text string
		want       runtime.Line
		err        bool
	}{
		{"text", head + `,"SYSLOG_IDENTIFIER":"sh","MESSAGE":"hello"}`, runtime.Line{Time: at, Source: "sh", Text: "hello"}, false},
		{"bytes", head + `,"MESSAGE":[104,105,255]}`, runtime.Line{Time: at, Text: "hi\uFFFD"}, false},
		{"twice", head + `,"MESSAGE":["first","second"]}`, runtime.Line{Time: at, Text: "first"}, false},
		{"too large for journalctl", head + `,"MESSAGE":null}`, runtime.Line{Time: at}, false},
		{"long", head + `,"MESSAGE":"` + strings.Repeat("x", maxLine+1) + `"}`, runtime.Line{Time: at, Text: strings.Repeat("x", maxLine)}, false},
		{"no time", `{"__CURSOR":"c1"}`, runtime.Line{}, true},
		{"no cursor", `{"__REALTIME_TIMESTAMP":"1"}`, runtime.Line{}, true},
		{"not JSON", `-- No entries --`, runtime.Line{}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			line, cursor, err := parseEntry([]byte(tc.text))
			if (err != nil) != tc.err || err == nil && cursor != "c1" {
				t.Fatalf("cursor %q, %v", cursor, err)
			}
			if d := cmp.Diff(tc.want, line); d != "" {
				t.Error(d)
			}
		})
	}
}

func FuzzParseEntry(f *testing.F) {
	f.Add([]byte(`{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1","MESSAGE":[1,2,"x",[[]]]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		line, cursor, err := parseEntry(text)
		if err == nil && (cursor == "" || len(line.Text) > 3*maxLine) {
			t.Errorf("%q is read as %+v", text, line)
		}
	})
}

func TestStateOf(t *testing.T) {
	at := uint64(1700000000123456)
	got := stateOf(properties{
		"Description": "d", "LoadState": "loaded", "ActiveState": "failed", "SubState": "failed",
		"ActiveEnterTimestamp": at - 5, "InactiveEnterTimestamp": at, "LoadError": []any{"", ""},
	}, properties{
		"Result": "signal", "StatusText": "was fine", "MainPID": uint32(7), "NRestarts": uint32(3),
		"ExecMainCode": int32(2), "ExecMainStatus": int32(9),
	})
	want := runtime.State{
		Description: "d", Load: "loaded", Active: "failed", Sub: "failed", Result: "signal", Text: "was fine",
		MainPID: 7, Restarts: 3, Exit: "killed by SIGKILL", Since: time.UnixMicro(int64(at)),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	got = stateOf(properties{"LoadState": "bad-setting", "LoadError": []any{"x", "no command"}, "MainPID": "text"}, nil)
	if want = (runtime.State{Load: "bad-setting", Text: "no command", Result: "success"}); got != want {
		t.Errorf("got %+v", got)
	}
}

// TestFindGroups: units are found in slices, and nothing is found inside units.
func TestFindGroups(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{
		"app.slice/a.service", "app.slice/app-deep.slice/b.service/init.scope", "c.service", "_d.service",
		"machine.slice/vm.scope/system.slice/a.service", "other.service/c.service",
	} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	got := findGroups(root, []string{"a.service", "b.service", "c.service", "d.service", "e.service"})
	want := map[string][]string{
		"a.service": {root + "/app.slice/a.service"}, "b.service": {root + "/app.slice/app-deep.slice/b.service"},
		"c.service": {root + "/c.service"}, "d.service": {root + "/_d.service"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestUnitFiles: what others keep in the directory begins with a dot.
func TestUnitFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.service", "a.timer", groupFile, ".docker-b.service"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "c.service"), 0o700); err != nil {
		t.Fatal(err)
	}
	got, err := unitFiles(dir)
	if d := cmp.Diff([]string{"a.timer", "b.service"}, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
}
