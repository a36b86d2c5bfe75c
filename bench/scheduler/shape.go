package scheduler

import (
	"fmt"
	"strings"

	"drydock/node/scheduler"
	"drydock/node/unit"
)

// Shape is what the units of a cluster ask for.
type Shape string

// The shapes.
const (
	// Plain units ask for nothing.
	Plain Shape = "plain"
	// Conflicts: ten instances of a template, no two on one machine.
	Conflicts Shape = "conflicts"
	// Metadata: one of ten classes of machines.
	Metadata Shape = "metadata"
	// Spread: a hundred instances of a template, evenly over three zones.
	Spread Shape = "spread"
	// Resources: CPU and memory, in eight sizes.
	Resources Shape = "resources"
	// Mixed: of each hundred units ten with conflicts, fifty with metadata, ten with
	// resources, ten spread, and twenty plain.
	Mixed Shape = "mixed"
	// All: every unit asks for all of these at once.
	All Shape = "all"
)

// Shapes are all there are.
var Shapes = []Shape{Plain, Conflicts, Metadata, Spread, Resources, Mixed, All}

const (
	classes     = 10
	zones       = 3
	sizes       = 8
	groupSize   = 10  // instances that conflict
	spreadSize  = 100 // instances that are spread
	machineCPU  = 64_000
	machineByte = 256 << 30
)

// machine returns the i-th machine of any cluster.
func machine(i int) scheduler.Machine {
	return scheduler.Machine{
		ID:        fmt.Sprintf("%08x", i),
		Metadata:  map[string]string{"class": fmt.Sprint(i % classes), "zone": fmt.Sprint(i % zones)},
		Resources: map[string]int64{unit.CPU: machineCPU, unit.Memory: machineByte},
	}
}

// kinds are requirements that many units share, as units read from one template's
// text do.
type kinds struct {
	metadata  [classes]*unit.Requirements
	resources [sizes]*unit.Requirements
	spread    *unit.Requirements
}

func newKinds() *kinds {
	k := &kinds{spread: &unit.Requirements{Spread: []string{"zone"}}}
	for i := range k.metadata {
		k.metadata[i] = &unit.Requirements{Metadata: inClass(i)}
	}
	for i := range k.resources {
		k.resources[i] = &unit.Requirements{Resources: size(i)}
	}
	return k
}

func inClass(i int) []unit.Condition {
	return []unit.Condition{{Key: "class", Op: unit.Is, Values: []string{fmt.Sprint(i % classes)}}}
}

// size is small enough that a hundred units of any mixture fit on a machine.
func size(i int) []unit.Resource {
	return []unit.Resource{{Name: unit.CPU, Amount: int64(50 + 25*(i%sizes))}, {Name: unit.Memory, Amount: 64 << 20}}
}

// group is the name of an instance, and a glob for all instances of its template.
func group(kind string, i, size int) (name, glob string) {
	template := fmt.Sprintf("%s-%d@", kind, i/size)
	return fmt.Sprintf("%s%d.service", template, i%size), template + "*"
}

// units returns the units with numbers from first on.
func (sh Shape) units(first, n int) []scheduler.Unit {
	k := newKinds()
	list := make([]scheduler.Unit, n)
	conflicts := make(map[string]*unit.Requirements)
	for i := range list {
		list[i] = sh.unit(k, conflicts, first+i)
		list[i].Active = true
	}
	joinNames(list)
	return list
}

// joinNames has the units' names share one string, as names do that were read from
// one file: a garbage collector that looks at each in turn would be measured with the
// scheduler, whose they aren't.
func joinNames(list []scheduler.Unit) {
	var b strings.Builder
	for i := range list {
		b.WriteString(list[i].Name)
	}
	all := b.String()
	for i := range list {
		n := len(list[i].Name)
		list[i].Name, all = all[:n], all[n:]
	}
}

// unit returns one unit. Those of a template share what they need: conflicts has
// the last template's.
func (sh Shape) unit(k *kinds, conflicts map[string]*unit.Requirements, i int) scheduler.Unit {
	apart := func(kind string, extend func(*unit.Requirements)) scheduler.Unit {
		name, glob := group(kind, i, groupSize)
		if conflicts[glob] == nil {
			clear(conflicts)
			conflicts[glob] = &unit.Requirements{Conflicts: []string{glob}}
			extend(conflicts[glob])
		}
		return scheduler.Unit{Name: name, Needs: conflicts[glob]}
	}
	single := fmt.Sprintf("unit-%d.service", i)
	switch sh {
	case Conflicts:
		return apart("apart", func(*unit.Requirements) {})
	case Metadata:
		return scheduler.Unit{Name: single, Needs: k.metadata[i%classes]}
	case Spread:
		name, _ := group("spread", i, spreadSize)
		return scheduler.Unit{Name: name, Needs: k.spread}
	case Resources:
		return scheduler.Unit{Name: single, Needs: k.resources[i%sizes]}
	case Mixed:
		return mixture[i/groupSize%len(mixture)].unit(k, conflicts, i)
	case All:
		return apart("all", func(r *unit.Requirements) {
			r.Metadata, r.Spread, r.Resources = inClass(i/groupSize), []string{"zone"}, size(i/groupSize)
		})
	}
	return scheduler.Unit{Name: single}
}

// mixture is Mixed, in tens of units.
var mixture = [10]Shape{Conflicts, Metadata, Metadata, Metadata, Metadata, Metadata, Resources, Spread, Plain, Plain}
