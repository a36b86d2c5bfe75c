package dashboard

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"drydock/node/fleet"
	"drydock/node/fleetapi"
	"drydock/node/unit"
)

// machinesPage is a page of machines.
type machinesPage struct {
	Rows       []machineRow
	Up, Known  int
	Prev, Next string
	Done       string
	Live       string
}

// machineRow is what the list says of a machine.
type machineRow struct {
	Name, ID, Short string
	// Word is up, drained or down, Class is for its colour.
	Word, Class string
	IP, Version string
	Metadata    []string
	Resources   []string
	Units       string
	UnitsHref   string
	// Node is the machine's own dashboard, empty if it is down.
	Node string
	// Op is what can be done, Way is its name.
	Op, Way, Action string
}

// showMachines lists machines.
func (d *dashboard) showMachines(w http.ResponseWriter, r *http.Request) {
	p, problem := d.machinesPage(r)
	if problem != nil {
		d.refuse(w, problem)
		return
	}
	p.Done = unitDone[r.URL.Query().Get("done")]
	d.render(w, http.StatusOK, "machines", &frame{Title: "Machines", Place: "Machines", Page: p})
}

func (d *dashboard) machinesPage(r *http.Request) (*machinesPage, *problem) {
	n, _ := strconv.Atoi(r.URL.Query().Get("page"))
	n = max(n, 1)
	v, problem := d.gather(r.Context(), &fleetapi.Call{Op: fleetapi.ListMachines, Page: n, All: true}, nil)
	if problem != nil {
		return nil, problem
	}
	p := &machinesPage{Up: v.up, Known: v.known, Live: Base + "machines-live?" + r.URL.RawQuery}
	for i := range v.machines {
		p.Rows = append(p.Rows, v.machineRow(&v.machines[i]))
	}
	if n > 1 {
		p.Prev = fmt.Sprintf("%smachines/?page=%d", Base, n-1)
	}
	if (n-1)*fleetapi.PageSize+len(p.Rows) < v.known {
		p.Next = fmt.Sprintf("%smachines/?page=%d", Base, n+1)
	}
	return p, nil
}

// machinesStream keeps the list of machines current.
func (d *dashboard) machinesStream(w http.ResponseWriter, r *http.Request) {
	d.fleetStream(w, r, func() ([]byte, *problem) {
		p, problem := d.machinesPage(r)
		if problem != nil {
			return nil, problem
		}
		return d.fleetPiece("machines", p)
	})
}

func (v *fleetView) machineRow(m *fleetapi.Machine) machineRow {
	row := machineRow{
		Name: cmp.Or(m.Name, shortID(m.ID)), ID: m.ID, Short: shortID(m.ID), Word: "up", Class: "good", IP: m.PrimaryIP, Version: m.Version,
		Units: plural(m.Units, "unit"), UnitsHref: unitsOn(m.ID), Op: "drain", Way: "Drain", Action: Base + "machines/" + m.ID,
	}
	if m.Drained {
		row.Word, row.Class, row.Op, row.Way = "drained", "unsure", "undrain", "End the drain"
	}
	if m.Down {
		row.Word, row.Class = "down", "bad"
	}
	for _, key := range slices.Sorted(maps.Keys(m.Metadata)) {
		row.Metadata = append(row.Metadata, key+"="+m.Metadata[key])
	}
	for _, name := range slices.Sorted(maps.Keys(m.Resources)) {
		row.Resources = append(row.Resources, name+" "+amount(name, m.Resources[name]))
	}
	if len(m.URLs) > 0 && !m.Down {
		row.Node = m.URLs[0]
	}
	return row
}

// amount writes how much of a resource there is.
func amount(resource string, n int64) string {
	switch resource {
	case unit.Memory, unit.Disk:
		const gib = 1 << 30
		if n >= gib {
			return strconv.FormatFloat(float64(n)/gib, 'f', 1, 64) + " GiB"
		}
		return strconv.FormatFloat(float64(n)/(1<<20), 'f', 0, 64) + " MiB"
	}
	return strconv.FormatFloat(float64(n)/1000, 'f', -1, 64)
}

// changeMachine begins or ends the drain of a machine.
func (d *dashboard) changeMachine(w http.ResponseWriter, r *http.Request) {
	id, op := r.PathValue("id"), r.PostFormValue("op")
	if op != "drain" && op != "undrain" {
		d.refuse(w, &problem{Status: http.StatusBadRequest, Title: "This form can't be read", Text: "Nothing was done.", Href: Base + "machines/", Link: "Back to the machines"})
		return
	}
	problem := d.changeFleet(r.Context(), &fleet.Command{Drain: &fleet.Drain{Machine: id, On: op == "drain"}})
	if problem != nil {
		problem.Href, problem.Link = Base+"machines/", "Back to the machines"
		d.refuse(w, problem)
		return
	}
	http.Redirect(w, r, Base+"machines/?done="+op, http.StatusSeeOther)
}
