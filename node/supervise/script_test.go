package supervise_test

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"drydock/node/supervise"
	"drydock/node/unit"
	"drydock/node/world"
)

// The scripts in testdata/scripts are documents: what happens to a machine, and all that
// it wants done, line by line. Time stands still but for "after".
//
//	load NAME                    the options follow, a line each
//	start|stop|restart|reload NAME, unload, reset-failed, halt
//	spawned NAME                 the unit's main process runs its program
//	exit NAME main|control [CODE|SIGNAL]   the process has ended
//	gone NAME main|control [CODE|SIGNAL]   it has, and it was the last one
//	empty NAME                   the unit has no process left
//	adopted NAME [problem]
//	notify NAME [main|control|other] WORDS...
//	listening NAME [problem], incoming NAME, resume NAME main|unknown
//	after SPAN                   time passes, and everything due in it happens
//	list
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		s := &script{now: time.Hour, wall: time.Date(2014, 5, 1, 12, 0, 0, 0, time.UTC), procs: make(map[string]supervise.ProcID)}
		s.m = supervise.New(supervise.Config{Provided: []string{"network-online.target"}, Boot: time.Hour})
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			t.Helper()
			s.out.Reset()
			if err := s.command(d); err != nil {
				d.Fatalf(t, "%v", err)
			}
			if s.out.Len() == 0 {
				return "nothing\n"
			}
			return s.out.String()
		})
	})
}

type script struct {
	m     *supervise.Machine
	now   time.Duration
	wall  time.Time
	token supervise.Token
	procs map[string]supervise.ProcID // by unit and role
	out   strings.Builder
}

func (s *script) step(ev supervise.Event) {
	for _, a := range s.m.Step(world.Instant{Mono: s.now, Wall: s.wall.UnixNano()}, ev) {
		switch a := a.(type) {
		case supervise.Spawn:
			s.procs[a.Unit+" "+a.Role.String()] = a.Proc
		case supervise.Adopt:
			s.procs[a.Unit+" main"] = a.Proc
		}
		s.out.WriteString(describe(a) + "\n")
	}
}

// command carries out one command of a script.
func (s *script) command(d *datadriven.TestData) error {
	var words []string
	for _, arg := range d.CmdArgs {
		words = append(words, arg.String())
	}
	name := strings.Join(words[:min(1, len(words))], "")
	s.token++
	switch d.Cmd {
	case "load":
		u, err := define(name, d.Input)
		if err != nil {
			return err
		}
		s.step(supervise.Load{Unit: u})
	case "unload":
		s.step(supervise.Unload{Name: name})
	case "start":
		s.step(supervise.Start{Name: name, Token: s.token})
	case "stop":
		s.step(supervise.Stop{Name: name, Token: s.token})
	case "restart":
		s.step(supervise.RestartUnit{Name: name, Token: s.token})
	case "reload":
		s.step(supervise.Reload{Name: name, Token: s.token})
	case "reset-failed":
		s.step(supervise.ResetFailed{Name: name})
	case "halt":
		s.step(supervise.Halt{Name: name})
	case "empty":
		s.step(supervise.Emptied{Unit: name})
	case "notify":
		s.step(notification(words))
	case "listening":
		s.step(supervise.Listening{Unit: name, Err: strings.Join(words[1:], " ")})
	case "incoming":
		s.step(supervise.Incoming{Unit: name})
	case "resume":
		id := supervise.ProcID(0)
		if words[1] == "main" {
			id = s.m.Reserve()
			s.procs[name+" main"] = id
		}
		s.step(supervise.Resume{Unit: name, Proc: id})
	case "after":
		return s.pass(name)
	case "list":
		for _, n := range s.m.Names() {
			status, _ := s.m.Status(n)
			s.out.WriteString(describe(supervise.Report{Status: status}) + "\n")
		}
	default:
		return s.process(d.Cmd, words)
	}
	return nil
}

// process carries out the commands about one process.
func (s *script) process(cmd string, words []string) error {
	name := words[0]
	switch cmd {
	case "spawned":
		s.step(supervise.Spawned{Proc: s.procs[name+" main"]})
	case "adopted":
		s.step(supervise.Adopted{Proc: s.procs[name+" main"], Err: strings.Join(words[1:], " ")})
	case "exit", "gone":
		id, ok := s.procs[name+" "+words[1]]
		if !ok {
			return fmt.Errorf("%s has no %s process", name, words[1])
		}
		delete(s.procs, name+" "+words[1])
		s.step(supervise.Exited{Proc: id, Exit: exitOf(words[2:]), Empty: cmd == "gone"})
	default:
		return fmt.Errorf("no command %q", cmd)
	}
	return nil
}

