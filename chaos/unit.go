package chaos

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// The kinds of what happens to units and the machines that run them. Units and
// Drain are what users do; they stand in a plan as faults do.
const (
	KindUnits     Kind = "units"
	KindDrain     Kind = "drain"
	KindMetadata  Kind = "metadata"
	KindUnitCrash Kind = "unit-crash"
	KindUnitHang  Kind = "unit-hang"
	KindUnitFail  Kind = "unit-fail"
)

// Users says whether a kind is something that users do, not a fault.
func (k Kind) Users() bool { return k == KindUnits || k == KindDrain || k == KindMetadata }

// What users do with units.
const (
	DoSubmit  = "submit"
	DoLoad    = "load"
	DoStart   = "start"
	DoStop    = "stop"
	DoUnload  = "unload"
	DoDestroy = "destroy"
	DoRestart = "restart"
	DoReplace = "replace"
)

// Units has a user do something with units.
type Units struct {
	Do   string   `json:"do" doc:"start, load: what is wanted, of units that are not there, too; stop: loaded from now on; unload: inactive; submit: made, if they are not there; restart: anew where they are; replace: another text, wanted as before; destroy" enum:"submit|load|start|stop|unload|destroy|restart|replace"`
	Name []string `json:"name,omitempty" doc:"units of the load, or globs of their names; absent: all"`
}

// Drain has a user empty machines.
type Drain struct {
	Node Selectors `json:"node,omitempty" doc:"whose machine" default:"worker" scalar:"true"`
}

// Metadata has a user change what machines say of themselves.
type Metadata struct {
	Node Selectors `json:"node,omitempty" doc:"whose machine" default:"worker"`
	Set  []string  `json:"set" doc:"KEY=VALUE, each; KEY= hides the key" scalar:"true"`
}

// UnitCrash kills the main processes of units.
type UnitCrash struct {
	Unit []string  `json:"unit,omitempty" doc:"names or globs of names" default:"*" scalar:"true"`
	Node Selectors `json:"node,omitempty" doc:"on whose machine" default:"workers"`
	Most int       `json:"most,omitempty" doc:"so many of them at most; absent: all" min:"1"`
}

// UnitHang keeps units from ending when they are told to.
type UnitHang struct {
	Unit []string  `json:"unit,omitempty" doc:"names or globs of names" default:"*" scalar:"true"`
	Node Selectors `json:"node,omitempty" doc:"on whose machine" default:"workers"`
}

// UnitFail lets units fail when they are started.
type UnitFail struct {
	Unit []string  `json:"unit,omitempty" doc:"names or globs of names" default:"*" scalar:"true"`
	Node Selectors `json:"node,omitempty" doc:"on whose machine" default:"workers"`
}

// Kind implements Params.
func (*Units) Kind() Kind { return KindUnits }

// Kind implements Params.
func (*Drain) Kind() Kind { return KindDrain }

// Kind implements Params.
func (*Metadata) Kind() Kind { return KindMetadata }

// Kind implements Params.
func (*UnitCrash) Kind() Kind { return KindUnitCrash }

// Kind implements Params.
func (*UnitHang) Kind() Kind { return KindUnitHang }

// Kind implements Params.
func (*UnitFail) Kind() Kind { return KindUnitFail }

func (p *Units) resolve(*resolver) (Fault, error) {
	return Fault{Kind: p.Kind(), Params: p, Text: p.Do + " " + unitWords(p.Name)}, nil
}

// machineOnly leaves out nodes that run no units.
func machineOnly(m Member) string { return when(!m.Units, "no machine for units") }

func (p *Drain) resolve(r *resolver) (Fault, error) {
	return r.onNodes(p, p.Node, "drain", machineOnly)
}

func (p *Metadata) resolve(r *resolver) (Fault, error) {
	return r.onNodes(p, p.Node, "metadata "+strings.Join(p.Set, " ")+" of", machineOnly)
}

func (p *UnitCrash) resolve(r *resolver) (Fault, error) {
	return r.onNodes(p, p.Node, "kill "+unitWords(p.Unit)+" on", machineOnly)
}

