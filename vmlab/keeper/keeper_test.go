package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"drydock/chaos"
	"drydock/vmlab/lab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is for what a loaded machine may take its time to do.
const patience = 20 * time.Second

var began = time.Unix(1416614400, 0)

// kept is a keeper that serves, and its client.
type kept struct {
	*Keeper
	t      *testing.T
	client *Client
	ground *fakeGround
	served chan error

	mu   sync.Mutex
	told []Event
}

// keep starts a keeper of a lab file's lab.
func keep(t *testing.T, d *fake, text string) *kept {
	t.Helper()
	store := newStore(t, text)
	k, err := Open(t.Context(), store, d)
	if err != nil {
		t.Fatal(err)
	}
	one := &kept{Keeper: k, t: t, client: NewClient(store), ground: d.opened, served: make(chan error, 1)}
	go func() { one.served <- k.Serve(context.Background()) }()
	one.until("the keeper answers", func() bool { return one.client.Answers(t.Context()) })
	t.Cleanup(func() {
		if store.KeeperLives() {
			if err := one.client.Down(context.Background(), true, one.tell); err != nil && !errors.Is(err, ErrDown) {
				t.Error(err)
			}
		}
		if err := <-one.served; err != nil {
			t.Errorf("the keeper ended: %v", err)
		}
	})
	return one
}

func (k *kept) tell(e Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.told = append(k.told, e)
}

// events are those told so far, as machine and what.
func (k *kept) events(what ...string) (list []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.told {
		if slices.Contains(what, e.What) {
			list = append(list, strings.TrimSpace(e.Machine+" "+e.What))
		}
	}
	slices.Sort(list)
	return list
}

