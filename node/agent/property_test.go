package agent_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"drydock/node/fleet"
)

func newUniverse(seed uint64, machines int) *universe {
	u := &universe{rand: rand.New(rand.NewPCG(seed, 1)), delay: 20 * time.Millisecond, guarded: true}
	skew := func() float64 { return 1 + (2*u.rand.Float64()-1)*drift/1e6 }
	u.leader = &leader{
		u: u, rate: skew(), store: fleet.New(), term: 1,
		heard: make(map[string]time.Duration), opened: make(map[string]uint64), pushed: make(map[string]uint64),
	}
	for i := range machines {
		m := &machine{
			u: u, id: strings.Repeat(fmt.Sprintf("%02x", 0xa0+i), 16), rate: skew(),
			resist: map[string]int64{"memory": 1000}, versions: make(map[uint64]uint64),
		}
		m.runtime = &runtime{m: m, units: make(map[string]*process)}
		u.machines = append(u.machines, m)
		u.after(u.span(time.Second), m.rise)
	}
	u.after(0, u.leader.tick)
	return u
}

// texts are what a unit may say.
func text(name string, version int, fleetSection string) string {
	return fmt.Sprintf("[Service]\nExecStart=/bin/%s %d\n\n[X-Fleet]\n%s\n", name, version, fleetSection)
}

// sections are what the units of a test ask for.
var sections = map[string]string{
	"alone.service":   "Conflicts=rival*",
	"rival1.service":  "",
	"rival2.service":  "Conflicts=rival1.service",
	"big1.service":    "Memory=700",
	"big2.service":    "Memory=600",
	"global.service":  "Global=true",
	"plain.service":   "",
	"turning.service": "",
}

func (u *universe) put(name string, version int, desired fleet.Desired, again bool) {
	stem, _, _ := strings.Cut(name, ".")
	section := sections[name]
	if name == "turning.service" && version%2 == 1 {
		section = "Global=true"
	}
	u.note("PUT %s version %d %v again=%v", name, version, desired, again)
	u.leader.apply(fleet.Command{Put: &fleet.Put{Name: name, Text: text(stem, version, section), Desired: &desired, Restart: again}})
}

// knobs are what may go wrong in a run.
type knobs struct{ guarded, faults bool }

// act does one thing to the universe.
func (u *universe) act(t *rapid.T, k knobs, versions map[string]int) {
	m := u.machines[rapid.IntRange(0, len(u.machines)-1).Draw(t, "machine")]
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(sections))).Draw(t, "unit")
	kinds := []string{"put", "put", "text", "kick", "destroy", "move", "leader", "cut", "network", "crash"}
	if k.faults {
		kinds = append(kinds, "fall", "pause", "reboot")
	}
	kind := rapid.SampledFrom(kinds).Draw(t, "act")
	u.note("ACT %s %s %s", kind, m.id[:2], name)
	switch kind {
	case "put":
		u.put(name, versions[name], rapid.SampledFrom([]fleet.Desired{fleet.Inactive, fleet.Loaded, fleet.Launched, fleet.Launched}).Draw(t, "desired"), false)
	case "text":
		versions[name]++
		u.put(name, versions[name], fleet.Launched, false)
	case "kick":
		u.put(name, versions[name], fleet.Launched, true)
	case "destroy":
		u.leader.apply(fleet.Command{Destroy: &fleet.Destroy{Name: name}})
	case "move":
		if un, ok := u.leader.store.Unit(name); ok && len(un.Places) == 1 && un.Places[0].Machine != m.id && u.leader.session(m.id) != 0 &&
			u.leader.fits(name, u.leader.store.Requirements(name, un.Hash), m) && !un.Global {
			u.leader.move(un, un.Places[0].Machine, m.id)
		}
	case "leader":
		u.leader.follow()
	case "cut":
		m.cut = true
		u.after(time.Duration(rapid.IntRange(100, 9000).Draw(t, "ms"))*time.Millisecond, func() { m.cut = false })
	case "network":
		u.loss = rapid.SampledFrom([]float64{0, 0, 0.1, 0.5}).Draw(t, "loss")
		u.repeat = rapid.SampledFrom([]float64{0, 0.2, 0.5}).Draw(t, "repeat")
		u.delay = rapid.SampledFrom([]time.Duration{time.Millisecond, 100 * time.Millisecond, time.Second}).Draw(t, "delay")
	case "crash":
		if p := m.runtime.units[name]; p != nil && p.proc && p.job == nil {
			m.runtime.die(name, "itself")
		}
	case "fall":
		m.fall()
		u.after(time.Duration(rapid.IntRange(1, 6000).Draw(t, "ms"))*time.Millisecond, func() {
			if m.agent == nil {
				m.rise()
			}
		})
	case "pause":
		if !m.paused {
			m.pause(time.Duration(rapid.IntRange(1, 6000).Draw(t, "ms")) * time.Millisecond)
		}
	case "reboot":
		m.reboot()
		u.after(time.Duration(rapid.IntRange(1, 6000).Draw(t, "ms"))*time.Millisecond, func() {
			if m.agent == nil {
				m.rise()
			}
		})
	}
}

