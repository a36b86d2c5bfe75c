package scenario

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"drydock/chaos"
	"drydock/node/supervise"
	"drydock/node/unit"
)

// Machine is what some of the workers are.
type Machine struct {
	Metadata []string `json:"metadata,omitempty" doc:"KEY=VALUE, each"`
	CPU      float64  `json:"cpu,omitempty" doc:"cores; 0 is not accounted" default:"0" min:"0" max:"10000"`
	Memory   int      `json:"memory,omitempty" doc:"in MiB; 0 is not accounted" default:"0" min:"0" max:"100000000"`
}

// Units is a group of units that users submit.
type Units struct {
	Name    string        `json:"name" doc:"the unit's name, without .service; of several, web stands for web@1.service and so on"`
	Count   int           `json:"count,omitempty" doc:"how many" default:"1" min:"1" max:"100000"`
	At      time.Duration `json:"at,omitempty" doc:"when they are submitted" default:"1s"`
	Desired string        `json:"desired,omitempty" doc:"what is wanted of them; later: nothing, until a step submits them" enum:"launched|loaded|inactive|later" default:"launched"`

	Conflicts []string `json:"conflicts,omitempty" doc:"globs of units that they never share a machine with"`
	Replaces  []string `json:"replaces,omitempty" doc:"globs of units that give way to them"`
	With      []string `json:"with,omitempty" doc:"units whose machine they want (MachineOf)"`
	Metadata  []string `json:"metadata,omitempty" doc:"conditions on the machine: KEY=VALUE; of one key any, of several all"`
	Global    bool     `json:"global,omitempty" doc:"on every machine that suits them" default:"false"`
	Replicas  int      `json:"replicas,omitempty" doc:"they are templates, of which so many instances are kept" default:"0" min:"0" max:"10000"`
	CPU       float64  `json:"cpu,omitempty" doc:"cores that each reserves" default:"0" min:"0" max:"10000"`
	Memory    int      `json:"memory,omitempty" doc:"MiB that each reserves" default:"0" min:"0" max:"100000000"`
	Fleet     []string `json:"fleet,omitempty" doc:"more lines of the [X-Fleet] section"`

	Work    string   `json:"work,omitempty" doc:"what each process does, words of: up=TIME until ready, life=TIME until it ends by itself, code=N with which, down=TIME to end when told to, hangs, dud=N% chance to end at once with code 1"`
	Service []string `json:"service,omitempty" doc:"more lines of the [Service] section"`

	Stuck   int  `json:"stuck,omitempty" doc:"so many of them can't run for want of a machine" default:"0" min:"0" max:"100000"`
	Flaky   bool `json:"flaky,omitempty" doc:"they end by themselves: nobody can expect them to be running" default:"false"`
	Movable bool `json:"movable,omitempty" doc:"others may displace them, or balance: they may stop and move without a fault" default:"false"`
}

// Workers returns the names of the machines that run units and are no members.
func (s *Scenario) Workers() []string {
	var out []string
	for i := range s.Cluster.Workers {
		out = append(out, "w"+strconv.Itoa(i+1))
	}
	return out
}

// runners returns the names of the machines that run units: workers, and members if
// they do.
func (s *Scenario) runners() []string {
	out := s.Workers()
	if s.Cluster.OnMembers {
		out = append(out, append(s.Voters(), s.Learners()...)...)
	}
	return out
}

// MachineOf returns what the i-th machine that runs units is, from 0.
func (s *Scenario) MachineOf(i int) Machine {
	if len(s.Cluster.Machines) == 0 {
		return Machine{}
	}
	return s.Cluster.Machines[i%len(s.Cluster.Machines)]
}

// Names returns the names of the group's units, as users submit them.
func (u *Units) Names() []string {
	switch {
	case u.Replicas > 0:
		return []string{u.Name + "@.service"}
	case u.Count == 1:
		return []string{u.Name + ".service"}
	}
	var out []string
	for i := range u.Count {
		out = append(out, fmt.Sprintf("%s@%d.service", u.Name, i+1))
	}
	return out
}

// Runs returns the names of the units that run, which of a template are its
// instances.
func (u *Units) Runs() []string {
	if u.Replicas == 0 {
		return u.Names()
	}
	var out []string
	for i := range u.Replicas {
		out = append(out, fmt.Sprintf("%s@%d.service", u.Name, i+1))
	}
	return out
}

// Text returns the unit's text; edition tells editions of it apart.
func (u *Units) Text(edition int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[Unit]\nDescription=%s, edition %d\n\n[Service]\nExecStart=/usr/bin/work", u.Name, edition)
	if u.Work != "" {
		b.WriteString(" " + u.Work)
	}
	for _, line := range u.Service {
		b.WriteString("\n" + line)
	}
	var lines []string
	list := func(option string, values []string) {
		for _, v := range values {
			lines = append(lines, option+"="+v)
		}
	}
	list("Conflicts", u.Conflicts)
	list("Replaces", u.Replaces)
	list("MachineOf", u.With)
	list("MachineMetadata", u.Metadata)
	if u.Global {
		lines = append(lines, "Global=true")
	}
	if u.Replicas > 0 {
		lines = append(lines, fmt.Sprintf("Replicas=%d", u.Replicas))
	}
	if u.CPU > 0 {
		lines = append(lines, "CPU="+strconv.FormatFloat(u.CPU, 'f', -1, 64))
	}
	if u.Memory > 0 {
		lines = append(lines, fmt.Sprintf("Memory=%dM", u.Memory))
	}
	lines = append(lines, u.Fleet...)
	if len(lines) > 0 {
		b.WriteString("\n\n[X-Fleet]\n" + strings.Join(lines, "\n"))
	}
	return b.String() + "\n"
}

