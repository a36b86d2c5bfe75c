package inject

import (
	"fmt"
	"net/http"
	"strings"

	"drydock/chaos"
	"drydock/node/fleetapi"
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
