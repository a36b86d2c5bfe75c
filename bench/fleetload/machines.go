package fleetload

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"drydock/node/fleet"
	"drydock/node/host"
	"drydock/node/link"
)

// machine is one machine of the load.
type machine struct {
	id string
	life
}

// life is all of a machine that changes: only the generator's goroutine touches it.
type life struct {
	nonce   uint64
	session uint64
	seq     uint64 // of its beats
	have    uint64 // the version of its orders
	total   int    // units of that version
	parts   int    // of the version that is coming
	coming  uint64
	gone    bool

	// told is the latest Gen that it was told to start; report is what it has yet to
	// have noted, under way if sent isn't 0, of which the first unsent are in the frame.
	told    uint64
	report  []fleet.State
	under   int
	reports uint64
	sentAt  time.Time
}

// machines are all that the cluster has.
type machines struct {
	cluster uint64
	reports bool
	leader  func() *host.Host
	list    []*machine
	byID    map[string]*machine

	mu    sync.Mutex
	inbox [][]byte
	taken [][]byte // the inbox before, whose room is used again
	ready chan struct{}

	looks chan func()
	done  chan struct{}

	// silent has them send no beats.
	silent              atomic.Bool
	acks, pushed, beats atomic.Uint64
	bad                 error
}

// machineID is the id of the i-th machine.
func machineID(i int) string { return fmt.Sprintf("%032x", i+1) }

func newMachines(cluster uint64, n int, reports bool, leader func() *host.Host) *machines {
	m := &machines{
		cluster: cluster, reports: reports, leader: leader, byID: make(map[string]*machine, n),
		ready: make(chan struct{}, 1), looks: make(chan func()), done: make(chan struct{}),
	}
	for i := range n {
		one := &machine{id: machineID(i), life: life{nonce: 1}}
		m.list, m.byID[one.id] = append(m.list, one), one
	}
	return m
}

// Send implements host.Machines: any member sends what it has for a machine.
func (m *machines) Send(_ string, frame []byte) {
	m.mu.Lock()
	m.inbox = append(m.inbox, frame)
	m.mu.Unlock()
	select {
	case m.ready <- struct{}{}:
	default:
	}
}

// beatEvery is how often machines beat: what members ask for unless told otherwise.
const beatEvery = 500 * time.Millisecond

// run is the generator's goroutine, until ctx ends.
func (m *machines) run(ctx context.Context) {
	defer close(m.done)
	const step = beatEvery / 50
	tick := time.NewTicker(step)
	defer tick.Stop()
	began, due := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case look := <-m.looks:
			look()
		case <-m.ready:
			m.takeAll()
		case <-tick.C:
			to := int(int64(time.Since(began)) * int64(len(m.list)) / int64(beatEvery))
			due = max(due, to-len(m.list))
			for ; due < to; due++ {
				m.beat(m.list[due%len(m.list)])
			}
		}
	}
}

// look calls fn on the generator's goroutine.
func (m *machines) look(fn func()) {
	seen := make(chan struct{})
	select {
	case m.looks <- func() { fn(); close(seen) }:
		<-seen
	case <-m.done:
		fn()
	}
}

func (m *machines) takeAll() {
	m.mu.Lock()
	list := m.inbox
	m.inbox = m.taken[:0]
	m.mu.Unlock()
	m.taken = list
	for _, frame := range list {
		f, err := link.Decode(frame)
		if err != nil {
			m.bad = errors.Join(m.bad, err)
			continue
		}
		if one := m.byID[f.Machine]; one != nil {
			m.take(one, f, len(frame))
		}
	}
	clear(list)
}

// send hands a machine's frame to the member that leads.
func (m *machines) send(one *machine, f *link.Frame) {
	h := m.leader()
	if h == nil {
		return
	}
	f.Cluster, f.Machine = m.cluster, one.id
	h.ReceiveFromMachine(one.id, f.Encode())
}

