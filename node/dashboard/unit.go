package dashboard

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"drydock/node/consensus"
	"drydock/node/fleet"
	"drydock/node/fleetapi"
)

// unitPage is the page of a unit.
type unitPage struct {
	Row         unitRow
	Description string
	Hash        string
	Global      bool
	Template    bool
	Replicas    int
	Places      []placeRow
	Leaving     []machineLink
	Text        string
	// Journal is what the unit has written of late, on machine JournalOf; NoJournal
	// says why there is none.
	Journal   []journalLine
	JournalOf machineLink
	NoJournal string
	// Last is the number of the last line, From the id of the machine that it is from.
	Last, From string
	// Done says what the reader has just done; Problem why it was not done.
	Done    string
	Problem *problem
	// Ways are what can be done.
	Ways []way
	// API is the same in the API. Live is where the page gets its news.
	API, Live string
}

// placeRow is one machine that has a unit.
type placeRow struct {
	Machine machineLink
	// Journal leads to the page with this machine's journal.
	Journal               string
	Load, Active, Sub     string
	Result, Why, Class    string
	Launched, Old, Chosen bool
}

// way is something that can be done to a unit.
type way struct {
	Op, Name string
	Main     bool
}

// ways are what makes sense for a unit.
func ways(u *fleetapi.Unit) (list []way) {
	if isTemplate(u.Name) && u.Replicas == 0 {
		return nil
	}
	switch u.DesiredState {
	case "launched":
		return []way{{"restart", "Restart", false}, {"loaded", "Stop", false}, {"inactive", "Unload", false}}
	case "loaded":
		return []way{{"launched", "Start", true}, {"inactive", "Unload", false}}
	}
	return []way{{"launched", "Start", true}, {"loaded", "Load", false}}
}

func isTemplate(name string) bool { return strings.Contains(name, "@.") }

// showUnit shows a unit.
func (d *dashboard) showUnit(w http.ResponseWriter, r *http.Request) {
	p, problem := d.unitPage(r)
	if problem != nil {
		d.refuse(w, problem)
		return
	}
	d.readJournal(r, p)
	p.Done = unitDone[r.URL.Query().Get("done")]
	d.renderUnit(w, http.StatusOK, p)
}

func (d *dashboard) renderUnit(w http.ResponseWriter, status int, p *unitPage) {
	d.render(w, status, "unit", &frame{Title: p.Row.Name, Place: "Units", Page: p})
}

// unitDone are what pages say after a change that led to them.
var unitDone = map[string]string{
	"launched":  "It is to run.",
	"loaded":    "It is to be stopped, and to stay where it is.",
	"inactive":  "It is to be taken off its machine.",
	"restart":   "It is to be started anew.",
	"destroyed": "The unit is destroyed.",
	"drain":     "The machine is being emptied.",
	"undrain":   "The machine may have units again.",
}

// unitPage makes the page of the unit that r names, without its journal.
func (d *dashboard) unitPage(r *http.Request) (*unitPage, *problem) {
	name := r.PathValue("name")
	v, problem := d.gather(r.Context(), &fleetapi.Call{Op: fleetapi.GetUnit, Name: name}, nil)
	if problem != nil {
		return nil, problem
	}
	if len(v.units) == 0 {
		return nil, noSuchUnit(name)
	}
	u := &v.units[0]
	p := &unitPage{
		Row: v.row(u), Description: u.Description, Hash: u.Hash, Global: u.Global, Template: isTemplate(name), Replicas: u.Replicas,
		Ways: ways(u), Text: textOf(u.Options), API: fleetapi.Prefix + "/units/" + url.PathEscape(name) + "?details=true",
		Live: Base + "unit-live/" + url.PathEscape(name),
	}
	chosen := r.URL.Query().Get("machine")
	if chosen != "" {
		p.Live += "?machine=" + url.QueryEscape(chosen)
	}
	for _, at := range u.Places {
		p.Places = append(p.Places, v.placeRow(u, &at, chosen))
	}
	for _, id := range u.Leaving {
		p.Leaving = append(p.Leaving, v.link(id))
	}
	return p, nil
}

