package scenario_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"drydock/node/unit"
	"drydock/scenarios/scenario"
)

func TestUnitsOfFiles(t *testing.T) {
	s := parse(t, `
cluster: {workers: 3, machines: [{metadata: [disk=ssd, rack=a], cpu: 2.5, memory: 100}, {}]}
load:
  units:
    - {name: one, metadata: [disk=ssd], cpu: 0.5, memory: 64, conflicts: ["one*", two.service]}
    - {name: many, count: 3, service: [Restart=always]}
    - {name: copies, replicas: 2, work: life=1s}
`)
	var names []string
	for _, u := range s.FleetUnits() {
		names = append(names, u.Name)
	}
	want := "one.service many@1.service many@2.service many@3.service copies@1.service copies@2.service"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("units: %s, want %s", got, want)
	}
	one := s.FleetUnits()[0]
	if one.CPU != 500 || one.Memory != 64 || one.Revives || !s.FleetUnits()[1].Revives || s.FleetUnits()[5].Of != "copies@.service" {
		t.Errorf("facts: %+v", s.FleetUnits())
	}
	machines := s.FleetMachines()
	if got := fmt.Sprint(machines[0].Metadata, machines[0].CPU, machines[1].CPU, machines[2].Memory); got != "[disk=ssd rack=a] 2500 0 100" {
		t.Errorf("machines: %s", got)
	}
}

// TestTextsMeanWhatTheGroupSays reads the texts that users submit with the
// product's own reader: what checkers are told is what was written.
func TestTextsMeanWhatTheGroupSays(t *testing.T) {
	s := parse(t, `
cluster: {workers: 1}
load:
  units:
    - {name: a, count: 2, metadata: [disk=ssd], cpu: 1.25, memory: 64, conflicts: ["a@*", "b.*"], with: [c.service], work: up=1s}
    - {name: b, replaces: [a@1.service]}
    - {name: c, global: true, fleet: [Priority=3]}
    - {name: d, replicas: 4}
`)
	read := func(i int, edition int) *unit.Unit {
		t.Helper()
		u := &s.Load.Units[i]
		parsed, err := unit.Parse(u.Names()[0], []byte(u.Text(edition)))
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	a := read(0, 1).Fleet()
	if !slices.Equal(a.Conflicts, []string{"a@*", "b.*"}) || !slices.Equal(a.MachineOf, []string{"c.service"}) || len(a.Metadata) != 1 || len(a.Resources) != 2 {
		t.Errorf("a: %+v", a)
	}
	for _, r := range a.Resources {
		if r.Name == unit.CPU && r.Amount != 1250 || r.Name == unit.Memory && r.Amount != 64<<20 {
			t.Errorf("a reserves %+v", r)
		}
	}
	if b, c, d := read(1, 1).Fleet(), read(2, 1).Fleet(), read(3, 1).Fleet(); b.Replaces[0] != "a@1.service" || !c.Global || c.Priority != 3 || d.Replicas != 4 {
		t.Errorf("b %+v, c %+v, d %+v", b, c, d)
	}
	if read(0, 1).Hash() == read(0, 2).Hash() {
		t.Error("editions are the same text")
	}
	def, err := read(0, 1).Define(unit.AnyFacts())
	if err != nil || strings.Join(def.Service.Start[0].Args, " ") != "/usr/bin/work up=1s" {
		t.Errorf("%v, %+v", err, def)
	}
}

func TestUnitsAreJudgedByDefault(t *testing.T) {
	s := parse(t, "cluster: {workers: 1}\nload: {units: [{name: a}]}\nrest: 2s\n")
	var kinds []string
	for _, e := range s.Expect {
		kinds = append(kinds, e.Kind)
	}
	for _, want := range []string{
		scenario.ExpectOnce, scenario.ExpectApart, scenario.ExpectPlaced, scenario.ExpectCapacity,
		scenario.ExpectCauses, scenario.ExpectStates, scenario.ExpectRest, scenario.ExpectRunning,
	} {
		if !slices.Contains(kinds, want) {
			t.Errorf("%s is not expected: %v", want, kinds)
		}
	}
}
