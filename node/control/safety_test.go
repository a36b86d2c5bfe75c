package control_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"drydock/node/control"
	"drydock/node/fleet"
	"drydock/node/link"
)

// The drift in these tests is large, so that whoever forgets it is found.
const (
	testDrift = 50_000
	testLease = 3 * time.Second
)

// TestNeverTwice: whatever is lost, repeated, late or out of order, whoever leads or
// believes to, and with clocks as wrong as they may be, no two machines are at any
// time allowed to run a unit. When all is well again, every unit runs.
func TestNeverTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newChaos(t, rapid.Uint64().Draw(t, "seed"))
		for range rapid.IntRange(200, 2500).Draw(t, "steps") {
			c.step()
		}
		c.heal()
	})
}

// chaos is a cluster of two members, of which one leads, and three machines. Time
// goes in steps of 10 ms; each clock has its rate.
type chaos struct {
	t        *rapid.T
	rnd      *rand.Rand
	now      time.Duration
	log      []logged
	term     uint64
	members  []*member
	leader   *member
	machines []*machine
	mail     []letter
	calm     bool
	said     []string
	mood     mood
}

// mood is how bad a run is: in percent, and in a thousand steps.
type mood struct {
	lost, late, lags, slowRounds int
	elects, resigns, cuts, downs int
	sides, users                 int
}

type logged struct {
	term    uint64
	command *fleet.Command
	from    *member
	seq     uint64
}

// member is a member's control and the state that it has applied.
type member struct {
	c       *chaos
	ctl     *control.Control
	store   *fleet.Store
	applied int
	rate    float64
	round   uint64
	// late says that a quorum had answered the round before another was elected.
	late bool
}

type letter struct {
	at      time.Duration
	to      *member
	machine *machine
	frame   []byte
	from    *member
}

func newChaos(t *rapid.T, seed uint64) *chaos {
	c := &chaos{t: t, rnd: rand.New(rand.NewPCG(seed, 1))}
	for range 2 {
		ctl, err := control.New(control.Config{Cluster: 7, Lease: testLease, Drift: testDrift})
		if err != nil {
			t.Fatal(err)
		}
		c.members = append(c.members, &member{c: c, ctl: ctl, store: fleet.New(), rate: c.rate()})
	}
	for i := range 3 {
		c.machines = append(c.machines, &machine{c: c, id: id(i + 1), rate: c.rate(), nonce: uint64(i+1) << 32})
	}
	if c.chance(30) { // another host that was made from an image of the first
		c.machines = append(c.machines, &machine{c: c, id: id(1), rate: c.rate(), nonce: 9 << 32})
	}
	any := func(list ...int) int { return list[c.rnd.IntN(len(list))] }
	c.mood = mood{
		lost: any(0, 0, 10), late: any(0, 0, 5), lags: any(0, 20, 97), slowRounds: any(0, 60, 95),
		elects: any(0, 1, 4), resigns: any(0, 0, 4), cuts: any(0, 2, 6), downs: any(0, 0, 4), sides: any(0, 6), users: any(4, 20),
	}
	c.elect(c.members[0])
	return c
}

// rate is a clock's: right, or as wrong as it may be.
func (c *chaos) rate() float64 {
	const d = testDrift / 1e6
	return []float64{1, 1 - d, 1 + d}[c.rnd.IntN(3)]
}

func (c *chaos) chance(percent int) bool { return c.rnd.IntN(100) < percent }

func (c *chaos) say(format string, args ...any) {
	c.said = append(c.said, fmt.Sprintf("%8v ", c.now)+short(fmt.Sprintf(format, args...)))
}

// elect makes a member the leader. The one before doesn't hear of it.
func (c *chaos) elect(m *member) {
	c.term++
	c.say("member %d leads term %d", slices.Index(c.members, m), c.term)
	if old := c.leader; old != nil && old != m {
		old.late = old.round != 0 && c.chance(50)
	}
	c.leader = m
	m.ctl.Resign()
	m.round, m.late = 0, false
	m.catchUp()
	m.ctl.Lead(m.now(), c.term, m.store)
}

func (m *member) now() time.Duration { return time.Duration(float64(m.c.now) * m.rate) }

// catchUp applies the log.
func (m *member) catchUp() {
	for ; m.applied < len(m.c.log); m.applied++ {
		e := m.c.log[m.applied]
		out, err := m.store.Apply(fleet.Env{Revision: uint64(m.applied) + 1, Term: e.term, Now: m.c.now}, e.command)
		if e.from == m {
			m.ctl.Settled(m.now(), e.seq, out, err)
		}
	}
}

// run has a member do what is due.
func (m *member) run() {
	c := m.c
	if m == c.leader && (c.calm || !c.chance(c.mood.lags)) {
		m.catchUp()
	}
	if m.round != 0 && (m == c.leader && (c.calm || !c.chance(c.mood.slowRounds)) || m.late && c.chance(2)) {
		n := m.round
		m.round, m.late = 0, false
		m.ctl.Confirmed(m.now(), n)
	}
	out := m.ctl.Run(m.now())
	for _, p := range out.Proposals {
		switch {
		case m == c.leader || c.chance(30): // a deposed leader's are handed on
			c.say("  proposed %s", words(p.Command))
			c.log = append(c.log, logged{c.term, p.Command, m, p.Seq})
		default:
			m.ctl.Ended(m.now(), p.Seq)
		}
	}
	if out.Round != 0 {
		m.round = out.Round
		if m == c.leader && !c.calm && c.chance(3) {
			m.round = 0
			m.ctl.RoundEnded(out.Round)
		}
	}
	for _, s := range out.Sends {
		for _, a := range c.machines {
			if a.id == s.Machine {
				c.post(letter{machine: a, frame: s.Frame, from: m})
			}
		}
	}
}

