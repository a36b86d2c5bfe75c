package fleetclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"drydock/node/unit"
)

// The states that can be desired of a unit, and that it can be in.
const (
	Inactive = "inactive"
	Loaded   = "loaded"
	Launched = "launched"
)

// Machine is a machine of the cluster.
type Machine struct {
	ID        string            `json:"id"`
	PrimaryIP string            `json:"primaryIP,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`

	// What follows only Drydock tells. Name is the host's; Units counts what is placed
	// there; Down machines have no session.
	Name      string           `json:"name,omitempty"`
	Version   string           `json:"version,omitempty"`
	URLs      []string         `json:"urls,omitempty"`
	Resources map[string]int64 `json:"resources,omitempty"`
	Drained   bool             `json:"drained,omitempty"`
	Down      bool             `json:"down,omitempty"`
	Units     int              `json:"units,omitempty"`
}

// Option is a line of a unit file.
type Option struct {
	Section string `json:"section"`
	Name    string `json:"name"`
	Value   string `json:"value"`
}

// Unit is a unit of the cluster.
type Unit struct {
	Name         string   `json:"name"`
	Options      []Option `json:"options,omitempty"`
	DesiredState string   `json:"desiredState,omitempty"`
	// CurrentState is empty for global units.
	CurrentState string `json:"currentState,omitempty"`
	MachineID    string `json:"machineID,omitempty"`

	// What follows only Drydock tells. Why says in words what keeps the unit from being
	// where or what it should be; it is empty if all is well.
	Why      string   `json:"why,omitempty"`
	Global   bool     `json:"global,omitempty"`
	Replicas int      `json:"replicas,omitempty"`
	Places   []Place  `json:"places,omitempty"`
	Leaving  []string `json:"leaving,omitempty"`
}

// Place is a machine that is to have a unit, and what it says of it.
type Place struct {
	MachineID string `json:"machineID"`
	Hash      string `json:"hash,omitempty"`
	Launched  bool   `json:"launched,omitempty"`
	Load      string `json:"load,omitempty"`
	Active    string `json:"active,omitempty"`
	Sub       string `json:"sub,omitempty"`
	Result    string `json:"result,omitempty"`
	Why       string `json:"why,omitempty"`
}

// State is what one machine says of one unit, in systemd's words.
type State struct {
	Name        string `json:"name"`
	Hash        string `json:"hash,omitempty"`
	MachineID   string `json:"machineID,omitempty"`
	LoadState   string `json:"systemdLoadState"`
	ActiveState string `json:"systemdActiveState"`
	SubState    string `json:"systemdSubState"`

	// Result and Why only Drydock tells: what has gone wrong.
	Result string `json:"result,omitempty"`
	Why    string `json:"why,omitempty"`
}

// File returns the unit as a file. The error says what of it no file can hold.
func (u *Unit) File() (*unit.Unit, error) {
	options := make([]unit.Option, len(u.Options))
	for i, o := range u.Options {
		options[i] = unit.Option{Section: o.Section, Name: o.Name, Value: o.Value}
	}
	return unit.FromOptions(u.Name, options)
}

// Options returns what a unit file says, as the API has it.
func Options(f *unit.Unit) []Option {
	options := make([]Option, 0, len(f.Options()))
	for _, o := range f.Options() {
		options = append(options, Option{o.Section, o.Name, o.Value})
	}
	return options
}

// page is one page of any list.
type page struct {
	Machines []Machine `json:"machines"`
	Units    []Unit    `json:"units"`
	States   []State   `json:"states"`
	Next     string    `json:"nextPageToken"`
}

// pages reads all pages of a list. Only the first waits, if waiting was asked for;
// the revision is that of the first.
func (c *Client) pages(ctx context.Context, first *call, take func(*page)) (revision uint64, err error) {
	// A list that grows faster than it is read has an end all the same.
	const most = 1 << 16
	call := *first
	for n := range most {
		got, err := c.do(ctx, &call)
		if err != nil {
			return 0, err
		}
		var p page
		if err := json.Unmarshal(got.body, &p); err != nil {
			return 0, notAPI(err)
		}
		if n == 0 {
			revision = got.revision()
		}
		take(&p)
		if p.Next == "" {
			return revision, nil
		}
		query := url.Values{"nextPageToken": {p.Next}}
		for _, name := range []string{"details", "all", "machineID", "unitName", "names"} {
			if values := call.query[name]; values != nil {
				query[name] = values
			}
		}
		call.query, call.extra = query, 0
	}
	return 0, errors.New("the list has no end")
}

