package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"drydock/node/unit"
	"drydock/sim/history"
)

// FleetConfig is what runs units, and which.
type FleetConfig struct {
	Machines []FleetMachine
	Units    []FleetUnit
	// RestFrom is when users and clients ask for nothing any more; 0 for never.
	RestFrom time.Duration
	// Keep has machines that are cut off go on running their units.
	Keep bool
}

// FleetMachine is a machine that runs units.
type FleetMachine struct {
	// Name is a member's if its process is to run units, too.
	Name      string
	Metadata  map[string]string
	Resources map[string]int64 // as fleet.Machine has them; nil is not accounted
	// Clone has the machine have the id of the one before it.
	Clone bool
}

// FleetUnit is a unit that users submit.
type FleetUnit struct {
	Name  string
	Group string
	// Text is the unit's in an edition, from 1.
	Text func(edition int) string
	// At is when it is submitted, Desired what is wanted of it then: launched,
	// loaded, inactive, or later for a unit that waits for a step.
	At      time.Duration
	Desired string
	// Facts are for the checkers: one for each unit that runs, which of a template
	// are its instances.
	Facts []history.FleetUnit
}

// fleetWorld is the part of a world that runs units.
type fleetWorld struct {
	w       *World
	cfg     *FleetConfig
	boxes   []*box
	byName  map[string]*box
	byID    map[string]*box // of clones, the last
	peers   []string
	users   *users
	referee *fleetReferee
}

// newFleet makes the machines, which are off yet; nil where there are none.
func newFleet(w *World) (*fleetWorld, error) {
	if w.cfg.Fleet == nil {
		return nil, nil
	}
	f := &fleetWorld{w: w, cfg: w.cfg.Fleet, byName: make(map[string]*box), byID: make(map[string]*box)}
	w.fleet = f
	f.referee, f.users = newFleetReferee(w), newUsers(w)
	for _, m := range w.machines {
		f.peers = append(f.peers, peerURL(m))
	}
	for i := range f.cfg.Machines {
		b := w.newBox(i, &f.cfg.Machines[i])
		if m := &f.cfg.Machines[i]; m.Clone && i > 0 {
			b.cloneOf(f.boxes[i-1])
		} else if f.byName[b.name] != nil || f.byID[b.id] != nil {
			return nil, fmt.Errorf("sim: a second machine %s", b.name)
		}
		if b.host = w.byName[b.name]; b.host != nil {
			b.host.box = b
		}
		f.boxes = append(f.boxes, b)
		f.byName[b.name], f.byID[b.id] = b, b
		f.referee.joins(b, &f.cfg.Machines[i])
	}
	for i := range f.cfg.Units {
		f.users.learn(&f.cfg.Units[i])
	}
	return f, nil
}

// begin switches the machines on and has users come at their times.
func (f *fleetWorld) begin() {
	boots := f.w.src.Stream("fleet/boot")
	for _, b := range f.boxes {
		if b.host != nil {
			continue // it comes with the member
		}
		b.powerOn(time.Duration(boots.Int64N(int64(300 * time.Millisecond))))
	}
	f.users.begin()
}

// metadataPairs writes metadata as KEY=VALUE, in order of the keys.
func metadataPairs(m map[string]string) []string {
	var out []string
	// any order: sorted below
	for k, v := range m {
		out = append(out, k+"="+v)
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Compare(a, b) })
	return out
}

// setPair changes metadata by KEY=VALUE; KEY= takes the key away.
func setPair(m map[string]string, pair string) {
	key, value, _ := strings.Cut(pair, "=")
	if value == "" {
		delete(m, key)
		return
	}
	m[key] = value
}

// hashOf is the hash of the text that the cluster keeps of a unit.
func hashOf(name, text string) string {
	u, err := unit.Parse(name, []byte(text))
	if err != nil {
		return ""
	}
	return u.Hash().String()
}
