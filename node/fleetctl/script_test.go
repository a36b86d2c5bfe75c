package fleetctl

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"drydock/node/fleetclient"
	"drydock/node/ui"
)

// A transcript is a file of commands and what they print, played against a cluster in
// memory in a time of its own:
//
//	# text                   a remark
//	$ ARGS                   runs the command
//	& ARGS                   begins it in the background
//	% ours | % fleet         a new cluster, with the extensions or without
//	% machine ID IP [k=v,..] a machine joins
//	% lost ID                a machine fails
//	% file NAME TEXT         writes a file, with Go's escapes
//	% behave UNIT HOW        fails, slow, once, stuck, unfit, or well
//	% journal UNIT TEXT      the unit writes a line
//	% down, % silent, % up   the cluster refuses, doesn't answer, is well
//	% pages N                lists have pages of N, not 2
//	% guarded                the cluster wants to know who asks
//	% gone UNIT              somebody else destroys a unit
//	% after TIME             time passes
//	% in TIME DIRECTIVE      the directive comes later
//	% env NAME=VALUE         is in the environment of all that follow
//	% terminal               stderr is a terminal from here on
//	% here ID                the machine that the commands run on
//	% interrupt              interrupts the command in the background
//	% wait                   waits for it to end; its output stands here
//	% requests               shows what the last command has asked for
//	| TEXT                   a line of stdout
//	! TEXT                   a line of stderr
//	= N                      the exit code, unless 0
//
// "> ARGS" on stdout is a program that would have been run. Go's -update writes what is
// printed down; read it then.
var update = flag.Bool("update", false, "write what is printed into the transcripts")

func TestMain(m *testing.M) {
	time.Local = time.UTC
	goleak.VerifyTestMain(m)
}

type player struct {
	t      *testing.T
	fake   *fake
	env    map[string]string
	tty    bool
	here   string
	behind *behind
}

// behind is a command in the background.
type behind struct {
	out, errs bytes.Buffer
	code      int
	cancel    context.CancelFunc
	ended     chan struct{}
}

func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	units, err := filepath.Abs("testdata/units")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			file, err := filepath.Abs(file)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(units)); err != nil {
				t.Fatal(err)
			}
			t.Chdir(dir)
			var got string
			synctest.Test(t, func(t *testing.T) { got = play(t, string(want)) })
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// play runs a transcript and returns it with what was printed.
func play(t *testing.T, text string) string {
	p := &player{t: t, fake: newFake(true), env: map[string]string{}}
	var out strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "|") || strings.HasPrefix(line, "!") || strings.HasPrefix(line, "=") {
			continue
		}
		out.WriteString(line)
		head, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch head {
		case "$":
			b := p.begin(rest)
			<-b.ended
			out.WriteString(b.printed())
		case "&":
			p.behind = p.begin(rest)
			synctest.Wait()
		case "%":
			out.WriteString(p.directive(rest))
		}
	}
	if p.behind != nil {
		p.behind.cancel()
		<-p.behind.ended
	}
	// What the cluster has begun comes to its end.
	<-time.After(time.Minute)
	return out.String()
}

func (p *player) begin(line string) *behind {
	ctx, cancel := context.WithCancel(p.t.Context())
	b := &behind{cancel: cancel, ended: make(chan struct{})}
	env := &ui.Env{
		Args: split(line), Getenv: func(name string) string { return p.env[name] }, Width: 100,
		Stdin: strings.NewReader(""), Stdout: &b.out, Stderr: &b.errs, ErrTTY: p.tty,
	}
	p.fake.mu.Lock()
	p.fake.requests = nil
	p.fake.mu.Unlock()
	sys := system{
		transport: p.fake, now: time.Now, isSocket: func(string) bool { return false },
		machineID: func() string { return p.here }, home: func() (string, error) { return p.t.TempDir(), nil },
		find: func(program string) (string, error) {
			if p.env["NO_SSH"] != "" {
				return "", errors.New("not found")
			}
			return program, nil
		},
		run: func(_ context.Context, argv []string, _ io.Reader, out, _ io.Writer) (int, error) {
			for i, a := range argv {
				argv[i] = regexp.MustCompile(`/[^ ']*known_hosts`).ReplaceAllString(a, "...")
			}
			fmt.Fprintln(out, ">", strings.Join(argv, " "))
			return len(p.env["RUN_FAILS"]), nil
		},
	}
	go func() {
		defer close(b.ended)
		b.code = run(ctx, env, sys)
	}()
	return b
}

