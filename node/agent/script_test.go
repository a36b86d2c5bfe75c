package agent_test

import (
	"crypto/sha1"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"drydock/node/agent"
	"drydock/node/fleet"
	"drydock/node/link"
	"drydock/node/unit"
	"drydock/node/world"
)

// TestConversations runs the scripts of testdata: each is one agent's life, or
// several lives, told as what happens and what the agent does about it. Commands:
//
//	start [found=UNIT …] [memory=N]   a life begins, with what is left of the last one
//	pass SPAN                         time passes, with a Tick whenever one is due
//	jump SPAN                         time passes, and the agent doesn't get to run
//	text NAME / lines                 a unit's text, to be named in orders
//	welcome|sorry|ack|closed|noted|redirect ARG=VALUE …    a frame
//	orders session= version= [texts] / UNIT gen= text= STATE [kick=]
//	give TEXT …                       texts that were asked for
//	done|failed|canceled|invalid OP ACTIVE/SUB [why]       the end of an operation
//	is UNIT ACTIVE/SUB                a report of the runtime
//	flap UNIT N SPAN                  N reports, SPAN apart; all that is told is noted
//	gone URL                          a connection is lost
//	leave                             the machine is to leave
func TestConversations(t *testing.T) {
	datadriven.Walk(t, "testdata/conversations", func(t *testing.T, path string) {
		s := &script{t: t, now: 10 * time.Second, texts: make(map[string]string), ops: make(map[uint64]string)}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s.t, s.out = t, strings.Builder{}
			s.run(d)
			return s.out.String()
		})
	})
}

type script struct {
	t     *testing.T
	out   strings.Builder
	now   time.Duration
	wake  time.Duration
	agent *agent.Agent
	life  uint64
	nonce uint64
	seq   uint64
	texts map[string]string
	ops   map[uint64]string
	kept  *agent.Record
	lease agent.Lease
}

const scriptMachine = "0123456789abcdef0123456789abcdef"

func (s *script) run(d *datadriven.TestData) {
	switch d.Cmd {
	case "start":
		s.start(d)
	case "text":
		s.texts[d.CmdArgs[0].Key] = strings.TrimSpace(d.Input) + "\n"
	case "pass":
		s.pass(s.span(d.CmdArgs[0].Key))
	case "jump":
		s.now += s.span(d.CmdArgs[0].Key)
	case "done", "failed", "canceled", "invalid":
		op := s.number(d.CmdArgs[0].Key)
		in := agent.Ended{Op: op, Result: d.Cmd, Status: s.status(s.ops[op], d.CmdArgs[1].Key)}
		if len(d.CmdArgs) > 2 {
			in.Reason = strings.ReplaceAll(d.CmdArgs[2].Key, "_", " ")
		}
		s.step(in)
	case "is":
		s.step(agent.Reported{Status: s.status(d.CmdArgs[0].Key, d.CmdArgs[1].Key)})
	case "flap":
		for i := range s.number(d.CmdArgs[1].Key) {
			s.step(agent.Reported{Status: s.status(d.CmdArgs[0].Key, []string{"active/running", "activating/auto-restart"}[i%2])})
			s.pass(s.span(d.CmdArgs[2].Key))
			s.step(agent.Received{Frame: (&link.Frame{
				Cluster: cluster, Machine: scriptMachine, Noted: &link.Noted{Session: 5, Seq: 1 << 62},
			}).Encode()})
		}
	case "gone":
		s.step(agent.Unreachable{URL: d.CmdArgs[0].Key, Why: "connection refused"})
	case "bitten":
		s.step(agent.Bitten{})
	case "leave":
		s.step(agent.Leave{Why: "asked to"})
	default:
		f := s.frame(d)
		f.Cluster, f.Machine = cluster, scriptMachine
		s.step(agent.Received{Frame: f.Encode()})
	}
}