// pass lets time go by, stopping wherever something is due.
func (s *script) pass(text string) error {
	span, err := time.ParseDuration(text)
	if err != nil {
		return err
	}
	end := s.now + span
	for {
		next, ok := s.m.Next()
		if !ok || next > end {
			break
		}
		if next > s.now {
			s.wall, s.now = s.wall.Add(next-s.now), next
		}
		before := s.out.Len()
		s.step(supervise.Tick{})
		if text := s.out.String(); len(text) > before {
			s.out.Reset()
			s.out.WriteString(text[:before] + fmt.Sprintf("-- after %v\n", s.now-(end-span)) + text[before:])
		}
	}
	s.wall, s.now = s.wall.Add(end-s.now), end
	return nil
}

func exitOf(words []string) supervise.Exit {
	if len(words) == 0 {
		return supervise.Exit{}
	}
	if code, err := strconv.Atoi(words[0]); err == nil {
		return supervise.Exit{Code: code, Why: strings.Join(words[1:], " ")}
	}
	if words[0] == "unknown" {
		return supervise.Exit{Unknown: true}
	}
	return supervise.Exit{Signal: unit.Signal(words[0]), Core: len(words) > 1}
}

func notification(words []string) supervise.Notified {
	n := supervise.Notified{Unit: words[0], From: supervise.FromMain}
	for _, w := range words[1:] {
		switch w {
		case "control":
			n.From = supervise.FromControl
		case "other":
			n.From = supervise.FromOther
		case "ready":
			n.Ready = true
		case "reloading":
			n.Reloading = true
		case "stopping":
			n.Stopping = true
		case "alive":
			n.Alive = true
		case "extend":
			n.Extend = time.Minute
		default:
			n.Status = w
		}
	}
	return n
}

// describe writes an action on one line.
func describe(a supervise.Action) string {
	switch a := a.(type) {
	case supervise.Spawn:
		text := fmt.Sprintf("%s: spawn P%d %s: %s", a.Unit, a.Proc, a.Role, strings.Join(a.Command.Args, " "))
		if len(a.Env) > 0 {
			text += fmt.Sprintf(" %v", a.Env)
		}
		if len(a.Sockets) > 0 {
			text += fmt.Sprintf(" with the sockets of %v", a.Sockets)
		}
		if a.Notify {
			text += " (may notify)"
		}
		return text
	case supervise.SendSignal:
		if a.Proc == 0 {
			return fmt.Sprintf("%s: %s to all", a.Unit, a.Signal)
		}
		return fmt.Sprintf("%s: %s to P%d", a.Unit, a.Signal, a.Proc)
	case supervise.Adopt:
		return fmt.Sprintf("%s: find P%d %s", a.Unit, a.Proc, a.PIDFile)
	case supervise.Listen:
		return fmt.Sprintf("%s: listen on %v", a.Unit, a.Socket.Streams)
	case supervise.Poll:
		return a.Unit + ": wait for callers"
	case supervise.Unlisten:
		return a.Unit + ": close"
	case supervise.Done:
		text := fmt.Sprintf("%s: request %s", a.Unit, a.Result)
		if a.Reason != "" {
			text += ": " + a.Reason
		}
		return text
	case supervise.Log:
		return fmt.Sprintf("%s: | %s", a.Unit, a.Text)
	case supervise.Report:
		return describeStatus(a.Status)
	}
	return fmt.Sprintf("%T?", a)
}

func describeStatus(s supervise.Status) string {
	text := fmt.Sprintf("%s: is %s %s (%s)", s.Name, s.Load, s.Active, s.Sub)
	if s.Result != supervise.Success {
		text += " " + string(s.Result)
	}
	if s.Exit != nil && s.Exit.Why == "" {
		text += ", " + s.Exit.String()
	}
	if s.Restarts > 0 {
		text += fmt.Sprintf(", restart %d", s.Restarts)
	}
	if s.Text != "" {
		text += fmt.Sprintf(", says %q", s.Text)
	}
	if s.Next > 0 && s.Next < math.MaxInt64 {
		text += fmt.Sprintf(", elapses in %v", s.Next-s.Since)
	}
	if s.Job != "" {
		text += ", job " + s.Job
	}
	return text
}

// define reads a unit as a machine does. Its options stand in the section that
// the name calls for, after those of [Unit].
func define(name, text string) (*unit.Definition, error) {
	var general, special []string
	for _, line := range strings.Split(text, "\n") {
		key, _, _ := strings.Cut(line, "=")
		switch {
		case strings.HasPrefix(key, "StartLimit"), slices.Contains(relations, key):
			general = append(general, line)
		case line != "":
			special = append(special, line)
		}
	}
	section := strings.TrimPrefix(path.Ext(name), ".")
	file := "[Unit]\n" + strings.Join(general, "\n") + "\n"
	if section != "target" {
		file += "[" + strings.ToUpper(section[:1]) + section[1:] + "]\n" + strings.Join(special, "\n") + "\n"
	}
	u, err := unit.Parse(name, []byte(file))
	if err != nil {
		return nil, err
	}
	def, err := u.Define(unit.Facts{})
	if err != nil {
		return nil, err
	}
	return def, supervise.Check(def)
}

var relations = []string{
	"After", "Before", "Requires", "Requisite", "BindsTo", "Wants", "PartOf", "Conflicts", "OnFailure",
}
