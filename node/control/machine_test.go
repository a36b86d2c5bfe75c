package control_test

import (
	"fmt"
	"time"

	"drydock/node/fleet"
	"drydock/node/link"
)

// machine is all that matters here of a machine's agent and its guard: it runs what
// it is ordered to while its lease lasts, and nothing after.
type machine struct {
	c     *chaos
	id    string
	rate  float64
	cut   bool
	only  *member // the one that it reaches and that reaches it, if not nil
	down  bool    // the agent is: what runs goes on until the lease ends
	nonce uint64

	session    uint64
	helloAt    time.Duration
	beatAt     time.Duration
	seq        uint64
	sent       map[uint64]time.Duration
	lease      time.Duration // it ends then, by this machine's clock; 0 is none
	have       uint64
	runs       map[string]uint64 // what runs, with the Gen
	states     map[string]uint64
	gone       map[string]uint64
	reportAt   time.Duration
	reportSeq  uint64
	reportSent bool
	noted      uint64
}

func (a *machine) now() time.Duration { return time.Duration(float64(a.c.now) * a.rate) }

// forget ends the session: nothing runs any more.
func (a *machine) forget() {
	a.session, a.lease, a.have, a.runs, a.sent = 0, 0, 0, nil, nil
	a.states, a.gone, a.reportSeq, a.reportSent, a.noted = nil, nil, 0, false, 0
	a.nonce++
}

// restart is a new life of the agent, which finds the session's record.
func (a *machine) restart() {
	a.sent = nil
	a.nonce++
	a.seq += 1 << 20
	a.have, a.helloAt, a.beatAt = 0, 0, 0
	a.reportSeq += 1 << 20
}

func (a *machine) tick() {
	now := a.now()
	if a.lease != 0 && now >= a.lease {
		a.c.say("lease of %s ends", a.id)
		a.forget()
	}
	if a.down {
		return
	}
	if a.session == 0 && now >= a.helloAt {
		a.helloAt = now + 300*time.Millisecond
		a.send(&link.Frame{Hello: &link.Hello{Nonce: a.nonce, Machine: fleet.Machine{ID: a.id, Boot: "b"}}})
	}
	if a.session == 0 {
		return
	}
	if now >= a.beatAt {
		a.beatAt = now + 500*time.Millisecond
		a.seq++
		if a.sent == nil {
			a.sent = map[uint64]time.Duration{}
		}
		a.sent[a.seq] = now
		a.send(&link.Frame{Beat: &link.Beat{Session: a.session, Seq: a.seq, Have: a.have}})
	}
	if len(a.states)+len(a.gone) > 0 && now >= a.reportAt {
		a.report(now)
	}
}

// report tells what it has, once more until that is noted.
func (a *machine) report(now time.Duration) {
	a.reportAt = now + 200*time.Millisecond
	if !a.reportSent {
		a.reportSeq++
		a.reportSent = true
	}
	r := fleet.Report{Machine: a.id, Session: a.session, Seq: a.reportSeq}
	for n := range 4 {
		name := fmt.Sprintf("u%d.service", n)
		if gen := a.states[name]; gen != 0 {
			r.States = append(r.States, fleet.State{Unit: name, Gen: gen, Load: "loaded", Active: "active", Launched: true})
		}
		if gen := a.gone[name]; gen != 0 {
			r.Gone = append(r.Gone, fleet.Gone{Unit: name, Gen: gen})
		}
	}
	a.send(&link.Frame{Report: &link.Report{Report: r}})
}

// send posts a frame to whoever this machine takes for the leader, or to anybody.
func (a *machine) send(f *link.Frame) {
	if a.cut {
		return
	}
	f.Cluster, f.Machine = 7, a.id
	to := a.c.leader
	if !a.c.calm && a.c.chance(30) {
		to = a.c.members[a.c.rnd.IntN(2)]
	}
	if a.only != nil {
		to = a.only
	}
	a.c.post(letter{to: to, frame: f.Encode()})
}

func (a *machine) receive(f *link.Frame) {
	if a.cut || a.down {
		return
	}
	switch {
	case f.Welcome != nil && a.session == 0 && f.Welcome.Nonce == a.nonce:
		a.session = f.Welcome.Session
		a.beatAt = 0
	case f.Closed != nil && f.Closed.Session == a.session && a.session != 0:
		a.c.say("%s is closed", a.id)
		a.forget()
	case f.Ack != nil && f.Ack.Session == a.session && a.session != 0:
		if at, ok := a.sent[f.Ack.Seq]; ok {
			a.lease = max(a.lease, at+link.Shorten(testLease, testDrift))
		}
	case f.Noted != nil && f.Noted.Session == a.session && f.Noted.Seq >= a.reportSeq && a.reportSent:
		a.states, a.gone, a.reportSent = nil, nil, false
	case f.Orders != nil && f.Orders.Session == a.session && f.Orders.Version > a.have && a.lease > a.now():
		a.obey(f.Orders)
	}
}

// obey does what it is ordered to, at once. What has changed is a new report.
func (a *machine) obey(o *link.Orders) {
	before := a.runs
	a.have, a.runs = o.Version, map[string]uint64{}
	a.states, a.gone, a.reportSent = map[string]uint64{}, map[string]uint64{}, false
	for _, one := range o.Units {
		switch one.Desired {
		case fleet.Launched:
			if before[one.Unit] == 0 {
				a.c.say("%s starts %s by orders %d", a.id, one.Unit, o.Version)
			}
			a.runs[one.Unit] = one.Gen
			a.states[one.Unit] = one.Gen
		case fleet.Inactive:
			a.gone[one.Unit] = one.Gen
		}
	}
}
