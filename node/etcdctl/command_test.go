package etcdctl_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"drydock/node"
	"drydock/node/archive"
	"drydock/node/etcdctl"
	"drydock/node/host"
	"drydock/node/state"
	"drydock/node/ui"
	"drydock/node/world"
)

// say runs a command without a cluster and returns what it prints.
func say(t *testing.T, run runFunc, args ...string) printed {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), call{args: args, stdout: &stdout, stderr: &stderr})
	return printed{stdout.String(), stderr.String(), code}
}

var (
	subcommand = regexp.MustCompile(`(?m)^   ([a-z][a-z-]*)(?:, h)? {2,}\S`)
	flagLine   = regexp.MustCompile(`(?m)^   (--?[a-z].*?) {2,}\S`)
	headings   = regexp.MustCompile(`(?m)^[A-Z ]+:$`)
)

// section returns what help has under a heading.
func section(help, heading string) string {
	_, rest, _ := strings.Cut(help, "\n"+heading+":\n")
	if at := headings.FindStringIndex(rest); at != nil {
		rest = rest[:at[0]]
	}
	return rest
}

// describe lists commands with their flags, as help has them.
func describe(t *testing.T, run runFunc, path ...string) []string {
	help := say(t, run, append(slices.Clone(path), "--help")...).stdout
	line := strings.Join(append([]string{"etcdctl"}, path...), " ")
	for _, heading := range []string{"OPTIONS", "GLOBAL OPTIONS"} {
		for _, m := range flagLine.FindAllStringSubmatch(section(help, heading), -1) {
			line += "  " + m[1]
		}
	}
	out := []string{line}
	for _, m := range subcommand.FindAllStringSubmatch(section(help, "COMMANDS"), -1) {
		if m[1] != "help" {
			out = append(out, describe(t, run, append(slices.Clone(path), m[1])...)...)
		}
	}
	return out
}

// TestFlagsAreTheOriginals: every command and flag of the original's is here, by the
// same names; what there is beyond is named.
func TestFlagsAreTheOriginals(t *testing.T) {
	const file = "testdata/flags.txt"
	if *recordWith != "" {
		lines := describe(t, realRun(filepath.Join(*recordWith, "etcdctl")))
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
	got := describe(t, ourRun)
	if len(got) != len(want) || len(want) < 30 {
		t.Fatalf("%d commands, want %d", len(got), len(want))
	}
	for i := range want {
		ours := strings.Replace(got[i], "  --password value", "", 1)
		if ours != want[i] {
			t.Errorf("got  %s\nwant %s", ours, want[i])
		}
	}
}

// TestHelp: each command has help with an example that begins with its name, and
// "help" says the same.
func TestHelp(t *testing.T) {
	for _, line := range describe(t, ourRun)[1:] {
		path := strings.Fields(strings.Split(line, "  ")[0])[1:]
		asked := say(t, ourRun, append(slices.Clone(path), "--help")...)
		if other := say(t, ourRun, append([]string{"help"}, path...)...); asked != other || asked.code != 0 || asked.stderr != "" {
			t.Errorf("%v: --help prints %+v, help %+v", path, asked, other)
		}
		group := strings.Contains(asked.stdout, "\nCOMMANDS:")
		example := section(asked.stdout, "EXAMPLES")
		if !group && !strings.Contains(example, strings.Join(path, " ")) {
			t.Errorf("%v has no example: %q", path, example)
		}
	}
}

// TestBackup copies what a stopped member holds and reads it from the copy.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "data"), filepath.Join(dir, "copy")
	m := &mesh{hosts: map[world.MemberID]*host.Host{}}
	cfg := node.Config{Cluster: 7, ID: 9, Name: "m1", SegmentBytes: 1 << 20}
	founders := []state.Member{{ID: 9, Name: "m1", PeerURLs: []string{"http://127.0.0.1:1"}}}
	face, stop := ourMember(t, from, m, cfg, founders)
	c := &cluster{members: []*member{{}}}
	url := c.front(t, handlerIs(face)).URL
	if out := say(t, ourRun, "--no-sync", "--endpoints", url, "set", "/kept", "value"); out.code != 0 {
		t.Fatalf("%+v", out)
	}
	if out := say(t, ourRun, "backup", "--data-dir", from, "--backup-dir", to); out.code != 1 ||
		!strings.Contains(out.stderr, "in use") {
		t.Errorf("while the member runs: %+v", out)
	}
	stop()
	for _, tc := range []struct{ args, want string }{
		{"--backup-dir " + to, "--data-dir"},
		{"--data-dir " + from, "--backup-dir"},
		{"--data-dir " + from + " --backup-dir " + to + " --wal-dir x", "--wal-dir"},
		{"--data-dir " + dir + "/none --backup-dir " + to, "no such file"},
		{"--data-dir " + from + " --backup-dir " + dir + "/no/where", "--backup-dir"},
	} {
		out := say(t, ourRun, append([]string{"backup"}, strings.Fields(tc.args)...)...)
		if out.code != 1 || out.stdout != "" || !strings.Contains(out.stderr, tc.want) {
			t.Errorf("%s: %+v", tc.args, out)
		}
	}
	out := say(t, ourRun, "backup", "--data-dir", from, "--backup-dir", to)
	if out.code != 0 || !strings.Contains(out.stdout, to) {
		t.Fatalf("%+v", out)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".backup-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if again := say(t, ourRun, "backup", "--data-dir", from, "--backup-dir", to); again.code != 1 {
		t.Errorf("a second time: %+v", again)
	}
	// The copy's identity is its own; its keys are the old ones.
	copied, err := archive.Inspect(to)
	if err != nil || copied.Verdict != archive.OK || copied.State.EtcdIndex != 1 || copied.State.Keys != 1 {
		t.Fatalf("the copy: %+v, %v", copied, err)
	}
	if old, err := archive.Inspect(from); err != nil || copied.Member == old.Member || copied.Cluster == old.Cluster {
		t.Errorf("the copy is member %s of %s: %v", copied.Member, copied.Cluster, err)
	}
}