// split splits a command line at blanks; '...' keeps words together.
func split(line string) []string {
	var out []string
	quoted, open := false, false
	for _, r := range line {
		switch {
		case r == '\'':
			quoted = !quoted
			if !open {
				out, open = append(out, ""), true
			}
		case r == ' ' && !quoted:
			open = false
		default:
			if !open {
				out, open = append(out, ""), true
			}
			out[len(out)-1] += string(r)
		}
	}
	return out
}

// redraws is a line that a terminal shows several times, with another count of
// seconds.
var redraws = regexp.MustCompile(`(?:\r\x1b\[K +\d+s  ([^\r\n]*))+\r\x1b\[K`)

func (b *behind) printed() string {
	var out strings.Builder
	show := func(mark, text string) {
		for line := range strings.Lines(redraws.ReplaceAllString(text, "<redrawn: $1>")) {
			out.WriteString(strings.TrimRight(mark+" "+strings.TrimSuffix(line, "\n"), " ") + "\n")
		}
	}
	show("|", b.out.String())
	show("!", b.errs.String())
	if b.code != 0 {
		fmt.Fprintf(&out, "= %d\n", b.code)
	}
	return out.String()
}

func (p *player) directive(line string) string {
	name, rest, _ := strings.Cut(line, " ")
	first, second, _ := strings.Cut(rest, " ")
	switch name {
	case "ours", "fleet":
		p.fake = newFake(name == "ours")
	case "terminal":
		p.tty = true
	case "here":
		p.here = rest
	case "env":
		key, value, _ := strings.Cut(rest, "=")
		p.env[key] = value
	case "file":
		text := strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(second)
		if err := os.MkdirAll(filepath.Dir(first), 0o755); err != nil {
			p.t.Fatal(err)
		}
		if err := os.WriteFile(first, []byte(text), 0o644); err != nil {
			p.t.Fatal(err)
		}
	case "after", "in":
		d, err := time.ParseDuration(first)
		if err != nil {
			p.t.Fatal(err)
		}
		if name == "in" {
			time.AfterFunc(d, func() { p.directive(second) })
			return ""
		}
		<-time.After(d)
		synctest.Wait()
	case "interrupt":
		p.behind.cancel()
	case "wait":
		<-p.behind.ended
		text := p.behind.printed()
		p.behind = nil
		return text
	case "requests":
		p.fake.mu.Lock()
		defer p.fake.mu.Unlock()
		return "| " + strings.Join(p.fake.requests, "\n| ") + "\n"
	default:
		p.fake.directive(p.t, name, first, second)
	}
	return ""
}

// directive changes the cluster.
func (f *fake) directive(t *testing.T, name, first, second string) {
	if name == "machine" {
		ip, meta, _ := strings.Cut(second, " ")
		metadata := map[string]string{}
		for pair := range strings.SplitSeq(meta, ",") {
			if k, v, ok := strings.Cut(pair, "="); ok {
				metadata[k] = v
			}
		}
		f.addMachine(first, ip, metadata)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch name {
	case "behave":
		f.behaviour[first] = strings.TrimPrefix(second, "well")
		f.placeSoon()
	case "journal":
		n := uint64(len(f.journals[first]) + 1)
		f.journals[first] = append(f.journals[first], fleetclient.Line{Number: n, Time: time.Now().UTC(), Source: "sh", Text: second})
		f.bump()
	case "pages":
		if _, err := fmt.Sscan(first, &f.pageSize); err != nil {
			t.Fatal(err)
		}
	case "lost":
		delete(f.machines, first)
		f.solver.RemoveMachine(first)
		f.placeSoon()
	case "gone":
		delete(f.units, first)
		f.solver.RemoveUnit(first)
		f.bump()
	case "guarded":
		f.guarded = true
	case "down", "silent", "up":
		f.down, f.unreachable = name == "down", name == "silent"
	default:
		t.Fatalf("no such directive: %s", name)
	}
}
