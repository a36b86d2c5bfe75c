package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"drydock/node/runtime"
	"drydock/node/runtime/supervisor"
	"drydock/node/unit"
)

// patience bounds every wait of a test.
const patience = 20 * time.Second

// TestMain is the supervisor's helper, and the docker command of the tests.
func TestMain(m *testing.M) {
	if supervisor.Become() {
		return
	}
	if filepath.Base(os.Args[0]) == "docker" {
		if err := command(os.Args[1:]); err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// command is `docker run` as far as units see it: it makes a container, stays, and
// stops the container when it is told to end.
func command(args []string) error {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	rest, options := runFlags.read(args[1:])
	config := map[string]any{"Image": rest[0], "Cmd": rest[1:]}
	name := ""
	for _, o := range options {
		switch o.name {
		case "name":
			name = o.value
		case "label":
			key, value, _ := strings.Cut(o.value, "=")
			config["Labels"] = map[string]string{key: value}
		}
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(filepath.Dir(os.Args[0]), "sock"))
	}}}
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	res, err := client.Post("http://docker/v1.41/containers/create?name="+name, "application/json", bytes.NewReader(text))
	if err != nil {
		return err
	}
	var made struct{ ID string }
	if err := json.NewDecoder(res.Body).Decode(&made); err != nil {
		return err
	}
	_ = res.Body.Close()
	<-told
	res, err = client.Post("http://docker/v1.41/containers/"+made.ID+"/stop", "", nil)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// bench is a runtime under test, with what it has reported.
