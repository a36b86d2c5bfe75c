package machine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"drydock/node/fleet"
	"drydock/node/link"
	"drydock/node/machine/guard"
	"drydock/node/machine/tether"
	"drydock/node/runtime"
	"drydock/node/runtime/lease"
	"drydock/node/runtime/supervisor"
	"drydock/node/unit"
)

// TestMain is the machine's helpers, too: guard and units start as this program.
func TestMain(m *testing.M) {
	if supervisor.Become() || guard.Become() {
		return
	}
	goleak.VerifyTestMain(m)
}

const (
	patience = 20 * time.Second
	cluster  = 0xc1
	beat     = 50 * time.Millisecond
	term     = 2 * time.Second
)

// member speaks for a cluster, as far as a machine can tell.
type member struct {
	t    *testing.T
	http *httptest.Server
	*tether.Server

	mu      sync.Mutex
	mute    bool // it hears nothing
	session uint64
	hellos  []*link.Hello
	orders  link.Orders
	texts   []string
	states  map[string]fleet.State
	gone    []string
	byes    int
	keep    bool // machines that are cut off are to keep running their units
}

func newMember(t *testing.T) *member {
	t.Helper()
	m := &member{t: t, session: 100, states: make(map[string]fleet.State)}
	m.Server = tether.NewServer(tether.ServerOptions{Cluster: cluster, Member: 7, Deliver: m.hear})
	m.http = httptest.NewServer(m.Server)
	t.Cleanup(func() {
		m.Server.Close()
		m.http.Close()
	})
	return m
}

// hear answers a frame as a leader would.
func (m *member) hear(machine string, b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mute {
		return
	}
	f, err := link.Decode(b)
	if err != nil || f.Machine != machine || f.Cluster != cluster {
		m.t.Errorf("a frame of %s: %+v, %v", machine, f, err)
		return
	}
	switch {
	case f.Hello != nil:
		m.hellos = append(m.hellos, f.Hello)
		if f.Hello.Session != m.session {
			m.session++
		}
		m.send(machine, link.Frame{Welcome: &link.Welcome{Nonce: f.Hello.Nonce, Session: m.session, Term: 1, Beat: beat, Lease: term, Drift: 500, Keep: m.keep}})
		m.sendOrders(machine)
	case f.Beat != nil:
		m.send(machine, link.Frame{Ack: &link.Ack{Session: m.session, Seq: f.Beat.Seq, Term: 1, Version: m.orders.Version}})
	case f.Want != nil:
		m.send(machine, link.Frame{Texts: &link.Texts{Texts: m.texts}})
	case f.Report != nil:
		for _, s := range f.Report.Report.States {
			m.states[s.Unit] = s
		}
		for _, g := range f.Report.Report.Gone {
			m.gone = append(m.gone, g.Unit)
			delete(m.states, g.Unit)
		}
		m.send(machine, link.Frame{Noted: &link.Noted{Session: m.session, Seq: f.Report.Report.Seq}})
	case f.Bye != nil:
		m.byes++
		m.send(machine, link.Frame{Closed: &link.Closed{Session: f.Bye.Session, Why: "it left"}})
	}
}

func (m *member) send(machine string, f link.Frame) {
	f.Cluster, f.Machine = cluster, machine
	m.Send(machine, f.Encode())
}

func (m *member) sendOrders(machine string) {
	o := m.orders
	o.Session, o.Term, o.Parts, o.Total = m.session, 1, 1, len(o.Units)
	m.send(machine, link.Frame{Orders: &o})
}

// order has the machine run what these units say.
func (m *member) order(units ...*unit.Unit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.orders.Version++
	m.orders.Units, m.texts = nil, nil
	for _, u := range units {
		m.texts = append(m.texts, u.Text())
		m.orders.Units = append(m.orders.Units, link.Order{
			Unit: u.Name().String(), Gen: 5, Hash: u.Hash(), Desired: fleet.Launched, Global: u.Fleet().Global,
		})
	}
	slices.SortFunc(m.orders.Units, func(a, b link.Order) int { return strings.Compare(a.Unit, b.Unit) })
	for _, machine := range m.Machines() {
		m.sendOrders(machine)
	}
}

func (m *member) state(name string) fleet.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.states[name]
}

func (m *member) silence(mute bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mute = mute
}

// host is a machine under test.
type host struct {
	*Machine
	t   *testing.T
	dir string
	o   Options
}

