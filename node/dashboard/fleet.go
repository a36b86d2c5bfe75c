package dashboard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"drydock/node/consensus"
	"drydock/node/fleet"
	"drydock/node/fleetapi"
	"drydock/node/state"
)

const (
	// maxSought bounds the names that are gone through for a part of a name: that is
	// done on the member's own thread.
	maxSought = 20000
	// askTime bounds how long a page waits for the leader's reasons.
	askTime = time.Second
	// calm is how long a page that is kept current stays as it is at least; stir how
	// long at most, since a reason may change while the fleet doesn't.
	calm = 400 * time.Millisecond
	stir = 5 * time.Second
)

// unitsPage is a page of units.
type unitsPage struct {
	Rows []unitRow
	// Total is how many units there are, Up and Machines how many machines are up
	// and known.
	Total, Up, Machines int
	From, To            int
	Query               string
	// Machine is the id of the machine that the units are on, empty for all.
	Machine, MachineName string
	// More says that there are more that match; Note why some may be missing.
	More       bool
	Note       string
	Prev, Next string
	// Done says what the reader has just done.
	Done string
	Live string
}

// unitRow is what a list says of a unit.
type unitRow struct {
	Name, Href string
	// Desired is what is wanted, Actual what is so, in words.
	Desired, Actual string
	// Class is good, unsure or bad, or empty for what is at rest.
	Class string
	Where []machineLink
	More  int // how many other machines
	Why   string
}

// machineLink names a machine.
type machineLink struct{ Name, Href string }

// maxWhere is how many machines a row names.
const maxWhere = 3

// fleetView is what a page was made of.
type fleetView struct {
	units    []fleetapi.Unit
	machines []fleetapi.Machine
	revision uint64
	total    int
	note     string
	more     bool
	*roster
}

// gather reads what call asks for; choose, if not nil, completes the call on the
// member's thread.
func (d *dashboard) gather(ctx context.Context, call *fleetapi.Call, choose func(s *fleet.Store, v *fleetView)) (*fleetView, *problem) {
	v := &fleetView{}
	var found *fleetapi.Found
	call.Details = true
	a := d.h.ReadFleet(ctx, true, func(s *fleet.Store) {
		if choose != nil {
			choose(s, v)
		}
		found = call.Collect(s)
		v.total, v.roster = s.Units(), d.roster.look(s)
	})
	if a.Status != consensus.Done || a.Refusal != nil {
		return nil, fleetTrouble(a.Refusal, a.Reason)
	}
	if names := found.Troubled(); len(names) > 0 {
		asking, end := context.WithTimeout(ctx, askTime)
		if a := d.h.AskFleet(asking, names); a.Status == consensus.Done {
			found.Explain(a.Why)
		}
		end()
	}
	v.units, v.machines, v.revision = call.Units(found), call.Machines(found), found.Revision()
	return v, nil
}

// fleetTrouble says why units and machines can't be shown or changed.
func fleetTrouble(refusal error, reason string) *problem {
	p := &problem{Status: http.StatusServiceUnavailable, Title: "This member can't do it now", Text: reason + ".", Href: Base, Link: "To the overview"}
	switch {
	case errors.Is(refusal, state.ErrNotYet):
		p.Title, p.Text = "This cluster has no units yet", "Some member runs an older release: units and machines come when all are upgraded."
	case reason == "" && refusal != nil:
		p.Text = refusal.Error() + "."
	}
	return p
}

// mayFleet says whether whoever sent r may see and change units; if not, why.
func (d *dashboard) mayFleet(r *http.Request) *problem {
	if d.o.Guard == nil {
		return nil
	}
	resp := d.o.Guard.Admin(r)
	switch {
	case resp == nil:
		return nil
	case resp.Status >= http.StatusInternalServerError:
		return &problem{Status: resp.Status, Title: "This member can't do it now", Text: "It can't judge who you are; try again."}
	}
	return &problem{
		Status: http.StatusUnauthorized, Title: "This takes a password", Login: true,
		Text: "Units and machines are for users with the role root.",
	}
}

// forFleet has a handler serve those who may see units and machines.
func (d *dashboard) forFleet(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if p := d.mayFleet(r); p != nil {
			d.refuse(w, p)
			return
		}
		serve(w, r)
	}
}

// showUnits lists units.
func (d *dashboard) showUnits(w http.ResponseWriter, r *http.Request) {
	p, problem := d.unitsPage(r)
	if problem != nil {
		d.refuse(w, problem)
		return
	}
	p.Done = unitDone[r.URL.Query().Get("done")]
	d.render(w, http.StatusOK, "units", &frame{Title: "Units", Place: "Units", Page: p})
}

// unitsPage makes the list that r asks for.
func (d *dashboard) unitsPage(r *http.Request) (*unitsPage, *problem) {
	q := r.URL.Query()
	n, _ := strconv.Atoi(q.Get("page"))
	n = max(n, 1)
	p := &unitsPage{Query: strings.TrimSpace(q.Get("q")), Machine: q.Get("machine")}
	call := &fleetapi.Call{Op: fleetapi.ListUnits, Page: n}
	v, problem := d.gather(r.Context(), call, func(s *fleet.Store, v *fleetView) { p.choose(call, s, v) })
	if problem != nil {
		return nil, problem
	}
	p.Total, p.Up, p.Machines, p.More, p.Note = v.total, v.up, v.known, v.more, v.note
	p.MachineName = v.nameOf(p.Machine)
	for i := range v.units {
		p.Rows = append(p.Rows, v.row(&v.units[i]))
	}
	if call.Names == nil {
		p.From, p.To = (n-1)*fleetapi.PageSize+1, (n-1)*fleetapi.PageSize+len(p.Rows)
		if n > 1 {
			p.Prev = fmt.Sprintf("%sunits/?page=%d", Base, n-1)
		}
		if p.To < p.Total {
			p.Next = fmt.Sprintf("%sunits/?page=%d", Base, n+1)
		}
	}
	p.Live = Base + "units-live?" + r.URL.RawQuery
	return p, nil
}

