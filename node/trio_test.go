package node_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"drydock/node"
	"drydock/node/checkpoint"
	"drydock/node/fleet"
	"drydock/node/host"
	"drydock/node/link"
	"drydock/node/state"
	"drydock/node/world"
)

// trio is a cluster of nodes in one thread: jobs run at once, frames arrive in the
// order of their sending, and time passes when the test says so.
type trio struct {
	t     testing.TB
	nodes []*member
	now   time.Duration
	token uint64
}

type member struct {
	of      *trio
	id      world.MemberID
	node    *node.Node
	disk    *host.Disk
	timer   time.Duration
	inbox   []node.Input
	cut     bool // no frame of a member comes or goes
	role    node.Role
	answers map[uint64]node.Answer
	machine map[string][]*link.Frame // frames for machines
	changed uint64                   // the last FleetRevision
	cost    int                      // entries applied
}

// newTrio founds a cluster of n members that speak a release.
func newTrio(t testing.TB, n int, release state.Release) *trio {
	t.Helper()
	c := &trio{t: t}
	var founders []state.Member
	for i := range n {
		founders = append(founders, state.Member{
			ID: world.MemberID(i + 1), Name: string(rune('a' + i)), PeerURLs: []string{"http://" + string(rune('a'+i)) + ":2380"},
		})
	}
	for _, f := range founders {
		disk, err := host.OpenDisk(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = disk.Close() })
		m := &member{of: c, id: f.ID, disk: disk, answers: map[uint64]node.Answer{}, machine: map[string][]*link.Frame{}}
		cfg := node.Config{Cluster: 7, ID: f.ID, Release: release, SegmentBytes: 64 << 10}
		if err := node.Found(disk, cfg, checkpoint.Store{}, founders); err != nil {
			t.Fatal(err)
		}
		if m.node, err = node.Boot(disk, cfg, checkpoint.Store{}, world.Instant{}); err != nil {
			t.Fatal(err)
		}
		m.carryOut(m.node.Start(world.Instant{}))
		c.nodes = append(c.nodes, m)
	}
	return c
}

// carryOut does what a step asks for.
func (m *member) carryOut(fx *node.Effects) {
	if fx.Halt != nil {
		m.of.t.Fatal(fx.Halt)
	}
	for _, j := range fx.Jobs {
		err := j.Job.Run(m.disk)
		m.inbox = append(m.inbox, node.JobDone{ID: j.ID, Err: err})
	}
	for _, s := range fx.Sends {
		i := slices.IndexFunc(m.of.nodes, func(o *member) bool { return o.id == s.To })
		if i >= 0 && !m.cut && !m.of.nodes[i].cut {
			m.of.nodes[i].inbox = append(m.of.nodes[i].inbox, node.Received{Frame: s.Frame})
		}
	}
	for _, s := range fx.ToMachines {
		f, err := link.Decode(s.Frame)
		if err != nil {
			m.of.t.Fatal(err)
		}
		m.machine[s.Machine] = append(m.machine[s.Machine], f)
	}
	for _, a := range fx.Answers {
		m.answers[a.Token] = a
	}
	if fx.Role != nil {
		m.role = *fx.Role
	}
	if fx.FleetRevision != 0 {
		m.changed = fx.FleetRevision
	}
	m.cost += len(fx.Applied)
	m.timer = fx.Timer
}

// work steps the members until they have nothing at hand, and would not have if a
// moment passed: what they keep for the next batch goes out.
func (c *trio) work() {
	for busy := true; busy; {
		busy = false
		soon := slices.MinFunc(c.nodes, func(a, b *member) int { return cmp.Compare(a.timer, b.timer) }).timer
		if soon > c.now && soon <= c.now+2*time.Millisecond {
			c.now, busy = soon, true
		}
		for _, m := range c.nodes {
			if m.timer <= c.now {
				m.inbox = append(m.inbox, node.Tick{})
			}
			if len(m.inbox) == 0 {
				continue
			}
			busy = true
			inputs := m.inbox
			m.inbox = nil
			m.carryOut(m.node.Step(world.Instant{Mono: c.now, Wall: int64(c.now)}, inputs...))
		}
	}
}

// pass lets time pass.
func (c *trio) pass(d time.Duration) {
	for end := c.now + d; c.now < end; {
		c.now += 10 * time.Millisecond
		c.work()
	}
}

// until waits for something to come true.
func (c *trio) until(what string, is func() bool) {
	c.t.Helper()
	for range 3000 {
		if is() {
			return
		}
		c.pass(10 * time.Millisecond)
	}
	c.t.Fatalf("never: %s", what)
}

// leader waits for one that governs, and returns it and another member.
func (c *trio) leader() (lead, other *member) {
	c.t.Helper()
	c.until("a leader governs", func() bool {
		lead, other = nil, nil
		for _, m := range c.nodes {
			switch {
			case m.cut:
			case m.node.View().Fleet.Leads:
				lead = m
			default:
				other = m
			}
		}
		return lead != nil
	})
	return lead, other
}

// give hands a member inputs and steps.
func (m *member) give(inputs ...node.Input) {
	m.inbox = append(m.inbox, inputs...)
	m.of.work()
}

// hear hands a member a machine's frame, and returns what the machine is sent until
// a while later.
func (m *member) hear(machine string, f *link.Frame) []*link.Frame {
	f.Cluster, f.Machine = 7, machine
	delete(m.machine, machine)
	m.give(node.FromMachine{Machine: machine, Frame: f.Encode()})
	m.of.pass(300 * time.Millisecond)
	return m.machine[machine]
}

// ask has a member answer an input that carries the token that make is given.
func (m *member) ask(makeInput func(token uint64) node.Input) node.Answer {
	m.of.t.Helper()
	m.of.token++
	token := m.of.token
	m.give(makeInput(token))
	m.of.until("an answer", func() bool { _, ok := m.answers[token]; return ok })
	return m.answers[token]
}

func (m *member) request(c *fleet.Command) node.Answer {
	m.of.t.Helper()
	return m.ask(func(token uint64) node.Input { return node.FleetRequest{Token: token, Command: c} })
}

var machineID = strings.Repeat("a", 32)

func hello(session uint64) *link.Frame {
	return &link.Frame{Hello: &link.Hello{Nonce: 5, Session: session, Machine: fleet.Machine{ID: machineID}}}
}