func newHost(t *testing.T, m *member) *host {
	t.Helper()
	h := &host{t: t, dir: t.TempDir()}
	self, err := Describe(About{DataDir: h.dir, Version: "v"})
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	h.o = Options{Logger: logger, Cluster: cluster, Peers: []string{m.http.URL}, Self: self, RunDir: filepath.Join(h.dir, "run")}
	t.Cleanup(func() {
		if h.Machine != nil {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := supervisor.KillOrphans(ctx, filepath.Join(h.o.RunDir, guard.UnitsDir), nil); err != nil {
			t.Error(err)
		}
		f, err := lease.Open(filepath.Join(h.o.RunDir, guard.LeaseFile))
		if err == nil { // the guard may go
			f.Begin(lease.None)
			_ = f.Close()
		}
	})
	h.start()
	return h
}

func (h *host) start() {
	h.t.Helper()
	var err error
	if h.Machine, err = Start(h.o); err != nil {
		h.t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in time", what)
		}
	}
}

// loop is a unit that writes down when it starts and goes on until it is killed.
func (h *host) loop(name string, fleetLines ...string) *unit.Unit {
	h.t.Helper()
	text := "[Service]\nType=exec\nExecStart=/bin/sh -c 'echo $$$$ >> " + filepath.Join(h.dir, name+".starts") + "; while :; do sleep 0.05; done'\n" +
		"[X-Fleet]\n" + strings.Join(fleetLines, "\n") + "\n"
	u, err := unit.Parse(name, []byte(text))
	if err != nil {
		h.t.Fatal(err)
	}
	return u
}

// running waits until units run, each once.
func (h *host) running(m *member, names ...string) {
	h.t.Helper()
	for _, name := range names {
		eventually(h.t, name, func() bool { return m.state(name).Sub == "running" && len(h.starts(name)) == 1 })
	}
}

