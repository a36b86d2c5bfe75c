package fleetctl

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"drydock/node/fleetclient"
)

// words are what differs between releases in what is printed.
type words struct {
	// unit is what a unit is called.
	unit string
	// silent commands say nothing of what went well. Then there were two states only:
	// what is stopped has no machine.
	silent bool
	// created says that a unit was made; active has start wait until it is active, and
	// stopped tells what was stopped in the end.
	created, active, stopped bool
	// stop ends a sentence.
	stop string
	// replace is how to get the file into the cluster that differs from what is there.
	replace string
	// whole lists have units that no machine has, and describe units.
	whole bool
	// unitColumns are list-units'.
	unitColumns string
}

// dialects are the releases by the names that --compat takes. "2014" is what fleet
// 0.1 printed in March of that year, "0.5" what 0.3 to 0.5 did in the summer.
var dialects = map[string]words{
	"1.0": {
		unit: "Unit", created: true, active: true, stopped: true, replace: ". Add --replace to override.",
		unitColumns: "unit,machine,active,sub",
	},
	"0.5":  {unit: "Job", stop: ".", whole: true, unitColumns: "unit,state,load,active,sub,desc,machine"},
	"2014": {unit: "Job", stop: ".", silent: true, active: true, whole: true, unitColumns: "unit,load,active,sub,desc,machine"},
}

// short writes a machine's id as lists show it.
func short(id string, full bool) string {
	const shown = 8
	if full || id == "" {
		return id
	}
	return id[:min(shown, len(id))] + "..."
}

// legend writes a machine as id/ip; without the ip if nobody knows it.
func (s *session) legend(id string, full bool) string {
	text := short(id, full)
	if m := s.machine(id); m.PrimaryIP != "" {
		text += "/" + m.PrimaryIP
	}
	return text
}

// machine returns what is known of a machine. One that isn't known has the list read
// again: it may be new.
func (s *session) machine(id string) fleetclient.Machine {
	if m, ok := s.machines[id]; ok {
		return m
	}
	if s.readMachines(fleetclient.Reading{Details: true}) == nil {
		if _, ok := s.machines[id]; !ok {
			s.machines[id] = fleetclient.Machine{ID: id}
		}
	}
	return s.machines[id]
}

func (s *session) readMachines(o fleetclient.Reading) error {
	list, _, err := s.client.Machines(s.ctx, o)
	if err != nil {
		return err
	}
	s.machines = make(map[string]fleetclient.Machine, len(list))
	for _, m := range list {
		s.machines[m.ID] = m
	}
	return nil
}

// pairs writes a map as k=v,k=v.
func pairs(m map[string]string) string {
	parts := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+"="+m[k])
	}
	return strings.Join(parts, ",")
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// isGlobal tells whether a unit runs on every machine.
func isGlobal(u *fleetclient.Unit) bool {
	if u.Global {
		return true
	}
	f, err := u.File()
	return err == nil && f.Fleet().Global
}

// waitsFor says in words what keeps a unit from a state, as far as is known.
func (s *session) waitsFor(u *fleetclient.Unit, state string) string {
	switch {
	case u == nil:
		return "it isn't in the cluster"
	case u.Why != "":
		return s.withLegends(u.Why)
	case u.MachineID == "" && state != fleetclient.Inactive:
		return "no machine has it yet"
	case u.MachineID != "":
		return fmt.Sprintf("%s on %s, and not yet %s", u.CurrentState, s.legend(u.MachineID, false), state)
	}
	return fmt.Sprintf("%s, and not yet %s", orDash(u.CurrentState), state)
}

// machineID finds machines' ids in a sentence.
var machineID = regexp.MustCompile(`\b[0-9a-f]{32}\b`)

// withLegends shortens the machines' ids in a sentence, and has it on one line.
func (s *session) withLegends(text string) string {
	text = strings.ReplaceAll(text, "\n", "; ")
	return machineID.ReplaceAllStringFunc(text, func(id string) string { return s.legend(id, false) })
}
