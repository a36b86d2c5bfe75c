package control_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"drydock/node/control"
	"drydock/node/fleet"
	"drydock/node/link"
)

// world is a Control with a state that it proposes to: the log of one member.
type world struct {
	t        testing.TB
	store    *fleet.Store
	ctl      *control.Control
	now      time.Duration
	term     uint64
	revision uint64
	// proposals wait to be applied, round to be confirmed.
	proposals []control.Proposal
	round     uint64
	// beating has every machine with a session beat while time passes.
	beating bool
	beatAt  time.Duration
	seq     uint64
	// slow keeps proposals and rounds waiting until apply and confirm.
	slow bool
	// deliver gets every frame that is sent.
	deliver func(machine string, f *link.Frame)
	// log gets a line for everything that is proposed and decided, if it isn't nil.
	log func(format string, args ...any)
}

func newWorld(t testing.TB, cfg control.Config) *world {
	t.Helper()
	cfg.Cluster = 7
	ctl, err := control.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &world{
		t: t, store: fleet.New(), ctl: ctl,
		deliver: func(string, *link.Frame) {}, log: func(string, ...any) {},
	}
}

// id is the id of machine m1, m2 and so on; short turns that round in a text.
func id(n int) string { return fmt.Sprintf("%08x%024x", n, n) }

func short(s string) string {
	for n := range 10 {
		s = strings.ReplaceAll(s, id(n), fmt.Sprintf("m%d", n))
	}
	return s
}

// lead makes the member lead in the next term.
func (w *world) lead() {
	w.term++
	w.proposals, w.round = nil, 0
	w.ctl.Resign()
	w.ctl.Lead(w.now, w.term, w.store)
	w.turn()
}

// apply applies a command to the state, as if it stood in an entry of the term.
func (w *world) apply(c *fleet.Command) (fleet.Outcome, error) {
	w.revision++
	return w.store.Apply(fleet.Env{Revision: w.revision, Term: w.term, Now: w.now}, c)
}

// settle applies the proposals that wait.
func (w *world) settle() {
	list := w.proposals
	w.proposals = nil
	for _, p := range list {
		out, err := w.apply(p.Command)
		w.log("  applied %s%s", words(p.Command), outcome(&out, err))
		w.ctl.Settled(w.now, p.Seq, out, err)
	}
}

func (w *world) confirm() {
	if n := w.round; n != 0 {
		w.round = 0
		w.ctl.Confirmed(w.now, n)
	}
}

// turn runs the Control until it wants nothing more.
func (w *world) turn() {
	for range 10_000 {
		out := w.ctl.Run(w.now)
		for _, p := range out.Proposals {
			w.log("  proposes %s", words(p.Command))
			w.proposals = append(w.proposals, p)
		}
		if out.Round != 0 {
			if !w.beating {
				w.log("  asks a round")
			}
			w.round = out.Round
		}
		for _, s := range out.Sends {
			f, err := link.Decode(s.Frame)
			if err != nil || f.Machine != s.Machine {
				w.t.Fatalf("frame for %s: %v %+v", s.Machine, err, f)
			}
			if f.Ack == nil || !w.beating {
				w.log("  %s <- %s", short(s.Machine), message(f))
			}
			w.deliver(s.Machine, f)
		}
		idle := len(out.Sends) == 0 && !out.More
		if !w.slow && (len(w.proposals) > 0 || w.round != 0) {
			w.settle()
			w.confirm()
			continue
		}
		if idle {
			return
		}
	}
	w.t.Fatal("no end of work")
}

// pass lets time pass in ticks.
func (w *world) pass(d time.Duration) {
	for end := w.now + d; w.now < end; {
		w.now += min(10*time.Millisecond, end-w.now)
		if w.beating && w.now >= w.beatAt {
			w.beatAt = w.now + 500*time.Millisecond
			w.beats()
		}
		w.turn()
	}
}

// beats has every machine with a session beat.
func (w *world) beats() {
	w.seq++
	for m := range w.store.MachinesFrom(0) {
		if m.Session != 0 {
			w.receive(m.ID, &link.Frame{Beat: &link.Beat{Session: m.Session, Seq: 1000 + w.seq, Have: m.Orders}})
		}
	}
}

// receive hands a machine's frame over.
func (w *world) receive(machine string, f *link.Frame) {
	f.Cluster, f.Machine = 7, machine
	g, err := link.Decode(f.Encode())
	if err != nil {
		w.t.Fatal(err)
	}
	w.ctl.Receive(w.now, machine, g)
}

