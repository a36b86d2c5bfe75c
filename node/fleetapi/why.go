package fleetapi

import (
	"fmt"
	"slices"
	"strings"

	"drydock/node/fleet"
)

// maxWhys bounds the machines that a global unit's reason names.
const maxWhys = 3

// explain says why a unit isn't what it should be, as far as the replicated state
// tells; it is empty for one that is. That a unit isn't placed the leader explains:
// see Found.Explain.
func explain(f *foundUnit) string {
	u := &f.is
	if u.Desired == fleet.Inactive {
		if len(u.Leaving) == 0 {
			return ""
		}
		return "waits until it has stopped on " + machines(u.Leaving, "")
	}
	if len(u.Places) == 0 {
		return notPlaced(u)
	}
	var whys []string
	for i := range u.Places {
		if why := explainPlace(f, &u.Places[i]); why != "" {
			whys = append(whys, why)
		}
	}
	if n := len(whys); n > maxWhys {
		whys = append(whys[:maxWhys], fmt.Sprintf("and on %d more machines", n-maxWhys))
	}
	return strings.Join(whys, "; ")
}

// isTemplate says whether a name is a template's, which runs by its instances only.
func isTemplate(name string) bool { return strings.Contains(name, "@.") }

// notPlaced is the reason to show if the leader gives none.
func notPlaced(u *fleet.Unit) string {
	switch {
	case isTemplate(u.Name):
		return ""
	case u.Global:
		return "no machine that it may run on"
	case len(u.Leaving) > 0:
		return "not placed yet; " + machines(u.Leaving, "") + " may still run it"
	}
	return "not placed yet"
}

// explainPlace says what keeps a unit from being what it should be where it is
// placed.
func explainPlace(f *foundUnit, p *fleet.Placement) string {
	u := &f.is
	if others := machines(u.Leaving, p.Machine); others != "" && !u.Global {
		return "waits until it has stopped on " + others + ", or nothing can run there any more"
	}
	i := slices.IndexFunc(f.states, func(st fleet.State) bool { return st.Machine == p.Machine && st.Gen == p.Gen })
	if i < 0 {
		return "machine " + short(p.Machine) + " has not said yet that it has it"
	}
	st := &f.states[i]
	switch {
	case st.Why != "":
		return "machine " + short(p.Machine) + ": " + st.Why
	case st.Active == "failed":
		return fmt.Sprintf("failed on machine %s (%s)", short(p.Machine), st.Result)
	case u.Desired == fleet.Launched && !st.Launched:
		return "machine " + short(p.Machine) + " has loaded it and not started it yet"
	case u.Desired == fleet.Loaded && st.Launched:
		return "machine " + short(p.Machine) + " is stopping it"
	case p.Hash != u.Hash:
		return "waits for its turn to take its new text"
	}
	return ""
}

// machines names the machines that a unit is leaving, but one.
func machines(leaving []fleet.Leaving, but string) string {
	var ids []string
	for _, l := range leaving {
		if l.Machine != but {
			ids = append(ids, short(l.Machine))
		}
	}
	switch len(ids) {
	case 0:
		return ""
	case 1:
		return "machine " + ids[0]
	}
	return "machines " + strings.Join(ids, ", ")
}

// short is a machine's id as lists show it.
func short(id string) string { return id[:min(8, len(id))] }

// Troubled returns the names of units that aren't what they should be, of which the
// leader may know more; and of a single one that was asked for in any case, since the
// leader knows first that its machine is silent.
func (f *Found) Troubled() (names []string) {
	for i := range f.units {
		if f.asks(&f.units[i]) {
			names = append(names, f.units[i].is.Name)
		}
	}
	return names
}

func (f *Found) asks(u *foundUnit) bool {
	return u.why != "" || f.single && u.is.Desired != fleet.Inactive
}

// Explain takes what the leader has said of the units that are Troubled, in their
// order. It knows more than the state does, but names only the first machine on
// which something is wrong with a global unit.
func (f *Found) Explain(whys []string) {
	for i := range f.units {
		u := &f.units[i]
		if !f.asks(u) || len(whys) == 0 {
			continue
		}
		said := whys[0]
		whys = whys[1:]
		if said != "" && (u.why == "" || !u.is.Global || len(u.is.Places) == 0) {
			u.why = said
		}
	}
}