func (p *UnitHang) resolve(r *resolver) (Fault, error) {
	return r.onNodes(p, p.Node, "hang "+unitWords(p.Unit)+" on", machineOnly)
}

func (p *UnitFail) resolve(r *resolver) (Fault, error) {
	return r.onNodes(p, p.Node, "fail "+unitWords(p.Unit)+" on", machineOnly)
}

func unitWords(names []string) string {
	if len(names) == 0 {
		return "all units"
	}
	return strings.Join(names, " ")
}

// MatchUnit says whether a unit's name is one of names, or matches a glob among
// them; no names stand for every unit.
func MatchUnit(names []string, unit string) bool {
	for _, name := range names {
		if ok, err := path.Match(name, unit); err == nil && ok || name == unit {
			return true
		}
	}
	return len(names) == 0
}

// unitEntries document what happens to units.
func unitEntries() []Entry {
	return []Entry{
		{
			KindUnits, "has a user submit, start, stop, replace or destroy units of the load", "another such step",
			"- at: 10s\n  units: {do: stop, name: \"web@*\"}", func() Params { return new(Units) },
		},
		{
			KindDrain, "has a user empty machines: what may move is moved, nothing new comes", "for, or healing",
			"- at: 10s\n  drain: w3\n  for: 10s", func() Params { return new(Drain) },
		},
		{
			KindMetadata, "has a user change machines' metadata", "for, or healing: as it was",
			"- at: 10s\n  metadata: {node: w1, set: [disk=hdd]}\n  for: 5s", func() Params { return new(Metadata) },
		},
		{
			KindUnitCrash, "kills the main processes of units", "nothing to undo",
			"- at: 10s\n  unit-crash: {unit: \"web@*\", node: w1}", func() Params { return new(UnitCrash) },
		},
		{
			KindUnitHang, "keeps units from ending when they are told to; SIGKILL ends them", "for, or healing",
			"- at: 10s\n  unit-hang: \"web@*\"\n  for: 5s", func() Params { return new(UnitHang) },
		},
		{
			KindUnitFail, "lets units fail when they are started", "for, or healing",
			"- at: 10s\n  unit-fail: {unit: \"web@1.service\", node: w2}\n  for: 5s", func() Params { return new(UnitFail) },
		},
	}
}

// checkGlobs says which of the names is no glob.
func checkGlobs(param string, names []string) error {
	for _, name := range names {
		if _, err := path.Match(name, ""); err != nil || name == "" {
			return &ParamError{param, fmt.Sprintf("%q is neither a unit's name nor a glob", name), "`web@1.service` or `\"web@*\"`"}
		}
	}
	return nil
}

// checkUnits checks the parameters of what happens to units.
func checkUnits(p Params) error {
	switch p := p.(type) {
	case *Units:
		return checkGlobs("name", p.Name)
	case *UnitCrash:
		return checkGlobs("unit", p.Unit)
	case *UnitHang:
		return checkGlobs("unit", p.Unit)
	case *UnitFail:
		return checkGlobs("unit", p.Unit)
	case *Metadata:
		if len(p.Set) == 0 {
			return &ParamError{"set", "says nothing", "`set: [disk=ssd]`"}
		}
		for _, pair := range p.Set {
			if key, _, ok := strings.Cut(pair, "="); !ok || key == "" {
				return &ParamError{"set", fmt.Sprintf("%q is not KEY=VALUE", pair), "`set: [disk=ssd]`"}
			}
		}
	}
	return nil
}

// Rates of clocks that are just within the bound that leases allow for.
const (
	slowest = 0.9991
	fastest = 1.0009
)