// choose has a call list the units that a page's query or machine asks for.
func (p *unitsPage) choose(call *fleetapi.Call, s *fleet.Store, v *fleetView) {
	if p.Query == "" && p.Machine == "" {
		return
	}
	call.Names = []string{}
	take := func(name string) bool {
		if !strings.Contains(name, p.Query) {
			return true
		}
		if len(call.Names) == fleetapi.MaxNames {
			v.more = true
			return false
		}
		call.Names = append(call.Names, name)
		return true
	}
	if p.Machine != "" {
		for _, name := range s.PlacedOn(p.Machine) {
			if !take(name) {
				return
			}
		}
		return
	}
	sought := 0
	for u := range s.UnitsFrom(0) {
		if sought++; sought > maxSought {
			v.note = fmt.Sprintf("Only the first %s names were looked at.", count(maxSought))
			return
		}
		if !take(u.Name) {
			return
		}
	}
}

func unitURL(name string) string { return Base + "units/" + url.PathEscape(name) }

func unitsOn(machine string) string { return Base + "units/?machine=" + url.QueryEscape(machine) }

// row says what a list says of a unit.
func (v *fleetView) row(u *fleetapi.Unit) unitRow {
	r := unitRow{Name: u.Name, Href: unitURL(u.Name), Desired: u.DesiredState, Why: u.Why}
	r.Actual, r.Class = actual(u)
	for i, p := range u.Places {
		if i == maxWhere {
			r.More = len(u.Places) - maxWhere
			break
		}
		r.Where = append(r.Where, v.link(p.MachineID))
	}
	return r
}

// actual says in words what a unit is, and what to think of it.
func actual(u *fleetapi.Unit) (words, class string) {
	running, failed, told := 0, 0, 0
	for _, p := range u.Places {
		switch {
		case p.Active == "failed" || p.Why != "":
			failed++
		case p.Active == "active":
			running++
		}
		if p.Active != "" {
			told++
		}
	}
	n := len(u.Places)
	switch {
	case u.DesiredState == "inactive" && len(u.Leaving) > 0:
		return "stopping", "unsure"
	case u.DesiredState == "inactive":
		return "inactive", ""
	case n == 0 && u.Replicas > 0:
		return fmt.Sprintf("%s of %d replicas", u.CurrentState, u.Replicas), ""
	case n == 0 && u.Global:
		return "nowhere", "unsure"
	case n == 0:
		return "not placed", "bad"
	case n == 1 && told == 1:
		if words = u.Places[0].Active; words != u.Places[0].Sub {
			words += " (" + u.Places[0].Sub + ")"
		}
	case n == 1:
		words = "on its way"
	default:
		words = fmt.Sprintf("active on %d of %d", running, n)
	}
	switch {
	case failed > 0:
		class = "bad"
	case u.Why != "":
		class = "unsure"
	default:
		class = "good"
	}
	return words, class
}

// unitsStream keeps a list of units current.
func (d *dashboard) unitsStream(w http.ResponseWriter, r *http.Request) {
	d.fleetStream(w, r, func() ([]byte, *problem) {
		p, problem := d.unitsPage(r)
		if problem != nil {
			return nil, problem
		}
		return d.fleetPiece("units", p)
	})
}

// fleetPiece renders what of a page changes.
func (d *dashboard) fleetPiece(page string, data any) ([]byte, *problem) {
	b, err := piece(page, "live", data)
	if err == nil {
		return b, nil
	}
	d.o.Log.Error("dashboard: cannot render a page", "page", page, "err", err)
	return nil, &problem{Status: http.StatusInternalServerError, Title: "The page cannot be shown", Text: "The log says why."}
}

// fleetStream sends what of a page changes, whenever it does.
func (d *dashboard) fleetStream(w http.ResponseWriter, r *http.Request, render func() ([]byte, *problem)) {
	s, ok := d.openStream(w, r)
	if !ok {
		return
	}
	defer s.close()
	var shown []byte
	for {
		revision := d.fleetRevision(s.ctx)
		b, problem := render()
		switch {
		case problem != nil && !s.begun:
			s.refuse(problem)
			return
		case problem != nil || bytes.Equal(b, shown): // a problem may be over soon
			if !s.beat() {
				return
			}
		default:
			shown = b
			if !s.send("live", 0, b) {
				return
			}
		}
		if !d.waitFleet(s.ctx, revision) {
			return
		}
	}
}

// fleetRevision is that of the fleet's last change here; 0 if it can't be read.
func (d *dashboard) fleetRevision(ctx context.Context) (revision uint64) {
	d.h.ReadFleet(ctx, true, func(s *fleet.Store) { revision = s.Revision() })
	return revision
}

// waitFleet waits until it is worth while to make a page anew; it returns false if
// nobody reads it any more.
func (d *dashboard) waitFleet(ctx context.Context, revision uint64) bool {
	select {
	case <-time.After(calm):
	case <-ctx.Done():
		return false
	case <-d.h.Done():
		return false
	}
	waiting, end := context.WithTimeout(ctx, stir)
	defer end()
	d.h.WaitFleet(waiting, revision)
	return ctx.Err() == nil
}
