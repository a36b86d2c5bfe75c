package fleetctl

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"drydock/node/fleetclient"
)

// machineCommands are those about machines.
func (s *session) machineCommands() []*cobra.Command {
	o := &changing{}
	drain := o.register(s.online("drain MACHINE...", "Empty machines, for maintenance",
		"Have machines emptied: their units move to others, as many at once as their budgets allow, and no\n"+
			"new ones come. Global units stop there. Machines are named by how their ids begin.",
		"  fleetctl drain 11111111", func(args []string) int { return s.drain(o, args, true) }), false)
	undrain := s.online("undrain MACHINE...", "Let machines have units again", "End what drain began.",
		"  fleetctl undrain 11111111", func(args []string) int { return s.drain(o, args, false) })
	meta := s.online("set-metadata MACHINE KEY=VALUE|KEY-...", "Change a machine's metadata",
		"Set keys of a machine's metadata, or take them away with a dash. This outranks what the machine\n"+
			"says of itself, and outlives its restarts.",
		"  fleetctl set-metadata 11111111 disk=ssd old-", s.setMetadata)
	list := []*cobra.Command{drain, undrain, meta, s.loginCommand()}
	for _, c := range list {
		s.completing(c, false, s.machineIDs)
	}
	return list
}

// machineIDs are those of all machines, sorted.
func (s *session) machineIDs() ([]string, error) {
	err := s.readMachines(fleetclient.Reading{})
	return slices.Sorted(maps.Keys(s.machines)), err
}

// oneMachine returns the only machine whose id begins with a word.
func (s *session) oneMachine(begin string) (fleetclient.Machine, error) {
	if err := s.readMachines(fleetclient.Reading{Details: true, All: true}); err != nil {
		return fleetclient.Machine{}, err
	}
	var found []fleetclient.Machine
	for id, m := range s.machines {
		if strings.HasPrefix(id, strings.TrimSuffix(begin, "...")) {
			found = append(found, m)
		}
	}
	switch len(found) {
	case 0:
		return fleetclient.Machine{}, errNoMachine
	case 1:
		return found[0], nil
	}
	return fleetclient.Machine{}, errors.New("found more than one machine")
}

var errNoMachine = errors.New("machine does not exist")

func (s *session) drain(o *changing, args []string, on bool) int {
	if len(args) == 0 {
		s.errf("No machines given")
		return exitOK
	}
	ok := true
	var done []fleetclient.Machine
	for _, begin := range args {
		m, err := s.oneMachine(begin)
		switch {
		case err != nil:
		case !s.client.Extended():
			err = errors.New("this cluster can't drain machines")
		default:
			err = s.client.Drain(s.ctx, m.ID, on)
		}
		if err != nil {
			s.errf("Unable to change machine %s: %v", begin, err)
			ok = false
			continue
		}
		done = append(done, m)
	}
	for _, m := range done {
		switch {
		case !on:
			s.outf("Machine %s takes units", s.legend(m.ID, false))
		case o.noBlock:
			s.outf("Triggered machine %s drain", s.legend(m.ID, false))
		default:
			ok = len(s.awaitDrained(o.limit(), m.ID)) == 1 && ok
		}
	}
	return code(ok)
}

// awaitDrained waits until a machine has no units.
func (s *session) awaitDrained(limit time.Duration, id string) (reached []string) {
	var left []string
	look := func(_ []string, o fleetclient.Reading) (map[string]*fleetclient.Unit, uint64, error) {
		o.Details = true
		list, revision, err := s.client.Units(s.ctx, o)
		left = nil
		for i := range list {
			u := &list[i]
			here := func(p fleetclient.Place) bool { return p.MachineID == id }
			if u.MachineID == id || slices.ContainsFunc(u.Places, here) || slices.Contains(u.Leaving, id) {
				left = append(left, strings.TrimSuffix(u.Name+" ("+u.Why+")", " ()"))
			}
		}
		return nil, revision, err
	}
	return s.await(waiting{
		names: []string{s.legend(id, false)}, limit: limit, look: look, unmet: "have no units", what: "machine",
		label: func(name string) string { return "Machine " + name },
		judge: func(string, *fleetclient.Unit) verdict {
			if len(left) > 0 {
				return verdict{why: fmt.Sprintf("it still has %s", several(left, s.withLegends))}
			}
			return verdict{done: true, line: fmt.Sprintf("Machine %s is drained", s.legend(id, false))}
		},
	})
}

// several writes the first of a list, and how many more there are.
func several(list []string, write func(string) string) string {
	text := write(list[0])
	if more := len(list) - 1; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// metadataKey is what a key may be. (fleet's API)
var metadataKey = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

func (s *session) setMetadata(args []string) int {
	if len(args) < 2 {
		s.errf("One machine and some KEY=VALUE or KEY- must be provided")
		return exitUsage
	}
	m, err := s.oneMachine(args[0])
	if err != nil {
		s.errf("Unable to change machine %s: %v", args[0], err)
		return exitFailed
	}
	var patches []fleetclient.Patch
	for _, word := range args[1:] {
		key, value, set := strings.Cut(word, "=")
		p := fleetclient.Patch{Machine: m.ID, Key: key, Value: value}
		if !set {
			p.Key, p.Remove = strings.CutSuffix(word, "-")
		}
		if !set && !p.Remove || set && value == "" || !metadataKey.MatchString(p.Key) {
			s.errf("%q is neither KEY=VALUE nor KEY-", word)
			return exitUsage
		}
		patches = append(patches, p)
	}
	if err := s.client.PatchMachines(s.ctx, patches); err != nil {
		s.errf("Unable to change machine %s: %v", s.legend(m.ID, false), err)
		return exitFailed
	}
	return exitOK
}
