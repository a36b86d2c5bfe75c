package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// fataler is a test, or one round of one.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// parsed reads a lab file that must be right.
func parsed(t fataler, text string) *Spec {
	t.Helper()
	s, err := Parse("lab.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return s
}

// upOf is the state of a lab file's lab, as it is read back from its directory.
func upOf(t *testing.T, text string) *State {
	t.Helper()
	line, err := json.Marshal(NewState(parsed(t, text), time0))
	if err != nil {
		t.Fatal(err)
	}
	st := new(State)
	if err := json.Unmarshal(line, st); err != nil {
		t.Fatal(err)
	}
	return st
}

func TestPlans(t *testing.T) {
	const before = `
machines:
- {name: core, count: 3, metadata: [disk=ssd], ports: [2379]}
- {name: work, count: 2, role: worker}
links: [{from: [core-01], delay: 5ms}]
`
	for name, tc := range map[string]struct {
		after string
		want  []string
		links bool
	}{
		"the same": {after: before},
		"the same in other words": {after: `
machines:
- {name: core, count: 3, role: member, metadata: ["disk=ssd"], ports: ["2379"], cpus: 0}
- {name: work, role: worker, count: 2}
links: [{from: [core-01], delay: 5ms}]
`},
		"more and fewer": {after: `
machines:
- {name: core, count: 4, metadata: [disk=ssd], ports: [2379]}
- {name: work, count: 1, role: worker}
links: [{from: [core-01], delay: 5ms}]
`, want: []string{"add core-04", "remove work-02"}},
		"others": {after: `
machines:
- {name: core, count: 3, metadata: [disk=hdd], memory: 256MiB, ports: [2379, "8080:80"]}
- {name: work, count: 2, role: worker}
links: [{from: [core-01], delay: 5ms}]
`, want: []string{"reboot core-01 (memory, metadata, ports)", "reboot core-02 (memory, metadata, ports)", "reboot core-03 (memory, metadata, ports)"}},
		"flags of all": {after: before + "flags: [--snapshot-count=10]\n", want: []string{
			"reboot core-01 (flags)", "reboot core-02 (flags)", "reboot core-03 (flags)", "reboot work-01 (flags)", "reboot work-02 (flags)",
		}},
		"ports":                              {after: strings.Replace(before, "[2379]", `["4001:2379"]`, 1), want: []string{"ports core-01", "ports core-02", "ports core-03"}},
		"links":                              {after: strings.Replace(before, "5ms", "6ms", 1), links: true},
		"how long up waits is no difference": {after: before + "ready: 2m\n"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := parsed(t, tc.after)
			p, err := NewPlan(upOf(t, before), spec, spec.MachineList())
			if err != nil {
				t.Fatal(err)
			}
			var steps []string
			for _, s := range p.Steps {
				steps = append(steps, s.String())
			}
			if diff := cmp.Diff(tc.want, steps); diff != "" || p.Links != tc.links || p.Empty() != (len(tc.want) == 0 && !tc.links) {
				t.Errorf("links %v, steps:\n%s", p.Links, diff)
			}
		})
	}
}

