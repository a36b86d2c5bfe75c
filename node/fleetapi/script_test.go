package fleetapi_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"drydock/node/api"
	"drydock/node/fleet"
	"drydock/node/fleetapi"
)

// TestScripts holds whole conversations: requests as a client sends them, between
// what a leader and machines do to the state.
//
//	http             METHOD TARGET, and a body in the lines below; prints status, headers of
//	                 ours and body
//	up ID…           machines come up; key=value are metadata, ip=ADDRESS
//	down ID…         their sessions end
//	place UNIT ID…   the leader places a unit
//	move UNIT FROM TO
//	told ID UNIT ACTIVE SUB [launched] [why=…]   a machine reports
//	gone ID UNIT     a machine has nothing of it any more
//	why UNIT TEXT    what the leader will say of a unit
//	submit N         submits n units: u000.service …
func TestScripts(t *testing.T) {
	t.Parallel()
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		w := &scripted{store: fleet.New(), why: make(map[string]string)}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "http" {
				return w.http(d)
			}
			var args []string
			for _, a := range d.CmdArgs {
				args = append(args, a.String())
			}
			if err := w.do(d.Cmd, args); err != nil {
				return err.Error() + "\n"
			}
			return "ok\n"
		})
	})
}

const term = 3

// scripted is the state of a script's cluster.
type scripted struct {
	store    *fleet.Store
	revision uint64
	why      map[string]string
}

func (w *scripted) apply(c *fleet.Command) (fleet.Outcome, error) {
	w.revision++
	return w.store.Apply(fleet.Env{Revision: w.revision, Term: term, Now: time.Duration(w.revision) * time.Second}, c)
}

// id makes a machine's id of its beginning.
func id(s string) string { return s + strings.Repeat("0", 32-len(s)) }

func (w *scripted) do(cmd string, args []string) error {
	switch cmd {
	case "up":
		return w.up(id(args[0]), args[1:])
	case "down":
		for _, a := range args {
			m, _ := w.store.Machine(id(a))
			if _, err := w.apply(&fleet.Command{Close: &fleet.Close{Term: term, Machine: m.ID, Session: m.Session, Why: "lease"}}); err != nil {
				return err
			}
		}
		return nil
	case "place":
		for _, a := range args[1:] {
			if err := w.move(args[0], "", id(a)); err != nil {
				return err
			}
		}
		return nil
	case "move":
		return w.move(args[0], id(args[1]), id(args[2]))
	case "told", "gone":
		return w.report(cmd, args)
	case "why":
		w.why[args[0]] = strings.Join(args[1:], " ")
		return nil
	case "submit":
		n, err := strconv.Atoi(args[0])
		for i := range n {
			put := &fleet.Put{Name: fmt.Sprintf("u%03d.service", i), Text: "[Service]\nExecStart=/bin/true\n"}
			if _, err := w.apply(&fleet.Command{Put: put}); err != nil {
				return err
			}
		}
		return err
	}
	return fmt.Errorf("no command %q", cmd)
}

func (w *scripted) up(machine string, facts []string) error {
	m := fleet.Machine{ID: machine, Name: "host-" + machine[:1], Version: "1.0", URLs: []string{"http://" + machine[:1] + ":2379"}, Boot: id("b")}
	for _, f := range facts {
		key, value, _ := strings.Cut(f, "=")
		if key == "ip" {
			m.PrimaryIP = value
			continue
		}
		if m.Metadata == nil {
			m.Metadata = make(map[string]string)
		}
		m.Metadata[key] = value
	}
	old, _ := w.store.Machine(machine)
	_, err := w.apply(&fleet.Command{Open: &fleet.Open{Term: term, Machine: m, Was: old.Session}})
	return err
}

func (w *scripted) move(name, from, to string) error {
	u, _ := w.store.Unit(name)
	m, _ := w.store.Machine(to)
	move := fleet.Move{Unit: name, Changed: u.Changed, From: from, To: to, Session: m.Session}
	out, err := w.apply(&fleet.Command{Place: &fleet.Place{Term: term, Moves: []fleet.Move{move}}})
	if err == nil && len(out.Refused) > 0 {
		err = out.Refused[0].Why
	}
	return err
}

func (w *scripted) report(cmd string, args []string) error {
	m, _ := w.store.Machine(id(args[0]))
	u, _ := w.store.Unit(args[1])
	r := &fleet.Report{Machine: m.ID, Session: m.Session, Seq: m.Reported + 1}
	if cmd == "gone" {
		for _, l := range w.store.Leaving(args[1]) {
			r.Gone = append(r.Gone, fleet.Gone{Unit: args[1], Gen: l.Gen})
		}
	} else {
		i := slices.IndexFunc(u.Places, func(p fleet.Placement) bool { return p.Machine == m.ID })
		if i < 0 {
			return errors.New("not placed there")
		}
		st := fleet.State{Unit: u.Name, Gen: u.Places[i].Gen, Hash: u.Places[i].Hash, Load: "loaded", Active: args[2], Sub: args[3], Result: "success"}
		for _, a := range args[4:] {
			if a == "launched" {
				st.Launched = true
			}
			if why, ok := strings.CutPrefix(a, "why="); ok {
				st.Why = strings.ReplaceAll(why, "_", " ")
			}
		}
		if st.Active == "failed" {
			st.Result = "exit-code"
		}
		r.States = []fleet.State{st}
	}
	_, err := w.apply(&fleet.Command{Report: r})
	return err
}

// http carries a request out as package serve does.
func (w *scripted) http(d *datadriven.TestData) string {
	line, body, _ := strings.Cut(d.Input, "\n")
	resp := w.answer(ask(line, body))
	var b strings.Builder
	fmt.Fprintln(&b, resp.Status)
	for _, h := range resp.Headers {
		switch h.Name {
		case "Server", fleetapi.HeaderOurs, "Content-Type":
		default:
			fmt.Fprintf(&b, "%s: %s\n", h.Name, h.Value)
		}
	}
	if len(resp.Body) > 0 {
		fmt.Fprintf(&b, "%s\n", resp.Body)
	}
	return b.String()
}

func (w *scripted) answer(r *fleetapi.Request) *api.Response {
	call, resp := fleetapi.Decode(r)
	switch {
	case resp != nil:
		return resp
	case call.Op == fleetapi.Discovery:
		return fleetapi.Describe()
	case !call.Changes():
		found := call.Collect(w.store)
		var whys []string
		for _, name := range found.Troubled() {
			whys = append(whys, w.why[name])
		}
		found.Explain(whys)
		return call.Encode(found)
	}
	if call.NeedsLook() {
		if resp := call.Look(w.store); resp != nil {
			return resp
		}
	}
	if call.Idle() {
		return call.Done(nil)
	}
	out, err := w.apply(call.Command)
	if err != nil {
		if resp := call.Refused(err); resp != nil {
			return resp
		}
		return fleetapi.Failed(false, err.Error())
	}
	return call.Done(&out)
}