// fleet checks the machines, the units and who is to act on them.
func (d *decoder) fleet(s *Scenario) {
	for i, m := range s.Cluster.Machines {
		d.pairsOf(fmt.Sprintf("cluster.machines[%d].metadata", i), "metadata", m.Metadata)
	}
	if len(s.Cluster.Machines) > 0 && s.Cluster.Workers == 0 {
		d.fail(d.at["cluster.machines"], "`workers: 5` beside it", "machines: there are no workers")
	}
	for i, name := range s.Cluster.Clones {
		if at := slices.Index(s.Workers(), name); at < 1 {
			d.fail(d.at[fmt.Sprintf("cluster.clones[%d]", i)], "", "clones: %q is no worker that has one before it", name)
		}
	}
	if len(s.Load.Units) > 0 && len(s.runners()) == 0 {
		d.fail(d.at["load.units"], "`workers: 5` in `cluster`", "units: there are no workers to run them")
	}
	if s.Rest >= s.Duration-s.HealAt && d.at["rest"] != nil {
		d.fail(d.at["rest"], "make `settle` longer", "rest: begins before all is healed")
	}
	if s.Rest == 0 {
		for _, e := range s.Expect {
			if e.Kind == ExpectRest {
				d.fail(d.at[expectPath+e.Text], "`rest: 5s`", "at-rest-nothing-is-logged: the run has no rest")
			}
		}
	}
	names := make(map[string]bool)
	for i := range s.Load.Units {
		d.unitGroup(s, i, names)
	}
	for i, step := range s.Steps {
		if p, ok := step.Fault.(*chaos.Units); ok && !someUnit(s, p.Name) {
			at := cmp.Or(d.at[fmt.Sprintf("steps[%d].units.name", i)], d.at[fmt.Sprintf("steps[%d].units", i)])
			d.fail(at, "names as in `load`: web@1.service", "units: no unit of the load is called so")
		}
	}
}

// someUnit says whether some unit of the load has one of the names.
func someUnit(s *Scenario, names []string) bool {
	for i := range s.Load.Units {
		if slices.ContainsFunc(s.Load.Units[i].Names(), func(unit string) bool { return chaos.MatchUnit(names, unit) }) {
			return true
		}
	}
	return false
}

// pairsOf checks that all of a list are KEY=VALUE.
func (d *decoder) pairsOf(at, what string, pairs []string) {
	for k, pair := range pairs {
		if key, value, ok := strings.Cut(pair, "="); !ok || key == "" || value == "" {
			d.fail(cmp.Or(d.at[fmt.Sprintf("%s[%d]", at, k)], d.at[at]), "`"+what+": [disk=ssd]`", "%s: %q is not KEY=VALUE", what, pair)
		}
	}
}

// unitGroup checks one group of units, whose texts must be such as users write.
func (d *decoder) unitGroup(s *Scenario, i int, names map[string]bool) {
	u, at := &s.Load.Units[i], fmt.Sprintf("load.units[%d]", i)
	here := cmp.Or(d.at[at+".name"], d.at[at])
	if names[u.Name] {
		d.fail(here, "names of groups are unique", "name: a second group of units %q", u.Name)
	}
	names[u.Name] = true
	d.pairsOf(at+".metadata", "metadata", u.Metadata)
	for _, list := range []struct {
		key   string
		globs []string
	}{{"conflicts", u.Conflicts}, {"replaces", u.Replaces}} {
		for _, glob := range list.globs {
			if _, err := path.Match(glob, ""); err != nil {
				d.fail(d.at[at+"."+list.key], "", "%s: %q is no glob", list.key, glob)
			}
		}
	}
	if u.Stuck > u.Count && u.Replicas == 0 {
		d.fail(d.at[at+".stuck"], "", "stuck: %d of %d units", u.Stuck, u.Count)
	}
	if u.At >= s.HealAt {
		d.fail(cmp.Or(d.at[at+".at"], here), "", "at: submitted at %s, but all is healed at %s", shortTime(u.At), shortTime(s.HealAt))
	}
	parsed, err := unit.Parse(u.Names()[0], []byte(u.Text(1)))
	if err == nil {
		err = parsed.Fleet().Validate()
	}
	if err == nil {
		var def *unit.Definition
		if def, err = parsed.Define(unit.AnyFacts()); err == nil {
			err = supervise.Check(def)
		}
	}
	if err != nil {
		d.fail(here, "", "units: %v", err)
	}
}

// fleetExpectations are what units and their machines are held to.
func fleetExpectations(s *Scenario) (kinds []string, running time.Duration) {
	kinds = []string{ExpectOnce, ExpectApart, ExpectPlaced, ExpectCapacity, ExpectCauses, ExpectStates}
	if s.Rest > 0 {
		kinds = append(kinds, ExpectRest)
	}
	return kinds, min(s.Duration-s.HealAt-s.Rest, 15*time.Second)
}

// workers checks a selector of workers. It says whether it is one, and whether that
// is wrong.
func (d *decoder) workers(s *Scenario, one selected) (worker, bad bool) {
	_, last, isRange := one.sel.Range()
	if !isRange {
		if !one.sel.IsName() || one.sel[0] != 'w' {
			return false, false
		}
		last, _ = strconv.Atoi(string(one.sel[1:]))
	}
	if last > s.Cluster.Workers {
		d.fail(one.node, fmt.Sprintf("`workers: %d` in `cluster`", last), "node: %q is not in this cluster, which has %d workers", one.sel, s.Cluster.Workers)
		return true, true
	}
	return true, false
}