func noSuchUnit(name string) *problem {
	return &problem{
		Status: http.StatusNotFound, Title: "There is no unit " + name,
		Text: "It was destroyed, or never was.", Href: Base + "units/", Link: "To the units",
	}
}

// placeRow says what a machine has made of a unit.
func (v *fleetView) placeRow(u *fleetapi.Unit, at *fleetapi.UnitPlace, chosen string) placeRow {
	row := placeRow{
		Machine: v.link(at.MachineID), Journal: unitURL(u.Name) + "?machine=" + at.MachineID + "#h-journal",
		Load: at.Load, Active: at.Active, Sub: at.Sub, Result: at.Result, Why: at.Why,
		Launched: at.Launched, Old: at.Hash != u.Hash, Chosen: at.MachineID == chosen,
	}
	switch {
	case at.Active == "failed" || at.Why != "":
		row.Class = "bad"
	case at.Active == "active":
		row.Class = "good"
	}
	if row.Result == "success" {
		row.Result = ""
	}
	return row
}

// textOf writes options as a unit's file has them.
func textOf(options []fleetapi.Option) string {
	var b strings.Builder
	section := ""
	for i, o := range options {
		if i == 0 || o.Section != section {
			if i > 0 {
				b.WriteString("\n")
			}
			section = o.Section
			b.WriteString("[" + section + "]\n")
		}
		b.WriteString(o.Name + "=" + o.Value + "\n")
	}
	return b.String()
}

// changeUnit does what a form on a unit's page asks for.
func (d *dashboard) changeUnit(w http.ResponseWriter, r *http.Request) {
	name, op := r.PathValue("name"), r.PostFormValue("op")
	c := &fleet.Command{}
	switch op {
	case "restart":
		c.Put = &fleet.Put{Name: name, Restart: true}
	case "destroy":
		c.Destroy = &fleet.Destroy{Name: name}
	default:
		desired, err := fleetapi.ParseDesired(op)
		if err != nil {
			d.refuse(w, &problem{Status: http.StatusBadRequest, Title: "This form can't be read", Text: "Nothing was done.", Href: unitURL(name), Link: "Back to the unit"})
			return
		}
		c.Put = &fleet.Put{Name: name, Desired: &desired}
	}
	problem := d.changeFleet(r.Context(), c)
	switch {
	case problem == nil && op == "destroy":
		http.Redirect(w, r, Base+"units/?done=destroyed", http.StatusSeeOther)
	case problem == nil:
		http.Redirect(w, r, unitURL(name)+"?done="+op, http.StatusSeeOther)
	default:
		p, gone := d.unitPage(r)
		if gone != nil {
			d.refuse(w, gone)
			return
		}
		d.readJournal(r, p)
		p.Problem = problem
		d.renderUnit(w, problem.Status, p)
	}
}

// changeFleet carries a change out, or says why not.
func (d *dashboard) changeFleet(ctx context.Context, c *fleet.Command) *problem {
	a := d.h.Fleet(ctx, c)
	switch {
	case errors.Is(a.Refusal, fleet.ErrNotFound), errors.Is(a.Refusal, fleet.ErrNoMachine):
		return &problem{Status: http.StatusNotFound, Title: "It is no longer there", Text: "Nothing was done."}
	case a.Status == consensus.Done && a.Refusal != nil:
		return &problem{Status: http.StatusConflict, Title: "That was refused", Text: "Nothing was done: " + a.Refusal.Error() + "."}
	case a.Status == consensus.Unknown:
		return &problem{
			Status: http.StatusInternalServerError, Title: "It may or may not have been done",
			Text: "The cluster didn't answer: " + a.Reason + ". Look again before you repeat it.",
		}
	case a.Status != consensus.Done || a.Refusal != nil:
		p := fleetTrouble(a.Refusal, a.Reason)
		p.Text = "Nothing was done. " + p.Text
		return p
	}
	return nil
}
