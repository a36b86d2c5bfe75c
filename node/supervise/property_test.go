package supervise_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drydock/node/supervise"
	"drydock/node/unit"
	"drydock/node/world"
)

// sim is a machine whose processes are simulated, and what the rules promise about
// it. A process that was told to end does so when the test draws it, or never, if
// it is stubborn and nobody kills it.
type sim struct {
	t     *rapid.T
	m     *supervise.Machine
	twin  *supervise.Machine // is told the same, and must do the same
	now   time.Duration
	units []*unit.Definition
	// procs are those that are alive, strays those that others have left behind.
	procs  []*simProc
	strays map[string]int
	// dying are units whose strays were killed, and who are told so when drawn.
	owed    map[supervise.Token]bool
	token   supervise.Token
	wanted  map[string]bool // somebody has asked for it, or for what needs it, and nobody stopped it
	begun   map[string][]time.Duration
	reports map[string]supervise.Status
}

type simProc struct {
	id       supervise.ProcID
	unit     string
	role     supervise.Role
	stubborn bool
	told     unit.Signal // the signal that it dies of
}

func newSim(t *rapid.T) *sim {
	s := &sim{
		t: t, m: supervise.New(supervise.Config{}), twin: supervise.New(supervise.Config{}),
		strays: make(map[string]int), owed: make(map[supervise.Token]bool), wanted: make(map[string]bool),
		begun: make(map[string][]time.Duration), reports: make(map[string]supervise.Status),
	}
	for i := range 5 {
		s.units = append(s.units, s.drawUnit(i))
		s.step(supervise.Load{Unit: s.units[i]})
	}
	return s
}