// withinLeases replaces the cards by which clocks go wrong by more than leases allow
// for: beyond that bound nobody promises that a unit runs once.
func withinLeases(cards []card) []card {
	return append(slices.DeleteFunc(cards, func(c card) bool { return c.kind == KindClockRate || c.kind == KindClockJump }),
		card{KindClockRate, 3, func(d *dealer) (Params, time.Duration) {
			return &ClockRate{Node: d.node(), Rate: pick(d.rng, slowest, fastest), Clock: ClockMono}, d.time(time.Second, 6*time.Second)
		}},
		card{KindClockJump, 2, func(d *dealer) (Params, time.Duration) {
			p := &ClockJump{Node: d.node(), Clock: ClockWall, Direction: pick(d.rng, "forward", "back")}
			p.By = d.latency(10*time.Millisecond, time.Hour)
			return p, d.time(time.Second, 6*time.Second)
		}})
}

// workerCards are the faults of clusters whose machines run units.
func workerCards() []card {
	who := func(d *dealer) Selectors { return Selectors{pick(d.rng, Worker, Runner, Runner, Runner, HalfWorkers)} }
	return []card{
		{KindCrash, 12, func(d *dealer) (Params, time.Duration) {
			return &Crash{Node: who(d), LoseUnsynced: d.rng.IntN(2) == 0, RestartAfter: d.away()}, 0
		}},
		{KindPause, 6, func(d *dealer) (Params, time.Duration) { return &Pause{Node: who(d)}, d.away() }},
		{KindPartition, 10, func(d *dealer) (Params, time.Duration) {
			return &Partition{Isolate: who(d), Direction: pick(d.rng, "both", "both", "in", "out")}, d.away()
		}},
		{KindClockRate, 4, func(d *dealer) (Params, time.Duration) {
			return &ClockRate{Node: who(d), Rate: pick(d.rng, slowest, fastest), Clock: ClockMono}, d.away()
		}},
		{KindUnitCrash, 4, func(d *dealer) (Params, time.Duration) {
			return &UnitCrash{Unit: []string{"*"}, Node: Selectors{Runner}, Most: 1 + d.rng.IntN(3)}, 0
		}},
		{KindUnitHang, 2, func(d *dealer) (Params, time.Duration) {
			return &UnitHang{Unit: []string{"*"}, Node: who(d)}, d.away()
		}},
		{KindUnitFail, 2, func(d *dealer) (Params, time.Duration) {
			return &UnitFail{Unit: []string{"*"}, Node: Selectors{Worker}}, d.away()
		}},
		{KindUnits, 4, func(d *dealer) (Params, time.Duration) {
			// Whatever users do last stands: start is the likeliest.
			return &Units{Do: pick(d.rng, DoStart, DoStart, DoStop, DoRestart, DoReplace), Name: []string{pick(d.rng, "*@1.*", "*@2.*", "*@[3-6].*", "*@?[02468].*")}}, 0
		}},
		{KindDrain, 2, func(d *dealer) (Params, time.Duration) { return &Drain{Node: Selectors{Runner}}, d.away() }},
		{KindDuplicate, 2, func(d *dealer) (Params, time.Duration) {
			return &Duplicate{Links: d.linksOfWorkers(), Probability: d.chance(5, 40)}, d.away()
		}},
		{KindReorder, 3, func(d *dealer) (Params, time.Duration) {
			return &Reorder{Links: d.linksOfWorkers(), Probability: d.chance(5, 40), Window: d.latency(10*time.Millisecond, 1500*time.Millisecond)}, d.away()
		}},
		{KindLoss, 3, func(d *dealer) (Params, time.Duration) {
			return &Loss{Links: d.linksOfWorkers(), Probability: d.chance(5, 50)}, d.away()
		}},
	}
}

// linksOfWorkers draws one direction of all links between workers and members.
func (d *dealer) linksOfWorkers() Links {
	if d.rng.IntN(2) == 0 {
		return Links{From: Selectors{Workers}, To: Selectors{All}}
	}
	return Links{From: Selectors{All}, To: Selectors{Workers}}
}

// away draws how long a machine is away: within its lease or beyond it.
func (d *dealer) away() time.Duration {
	if d.rng.IntN(2) == 0 {
		return d.time(50*time.Millisecond, 2500*time.Millisecond)
	}
	return d.time(2500*time.Millisecond, 9*time.Second)
}