// beat has a machine give its sign of life, or ask for a session.
func (m *machines) beat(one *machine) {
	switch {
	case one.gone || m.silent.Load():
	case one.session == 0:
		m.send(one, &link.Frame{Hello: &link.Hello{Nonce: one.nonce, Machine: m.facts(one)}})
	default:
		one.seq++
		m.beats.Add(1)
		m.send(one, &link.Frame{Beat: &link.Beat{Session: one.session, Seq: one.seq, Have: one.have}})
		if one.under > 0 && time.Since(one.sentAt) > time.Second {
			m.sendReport(one)
		}
	}
}

func (m *machines) facts(one *machine) fleet.Machine {
	return fleet.Machine{ID: one.id, Name: "m" + one.id[24:], PrimaryIP: "10.0.0.1", Version: "bench", Boot: fmt.Sprintf("%032x", one.nonce)}
}

// take does what a frame says.
func (m *machines) take(one *machine, f *link.Frame, size int) {
	switch {
	case f.Ack != nil:
		m.acks.Add(1)
	case f.Orders != nil:
		m.pushed.Add(uint64(size))
		m.order(one, f.Orders)
	case f.Welcome != nil && f.Welcome.Nonce == one.nonce && !one.gone:
		one.session = f.Welcome.Session
	case f.Closed != nil && f.Closed.Session == one.session:
		one.life = life{nonce: one.nonce + 1, gone: one.gone}
	case f.Noted != nil && one.under > 0 && f.Noted.Seq >= one.reports:
		one.report = one.report[one.under:]
		one.under = 0
		m.sendReport(one)
	}
}

// order takes a version of a machine's orders, once it is there in full.
func (m *machines) order(one *machine, o *link.Orders) {
	if o.Session != one.session || o.Version <= one.have {
		return
	}
	if o.Version != one.coming || o.Part == 0 {
		one.coming, one.parts = o.Version, 0
	}
	if o.Part != one.parts {
		return // one was lost: they come again
	}
	m.start(one, o)
	if one.parts++; one.parts < o.Parts {
		return
	}
	one.have, one.total, one.told = o.Version, o.Total, o.Version
	m.sendReport(one)
}

// start has the units of new orders run, as far as reports say.
func (m *machines) start(one *machine, o *link.Orders) {
	if !m.reports {
		return
	}
	for i := range o.Units {
		u := &o.Units[i]
		if u.Gen > one.told && u.Desired == fleet.Launched {
			one.report = append(one.report, fleet.State{
				Unit: u.Unit, Gen: u.Gen, Hash: u.Hash, Launched: true,
				Load: "loaded", Active: "active", Sub: "running", Result: "success",
			})
		}
	}
}

// sendReport sends what isn't noted, again if it was sent, a part at a time.
func (m *machines) sendReport(one *machine) {
	if len(one.report) == 0 || one.session == 0 {
		return
	}
	if one.under == 0 {
		one.reports++
		one.under = min(len(one.report), fleet.MaxReported)
	} else if time.Since(one.sentAt) < time.Second {
		return
	}
	one.sentAt = time.Now()
	m.send(one, &link.Frame{Report: &link.Report{Report: fleet.Report{
		Machine: one.id, Session: one.session, Seq: one.reports, States: one.report[:one.under],
	}}})
}

// leave has a machine say goodbye: it is lost to the cluster, which needn't wait.
func (m *machines) leave(one *machine) {
	m.look(func() {
		one.gone = true
		m.send(one, &link.Frame{Bye: &link.Bye{Session: one.session}})
	})
}

// comeBack has it ask for a session again.
func (m *machines) comeBack(one *machine) {
	m.look(func() { one.life = life{nonce: one.nonce + 1} })
}

// sessions counts the machines that have one.
func (m *machines) sessions() (n int) {
	m.look(func() {
		for _, one := range m.list {
			if one.session != 0 {
				n++
			}
		}
	})
	return n
}