func (s *script) start(d *datadriven.TestData) {
	s.life += 1000
	was := agent.Remains{Record: s.kept}
	if !s.lease.Rests && s.lease.Deadline > s.now {
		was.Deadline = s.lease.Deadline
	}
	cfg := agent.Config{
		Cluster: cluster, Peers: []string{"http://a", "http://b"}, Life: s.life,
		Machine: machineFacts(scriptMachine, "boot", nil),
	}
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "found":
			was.Found = arg.Vals
		case "memory":
			cfg.Machine.Resources = map[string]int64{"memory": int64(s.number(arg.Vals[0]))}
		}
	}
	s.agent = agent.New(cfg, world.Instant{Mono: s.now}, was)
	s.step()
}

func (s *script) pass(d time.Duration) {
	end := s.now + d
	for s.wake <= end {
		s.now = max(s.now, s.wake)
		s.step(agent.Tick{})
	}
	s.now = end
}

func (s *script) frame(d *datadriven.TestData) (f link.Frame) {
	arg := func(key string) uint64 {
		if !d.HasArg(key) {
			return 0
		}
		var v string
		d.ScanArgs(s.t, key, &v)
		return s.number(v)
	}
	switch d.Cmd {
	case "welcome":
		f.Welcome = &link.Welcome{
			Nonce: s.nonce, Session: arg("session"), Term: 1, Beat: 500 * time.Millisecond, Lease: lease, Drift: drift, Keep: d.HasArg("keep"),
		}
	case "sorry":
		f.Sorry = &link.Sorry{Nonce: s.nonce, Why: "it lives", After: 2 * time.Second}
	case "ack":
		f.Ack = &link.Ack{Session: arg("session"), Seq: s.seq - arg("back"), Term: max(1, arg("term"))}
		if d.HasArg("lease") {
			f.Ack.Terms = link.Terms{Beat: time.Second, Lease: time.Duration(arg("lease")) * time.Second, Drift: drift, Keep: d.HasArg("keep")}
		}
	case "closed":
		f.Closed = &link.Closed{Session: arg("session"), Why: "its lease has passed"}
	case "noted":
		f.Noted = &link.Noted{Session: arg("session"), Seq: arg("seq")}
	case "redirect":
		f.Redirect = &link.Redirect{Leader: 1}
		if d.HasArg("url") {
			f.Redirect.URLs = make([]string, 1)
			d.ScanArgs(s.t, "url", &f.Redirect.URLs[0])
		}
	case "give":
		f.Texts = &link.Texts{}
		for _, a := range d.CmdArgs {
			f.Texts.Texts = append(f.Texts.Texts, s.texts[a.Key])
		}
	case "orders":
		f.Orders = s.orders(d, arg)
	default:
		s.t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
	}
	return f
}

func (s *script) orders(d *datadriven.TestData, arg func(string) uint64) *link.Orders {
	o := &link.Orders{Session: arg("session"), Term: 1, Version: arg("version"), Part: int(arg("part")), Parts: max(1, int(arg("parts")))}
	for line := range strings.Lines(d.Input) {
		words := strings.Fields(line)
		u := link.Order{Unit: words[0]}
		for _, w := range words[1:] {
			key, value, _ := strings.Cut(w, "=")
			switch key {
			case "gen":
				u.Gen = s.number(value)
			case "kick":
				u.Kick = s.number(value)
			case "text":
				u.Hash = sha1.Sum([]byte(s.texts[value]))
				if d.HasArg("texts") {
					o.Texts = append(o.Texts, s.texts[value])
				}
			default:
				desired, err := fleet.ParseDesired(w)
				if err != nil {
					s.t.Fatalf("%s: %v", d.Pos, err)
				}
				u.Desired = desired
			}
		}
		o.Units = append(o.Units, u)
	}
	o.Total = max(len(o.Units), int(arg("total")))
	return o
}

func (s *script) status(name, state string) agent.Status {
	active, sub, loaded := strings.Cut(state, "/")
	if !loaded {
		return agent.Status{Unit: name, Load: "not-found"}
	}
	return agent.Status{Unit: name, Load: "loaded", Active: active, Sub: sub, Result: "success"}
}

