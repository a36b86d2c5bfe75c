package systemd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"drydock/node/runtime"
	"drydock/node/unit"
)

// patience bounds every wait of a test.
const patience = 20 * time.Second

// bench is a runtime under test, with what it has reported.
type bench struct {
	*Systemd
	t       *testing.T
	opt     Options
	dir     string // the test's own
	mu      sync.Mutex
	changed chan struct{}
	history map[string][]string // of states, by unit
	last    map[string]runtime.State
}

func newBench(t *testing.T) *bench {
	t.Helper()
	m := needManager(t)
	b := &bench{
		t: t, dir: t.TempDir(), changed: make(chan struct{}), history: make(map[string][]string),
		last: make(map[string]runtime.State),
	}
	b.opt = Options{
		Address: m.address(), Dir: filepath.Join(t.TempDir(), "units"), UserUnits: true,
		JournalFiles: filepath.Join(m.dir, "run/log/journal"), Report: b.report,
	}
	b.begin()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if files, err := unitFiles(b.opt.Dir); err != nil || len(files) > 0 {
			t.Errorf("unit files %v are left (%v)", files, err)
		}
	})
	return b
}

// begin starts a life of the runtime.
func (b *bench) begin() {
	b.t.Helper()
	s, err := New(b.t.Context(), b.opt)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Systemd = s
}

func (b *bench) report(s runtime.State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.history[s.Name]
	if state := s.Active + "/" + s.Sub; len(h) == 0 || h[len(h)-1] != state {
		b.history[s.Name] = append(h, state)
	}
	b.last[s.Name] = s
	close(b.changed)
	b.changed = make(chan struct{})
}

