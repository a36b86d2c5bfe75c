package fleetapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"strings"

	"drydock/node/api"
	"drydock/node/fleet"
	"drydock/node/unit"
)

// MaxPatches bounds the operations of one PATCH.
const MaxPatches = 1000

// readBody completes a call that changes something.
func (c *Call) readBody(r *Request) *api.Response {
	if len(r.Body) > MaxBodyBytes {
		return Fail(413, fmt.Sprintf("request body too large: at most %d bytes", MaxBodyBytes))
	}
	switch c.Op {
	case PutUnit:
		return c.readUnit(r)
	case DestroyUnit:
		c.Command = &fleet.Command{Destroy: &fleet.Destroy{Name: c.Name}}
	case RestartUnit:
		// So that a browser asks first when another site's page wants this.
		if err := checkContentType(r.ContentTypes); err != nil {
			return Fail(415, err.Error())
		}
		c.Command = &fleet.Command{Put: &fleet.Put{Name: c.Name, Restart: true}}
	case PatchMachines:
		return c.readPatch(r)
	case DrainMachine:
		c.Command = &fleet.Command{Drain: &fleet.Drain{Machine: c.Name, On: r.Method == "PUT"}}
	}
	return nil
}

func checkContentType(values []string) error {
	if len(values) != 1 {
		return fmt.Errorf("expected 1 Content-Type, got %d", len(values))
	}
	if t, _, err := mime.ParseMediaType(values[0]); err != nil || t != "application/json" {
		return errors.New("only acceptable Content-Type is application/json")
	}
	return nil
}

// readJSON reads the first value of a body. As in fleet, unknown fields and what
// follows are ignored.
func readJSON(body []byte, into any) error {
	err := json.NewDecoder(bytes.NewReader(body)).Decode(into)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		// Its own words name types of this program.
		where := ""
		if e.Field != "" {
			where = fmt.Sprintf(" in field %q", e.Field)
		}
		return fmt.Errorf("unable to decode body: unexpected %s%s", e.Value, where)
	}
	if err != nil {
		return fmt.Errorf("unable to decode body: %w", err)
	}
	return nil
}

// readUnit reads the body of a PUT, with fleet's checks in fleet's order.
func (c *Call) readUnit(r *Request) *api.Response {
	if err := checkContentType(r.ContentTypes); err != nil {
		return Fail(415, err.Error())
	}
	var in struct {
		Name         string   `json:"name"`
		DesiredState string   `json:"desiredState"`
		Options      []Option `json:"options"`
	}
	if err := readJSON(r.Body, &in); err != nil {
		return Fail(400, err.Error())
	}
	if in.Name != "" && in.Name != c.Name {
		return Fail(400, fmt.Sprintf("name in URL %q differs from unit name in request body %q", c.Name, in.Name))
	}
	name, err := unit.ParseName(c.Name)
	if err != nil {
		return Fail(400, err.Error())
	}
	put := &fleet.Put{Name: c.Name, Create: c.Create}
	c.Command = &fleet.Command{Put: put}
	var u *unit.Unit
	if len(in.Options) > 0 {
		options, err := toOptions(in.Options)
		if err == nil {
			u, err = unit.FromOptions(c.Name, options)
		}
		if err == nil {
			err = u.Fleet().Validate()
		}
		if err != nil {
			return Fail(400, err.Error())
		}
		put.Text = u.Text()
		c.Remarks = remarks(u)
	}
	if in.DesiredState == "" {
		// Only a new unit may go without; that there is none is looked up, and held to
		// by Create.
		c.NoState, put.Create = true, true
		return nil
	}
	desired, err := ParseDesired(in.DesiredState)
	if err != nil {
		return Fail(400, err.Error())
	}
	if name.IsTemplate() && desired != fleet.Inactive && u != nil && u.Fleet().Replicas == 0 {
		return Fail(400, cannotActivate(c.Name))
	}
	put.Desired = &desired
	return nil
}

func cannotActivate(name string) string { return fmt.Sprintf("cannot activate template %q", name) }

// ParseDesired reads one of fleet's target states.
func ParseDesired(s string) (fleet.Desired, error) {
	for _, d := range []fleet.Desired{fleet.Inactive, fleet.Loaded, fleet.Launched} {
		if desiredWord(d) == s {
			return d, nil
		}
	}
	return 0, fmt.Errorf("invalid desiredState %q: want inactive, loaded or launched", s)
}

func desiredWord(d fleet.Desired) string {
	switch d {
	case fleet.Loaded:
		return "loaded"
	case fleet.Launched:
		return "launched"
	}
	return "inactive"
}

func toOptions(in []Option) ([]unit.Option, error) {
	out := make([]unit.Option, len(in))
	for i, o := range in {
		if o.Name == "" {
			return nil, fmt.Errorf("option %d has no name", i+1)
		}
		out[i] = unit.Option{Section: o.Section, Name: o.Name, Value: o.Value}
	}
	return out, nil
}

// maxRemarks bounds what is said of one unit.
const maxRemarks = 20

// remarks says what of a unit does nothing, and what won't do on machines without
// systemd. Which machine will have it isn't known yet, so none of it is an error;
// the machine's own refusal will be in the unit's state.
func remarks(u *unit.Unit) (list []string) {
	add := func(prefix string, problems []unit.Problem) {
		for _, p := range problems {
			if len(list) < maxRemarks {
				list = append(list, prefix+p.Error())
			}
		}
	}
	add("", u.Remarks())
	if u.Name().IsTemplate() {
		return list
	}
	d, err := u.Define(unit.AnyFacts())
	if err != nil {
		if e, ok := errors.AsType[*unit.Error](err); ok {
			add("this won't run: ", e.Problems)
		}
		return list
	}
	add("", d.Remarks)
	add("only machines with systemd can run this: ", d.Unsupported)
	return list
}

// readPatch reads the body of a PATCH.
func (c *Call) readPatch(r *Request) *api.Response {
	var ops []struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value *struct {
			Value *string `json:"value"`
		} `json:"value"`
	}
	if err := readJSON(r.Body, &ops); err != nil {
		return Fail(400, err.Error())
	}
	if len(ops) > MaxPatches {
		return Fail(400, fmt.Sprintf("too many operations: %d, at most %d", len(ops), MaxPatches))
	}
	patch := &fleet.Patch{}
	for _, in := range ops {
		op := fleet.PatchOp{}
		switch in.Op {
		case "add", "replace", "remove":
		default:
			return Fail(400, "invalid op: expect add, remove, or replace")
		}
		var ok bool
		if op.Machine, op.Key, ok = splitPatchPath(in.Path); !ok {
			return Fail(400, "machine metadata path invalid")
		}
		if in.Op != "remove" {
			if in.Value == nil || in.Value.Value == nil || *in.Value.Value == "" {
				return Fail(400, "invalid value: add and replace require a value")
			}
			op.Value = in.Value.Value
		}
		patch.Ops = append(patch.Ops, op)
	}
	c.Command = &fleet.Command{Patch: patch}
	return nil
}

// splitPatchPath takes /ID/metadata/KEY apart.
func splitPatchPath(path string) (machine, key string, ok bool) {
	parts := strings.Split(path, "/")
	if len(parts) != 4 || parts[0] != "" || parts[1] == "" || parts[2] != "metadata" || parts[3] == "" {
		return "", "", false
	}
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
	if strings.Trim(parts[3], allowed) != "" {
		return "", "", false
	}
	return parts[1], parts[3], true
}