// put makes a unit, or changes what is wanted of it.
func (w *world) put(name, text string, desired fleet.Desired) {
	w.t.Helper()
	if _, err := w.apply(&fleet.Command{Put: &fleet.Put{Name: name, Text: text, Desired: &desired}}); err != nil {
		w.t.Fatal(err)
	}
}

// text makes a unit file of some lines of X-Fleet.
func text(fleetLines ...string) string {
	return "[Service]\nExecStart=/bin/run\n\n[X-Fleet]\n" + strings.Join(fleetLines, "\n") + "\n"
}

// words puts a command into a few words.
func words(c *fleet.Command) string {
	switch {
	case c.Open != nil:
		s := fmt.Sprintf("open %s", c.Open.Machine.ID)
		if c.Open.Was != 0 {
			s += fmt.Sprintf(" after session %d", c.Open.Was)
		}
		if c.Open.Empty {
			s += ", empty"
		}
		return short(s)
	case c.Close != nil:
		return short(fmt.Sprintf("close session %d of %s: %s", c.Close.Session, c.Close.Machine, c.Close.Why))
	case c.Report != nil:
		s := fmt.Sprintf("report %d of %s:", c.Report.Seq, c.Report.Machine)
		for _, st := range c.Report.States {
			s += fmt.Sprintf(" %s(%d) %s", st.Unit, st.Gen, st.Active)
		}
		for _, g := range c.Report.Gone {
			s += fmt.Sprintf(" %s(%d) gone", g.Unit, g.Gen)
		}
		return short(s)
	case c.Place != nil:
		var moves []string
		for _, m := range c.Place.Moves {
			one := fmt.Sprintf("%s %s>%s", m.Unit, m.From, m.To)
			if m.Why != "" {
				one += " (" + m.Why + ")"
			}
			moves = append(moves, one)
		}
		return short("place " + strings.Join(moves, ", "))
	}
	return fmt.Sprintf("%+v", *c)
}

func outcome(out *fleet.Outcome, err error) string {
	if err != nil {
		return short(fmt.Sprintf(": refused: %v", err))
	}
	s := ""
	if out.Session != 0 {
		s = fmt.Sprintf(": session %d", out.Session)
	}
	for _, r := range out.Refused {
		s += short(fmt.Sprintf(": move %d refused: %v", r.Index, r.Why))
	}
	return s
}

// message puts a frame to a machine into a few words.
func message(f *link.Frame) string {
	switch {
	case f.Welcome != nil:
		return fmt.Sprintf("welcome, session %d in term %d (nonce %d)", f.Welcome.Session, f.Welcome.Term, f.Welcome.Nonce)
	case f.Sorry != nil:
		return fmt.Sprintf("sorry for %v: %s (nonce %d)", f.Sorry.After, f.Sorry.Why, f.Sorry.Nonce)
	case f.Closed != nil:
		return fmt.Sprintf("session %d is closed: %s", f.Closed.Session, f.Closed.Why)
	case f.Ack != nil:
		return fmt.Sprintf("ack %d, orders %d", f.Ack.Seq, f.Ack.Version)
	case f.Noted != nil:
		return fmt.Sprintf("noted %d", f.Noted.Seq)
	case f.Texts != nil:
		return fmt.Sprintf("%d texts", len(f.Texts.Texts))
	case f.Orders != nil:
		var list []string
		for _, o := range f.Orders.Units {
			list = append(list, fmt.Sprintf("%s(%d) %s", o.Unit, o.Gen, [...]string{"get rid", "load", "launch"}[o.Desired]))
		}
		s := fmt.Sprintf("orders %d: %s", f.Orders.Version, strings.Join(list, ", "))
		if n := len(f.Orders.Texts); n > 0 {
			s += fmt.Sprintf(" with %d texts", n)
		}
		if f.Orders.Parts > 1 {
			s += fmt.Sprintf(" part %d of %d", f.Orders.Part+1, f.Orders.Parts)
		}
		return s
	}
	return fmt.Sprintf("%+v", *f)
}

// places says where a unit is, as the state has it.
func (w *world) places(name string) string {
	u, ok := w.store.Unit(name)
	if !ok {
		return "unknown"
	}
	var list []string
	for _, p := range u.Places {
		list = append(list, p.Machine)
	}
	for _, l := range u.Leaving {
		list = append(list, "leaving "+l.Machine)
	}
	slices.Sort(list)
	return short(strings.Join(list, " "))
}