func notAPI(err error) error {
	return fmt.Errorf("the answer is not one of fleet's API: %w", err)
}

// Machines returns the machines that are up, sorted by id.
func (c *Client) Machines(ctx context.Context, o Reading) (list []Machine, revision uint64, err error) {
	revision, err = c.pages(ctx, o.call("/machines"), func(p *page) { list = append(list, p.Machines...) })
	return list, revision, err
}

// Units returns all units, or those of o.Names that are there, sorted by name.
func (c *Client) Units(ctx context.Context, o Reading) (list []Unit, revision uint64, err error) {
	revision, err = c.pages(ctx, o.call("/units"), func(p *page) { list = append(list, p.Units...) })
	return list, revision, err
}

// States returns what machines say of their units, sorted by unit, then machine.
func (c *Client) States(ctx context.Context, o Reading) (list []State, revision uint64, err error) {
	revision, err = c.pages(ctx, o.call("/state"), func(p *page) { list = append(list, p.States...) })
	return list, revision, err
}

// Unit returns one unit; IsNotFound tells that there is none of that name.
func (c *Client) Unit(ctx context.Context, name string, o Reading) (*Unit, uint64, error) {
	got, err := c.do(ctx, o.call("/units/"+url.PathEscape(name)))
	if err != nil {
		return nil, 0, err
	}
	var u Unit
	if err := json.Unmarshal(got.body, &u); err != nil {
		return nil, 0, notAPI(err)
	}
	return &u, got.revision(), nil
}

// Create makes a unit that isn't to run yet. Unless replace is set, a server with
// extensions refuses if a unit of that name is there with another text; fleet's
// always replaces it. Remarks are what the server says of the unit.
func (c *Client) Create(ctx context.Context, u Unit, replace bool) (remarks []string, err error) {
	query := url.Values{}
	if !replace {
		query.Set("createOnly", "true")
	}
	got, err := c.do(ctx, &call{method: http.MethodPut, path: "/units/" + url.PathEscape(u.Name), query: query, body: u})
	if err != nil {
		return nil, err
	}
	return got.header.Values("X-Fleet-Remark"), nil
}

// SetDesired changes what is desired of a unit that is there.
func (c *Client) SetDesired(ctx context.Context, name, state string) error {
	_, err := c.do(ctx, &call{
		method: http.MethodPut, path: "/units/" + url.PathEscape(name), body: Unit{Name: name, DesiredState: state},
	})
	return err
}

// Destroy removes a unit; IsNotFound tells that there was none.
func (c *Client) Destroy(ctx context.Context, name string) error {
	call := &call{method: http.MethodDelete, path: "/units/" + url.PathEscape(name)}
	_, err := c.do(ctx, call)
	if call.maybe && IsNotFound(err) {
		return nil
	}
	return err
}

// Patch is one change of a machine's metadata.
type Patch struct {
	Machine, Key, Value string
	// Remove takes the key away, whoever has set it.
	Remove bool
}

// PatchMachines changes metadata: all of it, or nothing.
func (c *Client) PatchMachines(ctx context.Context, patches []Patch) error {
	type value struct {
		Value string `json:"value"`
	}
	type op struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value *value `json:"value,omitempty"`
	}
	ops := make([]op, 0, len(patches))
	for _, p := range patches {
		o := op{Op: "remove", Path: "/" + p.Machine + "/metadata/" + p.Key}
		if !p.Remove {
			o.Op, o.Value = "add", &value{p.Value}
		}
		ops = append(ops, o)
	}
	_, err := c.do(ctx, &call{method: http.MethodPatch, path: "/machines", body: ops})
	return err
}