// TestPlansRefused: what can't change is named, with what would do it.
func TestPlansRefused(t *testing.T) {
	st := upOf(t, "machines: [{name: core, count: 2}]\n")
	for text, want := range map[string]string{
		"driver: uml\nmachines: [{name: core, count: 2}]\n":                    "driver: netns → uml",
		"lab: other\nmachines: [{name: core, count: 2}]\n":                     "lab: lab → other",
		"network: {subnet: 10.1.2.0/24}\nmachines: [{name: core, count: 2}]\n": "network.subnet: 172.17.8.0/24 → 10.1.2.0/24",
		"network: {path: kernel}\nmachines: [{name: core, count: 2}]\n":        "network.path: wire → kernel",
		"network: {seed: 9}\nmachines: [{name: core, count: 2}]\n":             "network.seed: 1 → 9",
		"control: true\nmachines: [{name: core, count: 2}]\n":                  "control: false → true",
		"machines: [{name: base}, {name: core, count: 2, role: worker}]\n":     "core-01 is a member and would be a worker",
	} {
		spec := parsed(t, text)
		if _, err := NewPlan(st, spec, spec.MachineList()); !errors.Is(err, ErrFixed) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// TestPlansKeepMachines applies one random lab file after another: what follows from
// a machine's name stays with it, no two machines share anything, and what was applied
// needs nothing more.
func TestPlansKeepMachines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		file := func() *Spec {
			var b strings.Builder
			fmt.Fprintf(&b, "machines:\n- {name: core, count: %d}\n", rapid.IntRange(1, 5).Draw(t, "core"))
			for _, group := range []string{"alpha", "work"} {
				if n := rapid.IntRange(0, 3).Draw(t, group); n > 0 {
					fmt.Fprintf(&b, "- {name: %s, count: %d, role: %s}\n", group, n, map[string]string{"alpha": "member", "work": "worker"}[group])
				}
			}
			return parsed(t, b.String())
		}
		spec := file()
		st := NewState(spec, time0)
		owners, places := map[string]string{}, map[string]string{}
		for _, m := range st.Machines {
			owners[m.Address.String()], places[m.Name] = m.Name, m.Address.String()
		}
		for range rapid.IntRange(1, 6).Draw(t, "rounds") {
			was := map[string]Machine{}
			for _, m := range st.Machines {
				was[m.Name] = m
			}
			spec = file()
			p, err := NewPlan(st, spec, spec.MachineList())
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]string{}
			for _, m := range p.Machines {
				if other := owners[m.Address.String()]; other != "" && other != m.Name {
					t.Fatalf("%s has the address that %s had", m.Name, other)
				}
				if had := places[m.Name]; had != "" && had != m.Address.String() {
					t.Fatalf("%s had %s, and has %s", m.Name, had, m.Address)
				}
				owners[m.Address.String()], places[m.Name] = m.Name, m.Address.String()
			}
			for _, m := range p.Machines {
				for _, own := range []string{m.Name, m.Node, m.Address.String(), m.MAC, m.ID} {
					if other := seen[own]; other != "" {
						t.Fatalf("%s and %s have both %s", m.Name, other, own)
					}
					seen[own] = m.Name
				}
				old, there := was[m.Name]
				if there && (old.Address != m.Address || old.Node != m.Node || old.MAC != m.MAC || old.ID != m.ID || old.Joins != m.Joins) {
					t.Fatalf("%s was %+v, and is %+v", m.Name, old, m)
				}
				if !there && m.Joins != (m.Role == RoleMember) {
					t.Fatalf("%s is new and joins: %v", m.Name, m.Joins)
				}
			}
			st.Settle(spec, p.Machines)
			if again, err := NewPlan(st, spec, spec.MachineList()); err != nil || !again.Empty() {
				t.Fatalf("a second time: %v, %v", again, err)
			}
		}
	})
}

// TestAnew: a lab that is made again keeps what its machines were told, and no token.
func TestAnew(t *testing.T) {
	st := upOf(t, "machines: [{name: core, count: 2}]\n")
	st.Machines[1].CloudConfig, st.Machines[1].Client, st.Machines[0].Ports[0].Host = "#cloud-config\n", 4001, 7777
	again := st.Anew(time0)
	if again.Token == st.Token || again.JoinToken == st.JoinToken {
		t.Error("its tokens are those of the lab before")
	}
	if m := again.Machines[1]; m.CloudConfig != "#cloud-config\n" || m.Client != 4001 {
		t.Errorf("core-02 is told %+v", m)
	}
	if again.Machines[0].Ports[0].Host != 0 {
		t.Errorf("a port that was found is asked for: %+v", again.Machines[0].Ports)
	}
}