type bench struct {
	*Docker
	t       *testing.T
	engine  *fakeEngine
	opt     Options
	bin     string // of the docker command
	state   string // of the supervisor
	mu      sync.Mutex
	changed chan struct{}
	last    map[string]runtime.State
	history []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{
		t: t, engine: newFakeEngine(t), bin: t.TempDir(), state: t.TempDir(),
		changed: make(chan struct{}), last: make(map[string]runtime.State),
	}
	self, err := os.Executable()
	if err == nil {
		err = errors.Join(os.Symlink(self, filepath.Join(b.bin, "docker")), os.Symlink(b.engine.socket, filepath.Join(b.bin, "sock")))
	}
	if err != nil {
		t.Fatal(err)
	}
	b.opt = Options{Socket: b.engine.socket, Dir: t.TempDir(), Facts: unit.AnyFacts(), Report: b.report}
	b.begin()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

// begin starts a life of the runtime.
func (b *bench) begin() {
	b.t.Helper()
	d, err := Wrap(b.opt, func(report func(runtime.State)) (runtime.Runtime, error) {
		return supervisor.New(supervisor.Options{Dir: b.state, Facts: b.opt.Facts, Report: report})
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.Docker = d
}

func (b *bench) report(s runtime.State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	running, _ := b.engine.names()
	b.history = append(b.history, fmt.Sprintf("%s %s/%s %s", s.Name, s.Active, s.Sub, strings.Join(running, ",")))
	b.last[s.Name] = s
	close(b.changed)
	b.changed = make(chan struct{})
}

// load loads a service; DOCKER in its lines is the docker command.
func (b *bench) load(name string, lines ...string) {
	b.t.Helper()
	text := strings.ReplaceAll("[Service]\n"+strings.Join(lines, "\n")+"\n", "DOCKER", filepath.Join(b.bin, "docker"))
	u, err := unit.Parse(name, []byte(text))
	if err == nil {
		err = b.Load(u)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// must carries out a request.
func (b *bench) must(request func(string, func(runtime.Outcome)), name string) {
	b.t.Helper()
	end := make(chan runtime.Outcome, 1)
	request(name, func(o runtime.Outcome) { end <- o })
	select {
	case o := <-end:
		if !o.Done() {
			b.t.Fatalf("%s: %+v", name, o)
		}
	case <-time.After(patience):
		b.t.Fatalf("no end of a request about %s", name)
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

// untilRuns waits until these containers run, and no others.
func (b *bench) untilRuns(want ...string) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		running, _ := b.engine.names()
		if slices.Equal(running, want) {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%q run, not %q", running, want)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// endedAlone makes sure that no end of a unit was told while a container of it ran.
func (b *bench) endedAlone(name, container string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range b.history {
		if (strings.HasPrefix(line, name+" inactive/") || strings.HasPrefix(line, name+" failed/")) && strings.HasSuffix(line, container) {
			b.t.Errorf("told: %s", line)
		}
	}
}

func TestKillTakesContainersAlong(t *testing.T) {
	for _, tc := range []struct{ name, options, container string }{
		{"named", "--name box", "box"},
		{"labelled", "--label drydock.unit=%n", "brave_hopper2"},
		{"neither", "", "brave_hopper2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			b.engine.by("by-hand", "busybox", "hello")
			b.load("a.service", "ExecStart=DOCKER run --rm "+tc.options+" busybox hello")
			b.must(b.Start, "a.service")
			b.untilRuns(sorted(tc.container, "by-hand")...)
			b.Kill("a.service")
			b.until("a.service", hasEnded)
			b.untilRuns("by-hand")
			b.endedAlone("a.service", tc.container)
		})
	}
}

func sorted(names ...string) []string {
	slices.Sort(names)
	return names
}

// TestStopLeavesWhatEnded: a container that the unit's own commands have stopped is
// theirs until the unit is unloaded.
func TestStopLeavesWhatEnded(t *testing.T) {
	b := newBench(t)
	b.load("a.service", "ExecStart=DOCKER run --name box busybox")
	b.must(b.Start, "a.service")
	b.untilRuns("box")
	b.must(b.Stop, "a.service")
	if running, all := b.engine.names(); len(running) > 0 || !slices.Equal(all, []string{"box"}) {
		t.Errorf("%q run, and there are %q", running, all)
	}
	b.must(b.Unload, "a.service")
	if _, all := b.engine.names(); len(all) > 0 {
		t.Errorf("%q are left", all)
	}
	if records, err := readRecords(b.opt.Dir); err != nil || len(records) > 0 {
		t.Errorf("records %v are left (%v)", records, err)
	}
}

// TestUnused: what a command that was killed early has left, and has never run, is out
// of the way of the next start.
func TestUnused(t *testing.T) {
	b := newBench(t)
	b.load("a.service", "ExecStart=DOCKER run --name box busybox")
	b.must(b.Start, "a.service")
	b.untilRuns("box")
	b.must(b.Stop, "a.service")
	b.engine.set(func() {
		for _, c := range b.engine.containers {
			c.unused = true
		}
	})
	b.must(b.Start, "a.service")
	b.untilRuns("box")
	if _, all := b.engine.names(); !slices.Equal(all, []string{"box"}) {
		t.Errorf("there are %q", all)
	}
}

// TestCrash: the docker command dies, and the container goes before the end is told;
// what is started then is another.
func TestCrash(t *testing.T) {
	b := newBench(t)
	b.engine.set(func() { b.engine.stuck = 3 })
	b.load("a.service", "ExecStart=DOCKER run busybox hello")
	b.must(b.Start, "a.service")
	b.untilRuns("brave_hopper1")
	if err := b.Signal("a.service", "SIGKILL"); err != nil {
		t.Fatal(err)
	}
	b.until("a.service", func(s runtime.State) bool { return s.Active == "failed" })
	b.endedAlone("a.service", "brave_hopper1")
	b.must(b.Restart, "a.service")
	b.untilRuns("brave_hopper2")
}

// TestRestartBySelf: a unit that is restarted has one container.
func TestRestartBySelf(t *testing.T) {
	b := newBench(t)
	b.load("a.service", "ExecStart=DOCKER run busybox hello", "Restart=always", "RestartSec=50ms")
	b.must(b.Start, "a.service")
	b.untilRuns("brave_hopper1")
	if err := b.Signal("a.service", "SIGKILL"); err != nil {
		t.Fatal(err)
	}
	b.untilRuns("brave_hopper2")
	b.Kill("a.service")
	b.until("a.service", hasEnded)
	b.untilRuns()
}

// TestEngineInTrouble: the unit doesn't count as ended while nobody knows whether
// its containers have, and says why.
func TestEngineInTrouble(t *testing.T) {
	b := newBench(t)
	b.load("a.service", "ExecStart=DOCKER run --name box busybox")
	b.must(b.Start, "a.service")
	b.untilRuns("box")
	b.engine.set(func() { b.engine.broken = true })
	b.Kill("a.service")
	s := b.until("a.service", func(s runtime.State) bool { return strings.Contains(s.Text, "shutting down") })
	if s.Active != "deactivating" {
		t.Errorf("told %+v", s)
	}
	if s, err := b.State("a.service"); err != nil || s.Active != "deactivating" || b.List()[0] != s {
		t.Errorf("it is %+v, %v", s, err)
	}
	b.engine.set(func() { b.engine.broken = false })
	b.until("a.service", hasEnded)
	b.endedAlone("a.service", "box")
}

// TestNextLife: the next life of the agent finds containers whose unit has died
// meanwhile.
func TestNextLife(t *testing.T) {
	b := newBench(t)
	lines := []string{"ExecStart=DOCKER run busybox hello"}
	b.load("a.service", lines...)
	b.load("plain.service", "ExecStart=/bin/sleep 1000")
	b.must(b.Start, "a.service")
	b.must(b.Start, "plain.service")
	b.untilRuns("brave_hopper1")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := supervisor.KillOrphans(ctx, b.state, nil); err != nil {
		t.Fatal(err)
	}
	b.begin()
	if list := b.List(); len(list) != 1 || list[0].Name != "a.service" || list[0].Active != "deactivating" {
		t.Errorf("found %+v", list)
	}
	b.must(b.Unload, "a.service")
	b.untilRuns()
	if list := b.List(); len(list) != 0 {
		t.Errorf("left %+v", list)
	}
}

// TestKillContainers: the guard ends what it must, and spares what it may.
func TestKillContainers(t *testing.T) {
	b := newBench(t)
	b.engine.by("by-hand", "busybox", "hello")
	b.load("dies.service", "ExecStart=DOCKER run busybox hello")
	b.load("lives.service", "ExecStart=DOCKER run --name lives busybox hello")
	b.must(b.Start, "dies.service")
	b.untilRuns("brave_hopper2", "by-hand")
	b.must(b.Start, "lives.service")
	b.untilRuns("brave_hopper2", "by-hand", "lives")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	b.engine.set(func() { b.engine.stuck = 2 })
	if err := KillContainers(ctx, b.opt, func(name string) bool { return name == "lives.service" }); err != nil {
		t.Fatal(err)
	}
	b.untilRuns("by-hand", "lives")
	b.engine.set(func() { b.engine.broken = true })
	short, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	if err := KillContainers(short, b.opt, nil); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "shutting down") {
		t.Errorf("an engine in trouble: %v", err)
	}
	b.engine.set(func() { b.engine.broken = false })
	none := b.opt
	none.Socket = filepath.Join(t.TempDir(), "none")
	if err := KillContainers(ctx, none, nil); err != nil {
		t.Errorf("a machine without an engine: %v", err)
	}
}

// TestDamagedRecord: it is named, and others count.
func TestDamagedRecord(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(
		os.WriteFile(recordFile(dir, "bad.service"), []byte("{"), 0o600),
		os.WriteFile(recordFile(dir, "empty.service"), []byte("{}"), 0o600),
		(&record{Unit: "good.service"}).save(dir),
	); err != nil {
		t.Fatal(err)
	}
	list, err := readRecords(dir)
	if len(list) != 1 || list[0].Unit != "good.service" {
		t.Errorf("read %+v", list)
	}
	if err == nil || !strings.Contains(err.Error(), "docker-bad.service") || !strings.Contains(err.Error(), "names no unit") {
		t.Errorf("error: %v", err)
	}
	if _, err := Wrap(Options{}, nil); err == nil {
		t.Error("no directory is needed")
	}
}