// parse makes a unit of lines; DIR in them is the test's own directory.
func (b *bench) parse(name string, lines ...string) *unit.Unit {
	b.t.Helper()
	u, err := unit.Parse(name, []byte(strings.ReplaceAll(strings.Join(lines, "\n")+"\n", "DIR", b.dir)))
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

func (b *bench) load(name string, lines ...string) {
	b.t.Helper()
	if err := b.Load(b.parse(name, lines...)); err != nil {
		b.t.Fatal(err)
	}
}

// do carries out a request and returns its end.
func (b *bench) do(request func(string, func(runtime.Outcome)), name string) runtime.Outcome {
	b.t.Helper()
	end := make(chan runtime.Outcome, 1)
	request(name, func(o runtime.Outcome) { end <- o })
	select {
	case o := <-end:
		return o
	case <-time.After(patience):
		b.t.Fatalf("no end of a request about %s", name)
		return runtime.Outcome{}
	}
}

// must is do for what has to work.
func (b *bench) must(request func(string, func(runtime.Outcome)), name string) {
	b.t.Helper()
	if o := b.do(request, name); !o.Done() {
		b.t.Fatalf("%s: %+v", name, o)
	}
}

// until waits for a reported state.
func (b *bench) until(name string, fits func(runtime.State) bool) runtime.State {
	b.t.Helper()
	deadline := time.After(patience)
	for {
		b.mu.Lock()
		state, changed := b.last[name], b.changed
		b.mu.Unlock()
		if state.Name != "" && fits(state) {
			return state
		}
		select {
		case <-changed:
		case <-deadline:
			b.t.Fatalf("%s stays %+v", name, state)
		}
	}
}

func active(want string) func(runtime.State) bool {
	return func(s runtime.State) bool { return s.Active == want && s.Job == "" }
}

func (b *bench) read(file string) string {
	text, _ := os.ReadFile(filepath.Join(b.dir, file))
	return string(text)
}

// untilFile waits until a file has a text.
func (b *bench) untilFile(file, want string) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for !strings.Contains(b.read(file), want) {
		if time.Now().After(deadline) {
			b.t.Fatalf("%s has %q, not %q", file, b.read(file), want)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// beats are lines of a service that writes while it lives.
var beats = []string{"[Service]", "ExecStart=/bin/sh -c 'while :; do echo beat >>DIR/beats; sleep 0.02; done'"}

// silent makes sure that nobody beats any more.
func (b *bench) silent() {
	b.t.Helper()
	before := b.read("beats")
	<-time.After(100 * time.Millisecond)
	if after := b.read("beats"); after != before {
		b.t.Error("it still beats")
	}
}

func TestLifeOfAUnit(t *testing.T) {
	b := newBench(t)
	b.load("life.service", "[Unit]", "Description=a life", "[Service]",
		"ExecStart=/bin/sh -c 'echo up >>DIR/log; exec sleep 1000'", "ExecStop=/bin/sh -c 'echo down >>DIR/log'")
	s, err := b.State("life.service")
	if err != nil || s.Load != "loaded" || s.Active != "inactive" || s.Description != "a life" {
		t.Fatalf("loaded as %+v, %v", s, err)
	}
	b.must(b.Start, "life.service")
	s, _ = b.State("life.service")
	if s.Active != "active" || s.Sub != "running" || s.MainPID == 0 || s.Result != "success" || s.Since.IsZero() {
		t.Errorf("started as %+v", s)
	}
	if want := b.parse("life.service", "x").Hash(); s.Hash == want {
		t.Error("the hash isn't its file's")
	}
	first := s.MainPID
	b.untilFile("log", "up\n")
	b.must(b.Restart, "life.service")
	if s, _ = b.State("life.service"); s.MainPID == first || s.Active != "active" {
		t.Errorf("restarted as %+v", s)
	}
	b.must(b.Stop, "life.service")
	b.untilFile("log", "up\ndown\nup\ndown\n")
	if s, _ = b.State("life.service"); s.Active != "inactive" || s.MainPID != 0 {
		t.Errorf("stopped as %+v", s)
	}
	b.must(b.Unload, "life.service")
	if _, err := b.State("life.service"); !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("unloaded, and: %v", err)
	}
	if s := b.until("life.service", func(s runtime.State) bool { return s.Load == "not-found" }); s.Active != "inactive" {
		t.Errorf("forgotten as %+v", s)
	}
	h := b.history["life.service"]
	if !slices.Contains(h, "active/running") || h[len(h)-1] != "inactive/dead" {
		t.Errorf("reported %v", h)
	}
}

// TestFailureIsOneUnitsOwn: a unit that can't run, one that fails and one whose
// file is nonsense leave others alone.
func TestFailureIsOneUnitsOwn(t *testing.T) {
	b := newBench(t)
	b.load("bad.service", "[Service]", "ExecStart=/does/not/exist")
	b.load("wrong.service", "[Service]", "Type=nothing")
	b.load("fails.service", "[Service]", "Type=oneshot", "ExecStart=/bin/sh -c 'exit 7'")
	b.load("good.service", "[Service]", "ExecStart=/bin/sleep 1000")
	if o := b.do(b.Start, "wrong.service"); o.Done() || o.Reason == "" {
		t.Errorf("a unit without a command: %+v", o)
	}
	if o := b.do(b.Start, "fails.service"); o.Result != "failed" || !strings.Contains(o.Reason, "exit code 7") {
		t.Errorf("a unit that fails: %+v", o)
	}
	b.do(b.Start, "bad.service")
	if s := b.until("bad.service", active("failed")); s.Result != "exit-code" || s.Exit != "exit code 203" {
		t.Errorf("a unit without its program: %+v", s)
	}
	b.must(b.Start, "good.service")
	if s := b.until("wrong.service", func(s runtime.State) bool { return s.Load != "loaded" }); s.Load != "bad-setting" {
		t.Errorf("a unit without a command: %+v", s)
	}
	b.ResetFailed("bad.service")
	b.until("bad.service", active("inactive"))
	if o := b.do(b.Start, "absent.service"); o.Result != "invalid" {
		t.Errorf("a unit that isn't there: %+v", o)
	}
}

// TestCrashIsSignalled: a state that changes by itself is reported.
func TestCrashIsSignalled(t *testing.T) {
	b := newBench(t)
	b.load("crash.service", "[Service]", "ExecStart=/bin/sleep 1000")
	b.must(b.Start, "crash.service")
	if err := b.Signal("crash.service", "SIGABRT"); err != nil {
		t.Fatal(err)
	}
	if s := b.until("crash.service", active("failed")); !strings.Contains(s.Exit, "SIGABRT") {
		t.Errorf("crashed as %+v", s)
	}
	if err := b.Signal("crash.service", "SIGNOTHING"); err == nil {
		t.Error("a signal that there isn't was sent")
	}
}

// TestKillOverridesAll: a unit that ignores signals, takes for ever to stop and
// wants to be restarted ends at once.
func TestKillOverridesAll(t *testing.T) {
	b := newBench(t)
	b.load("stubborn.service", append(slices.Clone(beats), "ExecStop=/bin/sleep 1000", "Restart=always",
		"RestartSec=0", "TimeoutStopSec=infinity", "SendSIGKILL=no", "KillSignal=SIGCONT")...)
	b.must(b.Start, "stubborn.service")
	b.untilFile("beats", "beat")
	b.Kill("stubborn.service")
	b.until("stubborn.service", func(s runtime.State) bool { return s.Active == "failed" || s.Active == "inactive" })
	b.silent()
}

// TestUnloadLeavesNobody: processes that a unit's KillMode spares end, too.
func TestUnloadLeavesNobody(t *testing.T) {
	b := newBench(t)
	b.load("parent.service", "[Service]", "KillMode=process",
		"ExecStart=/bin/sh -c '(while :; do echo beat >>DIR/beats; sleep 0.02; done) & exec sleep 1000'")
	b.must(b.Start, "parent.service")
	b.untilFile("beats", "beat")
	b.must(b.Unload, "parent.service")
	b.silent()
}

// TestTakeOver: the next life of the agent finds what runs, by another life's word
// or without one.
func TestTakeOver(t *testing.T) {
	b := newBench(t)
	b.load("stays.service", "[Service]", "ExecStart=/bin/sleep 1000")
	b.must(b.Start, "stays.service")
	before, _ := b.State("stays.service")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Load(b.parse("late.service", "[Service]", "ExecStart=/bin/true")); !errors.Is(err, runtime.ErrClosed) {
		t.Errorf("a closed runtime loads: %v", err)
	}
	b.begin()
	list := b.List()
	if len(list) != 1 || list[0].MainPID != before.MainPID || list[0].Hash != before.Hash || list[0].Active != "active" {
		t.Fatalf("found %+v, had %+v", list, before)
	}
	b.load("stays.service", "[Service]", "ExecStart=/bin/sleep 1000")
	b.must(b.Start, "stays.service")
	if after, _ := b.State("stays.service"); after.MainPID != before.MainPID {
		t.Error("it was started again")
	}
}

// TestNewText: what runs goes on, and what is started next is the new text.
func TestNewText(t *testing.T) {
	b := newBench(t)
	b.load("text.service", "[Service]", "ExecStart=/bin/sleep 1000")
	b.must(b.Start, "text.service")
	before, _ := b.State("text.service")
	b.load("text.service", "[Unit]", "Description=second", "[Service]", "ExecStart=/bin/sleep 2000")
	s := b.until("text.service", func(s runtime.State) bool { return s.Description == "second" })
	if s.MainPID != before.MainPID || s.Hash == before.Hash {
		t.Errorf("loaded again as %+v", s)
	}
	b.must(b.Restart, "text.service")
	if s, _ := b.State("text.service"); s.MainPID == before.MainPID {
		t.Error("it wasn't restarted")
	}
}

// TestInstall: a unit with an Install section is enabled until it is unloaded.
func TestInstall(t *testing.T) {
	b := newBench(t)
	b.load("wanted.service", "[Service]", "ExecStart=/bin/sleep 1000", "[Install]", "WantedBy=drydock-test.target")
	link := filepath.Join(needManager(t).dir, "user/systemd/user/drydock-test.target.wants/wanted.service")
	if _, err := os.Lstat(link); err != nil {
		t.Fatal(err)
	}
	b.load("wanted.service", "[Service]", "ExecStart=/bin/sleep 1000")
	if _, err := os.Lstat(link); err == nil {
		t.Error("it is enabled though its file no longer wants it")
	}
	b.load("wanted.service", "[Service]", "ExecStart=/bin/sleep 1000", "[Install]", "WantedBy=drydock-test.target")
	b.must(b.Unload, "wanted.service")
	if _, err := os.Lstat(link); err == nil {
		t.Error("it is enabled though it was unloaded")
	}
}

// TestWithoutProcesses: a timer starts, starts what it is for, is killed and unloaded.
func TestWithoutProcesses(t *testing.T) {
	b := newBench(t)
	b.load("tick.service", "[Service]", "Type=oneshot", "ExecStart=/bin/sh -c 'echo tick >>DIR/ticks'")
	b.load("tick.timer", "[Timer]", "OnActiveSec=10ms", "AccuracySec=1ms")
	b.load("idle.timer", "[Timer]", "OnActiveSec=1h", "Unit=tick.service")
	b.load("some.target", "[Unit]", "Description=some")
	for _, name := range []string{"tick.timer", "idle.timer", "some.target"} {
		b.must(b.Start, name)
		if s, _ := b.State(name); s.Active != "active" || s.Result != "success" {
			t.Errorf("started as %+v", s)
		}
	}
	b.untilFile("ticks", "tick")
	for _, name := range []string{"idle.timer", "some.target"} {
		if err := b.Signal(name, "SIGTERM"); err != nil {
			t.Error(err)
		}
		b.Kill(name)
		b.until(name, active("inactive"))
		b.must(b.Unload, name)
	}
}

// TestTaken: units of the machine's own and of other nodes are left alone.
func TestTaken(t *testing.T) {
	b, other := newBench(t), newBench(t)
	if err := b.Load(b.parse("exit.target", "[Unit]", "Description=mine")); !errors.Is(err, ErrTaken) {
		t.Errorf("a unit of systemd's own: %v", err)
	}
	other.load("ours.service", "[Service]", "ExecStart=/bin/sleep 1000")
	if err := b.Load(b.parse("ours.service", "[Service]", "ExecStart=/bin/true")); !errors.Is(err, ErrTaken) {
		t.Errorf("a unit of another node's: %v", err)
	}
	for _, name := range []string{"t@.service", "a.scope"} {
		if err := b.Load(b.parse(name, "[Unit]", "Description=x")); err == nil {
			t.Errorf("%s was loaded", name)
		}
	}
}

// TestManyAtOnce: loads are read together, and requests don't wait for each other.
func TestManyAtOnce(t *testing.T) {
	b := newBench(t)
	b.load("slow.service", "[Service]", "Type=oneshot", "ExecStart=/bin/sleep 1000")
	b.Start("slow.service", nil)
	var names []string
	for _, c := range "abcdefghijklmnopqrst" {
		name := "many-" + string(c) + ".service"
		names = append(names, name)
		b.load(name, "[Service]", "ExecStart=/bin/sleep 1000")
	}
	ends := make(chan runtime.Outcome, len(names))
	for _, name := range names {
		b.Start(name, func(o runtime.Outcome) { ends <- o })
	}
	for range names {
		if o := <-ends; !o.Done() {
			t.Error(o)
		}
	}
	b.until("slow.service", func(s runtime.State) bool { return s.Active == "activating" && s.Job == "start" })
	b.must(b.Stop, "slow.service")
}

// TestKillUnits: the guard ends what it must, and spares what it may.
func TestKillUnits(t *testing.T) {
	b := newBench(t)
	b.load("dies.service", append(slices.Clone(beats), "Restart=always", "RestartSec=0", "ExecStop=/bin/sleep 1000")...)
	b.load("lives.service", "[Service]", "ExecStart=/bin/sleep 1000")
	b.must(b.Start, "dies.service")
	b.must(b.Start, "lives.service")
	b.untilFile("beats", "beat")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := KillUnits(ctx, b.opt, func(name string) bool { return name == "lives.service" })
	if err != nil {
		t.Fatal(err)
	}
	b.silent()
	b.begin()
	for name, want := range map[string]bool{"dies.service": false, "lives.service": true} {
		if s, err := b.State(name); err != nil || (s.Active == "active") != want {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

// TestKillWhatWaitsToStart: what systemd has been told to start, and hasn't yet.
func TestKillWhatWaitsToStart(t *testing.T) {
	b := newBench(t)
	b.load("slow.service", "[Service]", "Type=oneshot", "ExecStart=/bin/sleep 1000")
	b.load("next.service", append([]string{"[Unit]", "After=slow.service"}, beats...)...)
	ends := make(chan runtime.Outcome, 1)
	b.Start("slow.service", nil)
	b.until("slow.service", func(s runtime.State) bool { return s.Active == "activating" })
	b.Start("next.service", func(o runtime.Outcome) { ends <- o })
	l, err := b.connected(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); !l.queued(t.Context(), "next.service"); {
		if time.Now().After(deadline) {
			t.Fatal("it isn't queued")
		}
		<-time.After(5 * time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := KillUnits(ctx, b.opt, func(name string) bool { return name == "slow.service" }); err != nil {
		t.Fatal(err)
	}
	b.must(b.Stop, "slow.service")
	if o := <-ends; o.Done() {
		t.Error("it was started")
	}
	if b.silent(); b.read("beats") != "" {
		t.Error("it has run")
	}
}

// TestWhatMayNotStart: the last word is asked for when systemd is about to be told.
func TestWhatMayNotStart(t *testing.T) {
	b := newBench(t)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	over := errors.New("the lease has passed")
	b.opt.Allowed = func(name string) error {
		if name == "global.service" {
			return nil
		}
		return over
	}
	b.begin()
	for _, name := range []string{"local.service", "global.service"} {
		b.load(name, beats...)
		o := b.do(b.Start, name)
		if may := name == "global.service"; o.Done() != may || !may && (o.Result != "canceled" || o.Reason != over.Error()) {
			t.Errorf("%s: %+v", name, o)
		}
	}
	if o := b.do(b.Restart, "local.service"); o.Done() {
		t.Errorf("restarted: %+v", o)
	}
	b.must(b.Stop, "local.service")
}

// TestKillWithoutManager: control groups suffice when systemd doesn't answer.
func TestKillWithoutManager(t *testing.T) {
	b := newBench(t)
	b.load("orphan.service", beats...)
	b.must(b.Start, "orphan.service")
	b.untilFile("beats", "beat")
	opt := b.opt
	opt.Address = UserAddress(t.TempDir()) // where nobody listens
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := KillUnits(ctx, opt, nil); err != nil {
		t.Fatal(err)
	}
	b.silent()
	if err := KillUnits(ctx, Options{Dir: filepath.Join(t.TempDir(), "none")}, nil); err != nil {
		t.Errorf("a node that never ran a unit: %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	if _, err := New(t.Context(), Options{Address: UserAddress(t.TempDir()), Dir: t.TempDir()}); err == nil {
		t.Error("connected to nobody")
	}
	if _, err := New(t.Context(), Options{}); err == nil {
		t.Error("no directory is needed")
	}
}

// TestReconnect: systemd executes itself anew, as it does when it is updated, and the
// runtime finds it again; what ran goes on.
func TestReconnect(t *testing.T) {
	b := newBench(t)
	b.load("through.service", "[Service]", "ExecStart=/bin/sleep 1000")
	b.must(b.Start, "through.service")
	before, _ := b.State("through.service")
	b.Systemd.mu.Lock()
	l := b.link
	b.Systemd.mu.Unlock()
	conn, err := dial(t.Context(), b.opt.Address)
	if err != nil {
		t.Fatal(err)
	}
	manager := conn.Object("org.freedesktop.systemd1", "/org/freedesktop/systemd1")
	call := manager.Go("org.freedesktop.systemd1.Manager.Reexecute", 0, nil)
	select {
	case <-l.lost:
	case <-time.After(patience):
		t.Fatal("systemd keeps the connection")
	}
	<-call.Done
	_ = conn.Close()
	if err := b.Load(b.parse("later.service", "[Service]", "ExecStart=/bin/sleep 1000")); err != nil {
		t.Fatal(err)
	}
	b.must(b.Start, "later.service")
	if s, _ := b.State("through.service"); s.MainPID != before.MainPID || s.Active != "active" {
		t.Errorf("came through as %+v", s)
	}
	if err := b.Signal("through.service", "SIGKILL"); err != nil {
		t.Fatal(err)
	}
	b.until("through.service", active("failed"))
}

func TestJournal(t *testing.T) {
	b := newBench(t)
	if _, err := os.Stat(b.opt.JournalFiles); err != nil {
		t.Skipf("there is no journal: %v", err)
	}
	b.load("talks.service", "[Service]", "ExecStart=/bin/sh -c 'echo one; echo two; read x <DIR/fifo; echo three'")
	if err := mkfifo(filepath.Join(b.dir, "fifo")); err != nil {
		t.Fatal(err)
	}
	b.must(b.Start, "talks.service")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var after uint64
	var texts []string
	for !slices.Contains(texts, "two") {
		texts, after = b.more(ctx, "talks.service", after, texts)
	}
	if err := os.WriteFile(filepath.Join(b.dir, "fifo"), []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	for !slices.Contains(texts, "three") {
		texts, after = b.more(ctx, "talks.service", after, texts)
	}
	if i := slices.Index(texts, "one"); i < 0 || texts[i+1] != "two" {
		t.Errorf("read %q", texts)
	}
	lines, err := b.Journal("talks.service", 0, 1)
	if err != nil || len(lines) != 1 || lines[0].Time.IsZero() || lines[0].Source == "" {
		t.Errorf("the last line is %+v (%v)", lines, err)
	}
	short, stop := context.WithCancel(ctx)
	stop()
	if err := b.Follow(short, "talks.service", 1<<40); !errors.Is(err, context.Canceled) {
		t.Errorf("followed until %v", err)
	}
}

// more waits for lines and adds them.
func (b *bench) more(ctx context.Context, name string, after uint64, texts []string) ([]string, uint64) {
	b.t.Helper()
	if err := b.Follow(ctx, name, after); err != nil {
		b.t.Fatal(err)
	}
	lines, err := b.Journal(name, after, 100)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, line := range lines {
		texts, after = append(texts, line.Text), line.Number
	}
	return texts, after
}

func mkfifo(path string) error { return syscall.Mkfifo(path, 0o600) }
