package node_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"drydock/node"
	"drydock/node/consensus"
	"drydock/node/fleet"
	"drydock/node/link"
	"drydock/node/state"
	"drydock/node/unit"
)

func launched() *fleet.Desired { d := fleet.Launched; return &d }

// TestMachineOfACluster: a machine finds the leader, has a session there and with its
// successor, and gets what users start.
func TestMachineOfACluster(t *testing.T) {
	c := newTrio(t, 3, 0)
	lead, other := c.leader()
	got := other.hear(machineID, hello(0))
	if len(got) != 1 || got[0].Redirect == nil || got[0].Redirect.Leader != lead.id || len(got[0].Redirect.URLs) != 1 {
		t.Fatalf("a follower answers %+v", got)
	}
	got = lead.hear(machineID, hello(0))
	if len(got) < 2 || got[0].Welcome == nil || got[1].Orders == nil {
		t.Fatalf("the leader answers %+v", got)
	}
	session := got[0].Welcome.Session
	a := other.request(&fleet.Command{Put: &fleet.Put{Name: "hello.service", Text: "[Service]\nExecStart=/bin/hello\n", Desired: launched()}})
	if a.Status != consensus.Done || a.Refusal != nil || a.Fleet == nil || !a.Fleet.Created {
		t.Fatalf("put: %+v", a)
	}
	if other.changed == 0 || lead.changed == 0 {
		t.Error("the hosts weren't told of the change")
	}
	beat := func(seq uint64) *link.Frame { return &link.Frame{Beat: &link.Beat{Session: session, Seq: seq}} }
	var acked, ordered bool
	for _, f := range lead.hear(machineID, beat(1)) {
		acked = acked || f.Ack != nil && f.Ack.Seq == 1 && f.Ack.Session == session
	}
	for _, f := range lead.hear(machineID, &link.Frame{Want: &link.Want{Session: session, Hashes: []unit.Hash{{}}}}) {
		t.Errorf("a text that nobody has: %+v", f)
	}
	c.pass(time.Second)
	for _, f := range lead.hear(machineID, beat(2)) {
		ordered = ordered || f.Orders != nil && len(f.Orders.Units) == 1 && f.Orders.Units[0].Unit == "hello.service"
	}
	if !acked || !ordered {
		t.Fatalf("acknowledged %t, ordered %t", acked, ordered)
	}

	// A leader without a majority acknowledges nothing, whatever it believes.
	lead.cut = true
	if got := lead.hear(machineID, beat(3)); len(got) != 0 {
		t.Fatalf("a leader that is cut off answers %+v", got[0])
	}
	next, _ := c.leader()
	acked = false
	for _, f := range next.hear(machineID, beat(4)) {
		acked = acked || f.Ack != nil && f.Ack.Seq == 4 && f.Ack.Term > 1
	}
	if !acked {
		t.Error("the next leader doesn't know the session")
	}
	// Back among the others, the old one sends the machine on.
	lead.cut = false
	c.until("the old leader follows", func() bool { return lead.role.Lead == next.id })
	got = lead.hear(machineID, beat(5))
	if len(got) == 0 || got[len(got)-1].Redirect == nil || got[len(got)-1].Redirect.Leader != next.id {
		t.Errorf("the old leader answers %+v", got)
	}
	// It falls silent, and the unit has no place any more.
	c.pass(4 * time.Second)
	why := ""
	for _, m := range c.nodes {
		a := m.ask(func(token uint64) node.Input {
			return node.FleetAsk{Token: token, Units: []string{"hello.service", "x.service"}}
		})
		if a.Status != consensus.Done || len(a.Why) != 2 || why != "" && a.Why[0] != why {
			t.Errorf("member %d says %+v", m.id, a)
			continue
		}
		why = a.Why[0]
	}
	if why != "no machine is up" {
		t.Errorf("why: %q", why)
	}
}

