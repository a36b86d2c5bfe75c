package control_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"drydock/node/control"
	"drydock/node/fleet"
	"drydock/node/link"
	"drydock/node/unit"
)

// TestConversations plays the scripts of testdata: what machines and users say, and
// all that the leader says and does then.
func TestConversations(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &script{t: t, w: newWorld(t, control.Config{Gather: 100 * time.Millisecond})}
		s.w.log = func(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s.out.Reset()
			s.d = d
			s.run()
			if s.out.Len() == 0 {
				return "ok"
			}
			return s.out.String()
		})
	})
}

type script struct {
	t   *testing.T
	w   *world
	d   *datadriven.TestData
	out strings.Builder
}

// run carries out one command.
//
//	lead                                  the member leads, in the next term
//	resign                                it leads no more
//	hello m1 [nonce=N] [session=N] [boot=B] [KEY=VALUE of metadata ...]
//	beat m1 session=N seq=N [have=N]
//	report m1 session=N seq=N             lines: UNIT GEN ACTIVE [launched] [SUB] or UNIT GEN gone
//	bye m1 session=N
//	want m1 session=N unit=NAME
//	put NAME [inactive|loaded|launched] [restart]     lines: of its X-Fleet section
//	destroy NAME
//	drain m1 [off]
//	pass D                                time passes
//	beating [on|off]                      all machines beat by themselves, untold
//	slow [on|off]                         proposals and rounds wait
//	apply, lose                           those that wait are applied, or lost
//	confirm, miss                         the round that waits is confirmed, or not
//	confirm old round=N                   an earlier one is, which nobody waits for
//	show NAME                             where it is, and why
func (s *script) run() {
	w, args := s.w, s.words()
	switch s.d.Cmd {
	case "lead":
		w.lead()
	case "resign":
		w.ctl.Resign()
	case "hello":
		s.hello(args)
	case "beat":
		w.receive(s.machine(args), &link.Frame{Beat: &link.Beat{Session: s.number("session", 0), Seq: s.number("seq", 1), Have: s.number("have", 1<<40)}})
	case "report":
		s.report(args)
	case "bye":
		w.receive(s.machine(args), &link.Frame{Bye: &link.Bye{Session: s.number("session", 0)}})
	case "want":
		u, _ := w.store.Unit(s.word("unit"))
		w.receive(s.machine(args), &link.Frame{Want: &link.Want{Session: s.number("session", 0), Hashes: []unit.Hash{u.Hash}}})
	case "put":
		s.put(args)
	case "destroy":
		s.do(&fleet.Command{Destroy: &fleet.Destroy{Name: args[0]}})
	case "drain":
		s.do(&fleet.Command{Drain: &fleet.Drain{Machine: s.machine(args), On: len(args) < 2}})
	case "pass":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			s.d.Fatalf(s.t, "%v", err)
		}
		w.pass(d)
	case "beating":
		w.beating = args[0] == "on"
	case "slow":
		w.slow = args[0] == "on"
	case "apply":
		w.settle()
	case "lose":
		for _, p := range w.proposals {
			w.ctl.Ended(w.now, p.Seq)
		}
		w.proposals = nil
	case "confirm":
		if len(args) > 0 {
			w.ctl.Confirmed(w.now, s.number("round", 1))
		} else {
			w.confirm()
		}
	case "miss":
		w.ctl.RoundEnded(w.round)
		w.round = 0
	case "show":
		fmt.Fprintf(&s.out, "%s: %s; why: %s\n", args[0], w.places(args[0]), short(w.ctl.Why(args[0])))
	default:
		s.d.Fatalf(s.t, "unknown command %s", s.d.Cmd)
	}
	if w.ctl.Leads() {
		w.turn()
	}
}

// words are the arguments that aren't KEY=VALUE.
func (s *script) words() []string {
	var list []string
	for _, a := range s.d.CmdArgs {
		if len(a.Vals) == 0 {
			list = append(list, a.Key)
		}
	}
	return list
}

func (s *script) machine(args []string) string {
	n, err := strconv.Atoi(strings.TrimPrefix(args[0], "m"))
	if err != nil {
		s.d.Fatalf(s.t, "%v", err)
	}
	return id(n)
}

func (s *script) number(key string, missing uint64) uint64 {
	for _, a := range s.d.CmdArgs {
		if a.Key == key {
			n, err := strconv.ParseUint(a.Vals[0], 10, 64)
			if err != nil {
				s.d.Fatalf(s.t, "%v", err)
			}
			return n
		}
	}
	return missing
}

func (s *script) word(key string) string {
	for _, a := range s.d.CmdArgs {
		if a.Key == key {
			return a.Vals[0]
		}
	}
	return ""
}

func (s *script) do(c *fleet.Command) {
	if out, err := s.w.apply(c); err != nil {
		fmt.Fprintf(&s.out, "%s\n", outcome(&out, err))
	}
}

func (s *script) hello(args []string) {
	h := &link.Hello{
		Nonce: s.number("nonce", 1), Session: s.number("session", 0),
		Machine: fleet.Machine{ID: s.machine(args), Boot: s.word("boot"), Metadata: map[string]string{}},
	}
	for _, a := range s.d.CmdArgs {
		if len(a.Vals) == 1 && a.Key != "nonce" && a.Key != "session" && a.Key != "boot" {
			h.Machine.Metadata[a.Key] = a.Vals[0]
		}
	}
	s.w.receive(s.machine(args), &link.Frame{Hello: h})
}

func (s *script) put(args []string) {
	put := &fleet.Put{Name: args[0]}
	if s.d.Input != "" {
		put.Text = text(strings.Split(s.d.Input, "\n")...)
	}
	for _, a := range args[1:] {
		switch a {
		case "restart":
			put.Restart = true
		case "inactive", "loaded", "launched":
			d := map[string]fleet.Desired{"inactive": fleet.Inactive, "loaded": fleet.Loaded, "launched": fleet.Launched}[a]
			put.Desired = &d
		default:
			s.d.Fatalf(s.t, "unknown word %s", a)
		}
	}
	if put.Text == "" {
		if _, ok := s.w.store.Unit(args[0]); !ok {
			put.Text = text()
		}
	}
	s.do(&fleet.Command{Put: put})
}

func (s *script) report(args []string) {
	r := fleet.Report{Machine: s.machine(args), Session: s.number("session", 0), Seq: s.number("seq", 1)}
	for line := range strings.Lines(s.d.Input) {
		f := strings.Fields(line)
		gen, err := strconv.ParseUint(f[1], 10, 64)
		if err != nil {
			s.d.Fatalf(s.t, "%v", err)
		}
		if f[2] == "gone" {
			r.Gone = append(r.Gone, fleet.Gone{Unit: f[0], Gen: gen})
			continue
		}
		u, _ := s.w.store.Unit(f[0])
		st := fleet.State{Unit: f[0], Gen: gen, Hash: u.Hash, Load: "loaded", Active: f[2]}
		for _, w := range f[3:] {
			if w == "launched" {
				st.Launched = true
			} else {
				st.Result = w
			}
		}
		r.States = append(r.States, st)
	}
	s.w.receive(r.Machine, &link.Frame{Report: &link.Report{Report: r}})
}