// TestInterrupted: CTRL+C is 130, as the shell has it, and says nothing.
func TestInterrupted(t *testing.T) {
	c := &cluster{}
	url := c.front(t, handlerIs(hanging{})).URL
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	var stdout, stderr bytes.Buffer
	code := ourRun(ctx, call{args: []string{"--no-sync", "--endpoints", url, "get", "/k"}, stdout: &stdout, stderr: &stderr})
	if code != ui.Interrupted || stdout.Len()+stderr.Len() > 0 {
		t.Errorf("code %d, %q, %q", code, &stdout, &stderr)
	}
}

// TestHealthForever asks again until it is interrupted, and ends with what it found
// last.
func TestHealthForever(t *testing.T) {
	url := (&cluster{}).front(t, handlerIs(&noting{})).URL
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	var stdout bytes.Buffer
	code := ourRun(ctx, call{
		args: []string{"--endpoints", url, "cluster-health", "--forever"}, stdout: &stdout, stderr: &bytes.Buffer{},
	})
	if want := "cluster is unavailable\n\nnext check after 10 second...\n\n"; code != 5 || stdout.String() != want {
		t.Errorf("code %d, %q", code, &stdout)
	}
}

func TestEnvironmentIsChecked(t *testing.T) {
	var stderr bytes.Buffer
	code := ourRun(t.Context(), call{
		args: []string{"get", "/k"}, env: []string{"ETCDCTL_TIMEOUT=soon"}, stdout: &bytes.Buffer{}, stderr: &stderr,
	})
	if code != 1 || !strings.Contains(stderr.String(), "ETCDCTL_TIMEOUT") {
		t.Errorf("code %d, %q", code, &stderr)
	}
}

// TestPasswordThenValue: both may come from standard input.
func TestPasswordThenValue(t *testing.T) {
	face := &noting{}
	url := (&cluster{}).front(t, handlerIs(face)).URL
	var stdout bytes.Buffer
	code := ourRun(t.Context(), call{
		args:  []string{"--no-sync", "--endpoints", url, "-u", "jo", "set", "/k"},
		stdin: "secret\r\nthe value\n", stdout: &stdout, stderr: &bytes.Buffer{},
	})
	if want := "jo secret the value\n"; code != 0 || face.got != want {
		t.Errorf("code %d, got %q, want %q", code, face.got, want)
	}
}

// TestMainCarriesTheCode: what main makes of it is the exit code alone.
func TestMainCarriesTheCode(t *testing.T) {
	for line, want := range map[string]int{"help": 0, "nonsense": 3, "get": 1} {
		var out bytes.Buffer
		err := etcdctl.Main(&ui.Env{
			Args: []string{line}, Stdout: &out, Stderr: &out, Stdin: strings.NewReader(""),
			Getenv: func(string) string { return "" },
		})
		if ui.Code(err) != want || err != nil && fmt.Sprint(err) != "" {
			t.Errorf("%s: %v, code %d", line, err, ui.Code(err))
		}
	}
}
