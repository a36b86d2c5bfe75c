package inject

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"

	"drydock/chaos"
	"drydock/node/fleetapi"
	"drydock/node/machine/guard"
	"drydock/vmlab/lab"
)

// known is a machine as the cluster knows it.
type known struct {
	ID       string            `json:"id"`
	Drained  bool              `json:"drained"`
	Metadata map[string]string `json:"metadata"`
}

// look asks the cluster about a machine.
func (i *Injector) look(m *lab.Machine) (*known, error) {
	var list struct {
		Machines []known `json:"machines"`
	}
	if err := i.user(http.MethodGet, fleetapi.Prefix+"/machines", nil, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	for k := range list.Machines {
		if list.Machines[k].ID == m.ID {
			return &list.Machines[k], nil
		}
	}
	return nil, fmt.Errorf("%s: %w: the cluster does not know it", m.Name, chaos.ErrNoEffect)
}

// drain has the cluster empty machines.
func (i *Injector) drain(nodes []string) (Undo, string, error) {
	undo, err := i.each(nodes, func(m *lab.Machine) (Undo, error) {
		at, err := i.look(m)
		if err != nil {
			return nil, err
		}
		if at.Drained {
			return nil, fmt.Errorf("%s: %w: drained already", m.Name, chaos.ErrNoEffect)
		}
		path := fleetapi.Prefix + "/machines/" + m.ID + "/drain"
		if err := i.user(http.MethodPut, path, nil, nil); err != nil {
			return nil, err
		}
		return func() error { return i.user(http.MethodDelete, path, nil, nil) }, nil
	})
	return undo, "", err
}

// Patch is one operation of a change of machines' metadata by the cluster's API.
type Patch struct {
	Op    string      `json:"op"`
	Path  string      `json:"path"`
	Value *PatchValue `json:"value,omitempty"`
}

// PatchValue is what a key is to have.
type PatchValue struct {
	Value string `json:"value"`
}

// NewPatch sets a key of a machine's metadata; an empty value hides it.
func NewPatch(machineID, key, to string) Patch {
	p := Patch{Op: "add", Path: "/" + machineID + "/metadata/" + key, Value: &PatchValue{to}}
	if to == "" {
		p.Op, p.Value = "remove", nil
	}
	return p
}

// metadata has the cluster change what it knows of machines, until it is set back.
func (i *Injector) metadata(nodes, pairs []string) (Undo, string, error) {
	undo, err := i.each(nodes, func(m *lab.Machine) (Undo, error) {
		at, err := i.look(m)
		if err != nil {
			return nil, err
		}
		var there, back []Patch
		for _, pair := range pairs {
			key, to, _ := strings.Cut(pair, "=")
			there, back = append(there, NewPatch(m.ID, key, to)), append(back, NewPatch(m.ID, key, at.Metadata[key]))
		}
		if err := i.user(http.MethodPatch, fleetapi.Prefix+"/machines", there, nil); err != nil {
			return nil, err
		}
		return func() error { return i.user(http.MethodPatch, fleetapi.Prefix+"/machines", back, nil) }, nil
	})
	return undo, "", err
}

// crashUnits kills the main processes of units that run on machines, all or so many of
// them, drawn.
func (i *Injector) crashUnits(nodes []string, p *chaos.UnitCrash) (string, error) {
	type process struct {
		m    *lab.Machine
		unit string
	}
	var list []process
	for _, node := range nodes {
		m := i.Site.Machine(node)
		if m == nil || i.Ground.Vitals(m.Name).Power != lab.PowerOn {
			continue
		}
		units, err := i.unitsOn(m)
		if err != nil {
			return "", err
		}
		for _, unit := range units {
			if chaos.MatchUnit(p.Unit, unit) {
				list = append(list, process{m, unit})
			}
		}
	}
	rand.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
	var hit []string
	var errs []error
	for _, one := range list {
		if p.Most > 0 && len(hit) == p.Most {
			break
		}
		if err := i.run(one.m, i.killing(one.m, one.unit)); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", one.unit, err)) // it may have ended by itself
			continue
		}
		hit = append(hit, one.unit+" on "+one.m.Name)
	}
	if len(hit) == 0 {
		return "", errors.Join(append(errs, fmt.Errorf("%w: none runs", chaos.ErrNoEffect))...)
	}
	slices.Sort(hit)
	return strings.Join(hit, ", "), nil
}

// unitsOn are the units that are active on a machine, by the cluster's word.
func (i *Injector) unitsOn(m *lab.Machine) (names []string, err error) {
	var list struct {
		States []struct {
			Name    string `json:"name"`
			Machine string `json:"machineID"`
			Active  string `json:"systemdActiveState"`
		} `json:"states"`
	}
	if err := i.user(http.MethodGet, fleetapi.Prefix+"/state?machineID="+m.ID, nil, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	for _, s := range list.States {
		if s.Machine == m.ID && s.Active == "active" {
			names = append(names, s.Name)
		}
	}
	return names, nil
}

// killMain kills the process that a record of the node's own runtime calls the main one.
const killMain = `main=$(sed -n 's/.*"main":\([0-9][0-9]*\).*/\1/p' "$1") && test -n "$main" && kill -KILL "$main"`

// killing is the command that kills a unit's main process on its machine.
func (i *Injector) killing(m *lab.Machine, unit string) []string {
	if i.Driver.Capabilities().Has(lab.HasSystemd) {
		return []string{"systemctl", "kill", "--signal=KILL", "--kill-who=main", "--", unit}
	}
	return []string{"/bin/sh", "-c", killMain, "sh", "/run/drydock/" + m.ID + "/" + guard.UnitsDir + "/unit-" + unit}
}