// drawUnit draws a service; relations go to earlier ones alone, so that orders
// don't go in circles.
func (s *sim) drawUnit(i int) *unit.Definition {
	t := s.t
	lines := []string{"[Unit]"}
	for j := range i {
		other := fmt.Sprintf("u%d.service", j)
		kind := rapid.SampledFrom([]string{"", "", "", "Requires", "BindsTo", "Wants", "PartOf", "Conflicts"}).Draw(t, "relation")
		if kind != "" {
			lines = append(lines, kind+"="+other)
		}
		if kind != "" && rapid.Bool().Draw(t, "ordered") {
			lines = append(lines, "After="+other)
		}
	}
	kind := rapid.SampledFrom([]string{"simple", "exec", "oneshot", "forking", "notify"}).Draw(t, "type")
	policies := []string{"no", "on-failure", "on-abnormal", "on-abort", "on-watchdog"}
	if kind != "oneshot" {
		policies = append(policies, "always", "on-success")
	}
	lines = append(lines, "[Service]", "Type="+kind, "ExecStart=/bin/main", "TimeoutStopSec=5s", "TimeoutStartSec=5s")
	lines = append(lines, "Restart="+rapid.SampledFrom(policies).Draw(t, "restart"))
	lines = append(lines, "RemainAfterExit="+rapid.SampledFrom([]string{"yes", "no"}).Draw(t, "remain"))
	lines = append(lines, "KillMode="+rapid.SampledFrom([]string{"control-group", "control-group", "mixed"}).Draw(t, "kill mode"))
	for _, option := range []string{"ExecStartPre", "ExecStartPost", "ExecStop", "ExecStopPost", "ExecReload"} {
		if rapid.IntRange(0, 3).Draw(t, option) == 0 {
			lines = append(lines, option+"=/bin/"+strings.ToLower(option))
		}
	}
	t.Logf("u%d is %s", i, strings.Join(lines, " "))
	u, err := unit.Parse(fmt.Sprintf("u%d.service", i), []byte(strings.Join(lines, "\n")+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	def, err := u.Define(unit.Facts{})
	if err != nil {
		t.Fatal(err)
	}
	return def
}

// step tells the machine something, does what it wants, and checks its promises.
func (s *sim) step(ev supervise.Event) {
	at := world.Instant{Mono: s.now, Wall: int64(s.now)}
	actions := s.m.Step(at, ev)
	s.t.Logf("%v: %T%+v", s.now, ev, ev)
	for _, a := range actions {
		s.t.Logf("    %s", describe(a))
	}
	if diff := cmp.Diff(actions, s.twin.Step(at, ev)); diff != "" {
		s.t.Fatalf("told the same, two machines differ: %s", diff)
	}
	var adopts []supervise.Adopt
	for _, a := range actions {
		switch a := a.(type) {
		case supervise.Spawn:
			s.spawn(a)
		case supervise.SendSignal:
			s.signal(a)
		case supervise.Adopt:
			adopts = append(adopts, a)
		case supervise.Done:
			if !s.owed[a.Token] {
				s.t.Fatalf("request %d was answered twice, or never made", a.Token)
			}
			delete(s.owed, a.Token)
		case supervise.Report:
			s.reports[a.Status.Name] = a.Status
		}
	}
	for _, a := range adopts {
		s.adopt(a)
	}
	s.check()
}

func (s *sim) spawn(a supervise.Spawn) {
	// A start that is under way goes on while a stop waits for its turn, and a stop
	// has commands of its own.
	was := s.reports[a.Unit]
	underWay := was.Active == supervise.ActiveActivating && was.Sub != supervise.SubAutoRestart ||
		strings.HasPrefix(a.Command.Path, "/bin/execstop")
	if !s.caused(a.Unit) && !underWay {
		s.t.Fatalf("%s is spawned for %s, which nobody asked for", a.Command.Path, a.Unit)
	}
	for _, p := range s.procs {
		if p.unit == a.Unit && p.role == a.Role && p.told != supervise.SIGKILL {
			s.t.Fatalf("%s gets a second %s process", a.Unit, a.Role)
		}
	}
	s.procs = append(s.procs, &simProc{
		id: a.Proc, unit: a.Unit, role: a.Role, stubborn: rapid.IntRange(0, 3).Draw(s.t, "stubborn") == 0,
	})
}

// caused says whether a unit may be started: somebody has asked for it, or for
// what needs it, which may have been restarted since.
func (s *sim) caused(name string) bool {
	if s.wanted[name] {
		return true
	}
	for _, u := range s.units {
		if slices.Contains(slices.Concat(u.Requires, u.BindsTo, u.Wants), name) && s.caused(u.Name) {
			return true
		}
	}
	return false
}

func (s *sim) signal(a supervise.SendSignal) {
	for _, p := range s.procs {
		if p.unit != a.Unit || a.Proc != 0 && a.Proc != p.id {
			continue
		}
		if p.told == "" && !p.stubborn || a.Signal == supervise.SIGKILL {
			p.told = a.Signal
		}
	}
	if a.Proc == 0 && a.Signal == supervise.SIGKILL {
		s.strays[a.Unit] = 0
	}
}

func (s *sim) adopt(a supervise.Adopt) {
	found := s.strays[a.Unit] > 0 && rapid.Bool().Draw(s.t, "daemon found")
	if !found {
		s.step(supervise.Adopted{Proc: a.Proc, Err: "not found"})
		return
	}
	s.strays[a.Unit]--
	s.procs = append(s.procs, &simProc{id: a.Proc, unit: a.Unit, role: supervise.RoleMain})
	s.step(supervise.Adopted{Proc: a.Proc})
}

// alive counts a unit's processes.
func (s *sim) alive(name string) int {
	n := s.strays[name]
	for _, p := range s.procs {
		if p.unit == name {
			n++
		}
	}
	return n
}

func (s *sim) check() {
	for _, u := range s.units {
		status, ok := s.m.Status(u.Name)
		if !ok {
			s.t.Fatalf("%s is lost", u.Name)
		}
		if diff := cmp.Diff(status, s.reports[u.Name]); diff != "" {
			s.t.Fatalf("%s was not reported as it is: %s", u.Name, diff)
		}
		down := status.Active == supervise.ActiveInactive || status.Active == supervise.ActiveFailed
		if n := s.alive(u.Name); n > 0 && (down || status.Sub == supervise.SubAutoRestart) {
			s.t.Fatalf("%s is %s with %d processes", u.Name, status.Sub, n)
		}
		for _, enemy := range u.Conflicts {
			if s.alive(u.Name) > 0 && s.alive(enemy) > 0 {
				s.t.Fatalf("%s and %s run together", u.Name, enemy)
			}
		}
	}
}

// want notes who is started when a unit is.
func (s *sim) want(name string) {
	s.wanted[name] = true
	for _, u := range s.units {
		if u.Name == name {
			for _, other := range slices.Concat(u.Requires, u.BindsTo, u.Wants) {
				s.want(other)
			}
		}
	}
}

// ask makes a request about a unit.
func (s *sim) ask(name string) {
	s.token++
	s.owed[s.token] = true
	switch rapid.SampledFrom([]string{"start", "start", "stop", "restart", "reload"}).Draw(s.t, "request") {
	case "start":
		s.want(name)
		s.step(supervise.Start{Name: name, Token: s.token})
	case "restart":
		s.want(name)
		s.step(supervise.RestartUnit{Name: name, Token: s.token})
	case "stop":
		s.wanted[name] = false
		s.step(supervise.Stop{Name: name, Token: s.token})
	case "reload":
		s.step(supervise.Reload{Name: name, Token: s.token})
	}
}

// end ends a process, perhaps leaving a stray.
func (s *sim) end(p *simProc) {
	s.procs = slices.DeleteFunc(s.procs, func(q *simProc) bool { return p == q })
	exit := supervise.Exit{Signal: p.told}
	if p.told == "" {
		exit.Code = rapid.IntRange(0, 1).Draw(s.t, "exit code")
		s.strays[p.unit] += rapid.IntRange(0, 1).Draw(s.t, "strays")
	}
	s.step(supervise.Exited{Proc: p.id, Exit: exit, Empty: s.alive(p.unit) == 0})
}

// pass lets time go by to the next thing that is due, or a little.
func (s *sim) pass() {
	next, ok := s.m.Next()
	if !ok || rapid.Bool().Draw(s.t, "a little") {
		next = s.now + 10*time.Millisecond
	}
	s.now = max(s.now, next)
	s.step(supervise.Tick{})
}

// draw lets something happen.
func (s *sim) draw() {
	name := s.units[rapid.IntRange(0, len(s.units)-1).Draw(s.t, "unit")].Name
	switch what := rapid.IntRange(0, 11).Draw(s.t, "what"); {
	case what < 3:
		s.ask(name)
	case what < 7 && len(s.procs) > 0:
		s.end(s.procs[rapid.IntRange(0, len(s.procs)-1).Draw(s.t, "process")])
	case what < 8 && len(s.procs) > 0:
		s.step(supervise.Spawned{Proc: s.procs[rapid.IntRange(0, len(s.procs)-1).Draw(s.t, "process")].id})
	case what < 9:
		s.step(supervise.Notified{Unit: name, From: supervise.FromMain, Ready: true})
	case what < 10:
		if s.alive(name) == s.strays[name] {
			s.strays[name] = 0
			s.step(supervise.Emptied{Unit: name})
		}
	case what < 11:
		s.pass()
	default:
		s.wanted[name] = false
		s.step(supervise.Halt{Name: name})
	}
}

// calm lets everything end that was told to.
func (s *sim) calm() {
	for range 10_000 {
		i := slices.IndexFunc(s.procs, func(p *simProc) bool { return p.told != "" || p.role == supervise.RoleControl })
		switch {
		case i >= 0:
			p := s.procs[i]
			s.procs = slices.Delete(s.procs, i, i+1)
			s.step(supervise.Exited{Proc: p.id, Exit: supervise.Exit{Signal: p.told}, Empty: s.alive(p.unit) == 0})
			continue
		case s.emptied():
			continue
		}
		next, ok := s.m.Next()
		if !ok {
			return
		}
		s.now = max(s.now, next)
		s.step(supervise.Tick{})
	}
	s.t.Fatal("it never comes to rest")
}

// emptied tells of one unit whose strays have ended.
func (s *sim) emptied() bool {
	for _, u := range s.units {
		status, _ := s.m.Status(u.Name)
		if status.Active == supervise.ActiveDeactivating && s.alive(u.Name) == 0 {
			s.step(supervise.Emptied{Unit: u.Name})
			return true
		}
	}
	return false
}

func TestPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSim(t)
		for range rapid.IntRange(10, 60).Draw(t, "length") {
			s.draw()
		}
		// Whatever has happened, everything can be stopped.
		for _, u := range s.units {
			s.wanted[u.Name] = false
			s.token++
			s.owed[s.token] = true
			s.step(supervise.Stop{Name: u.Name, Token: s.token})
		}
		s.calm()
		if len(s.owed) > 0 {
			t.Fatalf("requests without an answer: %v", s.owed)
		}
		for _, u := range s.units {
			if status, _ := s.m.Status(u.Name); status.Active != supervise.ActiveInactive && status.Active != supervise.ActiveFailed {
				t.Fatalf("%s is still %s", u.Name, status.Sub)
			}
		}
	})
}