// post sends a letter: it may be lost, late, or come twice.
func (c *chaos) post(l letter) {
	if c.calm {
		l.at = c.now
		c.mail = append(c.mail, l)
		return
	}
	if c.chance(c.mood.lost) {
		return
	}
	for range 1 + c.rnd.IntN(10)/9 {
		l.at = c.now + time.Duration(c.rnd.IntN(5))*10*time.Millisecond
		if c.chance(c.mood.late) {
			l.at += time.Duration(c.rnd.IntN(4000)) * time.Millisecond
		}
		c.mail = append(c.mail, l)
	}
}

// deliver hands over the letters that are due, in any order.
func (c *chaos) deliver() {
	var due, rest []letter
	for _, l := range c.mail {
		if l.at <= c.now {
			due = append(due, l)
		} else {
			rest = append(rest, l)
		}
	}
	c.mail = rest
	if !c.calm {
		c.rnd.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
	}
	for _, l := range due {
		f, err := link.Decode(l.frame)
		if err != nil {
			c.t.Fatal(err)
		}
		if l.to != nil {
			l.to.ctl.Receive(l.to.now(), f.Machine, f)
		} else if l.machine.only == nil || l.machine.only == l.from {
			l.machine.receive(f)
		}
	}
}

// step lets 10 ms pass.
func (c *chaos) step() {
	c.now += 10 * time.Millisecond
	if !c.calm {
		c.mischief()
	}
	c.deliver()
	for _, a := range c.machines {
		a.tick()
		c.check()
	}
	for _, m := range c.members {
		m.run()
	}
	c.check()
}

// mischief is what happens by chance.
func (c *chaos) mischief() {
	m := c.machines[c.rnd.IntN(len(c.machines))]
	n := c.rnd.IntN(1000)
	happens := func(share int) bool {
		n -= share
		return n < 0 && n >= -share
	}
	switch {
	case happens(c.mood.elects):
		c.elect(c.members[c.rnd.IntN(2)])
	case happens(c.mood.resigns):
		for _, one := range c.members {
			if one != c.leader {
				one.ctl.Resign()
			}
		}
	case happens(c.mood.cuts):
		m.cut = !m.cut
		c.say("cut %s %t", m.id, m.cut)
	case happens(c.mood.sides):
		m.only = []*member{nil, c.members[0], c.members[1]}[c.rnd.IntN(3)]
	case happens(c.mood.downs):
		m.down = !m.down
		c.say("agent of %s down %t", m.id, m.down)
		m.restart()
	case happens(c.mood.users):
		c.user()
	}
}

// user changes a unit or drains a machine.
func (c *chaos) user() {
	name := fmt.Sprintf("u%d.service", c.rnd.IntN(4))
	desired := []fleet.Desired{fleet.Launched, fleet.Launched, fleet.Inactive, fleet.Loaded}[c.rnd.IntN(4)]
	var command *fleet.Command
	switch c.rnd.IntN(8) {
	case 0:
		command = &fleet.Command{Destroy: &fleet.Destroy{Name: name}}
	case 1:
		command = &fleet.Command{Drain: &fleet.Drain{Machine: id(c.rnd.IntN(3) + 1), On: c.chance(50)}}
	case 2:
		command = &fleet.Command{Put: &fleet.Put{Name: name, Text: text("Conflicts=u*"), Desired: &desired}}
	case 3:
		command = &fleet.Command{Put: &fleet.Put{Name: name, Text: text("RetrySec=1s", "MoveAfterFailures=1"), Desired: &desired}}
	default:
		command = &fleet.Command{Put: &fleet.Put{Name: name, Text: text(), Desired: &desired}}
	}
	c.log = append(c.log, logged{term: c.term, command: command})
}

// check: no unit on two machines.
func (c *chaos) check() {
	on := map[string]*machine{}
	for _, a := range c.machines {
		for _, name := range slices.Sorted(maps.Keys(a.runs)) {
			if other := on[name]; other != nil {
				c.t.Fatalf("%s runs on %s and %s:\n%s", name, short(other.id), short(a.id), strings.Join(c.said, "\n"))
			}
			on[name] = a
		}
	}
}

// heal ends all mischief, and waits until every unit runs that is to.
func (c *chaos) heal() {
	c.machines = c.machines[:3]
	c.calm, c.mail = true, nil
	for _, a := range c.machines {
		a.only = nil
		if a.cut = false; a.down {
			a.down = false
			a.restart()
		}
	}
	for n := range 3 {
		c.log = append(c.log, logged{term: c.term, command: &fleet.Command{Drain: &fleet.Drain{Machine: id(n + 1)}}})
	}
	for n := range 4 {
		launched := fleet.Launched
		put := &fleet.Put{Name: fmt.Sprintf("u%d.service", n), Text: text(), Desired: &launched}
		c.log = append(c.log, logged{term: c.term, command: &fleet.Command{Put: put}})
	}
	c.elect(c.members[c.rnd.IntN(2)])
	for _, m := range c.members {
		if m != c.leader {
			m.ctl.Resign()
		}
	}
	for range 1500 {
		c.step()
	}
	entries := len(c.log)
	for range 300 {
		c.step()
	}
	if len(c.log) != entries {
		c.t.Fatalf("%d entries at rest:\n%s", len(c.log)-entries, strings.Join(c.said, "\n"))
	}
	running := 0
	for _, a := range c.machines {
		running += len(a.runs)
	}
	if running != 4 {
		for n := range 4 {
			u, _ := c.leader.store.Unit(fmt.Sprintf("u%d.service", n))
			c.say("%+v: %s", u, c.leader.ctl.Why(u.Name))
		}
		c.t.Fatalf("%d of 4 units run at the end:\n%s", running, strings.Join(c.said, "\n"))
	}
}
