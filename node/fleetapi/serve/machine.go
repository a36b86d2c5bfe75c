package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"drydock/node/api"
	"drydock/node/fleet"
	"drydock/node/fleetapi"
	"drydock/node/runtime"
)

// Local is the machine that runs in this process: what it knows of its units.
type Local interface {
	// MachineID returns the machine's id.
	MachineID() string
	// Journal, Follow and State are those of a runtime.Runtime; errors match
	// runtime.ErrNotFound of units that the machine has nothing of.
	Journal(name string, after uint64, n int) ([]runtime.Line, error)
	Follow(ctx context.Context, name string, after uint64) error
	State(name string) (runtime.State, error)
}

// Machine serves, on a node that passes everything else on to members, what only
// its machine knows. A request with a member's ticket, made with the join Token, has
// been judged. Judge has a member judge any other's credentials; it returns nil, or
// the refusal. Owns says whether a request is for this handler.
type Machine struct {
	Local Local
	Token string
	Judge func(r *http.Request) *api.Response
	// Stop, if not nil, ends requests that wait.
	Stop context.Context
}

// Owns says whether a request is one that a member has passed on to this machine.
func (m *Machine) Owns(r *http.Request) bool {
	return m != nil && m.Local != nil && r.Header.Get(HeaderHop) != ""
}

// ServeHTTP implements http.Handler.
func (m *Machine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !admits(m.Token, r, time.Now()) {
		if refusal := m.Judge(r); refusal != nil {
			Write(w, refusal)
			return
		}
	}
	call, resp := decode(w, r)
	switch {
	case resp != nil:
		Write(w, resp)
		return
	case !call.AtMachine() || call.Machine != m.Local.MachineID():
		Write(w, misdirected(call.Machine))
		return
	}
	ctx, end := context.WithCancel(r.Context())
	defer end()
	if m.Stop != nil {
		defer context.AfterFunc(m.Stop, end)()
	}
	tell(ctx, w, m.Local, call)
}

// misdirected answers a request that was passed on to the wrong node: it isn't
// passed on again.
func misdirected(machine string) *api.Response {
	if machine == "" {
		return fleetapi.Fail(http.StatusBadGateway, "this node answers for its own machine only")
	}
	return fleetapi.Fail(http.StatusBadGateway, fmt.Sprintf("machine %s isn't at this node any more; try again", machine))
}

// machine answers a call that a machine has the answer to.
func (s *server) machine(w http.ResponseWriter, r *http.Request, call *fleetapi.Call) {
	if r.Header.Get(HeaderHop) != "" {
		if s.Local == nil || s.Local.MachineID() != call.Machine {
			Write(w, misdirected(call.Machine))
			return
		}
		tell(r.Context(), w, s.Local, call)
		return
	}
	own := ""
	if s.Local != nil {
		own = s.Local.MachineID()
	}
	var at, found fleetapi.Place
	var resp *api.Response
	if failed := s.look(r.Context(), false, func(f *fleet.Store) { found, resp = call.Find(f, own) }); failed != nil {
		// What a machine has written can be read without a cluster, if it is this one.
		if own == "" || call.Machine != own {
			Write(w, failed)
			return
		}
		at = fleetapi.Place{Machine: own}
	} else {
		at = found
	}
	switch {
	case resp != nil:
		Write(w, resp)
	case at.Machine == own:
		call.Machine = own
		tell(r.Context(), w, s.Local, call)
	default:
		s.passOn(w, r, at)
	}
}

// tell answers from the machine in this process.
func tell(ctx context.Context, w http.ResponseWriter, local Local, call *fleetapi.Call) {
	w.Header().Set(fleetapi.HeaderMachine, local.MachineID())
	if call.Op == fleetapi.UnitStatus {
		Write(w, status(local, call))
		return
	}
	lines, err := local.Journal(call.Name, call.After, max(call.Lines, 1))
	if err != nil {
		Write(w, absent(local, err))
		return
	}
	after := call.After
	if n := len(lines); n > 0 {
		after = lines[n-1].Number
	}
	if call.Lines == 0 {
		lines = nil
	}
	resp := fleetapi.JournalHead()
	resp.Body = nil
	head(w, &resp)
	for {
		if _, err := w.Write(encodeLines(lines)); err != nil || !call.Follow {
			return
		}
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		if local.Follow(ctx, call.Name, after) != nil {
			return
		}
		if lines, err = local.Journal(call.Name, after, fleetapi.MaxLines); err != nil || ctx.Err() != nil {
			return
		}
		if n := len(lines); n > 0 {
			after = lines[n-1].Number
		}
	}
}

// absent answers for a unit that the machine has nothing of.
func absent(local Local, err error) *api.Response {
	if errors.Is(err, runtime.ErrNotFound) {
		return fleetapi.Fail(http.StatusNotFound, "unit is not on machine "+local.MachineID())
	}
	return fleetapi.Fail(http.StatusInternalServerError, fmt.Sprintf("machine %s: %v", local.MachineID(), err))
}

// lineView is a line of a journal.
type lineView struct {
	Number uint64 `json:"number"`
	Time   string `json:"time"`
	Source string `json:"source"`
	Text   string `json:"text"`
}

func viewLine(l runtime.Line) lineView {
	return lineView{Number: l.Number, Time: l.Time.UTC().Format(time.RFC3339Nano), Source: l.Source, Text: l.Text}
}

func encodeLines(lines []runtime.Line) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, l := range lines {
		_ = enc.Encode(viewLine(l)) // strings and numbers always can
	}
	return b.Bytes()
}

// statusView is what a machine knows of a unit now.
type statusView struct {
	Active      string     `json:"active"`
	Description string     `json:"description,omitempty"`
	Exit        string     `json:"exit,omitempty"`
	Hash        string     `json:"hash"`
	Job         string     `json:"job,omitempty"`
	Lines       []lineView `json:"lines"`
	Load        string     `json:"load"`
	MachineID   string     `json:"machineID"`
	MainPID     int        `json:"mainPID,omitempty"`
	Name        string     `json:"name"`
	Restarts    int        `json:"restarts,omitempty"`
	Result      string     `json:"result,omitempty"`
	Since       string     `json:"since,omitempty"`
	Sub         string     `json:"sub"`
	Text        string     `json:"text,omitempty"`
}

// status answers with what the machine knows of a unit.
func status(local Local, call *fleetapi.Call) *api.Response {
	st, err := local.State(call.Name)
	if err != nil {
		return absent(local, err)
	}
	v := statusView{
		Active: st.Active, Description: st.Description, Exit: st.Exit, Hash: st.Hash.String(), Job: st.Job, Lines: []lineView{},
		Load: st.Load, MachineID: local.MachineID(), MainPID: st.MainPID, Name: st.Name, Restarts: st.Restarts,
		Result: st.Result, Sub: st.Sub, Text: st.Text,
	}
	if !st.Since.IsZero() {
		v.Since = st.Since.UTC().Format(time.RFC3339Nano)
	}
	if lines, err := local.Journal(call.Name, 0, call.Lines); err == nil {
		for _, l := range lines {
			v.Lines = append(v.Lines, viewLine(l))
		}
	}
	resp := fleetapi.Reply(http.StatusOK, v)
	return &resp
}