// TestStartLimitHolds has a service that always fails run for a while, with
// somebody who doesn't give up asking.
func TestStartLimitHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		burst := rapid.IntRange(1, 6).Draw(t, "burst")
		u, err := unit.Parse("a.service", fmt.Appendf(nil,
			"[Unit]\nStartLimitIntervalSec=10s\nStartLimitBurst=%d\n[Service]\nExecStart=/bin/a\nRestart=always\nRestartSec=%dms\n",
			burst, rapid.IntRange(0, 3000).Draw(t, "pause")))
		if err != nil {
			t.Fatal(err)
		}
		def, err := u.Define(unit.Facts{})
		if err != nil {
			t.Fatal(err)
		}
		m := supervise.New(supervise.Config{})
		m.Step(world.Instant{}, supervise.Load{Unit: def})
		var starts []time.Duration
		for now := time.Duration(0); now < time.Minute; now += time.Duration(rapid.IntRange(1, 2000).Draw(t, "span")) * time.Millisecond {
			ev := supervise.Event(supervise.Tick{})
			if rapid.Bool().Draw(t, "asks") {
				ev = supervise.Start{Name: "a.service"}
			}
			for queue := []supervise.Event{ev}; len(queue) > 0; queue = queue[1:] {
				for _, a := range m.Step(world.Instant{Mono: now}, queue[0]) {
					if spawn, ok := a.(supervise.Spawn); ok {
						if starts = append(starts, now); len(starts) > 10_000 {
							t.Fatal("it starts again and again")
						}
						queue = append(queue, supervise.Exited{Proc: spawn.Proc, Exit: supervise.Exit{Code: 1}, Empty: true})
					}
				}
			}
		}
		// The limit counts in windows that begin with a start.
		for i := 0; i < len(starts); {
			n := 0
			for begin := starts[i]; i < len(starts) && starts[i]-begin <= 10*time.Second; i++ {
				n++
			}
			if n > burst {
				t.Fatalf("%d starts in a window of %d: %v", n, burst, starts)
			}
		}
		if len(starts) < burst {
			t.Fatalf("only %d starts", len(starts))
		}
	})
}
