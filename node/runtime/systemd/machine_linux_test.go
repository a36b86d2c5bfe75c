package systemd_test

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"drydock/node/fleet"
	"drydock/node/link"
	"drydock/node/machine"
	"drydock/node/machine/guard"
	"drydock/node/machine/tether"
	"drydock/node/runtime/lease"
	"drydock/node/runtime/systemd"
	"drydock/node/unit"
)

func init() { systemd.Become = append(systemd.Become, guard.Become) }

// leader answers a machine as a cluster would, while it isn't mute.
type leader struct {
	*tether.Server
	mu     sync.Mutex
	mute   bool
	orders link.Orders
	states map[string]fleet.State
}

func (l *leader) hear(id string, b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := link.Decode(b)
	if err != nil || l.mute {
		return
	}
	send := func(f link.Frame) {
		f.Cluster, f.Machine = 1, id
		l.Send(id, f.Encode())
	}
	switch {
	case f.Hello != nil:
		send(link.Frame{Welcome: &link.Welcome{Nonce: f.Hello.Nonce, Session: 5, Term: 1, Beat: 50 * time.Millisecond, Lease: 2 * time.Second, Drift: 500}})
		send(link.Frame{Orders: &l.orders})
	case f.Beat != nil:
		send(link.Frame{Ack: &link.Ack{Session: 5, Seq: f.Beat.Seq, Term: 1, Version: l.orders.Version}})
	case f.Report != nil:
		for _, s := range f.Report.Report.States {
			l.states[s.Unit] = s
		}
		send(link.Frame{Noted: &link.Noted{Session: 5, Seq: f.Report.Report.Seq}})
	case f.Bye != nil:
		send(link.Frame{Closed: &link.Closed{Session: 5, Why: "it left"}})
	}
}

func (l *leader) state(name string) fleet.State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.states[name]
}

func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in time", what)
		}
	}
}

// TestAMachineWhoseUnitsSystemdRuns has it start, hand over, fence and leave.
func TestAMachineWhoseUnitsSystemdRuns(t *testing.T) {
	address := systemd.PrivateAddress(t)
	text := "[Service]\nExecStart=/bin/sleep 1000\n"
	local, err := unit.Parse("machine-local.service", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	global, err := unit.Parse("machine-global.service", []byte(text+"[X-Fleet]\nGlobal=true\n"))
	if err != nil {
		t.Fatal(err)
	}
	l := &leader{states: make(map[string]fleet.State)}
	l.orders = link.Orders{Session: 5, Term: 1, Version: 7, Parts: 1, Total: 2, Texts: []string{global.Text(), local.Text()}, Units: []link.Order{
		{Unit: "machine-global.service", Gen: 6, Hash: global.Hash(), Desired: fleet.Launched, Global: true},
		{Unit: "machine-local.service", Gen: 6, Hash: local.Hash(), Desired: fleet.Launched},
	}}
	l.Server = tether.NewServer(tether.ServerOptions{Cluster: 1, Member: 2, Deliver: l.hear})
	http := httptest.NewServer(l)
	defer http.Close()
	defer l.Close()
	dir := t.TempDir()
	self, err := machine.Describe(machine.About{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	o := machine.Options{Cluster: 1, Peers: []string{http.URL}, Self: self, RunDir: filepath.Join(dir, "run"), Runtime: machine.Systemd, SystemdAddress: address}
	m, err := machine.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	running := func(name string) bool { return l.state(name).Sub == "running" }
	waitFor(t, "both run", func() bool { return running("machine-local.service") && running("machine-global.service") })
	pid := func(name string) int {
		s, err := m.State(name)
		if err != nil {
			t.Fatal(err)
		}
		return s.MainPID
	}
	first, spared := pid("machine-local.service"), pid("machine-global.service")
	// A next life takes them over.
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if m, err = machine.Start(o); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "both are known", func() bool {
		s, err := m.State("machine-local.service")
		return err == nil && s.MainPID == first
	})
	// While nobody hears of either, the guard ends what needs the lease.
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	l.mute = true
	l.mu.Unlock()
	word, err := lease.Open(filepath.Join(o.RunDir, guard.LeaseFile))
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the guard is done", func() bool { return word.Read() == lease.None })
	if err := word.Close(); err != nil {
		t.Fatal(err)
	}
	if m, err = machine.Start(o); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the one is gone", func() bool {
		s, err := m.State("machine-local.service")
		return err != nil || s.MainPID != first
	})
	if now := pid("machine-global.service"); now != spared {
		t.Errorf("the global unit was process %d and is %d", spared, now)
	}
	l.mu.Lock()
	l.mute = false
	l.mu.Unlock()
	waitFor(t, "it runs again", func() bool {
		s, err := m.State("machine-local.service")
		return err == nil && s.MainPID != 0 && s.MainPID != first
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := m.Leave(ctx, "the test ends"); err != nil {
		t.Error(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
