package supervisor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"drydock/node/runtime"
	"drydock/node/unit"
)

// TestMain is the supervisor's helper, too: units' processes start as this program.
func TestMain(m *testing.M) {
	if Become() {
		return
	}
	if what, ok := os.LookupEnv("SUPERVISOR_TEST"); ok {
		service(what)
		return
	}
	goleak.VerifyTestMain(m)
}

// patience bounds every wait of a test.
const patience = 20 * time.Second

// bench is a supervisor under test, with what it has reported.
type bench struct {
	*Supervisor
	t       *testing.T
	dir     string
	mu      sync.Mutex
	changed chan struct{}
	history map[string][]string // of states, by unit
}

func newBench(t *testing.T, opt Options) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), changed: make(chan struct{}), history: make(map[string][]string)}
	opt.Report = b.report
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	b.Supervisor = s
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) report(s runtime.State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.history[s.Name]
	if state := s.Active + "/" + s.Sub; len(h) == 0 || h[len(h)-1] != state {
		b.history[s.Name] = append(h, state)
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

// load loads a service with these lines in its [Service] section. DIR in them is
// the test's own directory.
func (b *bench) load(name string, lines ...string) {
	b.t.Helper()
	section := strings.TrimPrefix(filepath.Ext(name), ".")
	text := "[" + strings.ToUpper(section[:1]) + section[1:] + "]\n" + strings.Join(lines, "\n") + "\n"
	u, err := unit.Parse(name, []byte(strings.ReplaceAll(text, "DIR", b.dir)))
	if err == nil {
		err = b.Load(u)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// do carries a request out and returns how it ended.
func (b *bench) do(request func(string, func(runtime.Outcome)), name string) runtime.Outcome {
	b.t.Helper()
	ended := make(chan runtime.Outcome, 1)
	request(name, func(o runtime.Outcome) { ended <- o })
	select {
	case o := <-ended:
		return o
	case <-time.After(patience):
		b.t.Fatalf("no answer about %s; states %v", name, b.history[name])
		return runtime.Outcome{}
	}
}

func (b *bench) must(request func(string, func(runtime.Outcome)), name string) {
	b.t.Helper()
	if o := b.do(request, name); !o.Done() {
		b.t.Fatalf("%s: %+v; journal:\n%s", name, o, b.text(name))
	}
}

// until waits for a state.
func (b *bench) until(name, state string) runtime.State {
	b.t.Helper()
	deadline := time.After(patience)
	for {
		b.mu.Lock()
		changed := b.changed
		b.mu.Unlock()
		s, _ := b.State(name)
		if s.Active+"/"+s.Sub == state {
			return s
		}
		select {
		case <-changed:
		case <-deadline:
			b.t.Fatalf("%s is %s/%s, not %s; journal:\n%s", name, s.Active, s.Sub, state, b.text(name))
		}
	}
}

// text is a unit's journal without the supervisor's own lines.
func (b *bench) text(name string) string {
	lines, _ := b.Journal(name, 0, 1000)
	var text strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&text, "%s\n", l.Text)
	}
	return text.String()
}

// says waits until a unit's journal has a line with these words, and returns it.
func (b *bench) says(name, words string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	after := uint64(0)
	for {
		if err := b.Follow(ctx, name, after); err != nil {
			b.t.Fatalf("%s never says %q: %v; journal:\n%s", name, words, err, b.text(name))
		}
		lines, _ := b.Journal(name, after, 1000)
		for _, l := range lines {
			if strings.Contains(l.Text, words) {
				return l.Text
			}
			after = l.Number
		}
	}
}

// gone waits until a process has ended.
func (b *bench) gone(pid int) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		if _, ok := startOf(pid); !ok {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("process %d is still there", pid)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestSimple(t *testing.T) {
	b := newBench(t, Options{})
	b.load("a.service", `ExecStart=/bin/sh -c 'echo "up in $PWD as $$$$"; exec sleep 1000'`)
	b.must(b.Start, "a.service")
	s := b.until("a.service", "active/running")
	if s.MainPID <= 0 || s.Load != "loaded" || s.Hash == (unit.Hash{}) {
		t.Errorf("state is %+v", s)
	}
	if line := b.says("a.service", "up in"); line != fmt.Sprintf("up in / as %d", s.MainPID) {
		t.Errorf("it says %q, its process is %d", line, s.MainPID)
	}
	b.must(b.Stop, "a.service")
	b.gone(s.MainPID)
	s = b.until("a.service", "inactive/dead")
	if s.Exit != "killed by SIGTERM" || s.Result != "success" || s.MainPID != 0 {
		t.Errorf("state is %+v", s)
	}
}

func TestPhases(t *testing.T) {
	b := newBench(t, Options{})
	b.load("a.service",
		"Type=exec",
		`ExecStartPre=/bin/sh -c 'echo pre'`,
		`ExecStartPre=-/bin/false`,
		`ExecStart=/bin/sh -c 'trap "echo bye; exit 0" TERM; echo main; while :; do sleep 0.01; done'`,
		`ExecStartPost=/bin/sh -c 'echo post $MAINPID'`,
		`ExecReload=/bin/sh -c 'echo reload'`,
		`ExecStop=/bin/sh -c 'echo stop $SERVICE_RESULT'`,
		`ExecStopPost=/bin/sh -c 'echo stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'`)
	b.must(b.Start, "a.service")
	main := b.until("a.service", "active/running").MainPID
	b.says("a.service", fmt.Sprintf("post %d", main))
	b.says("a.service", "main")
	b.must(b.Reload, "a.service")
	b.must(b.Stop, "a.service")
	for _, words := range []string{"pre", "reload", "stop success", "bye", "stoppost success exited 0"} {
		b.says("a.service", words)
	}
	b.gone(main)
}

func TestFailures(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for _, tc := range []struct {
		name   string
		lines  []string
		reason string
	}{
		{"no such program", []string{"Type=exec", "ExecStart=" + missing}, "no such file"},
		{"not in the path", []string{"Type=exec", "ExecStart=drydock-no-such-program"}, "executable file not found"},
		{"no such directory", []string{"Type=exec", "WorkingDirectory=" + missing, "ExecStart=/bin/true"}, "WorkingDirectory"},
		{"no such user", []string{"Type=exec", "User=nobody-of-this-name", "ExecStart=/bin/true"}, "User=nobody-of-this-name"},
		{"no such file of variables", []string{"Type=exec", "EnvironmentFile=" + missing, "ExecStart=/bin/true"}, "EnvironmentFile"},
		{"no place for output", []string{"Type=exec", "StandardOutput=file:" + missing + "/x", "ExecStart=/bin/true"}, "StandardOutput"},
		{"an exit code", []string{"Type=oneshot", "ExecStart=/bin/sh -c 'exit 3'"}, "exit code 3"},
		{"a signal", []string{"Type=oneshot", "ExecStart=/bin/sh -c 'kill -USR1 $$$$'"}, "killed by SIGUSR1"},
		{"too slow", []string{"Type=oneshot", "TimeoutStartSec=100ms", "ExecStart=/bin/sleep 1000"}, "timeout"},
		{"leaves before it is ready", []string{"Type=notify", "ExecStart=/bin/true"}, "protocol"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, Options{})
			b.load("a.service", tc.lines...)
			o := b.do(b.Start, "a.service")
			if o.Result != "failed" || !strings.Contains(o.Reason, tc.reason) {
				t.Errorf("ended %+v, want a reason with %q", o, tc.reason)
			}
			b.until("a.service", "failed/failed")
		})
	}
}

// TestEverythingGoes: what a service has started ends with it, even if it left
// its session and closed its eyes to being asked.
func TestEverythingGoes(t *testing.T) {
	b := newBench(t, Options{})
	b.load("a.service", "TimeoutStopSec=200ms",
		`ExecStart=/bin/sh -c 'trap "" TERM; (trap "" TERM; echo child $$$$; while :; do sleep 0.01; done) & setsid sh -c "echo far \$\$; exec sleep 1000" & wait'`)
	b.must(b.Start, "a.service")
	main := b.until("a.service", "active/running").MainPID
	var far int
	if _, err := fmt.Sscanf(b.says("a.service", "far "), "far %d", &far); err != nil {
		t.Fatal(err)
	}
	b.says("a.service", "child")
	if _, ok := startOf(far); !ok {
		t.Fatalf("process %d isn't there", far)
	}
	b.must(b.Stop, "a.service")
	b.gone(main)
	b.gone(far)
	if s := b.until("a.service", "failed/failed"); s.Result != "timeout" {
		t.Errorf("result is %s", s.Result)
	}
}

func TestKill(t *testing.T) {
	b := newBench(t, Options{})
	b.load("a.service", "Restart=always", "KillMode=none", "ExecStop=/bin/sleep 1000",
		`ExecStart=/bin/sh -c 'trap "" TERM; sleep 1000 & wait'`)
	b.must(b.Start, "a.service")
	main := b.until("a.service", "active/running").MainPID
	b.Kill("a.service")
	b.gone(main)
	b.until("a.service", "inactive/dead")
}

func TestRestarts(t *testing.T) {
	b := newBench(t, Options{})
	b.load("a.service", "Restart=on-failure", "RestartSec=1ms", `ExecStart=/bin/sh -c 'echo x >>DIR/tries; echo try $$(wc -l <DIR/tries); exit 1'`)
	b.must(b.Start, "a.service")
	s := b.until("a.service", "failed/failed")
	b.says("a.service", "try 5")
	if text := b.text("a.service"); s.Result != "start-limit-hit" || strings.Contains(text, "try 6") {
		t.Errorf("state %+v, journal:\n%s", s, text)
	}
}

func TestForking(t *testing.T) {
	b := newBench(t, Options{})
	b.load("a.service", "Type=forking", "PIDFile=DIR/pid",
		`ExecStart=/bin/sh -c '(sleep 0.05; echo $$$$ >DIR/ignored; exec sh -c "echo \$\$ >DIR/pid; exec sleep 1000") & exit 0'`)
	b.must(b.Start, "a.service")
	s := b.until("a.service", "active/running")
	text, err := os.ReadFile(filepath.Join(b.dir, "pid"))
	if err != nil || strings.TrimSpace(string(text)) != fmt.Sprint(s.MainPID) {
		t.Errorf("main process %d, file says %s (%v)", s.MainPID, text, err)
	}
	b.must(b.Stop, "a.service")
	b.gone(s.MainPID)

	b.load("b.service", "Type=forking", `ExecStart=/bin/sh -c 'setsid sleep 1000 & exit 0'`)
	b.must(b.Start, "b.service")
	s = b.until("b.service", "active/running")
	if s.MainPID == 0 {
		t.Error("the daemon was not found")
	}
	b.must(b.Stop, "b.service")
	b.gone(s.MainPID)
}