// until polls until it is so.
func (k *kept) until(what string, so func() bool) {
	k.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); !so(); {
		select {
		case <-tick.C:
		case <-end:
			k.t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func (k *kept) up() {
	k.t.Helper()
	if err := k.client.Up(k.t.Context(), nil, k.tell); err != nil {
		k.t.Fatal(err)
	}
}

const three = "lab: t\ndriver: fake\nmachines: [{name: core, count: 3, ports: []}]\n"

// TestFromUpToDown: all machines are told to be ready, the status has their roles, and
// down ends all.
func TestFromUpToDown(t *testing.T) {
	d := &fake{}
	k := keep(t, d, three)
	k.up()
	if diff := cmp.Diff([]string{"core-01 ready", "core-02 ready", "core-03 ready"}, k.events(WhatReady)); diff != "" {
		t.Error(diff)
	}
	s, err := k.client.Status(t.Context())
	if err != nil || len(s.Machines) != 3 {
		t.Fatalf("%+v, %v", s, err)
	}
	if m := s.Machines[0]; m.State != "leader" || m.Term != 7 || !m.Healthy || m.Units != 1 || m.Address.String() != "172.17.8.101" {
		t.Errorf("%+v", m)
	}
	if a, err := k.client.Access(t.Context(), "core-02"); err != nil || a.Machine != "core-02" {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := k.client.Access(t.Context(), "core-09"); err == nil {
		t.Error("access to a machine that isn't there")
	}
	if err := k.client.Down(t.Context(), false, k.tell); err != nil {
		t.Fatal(err)
	}
	if _, err := k.client.Status(t.Context()); !errors.Is(err, ErrDown) {
		t.Errorf("status of a lab that is down: %v", err)
	}
	if did := k.ground.said(); did[len(did)-1] != "close" || d.reaps != 1 {
		t.Errorf("%d reaps, and %v", d.reaps, did)
	}
}

// TestOneKeeperToALab: a second one is refused.
func TestOneKeeperToALab(t *testing.T) {
	k := keep(t, &fake{}, three)
	if _, err := Open(t.Context(), k.store, &fake{}); !errors.Is(err, lab.ErrBusy) {
		t.Errorf("a second keeper: %v", err)
	}
}

// errDriver is a driver's that can't open a lab.
var errDriver = errors.New("no tun here")

type broken struct{ fake }

func (b *broken) Open(context.Context, lab.Site) (lab.Ground, error) { return nil, errDriver }

// TestALabThatCannotBeMade leaves its lock to the next keeper.
func TestALabThatCannotBeMade(t *testing.T) {
	store := newStore(t, three)
	for range 2 {
		if _, err := Open(t.Context(), store, &broken{}); !errors.Is(err, errDriver) {
			t.Errorf("got %v", err)
		}
	}
}

// TestAMachineThatFails shows the end of its console; the others come up.
func TestAMachineThatFails(t *testing.T) {
	k := keep(t, &fake{fails: map[string]bool{"core-02": true}}, three)
	err := k.client.Up(t.Context(), nil, k.tell)
	if err == nil || !strings.Contains(err.Error(), "core-02") || strings.Contains(err.Error(), "core-01") {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"core-01 ready", "core-03 ready", "core-02 failed"}, append(k.events(WhatReady), k.events(WhatFailed)...)); diff != "" {
		t.Error(diff)
	}
	at := slices.IndexFunc(k.told, func(e Event) bool { return e.What == WhatFailed })
	if e := k.told[at]; len(e.Console) != consoleLines || e.Console[consoleLines-1] != "Kernel panic" || !strings.HasSuffix(e.ConsoleFile, "core-02/console.log") {
		t.Errorf("%+v", e)
	}
}

// TestUpThatIsGivenUp ends when its caller goes, and another goes on from there.
func TestUpThatIsGivenUp(t *testing.T) {
	d := &fake{silent: map[string]bool{"core-03": true}}
	k := keep(t, d, three)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.client.Up(ctx, nil, k.tell) }()
	k.until("two are ready", func() bool { return len(k.events(WhatReady)) == 2 })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	k.ground.mu.Lock()
	d.silent = nil
	k.ground.mu.Unlock()
	k.up()
}

// TestAMachineSwitchedOnMeanwhile: a command that was killed may still have had a machine
// switched on, just before the next one does.
func TestAMachineSwitchedOnMeanwhile(t *testing.T) {
	k := keep(t, &fake{another: map[string]bool{"core-02": true}}, three)
	k.up()
	if diff := cmp.Diff([]string{"core-01 ready", "core-02 ready", "core-03 ready"}, k.events(WhatReady)); diff != "" {
		t.Error(diff)
	}
}

// TestPorts: a port that is taken is replaced by the next one, which the state has, and
// leads to the machine.
func TestPorts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	port := taken.Addr().(*net.TCPAddr).Port
	k := keep(t, &fake{}, fmt.Sprintf("lab: t\ndriver: fake\nmachines: [{name: core, ports: [\"%d:2379\"]}]\n", port))
	k.up()
	if got := k.events(WhatPort); len(got) != 1 {
		t.Errorf("told of ports: %v", got)
	}
	st, err := k.store.Load()
	if err != nil {
		t.Fatal(err)
	}
	found := st.Machines[0].Ports[0].Host
	if found == port || found == 0 {
		t.Fatalf("port %d was found for %d", found, port)
	}
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/health", found))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil || !strings.Contains(string(text), "true") {
		t.Errorf("%q, %v", text, err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// order makes an order of a fault.
// TestPortsOfASecondTry: of a machine whose ports are not all to be had none is
// forwarded, and the next try forwards all.
func TestPortsOfASecondTry(t *testing.T) {
	last, err := net.Listen("tcp", "127.0.0.1:65535")
	if err != nil {
		t.Skipf("skipped: the last port is taken: %v", err)
	}
	k := keep(t, &fake{}, "lab: t\ndriver: fake\nmachines: [{name: core, ports: [\"23790:2379\", \"65535:4001\"]}]\n")
	if err := k.client.Up(t.Context(), nil, k.tell); err == nil {
		t.Error("a machine without one of its ports is ready")
	}
	if err := last.Close(); err != nil {
		t.Fatal(err)
	}
	k.up()
	conn, err := net.Dial("tcp", "127.0.0.1:65535")
	if err != nil {
		t.Fatalf("a port leads nowhere: %v", err)
	}
	_ = conn.Close()
}

// TestAFaultThatEndsAtOnce doesn't last, however short it is.
func TestAFaultThatEndsAtOnce(t *testing.T) {
	k := keep(t, &fake{}, three)
	k.up()
	for range 20 {
		if _, err := k.client.Strike(t.Context(), order(t, chaos.KindPartition, isolate("n1"), time.Nanosecond)); err != nil {
			t.Fatal(err)
		}
	}
	k.until("all have ended", func() bool { return len(k.Faults().Lasting) == 0 })
}

// TestHealEndsRestartsToCome: a machine that was healed and dies again isn't started by
// what was to follow its first death.
func TestHealEndsRestartsToCome(t *testing.T) {
	k := keep(t, &fake{}, three)
	k.up()
	crash := &chaos.Crash{Node: chaos.Selectors{"n1"}, LoseUnsynced: true, RestartAfter: time.Hour}
	if _, err := k.client.Strike(t.Context(), order(t, chaos.KindCrash, crash, 0)); err != nil {
		t.Fatal(err)
	}
	if len(k.restarts) != 1 {
		t.Fatalf("%d restarts are to come", len(k.restarts))
	}
	timer := k.restarts[0]
	if _, err := k.client.Heal(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if timer.Stop() {
		t.Error("the restart is still to come")
	}
}

// TestTheEndOfALongConsole: only its end is read.
func TestTheEndOfALongConsole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.log")
	if err := os.WriteFile(path, []byte(strings.Repeat("x", 3*tailMost)+"\nlast\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := tail(path, consoleLines)
	if len(lines) != 2 || lines[1] != "last" || len(lines[0]) >= tailMost {
		t.Errorf("%d lines, the last one %q", len(lines), lines[len(lines)-1])
	}
}

func order(t *testing.T, kind chaos.Kind, p chaos.Params, lasts time.Duration) Order {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return Order{Kind: kind, Params: text, For: lasts}
}

// isolate is a partition of one.
func isolate(node string) *chaos.Partition {
	return &chaos.Partition{Isolate: chaos.Selectors{chaos.Selector(node)}}
}

// TestFaults are on record while they last, shown, and healed one by one, all at once
// or by themselves.
func TestFaults(t *testing.T) {
	k := keep(t, &fake{}, three)
	k.up()
	cut, err := k.client.Strike(t.Context(), order(t, chaos.KindPartition, isolate("n1"), 0))
	if err != nil {
		t.Fatal(err)
	}
	if st, err := k.store.Load(); err != nil || !slices.Equal(st.Undo, []string{cut.Text}) || !strings.Contains(cut.Text, "core-01") {
		t.Errorf("on record: %+v, %v; %q", st.Undo, err, cut.Text)
	}
	if f, err := k.client.Faults(t.Context()); err != nil || len(f.Lasting) != 1 || len(f.Wire.Rules) == 0 {
		t.Errorf("shown: %+v, %v", f, err)
	}
	if _, err := k.client.Heal(t.Context(), []int{99}); err == nil {
		t.Error("a fault that isn't there is healed")
	}
	if said, err := k.client.Heal(t.Context(), []int{cut.ID}); err != nil || len(said) != 1 {
		t.Errorf("%v, %v", said, err)
	}
	if _, err := k.client.Strike(t.Context(), order(t, chaos.KindPause, &chaos.Pause{Node: chaos.Selectors{"leader"}}, time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	k.until("the pause ends by itself", func() bool { return len(k.Faults().Lasting) == 0 && slices.Contains(k.ground.said(), "resume core-01") })
	if _, err := k.client.Strike(t.Context(), order(t, chaos.KindCrash, &chaos.Crash{Node: chaos.Selectors{"n2"}, LoseUnsynced: true}, 0)); err != nil {
		t.Fatal(err)
	}
	if said, err := k.client.Heal(t.Context(), nil); err != nil || !slices.Equal(said, []string{"restart core-02"}) {
		t.Errorf("healed all: %v, %v", said, err)
	}
	if st, err := k.store.Load(); err != nil || len(st.Undo) > 0 {
		t.Errorf("on record after all were healed: %v, %v", st.Undo, err)
	}
}

// TestFaultsRefused name what is wrong, and leave nothing.
func TestFaultsRefused(t *testing.T) {
	k := keep(t, &fake{}, three)
	k.up()
	for want, o := range map[string]Order{
		`no such fault: "storm"`:       {Kind: "storm"},
		`no such fault: "heal"`:        {Kind: chaos.KindHeal},
		`lacks the capability "clock"`: order(t, chaos.KindClockJump, &chaos.ClockJump{Node: chaos.Selectors{"n1"}, By: time.Hour}, 0),
		"partition: ":                  {Kind: chaos.KindPartition, Params: json.RawMessage(`{"isolate": 7}`)},
	} {
		if _, err := k.client.Strike(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %s", o.Kind, err, want)
		}
	}
	if st, err := k.store.Load(); err != nil || len(st.Undo) > 0 || len(k.Faults().Lasting) > 0 {
		t.Errorf("left: %+v, %v", st.Undo, err)
	}
}

// wanted is what a lab file says.
func wanted(t *testing.T, text string) Wanted {
	t.Helper()
	spec, err := lab.Parse("lab.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	spec.Ready = patience
	return Wanted{Spec: spec, Machines: spec.MachineList()}
}

// TestApply adds, changes and removes machines in an order that keeps the cluster, and
// does nothing a second time.
func TestApply(t *testing.T) {
	k := keep(t, &fake{}, three)
	k.up()
	k.ground.said()
	w := wanted(t, "lab: t\ndriver: fake\nmachines: [{name: core, count: 2, metadata: [a=b], ports: []}, {name: new, ports: []}]\nlinks: [{delay: 1ms}]\n")
	if err := k.client.Apply(t.Context(), w, k.tell); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"member add http://172.17.8.104:2380", "admit new-01 172.17.8.104 ", "boot new-01",
		"halt core-01", "admit core-01 172.17.8.101 a=b", "boot core-01",
		"halt core-02", "admit core-02 172.17.8.102 a=b", "boot core-02",
		"member remove", "halt core-03", "dismiss core-03",
	}
	if diff := cmp.Diff(want, k.ground.said()); diff != "" {
		t.Error(diff)
	}
	st, err := k.store.Load()
	if err != nil || len(st.Machines) != 3 || st.Machines[2].Name != "new-01" || !st.Machines[2].Joins || st.Machines[2].Node != "n4" {
		t.Errorf("the state: %+v, %v", st.Machines, err)
	}
	if r := k.ground.sw.Report().Rules; len(r) != 1 || !r[0].Base || r[0].Effect.Delay != time.Millisecond {
		t.Errorf("rules: %+v", r)
	}
	if p, err := k.client.Plan(t.Context(), w); err != nil || !p.Empty() {
		t.Errorf("a second plan: %v, %v", p, err)
	}
	if err := k.client.Apply(t.Context(), w, k.tell); err != nil || len(k.ground.said()) > 0 {
		t.Errorf("a second apply: %v", err)
	}
}

// TestApplyIsRefused by name where a driver's grounds keep their machines.
func TestApplyIsRefused(t *testing.T) {
	k := keep(t, &fake{fixed: true}, three)
	w := wanted(t, strings.Replace(three, "count: 3", "count: 4", 1))
	if _, err := k.client.Plan(t.Context(), w); err == nil || !strings.Contains(err.Error(), "add core-04: the driver fake can't") {
		t.Errorf("got %v", err)
	}
}

// TestRestartAndHalt concern the machines that are named.
func TestRestartAndHalt(t *testing.T) {
	k := keep(t, &fake{}, three)
	k.up()
	k.ground.said()
	if err := k.client.Restart(t.Context(), []string{"core-02"}, false, k.tell); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"halt core-02", "boot core-02"}, k.ground.said()); diff != "" {
		t.Error(diff)
	}
	if err := k.client.Halt(t.Context(), []string{"core-03"}, true, k.tell); err != nil {
		t.Fatal(err)
	}
	if v := k.ground.Vitals("core-03"); v.Power != lab.PowerOff || len(k.ground.said()) > 0 {
		t.Errorf("core-03, whose power was cut: %+v", v)
	}
}