// starts are the processes that a unit has had.
func (h *host) starts(name string) (pids []int) {
	text, _ := os.ReadFile(filepath.Join(h.dir, name+".starts"))
	for _, line := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(line)
		if err != nil {
			h.t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

func runs(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(text), ") Z ")
}

func TestAMachineRunsWhatItIsOrderedTo(t *testing.T) {
	m := newMember(t)
	h := newHost(t, m)
	a, b := h.loop("a.service"), h.loop("b.service", "Global=true")
	m.order(a, b)
	h.running(m, "a.service", "b.service")
	if s := m.state("a.service"); !s.Launched || s.Gen != 5 || s.Load != "loaded" || s.Hash != a.Hash() {
		t.Errorf("%+v", s)
	}
	if hello := m.hellos[0]; hello.Machine.ID != h.MachineID() || hello.Machine.Version != "v" {
		t.Errorf("%+v", hello)
	}
	if s, err := h.State("a.service"); err != nil || !runs(s.MainPID) {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := h.State("c.service"); !errors.Is(err, runtime.ErrNotFound) {
		t.Error(err)
	}
	m.order(b)
	eventually(t, "the end of the one", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return slices.Contains(m.gone, "a.service") })
	if pids := h.starts("a.service"); len(pids) != 1 || runs(pids[0]) {
		t.Errorf("processes %v", pids)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := h.Leave(ctx, "the test ends"); err != nil {
		t.Error(err)
	}
	if pids := h.starts("b.service"); len(pids) != 1 || runs(pids[0]) || m.byes == 0 {
		t.Errorf("processes %v, byes %d", pids, m.byes)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(h.o.RunDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something is left behind: %v", err)
	}
}

func TestAMachineThatIsCutOffKillsAndComesBack(t *testing.T) {
	m := newMember(t)
	h := newHost(t, m)
	m.order(h.loop("a.service"), h.loop("b.service", "Global=true"))
	h.running(m, "a.service", "b.service")
	m.silence(true)
	cut := lease.Now()
	pid := h.starts("a.service")[0]
	eventually(t, "the end of it", func() bool { return !runs(pid) })
	// Not at once, and not for long: by how much is the guard's test.
	if d := lease.Now() - cut; d > term+patience/4 || d < term/3 {
		t.Errorf("it ended after %v of a lease of %v", d, term)
	}
	if !runs(h.starts("b.service")[0]) {
		t.Error("a global unit was killed")
	}
	eventually(t, "the guard's word", func() bool { return h.keeper.Lease() == lease.Over })
	m.silence(false)
	eventually(t, "it runs again", func() bool { return len(h.starts("a.service")) == 2 })
	if len(h.starts("b.service")) != 1 {
		t.Errorf("b's processes: %v", h.starts("b.service"))
	}
}

// TestAMachineThatKeepsRunning starts units as any other does, and ends none when it is
// cut off for longer than its lease.
func TestAMachineThatKeepsRunning(t *testing.T) {
	m := newMember(t)
	m.keep = true
	h := newHost(t, m)
	m.order(h.loop("a.service"))
	h.running(m, "a.service")
	m.silence(true)
	cut := lease.Now()
	eventually(t, "the lease to be over", func() bool { return lease.Now() > cut+term+term/2 })
	if pids := h.starts("a.service"); len(pids) != 1 || !runs(pids[0]) || h.keeper.Lease() != lease.Always {
		t.Errorf("processes %v, the guard's word %v", pids, h.keeper.Lease())
	}
	m.silence(false)
}

// TestAGuardThatHasBittenInTheMeantime has the guard end the lease between the leader's
// word and its way to the guard, as on a computer that writes a record for seconds.
func TestAGuardThatHasBittenInTheMeantime(t *testing.T) {
	m := newMember(t)
	h := newHost(t, m)
	m.order(h.loop("a.service"))
	h.running(m, "a.service")
	word, err := lease.Open(filepath.Join(h.o.RunDir, guard.LeaseFile))
	if err != nil {
		t.Fatal(err)
	}
	defer word.Close()
	for old := word.Read(); !word.Swap(old, lease.Over); old = word.Read() {
	}
	eventually(t, "it runs again", func() bool { return len(h.starts("a.service")) == 2 })
	if pids := h.starts("a.service"); runs(pids[0]) {
		t.Error("it runs twice")
	}
}

func TestANextLifeAdoptsWhatRuns(t *testing.T) {
	m := newMember(t)
	h := newHost(t, m)
	m.order(h.loop("a.service"), h.loop("b.service", "Global=true"))
	h.running(m, "a.service", "b.service")
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	session, hellos := m.session, len(m.hellos)
	h.start()
	eventually(t, "it goes on", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return len(m.hellos) > hellos })
	eventually(t, "both are known", func() bool {
		a, errA := h.State("a.service")
		b, errB := h.State("b.service")
		return errA == nil && errB == nil && a.Sub == "running" && b.Sub == "running"
	})
	if m.session != session || len(h.starts("a.service")) != 1 || len(h.starts("b.service")) != 1 {
		t.Errorf("session %d, then %d; processes %v", session, m.session, h.starts("a.service"))
	}
	// What nobody has ordered meanwhile ends.
	m.order()
	eventually(t, "their end", func() bool { return !runs(h.starts("a.service")[0]) && !runs(h.starts("b.service")[0]) })
	lines, err := h.Journal("a.service", 0, 10)
	if err == nil && len(lines) == 0 {
		t.Error("nothing was said of it")
	}
}

func TestNothingIsStartedWithoutAGuard(t *testing.T) {
	m := newMember(t)
	h := newHost(t, m)
	eventually(t, "a guard", h.keeper.Alive)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the guard", func() bool {
		f, err := guard.Lock(filepath.Join(h.o.RunDir, "guard.lock"))
		return err == nil && f.Close() == nil
	})
	// What should become the guard, or a unit's process, only says what it was asked.
	h.o.Program = filepath.Join(h.dir, "program")
	asked := filepath.Join(h.dir, "asked")
	if err := os.WriteFile(h.o.Program, []byte("#!/bin/sh\necho \"$@\" >> "+asked+"\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.start()
	m.order(h.loop("a.service"))
	eventually(t, "it is loaded", func() bool { return m.state("a.service").Load == "loaded" })
	calls := func() string {
		text, _ := os.ReadFile(asked)
		return string(text)
	}
	// By the time that it has given up on a guard it would have started the unit, too.
	eventually(t, "a second attempt at a guard", func() bool { return strings.Count(calls(), "begin") >= 2 })
	if h.keeper.Alive() || strings.Contains(calls(), "a.service") {
		t.Errorf("it was started without a guard: %s", calls())
	}
	// One that needs no lease needs no guard.
	m.order(h.loop("b.service", "Global=true"))
	eventually(t, "an attempt at a global unit", func() bool { return strings.Contains(calls(), "b.service") })
}

func TestARecordThatCannotBeRead(t *testing.T) {
	m := newMember(t)
	h := newHost(t, m)
	m.order(h.loop("a.service"))
	h.running(m, "a.service")
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"{", `{"version":9}`} {
		if err := os.WriteFile(filepath.Join(h.o.RunDir, recordFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readRecord(h.o.RunDir); !errors.Is(err, ErrRecord) || !strings.Contains(err.Error(), recordFile) {
			t.Errorf("%q: %v", text, err)
		}
	}
	pid := h.starts("a.service")[0]
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatal(err)
	}
	h.start()
	eventually(t, "what isn't known is killed, and started as ordered", func() bool { return !runs(pid) && len(h.starts("a.service")) == 2 })
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	good := Options{Cluster: 1, Peers: []string{"http://127.0.0.1:1"}, Self: fleet.Machine{ID: "x", Boot: "y"}, RunDir: t.TempDir()}
	for name, change := range map[string]func(*Options){
		"no cluster": func(o *Options) { o.Cluster = 0 }, "no id": func(o *Options) { o.Self.ID = "" },
		"no members": func(o *Options) { o.Peers = nil }, "no directory": func(o *Options) { o.RunDir = "" },
	} {
		o := good
		change(&o)
		if _, err := Start(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