// settled says what isn't as it should be once nothing has happened for long.
func (u *universe) settled() {
	for _, m := range u.machines {
		if u.leader.session(m.id) == 0 {
			u.violate("%s has no session", m.id)
		}
		for _, name := range m.runtime.names() {
			p := m.runtime.units[name]
			un, ok := u.leader.store.Unit(name)
			i := slices.IndexFunc(un.Places, func(p fleet.Placement) bool { return p.Machine == m.id })
			if p.proc && (!ok || i < 0) {
				u.violate("%s runs on %s, where it isn't placed", name, m.id)
			}
		}
	}
	for un := range u.leader.store.UnitsFrom(0) {
		if len(un.Leaving) > 0 {
			u.violate("%s leaves %s for ever", un.Name, un.Leaving[0].Machine)
		}
		for _, place := range un.Places {
			u.settledPlace(un, place)
		}
	}
}

func (u *universe) settledPlace(un fleet.Unit, place fleet.Placement) {
	i := slices.IndexFunc(u.machines, func(m *machine) bool { return m.id == place.Machine })
	p := u.machines[i].runtime.units[un.Name]
	st, ok := u.leader.store.State(un.Name, place.Machine)
	switch {
	case !ok || p == nil || !p.known:
		u.violate("%s is placed on %s, and not loaded, or not said to be", un.Name, place.Machine)
	case st.Gen != place.Gen || st.Hash != un.Hash || p.file.Hash() != un.Hash:
		u.violate("%s on %s: generation %d, hash %v; %d, %v are wanted; %v is loaded", un.Name, place.Machine, st.Gen, st.Hash, place.Gen, un.Hash, p.file.Hash())
	case st.Active != p.active || p.proc != (p.active == "active"):
		u.violate("%s on %s is said to be %s, and is %s", un.Name, place.Machine, st.Active, p.active)
	case un.Desired == fleet.Launched && p.owed:
		u.violate("%s on %s was ended on demand, and not started again", un.Name, place.Machine)
	case (un.Desired == fleet.Launched) != st.Launched || un.Desired == fleet.Loaded && p.proc:
		u.violate("%s on %s is to be %v, and launched is %v, running %v", un.Name, place.Machine, un.Desired, st.Launched, p.proc)
	}
}

func check(t *rapid.T, k knobs) {
	u := newUniverse(rapid.Uint64().Draw(t, "seed"), 2)
	u.guarded = k.guarded
	versions := make(map[string]int)
	u.run(time.Second)
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		u.put(name, 0, fleet.Launched, false)
	}
	n := rapid.IntRange(1, 25).Draw(t, "acts")
	for range n {
		u.run(time.Duration(rapid.IntRange(0, 3000).Draw(t, "wait")) * time.Millisecond)
		u.act(t, k, versions)
	}
	u.run(10 * time.Second)
	u.loss, u.repeat, u.delay, u.calm = 0, 0, 20*time.Millisecond, true
	for _, m := range u.machines {
		// What hangs, hangs; but nobody waits for it any longer.
		for _, name := range m.runtime.names() {
			if p := m.runtime.units[name]; p.active == "deactivating" && p.proc {
				m.runtime.die(name, "patience")
			}
		}
	}
	u.run(75 * time.Second)
	if len(u.wrong) == 0 {
		u.settled()
	}
	if len(u.wrong) > 0 {
		t.Fatalf("%s\n%s", strings.Join(u.wrong, "\n"), u.tail(120))
	}
}

// TestNothingGoesWrong lets everything happen that may: machines lose their agents,
// their power and their connections, frames are lost, repeated and overtaken,
// leaders change, runtimes fail and hang. The guard sees to the lease.
func TestNothingGoesWrong(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { check(t, knobs{guarded: true, faults: true}) })
}

// TestTheAgentFencesItself is the same without a guard, for agents that get to run.
func TestTheAgentFencesItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { check(t, knobs{}) })
}