func (s *script) span(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func (s *script) number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// step steps the agent and writes down what it does.
func (s *script) step(in ...agent.Input) {
	e := s.agent.Step(world.Instant{Mono: s.now}, in...)
	s.wake = e.Wake
	line := func(format string, args ...any) {
		fmt.Fprintf(&s.out, "%6.3f ", s.now.Seconds())
		fmt.Fprintf(&s.out, format+"\n", args...)
	}
	if r := e.Record; r != nil {
		s.kept = r
		line("record session=%d version=%d life=%d%s", r.Session, r.Version, r.Lives, keptUnits(r))
	}
	if l := e.Lease; l != nil {
		s.lease = *l
		switch {
		case l.Always:
			line("guard: rest, units run on")
		case l.Rests:
			line("guard: rest")
		default:
			line("guard: kill at %.3f", l.Deadline.Seconds())
		}
	}
	for _, o := range e.Ops {
		s.ops[o.ID] = o.Unit
		by := ""
		if o.By != agent.Never {
			by = fmt.Sprintf(", by %.3f", o.By.Seconds())
		}
		line("op %d: %s %s%s", o.ID, o.Kind, o.Unit, by)
	}
	if e.Dial != "" {
		line("dial %s", e.Dial)
	}
	for _, b := range e.Sends {
		line("%s", s.tell(b))
	}
	for _, n := range e.News {
		line("news %s", strings.TrimSpace(n.Unit+" "+n.Text))
	}
	if e.Left {
		line("LEFT")
	}
}

func keptUnits(r *agent.Record) string {
	var b strings.Builder
	for _, k := range r.Units {
		fmt.Fprintf(&b, " %s@%d", k.Unit, k.Gen)
		for _, mark := range []struct {
			is   bool
			what string
		}{{k.Begun, "begun"}, {k.Launched, "launched"}, {k.Ending, "ending"}, {k.Global, "global"}} {
			if mark.is {
				b.WriteString("," + mark.what)
			}
		}
	}
	return b.String()
}

// tell says what a frame says.
func (s *script) tell(b []byte) string {
	f, err := link.Decode(b)
	if err != nil {
		s.t.Fatal(err)
	}
	seq := func(n uint64) string {
		if n>>32 == 0 {
			return fmt.Sprint(n)
		}
		return fmt.Sprintf("%d.%d", n>>32, n&(1<<32-1))
	}
	switch {
	case f.Hello != nil:
		s.nonce = f.Hello.Nonce
		return fmt.Sprintf("hello nonce=%d session=%d", f.Hello.Nonce, f.Hello.Session)
	case f.Beat != nil:
		s.seq = f.Beat.Seq
		return fmt.Sprintf("beat %s session=%d have=%d", seq(f.Beat.Seq), f.Beat.Session, f.Beat.Have)
	case f.Want != nil:
		names := make([]string, len(f.Want.Hashes))
		for i, h := range f.Want.Hashes {
			for name, text := range s.texts {
				if unit.Hash(sha1.Sum([]byte(text))) == h {
					names[i] = name
				}
			}
		}
		return fmt.Sprintf("want %v", names)
	case f.Bye != nil:
		return fmt.Sprintf("bye session=%d", f.Bye.Session)
	}
	r := f.Report.Report
	var out strings.Builder
	fmt.Fprintf(&out, "report %s session=%d", seq(r.Seq), r.Session)
	for _, st := range r.States {
		fmt.Fprintf(&out, " [%s@%d %s %s/%s", st.Unit, st.Gen, st.Load, st.Active, st.Sub)
		if st.Launched {
			out.WriteString(" launched")
		}
		if st.Why != "" {
			fmt.Fprintf(&out, " because %q", st.Why)
		}
		out.WriteString("]")
	}
	for _, g := range r.Gone {
		fmt.Fprintf(&out, " [%s@%d gone]", g.Unit, g.Gen)
	}
	return out.String()
}