// TestFleetRequests: what users may ask for, and what they are told.
func TestFleetRequests(t *testing.T) {
	c := newTrio(t, 1, 0)
	m, _ := c.leader()
	for name, tc := range map[string]struct {
		command *fleet.Command
		want    error
	}{
		"no such unit":  {&fleet.Command{Destroy: &fleet.Destroy{Name: "a.service"}}, fleet.ErrNotFound},
		"bad name":      {&fleet.Command{Put: &fleet.Put{Name: "a"}}, unit.ErrName},
		"no machine":    {&fleet.Command{Drain: &fleet.Drain{Machine: "a", On: true}}, fleet.ErrNoMachine},
		"leader's word": {&fleet.Command{Place: &fleet.Place{Term: 1}}, node.ErrFleetCommand},
		"machine's":     {&fleet.Command{Close: &fleet.Close{Machine: machineID, Session: 1}}, node.ErrFleetCommand},
	} {
		if a := m.request(tc.command); !errors.Is(a.Refusal, tc.want) || a.Fleet != nil {
			t.Errorf("%s: %+v, want %v", name, a, tc.want)
		}
	}
	if a := m.request(&fleet.Command{Put: &fleet.Put{Name: "a.service", Text: "[Unit]\nDescription=a\n"}}); a.Refusal != nil || a.Fleet == nil {
		t.Errorf("put: %+v", a)
	}
	for _, stale := range []bool{false, true} {
		units := 0
		a := m.ask(func(token uint64) node.Input {
			return node.FleetRead{Token: token, Stale: stale, Look: func(s *fleet.Store) { units += s.Units() }}
		})
		if a.Status != consensus.Done || units != 1 {
			t.Errorf("stale %t: %d units, %+v", stale, units, a)
		}
	}
	if a := m.ask(func(token uint64) node.Input { return node.FleetAsk{Token: token, Units: make([]string, 5000)} }); a.Refusal == nil {
		t.Errorf("5000 units asked about: %+v", a)
	}
	m.give(node.FromMachine{Machine: machineID, Frame: []byte("nonsense")}, node.FromMachine{Machine: "b", Frame: func() []byte {
		f := hello(0)
		f.Cluster, f.Machine = 7, machineID
		return f.Encode()
	}()})
	if v := m.node.View().Fleet; v.Bad != 2 || v.Units != 1 || v.Machines != 0 {
		t.Errorf("view %+v", v)
	}
}

// TestFleetWithoutLeader: reads and questions end, and a read that is given up leaves
// nothing behind.
func TestFleetWithoutLeader(t *testing.T) {
	c := newTrio(t, 3, 0)
	lead, _ := c.leader()
	lead.cut = true
	looked := false
	lead.give(
		node.FleetRead{Token: 1001, Look: func(*fleet.Store) { looked = true }},
		node.FleetRead{Token: 1002, Look: func(*fleet.Store) { looked = true }},
		node.Cancel{Token: 1002},
	)
	c.until("the read is refused", func() bool { return lead.answers[1001].Status == consensus.Refused })
	if n := lead.node.Burden().FleetReads; looked || n != 0 {
		t.Errorf("looked %t, %d reads left", looked, n)
	}
	c.until("it knows no leader", func() bool { return lead.role.Lead == 0 })
	if a := lead.ask(func(token uint64) node.Input { return node.FleetAsk{Token: token, Units: []string{"a.service"}} }); a.Status != consensus.Refused {
		t.Errorf("asked without a leader: %+v", a)
	}
	if got := lead.hear(machineID, hello(0)); len(got) != 1 || got[0].Redirect == nil || got[0].Redirect.Leader != 0 {
		t.Errorf("a machine hears %+v", got)
	}
	// The leader is lost between the question and its answer.
	next, follower := c.leader()
	next.cut = true
	follower.give(node.FleetAsk{Token: 1003, Units: []string{"a.service"}})
	lead.cut = false
	c.until("an answer", func() bool { return follower.answers[1003].Status == consensus.Done })
	if n := follower.node.Burden().FleetAsks; n != 0 {
		t.Errorf("%d questions left", n)
	}
}

// TestOldRelease: where a member can't, nobody runs units, and machines hear why.
func TestOldRelease(t *testing.T) {
	c := newTrio(t, 1, state.Release2)
	m := c.nodes[0]
	c.until("it leads", func() bool { return m.role.Leader })
	c.pass(time.Second)
	got := m.hear(machineID, hello(0))
	if len(got) != 1 || got[0].Sorry == nil || !strings.Contains(got[0].Sorry.Why, "release 3") {
		t.Errorf("a machine hears %+v", got)
	}
	if a := m.request(&fleet.Command{Destroy: &fleet.Destroy{Name: "a.service"}}); !errors.Is(a.Refusal, state.ErrNotYet) {
		t.Errorf("a user hears %+v", a)
	}
}

// TestFleetAtRest: machines that beat write nothing.
func TestFleetAtRest(t *testing.T) {
	c := newTrio(t, 3, 0)
	lead, _ := c.leader()
	session := lead.hear(machineID, hello(0))[0].Welcome.Session
	c.pass(time.Second)
	before := lead.cost
	for seq := range uint64(20) {
		lead.hear(machineID, &link.Frame{Beat: &link.Beat{Session: session, Seq: seq, Have: 1 << 60}})
	}
	if n := lead.cost - before; n != 0 {
		t.Errorf("%d entries at rest", n)
	}
}

// BenchmarkBeatStep is a reactor's step for one beat of a machine, and its share of
// the round and acknowledgement, in a cluster of one.
func BenchmarkBeatStep(b *testing.B) {
	c := newTrio(b, 1, 0)
	m, _ := c.leader()
	session := m.hear(machineID, hello(0))[0].Welcome.Session
	f := &link.Frame{Cluster: 7, Machine: machineID, Beat: &link.Beat{Session: session, Seq: 1, Have: 1 << 60}}
	in := node.FromMachine{Machine: machineID, Frame: f.Encode()}
	b.ReportAllocs()
	for b.Loop() {
		c.now += 500 * time.Microsecond
		m.give(in)
	}
}
