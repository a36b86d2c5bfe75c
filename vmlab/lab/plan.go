package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
)

// Verb is what a step of a plan does to a machine.
type Verb string

// The verbs.
const (
	// VerbAdd: it is new.
	VerbAdd Verb = "add"
	// VerbReboot: it changes, and comes back as what it is to be.
	VerbReboot Verb = "reboot"
	// VerbPorts: other ports of the host lead to it; it goes on.
	VerbPorts Verb = "ports"
	// VerbRemove: it goes, with all that it has written.
	VerbRemove Verb = "remove"
)

// Step is one machine's part of a plan.
type Step struct {
	Verb    Verb   `json:"do"`
	Machine string `json:"machine"`
	// Keys are those of the lab file that say something else now.
	Keys []string `json:"keys,omitempty"`
}

// String writes the step for people.
func (s Step) String() string {
	text := string(s.Verb) + " " + s.Machine
	if len(s.Keys) > 0 {
		text += " (" + strings.Join(s.Keys, ", ") + ")"
	}
	return text
}

// Plan is what makes a lab what its file says.
type Plan struct {
	Steps []Step `json:"steps"`
	// Links: the rules of links without faults are others.
	Links bool `json:"links,omitempty"`
	// Machines are the lab's machines when the plan is done.
	Machines []Machine `json:"-"`
	Spec     *Spec     `json:"-"`
}

// Empty says whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Steps) == 0 && !p.Links }

// String lists what is to be done, a line each.
func (p *Plan) String() string {
	var b strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "  %s\n", s)
	}
	if p.Links {
		b.WriteString("  change what links are like\n")
	}
	return b.String()
}

// ErrFixed is matched by the errors about what no lab that is up can change.
var ErrFixed = errors.New("a lab that is up can't change it: drydock lab down, and up again")

// NewPlan says what makes a lab what a lab file says, whose machines are wanted. Names,
// addresses and all that follows from a name stay with the machines that stay.
func NewPlan(st *State, spec *Spec, wanted []Machine) (*Plan, error) {
	if err := fixed(st, spec); err != nil {
		return nil, err
	}
	p := &Plan{Spec: spec, Links: !reflect.DeepEqual(plainLinks(st.Spec), plainLinks(spec))}
	asked := map[string][]Port{}
	for _, m := range st.Spec.MachineList() {
		asked[m.Name] = m.Ports
	}
	for _, m := range wanted {
		i := slices.IndexFunc(st.Machines, func(o Machine) bool { return o.Name == m.Name })
		if i < 0 {
			p.Steps = append(p.Steps, Step{Verb: VerbAdd, Machine: m.Name})
			p.Machines = append(p.Machines, m)
			continue
		}
		old := st.Machines[i]
		if old.Role != m.Role {
			return nil, fmt.Errorf("%s is a %s and would be a %s: %w, or give it another name", m.Name, old.Role, m.Role, ErrFixed)
		}
		m.Node, m.Address, m.MAC, m.ID, m.Joins, m.Seat = old.Node, old.Address, old.MAC, old.ID, old.Joins, old.Seat
		keys := changed(&old, &m)
		switch ports := !slices.Equal(asked[m.Name], m.Ports); {
		case len(keys) > 0:
			if ports {
				keys = append(keys, "ports")
			} else {
				m.Ports = old.Ports
			}
			p.Steps = append(p.Steps, Step{Verb: VerbReboot, Machine: m.Name, Keys: keys})
		case ports:
			p.Steps = append(p.Steps, Step{Verb: VerbPorts, Machine: m.Name})
		default:
			m.Ports = old.Ports
		}
		p.Machines = append(p.Machines, m)
	}
	for _, old := range st.Machines {
		if !slices.ContainsFunc(wanted, func(m Machine) bool { return m.Name == old.Name }) {
			p.Steps = append(p.Steps, Step{Verb: VerbRemove, Machine: old.Name})
		}
	}
	return p, p.place(st)
}

// fixed names what is said of the lab as a whole and has changed.
func fixed(st *State, spec *Spec) error {
	for _, one := range []struct {
		key      string
		old, new any
	}{
		{"lab", st.Lab, spec.Name},
		{"driver", st.Driver, spec.Driver},
		{"network.subnet", st.Spec.Network.Subnet, spec.Network.Subnet},
		{"network.path", st.Spec.Network.Path, spec.Network.Path},
		{"network.seed", st.Spec.Network.Seed, spec.Network.Seed},
		{"control", st.Spec.Control, spec.Control},
	} {
		if one.old != one.new {
			return fmt.Errorf("%s: %v → %v: %w", one.key, one.old, one.new, ErrFixed)
		}
	}
	return nil
}

// plainLinks are a file's links, none as no list.
func plainLinks(s *Spec) []Link {
	if len(s.Links) == 0 {
		return nil
	}
	return s.Links
}

// changed are the keys of the lab file that make a machine another one.
func changed(old, m *Machine) (keys []string) {
	for key, same := range map[string]bool{ // any order: sorted below
		"memory":       old.MemoryMax == m.MemoryMax,
		"cpus":         old.CPUs == m.CPUs,
		"metadata":     slices.Equal(old.Metadata, m.Metadata),
		"cloud_config": old.CloudConfig == m.CloudConfig,
		"shares":       slices.Equal(old.Shares, m.Shares),
		"image":        old.Image == m.Image,
		"flags":        slices.Equal(old.Flags, m.Flags),
	} {
		if !same {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// place gives the new machines numbers that no machine of the lab has, and addresses
// that no other one has or has had.
func (p *Plan) place(st *State) error {
	subnet, err := netip.ParsePrefix(p.Spec.Network.Subnet)
	if err != nil {
		return err
	}
	owner := map[netip.Addr]string{}
	for name, at := range st.Places { // any order: into a map
		owner[at] = name
	}
	nodes := map[string]bool{}
	for _, m := range st.Machines {
		owner[m.Address], nodes[m.Node] = m.Name, true
	}
	for i := range p.Machines {
		m := &p.Machines[i]
		if slices.ContainsFunc(st.Machines, func(o Machine) bool { return o.Name == m.Name }) {
			continue
		}
		m.Joins = m.Role == RoleMember
		if at, had := st.Places[m.Name]; had {
			m.Address = at
		}
		for n := firstHost; owner[m.Address] != "" && owner[m.Address] != m.Name; n++ {
			if n > 254 {
				return fmt.Errorf("%s: all addresses of %s are or were somebody's: drydock lab down, and up again", m.Name, subnet)
			}
			m.Address = nth(subnet, n)
		}
		owner[m.Address] = m.Name
		letter := m.Node[:1]
		for n := 1; nodes[m.Node]; n++ {
			m.Node = fmt.Sprintf("%s%d", letter, n)
		}
		nodes[m.Node] = true
	}
	return nil
}
