package fleet

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"drydock/node/unit"
)

// What commands are drawn from.
var (
	modelNames = []string{"a.service", "b.service", "t@.service", "t@1.service", "t@3.service"}
	modelTexts = []string{
		hello, "[Service]\nExecStart=/bin/other\n", "[X-Fleet]\nGlobal=true\n", "[X-Fleet]\nReplicas=2\n",
		"[X-Fleet]\nReplicas=3\nConflicts=%p@*\n", "[X-Fleet]\nMachineMetadata=zone=%i\n",
	}
)

const modelMachines = 3

// runs is what a machine has of a unit.
type runs struct {
	gen    uint64
	global bool
}

// agent is a machine as it should behave: it takes orders when it gets to it, and
// says that it is rid of a unit only when it is.
type agent struct {
	session, version, seq uint64
	orders                map[string]Order
	running               map[string]runs
}

// model drives a store with commands and agents, and holds it against what must be
// true after each.
type model struct {
	*fleet
	term   uint64
	agents [modelMachines + 1]*agent
	// gens are the greatest Gen that a unit ever had; orders what machines were last
	// seen to be ordered.
	gens   map[string]uint64
	orders [modelMachines + 1][]Order
	// mirror follows the store by its changes alone, and disk by its records.
	mirror mirror
	disk   map[string][]byte
	kept   []keptUnit
}

// mirror is a copy of what a leader follows.
type mirror struct {
	units    map[string]Unit
	machines map[string]Machine
	states   map[Key]State
}

// keptUnit is a value that the store gave away, and what it was.
type keptUnit struct {
	got  Unit
	want string
}

func newModel(t *rapid.T) *model {
	m := &model{
		fleet: begin(t), term: 1, gens: make(map[string]uint64), disk: make(map[string][]byte),
		mirror: mirror{make(map[string]Unit), make(map[string]Machine), make(map[Key]State)},
	}
	m.Watch(true)
	for i := range m.agents {
		m.agents[i] = &agent{}
	}
	return m
}

// TestCommands holds the store against the invariants of the package comment, under
// commands of all kinds, also such as come too late.
func TestCommands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		for n := 1; n <= modelMachines; n++ {
			m.openAny(t, n)
		}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			m.step(t)
			m.check(t)
		}
		m.settleAll(t)
		m.checkLoad(t)
	})
}

// step does one thing.
func (m *model) step(t *rapid.T) {
	n := rapid.IntRange(1, modelMachines).Draw(t, "machine")
	a := m.agents[n]
	switch rapid.IntRange(0, 19).Draw(t, "kind") {
	case 0, 1, 2, 3:
		m.putAny(t)
	case 4:
		_, _ = m.try(Command{Destroy: &Destroy{rapid.SampledFrom(modelNames).Draw(t, "name")}})
	case 5, 6, 7, 8, 9:
		m.placeAny(t)
	case 10:
		if a.session == 0 || rapid.Bool().Draw(t, "again") {
			m.openAny(t, n)
		}
	case 11:
		if a.session != 0 && rapid.Bool().Draw(t, "lapses") {
			a.fence()
			m.do(Command{Close: &Close{Term: m.term, Machine: id(n), Session: a.session}})
			a.session = 0
		}
	case 12, 13, 14:
		m.fetch(t, n)
	case 15, 16, 17:
		m.fetch(t, n)
		m.tell(n)
	case 18:
		m.userAny(t, n)
	case 19:
		m.staleAny(t, n)
	}
	if rapid.IntRange(0, 4).Draw(t, "drain") == 0 {
		m.drainDirty()
	}
}

// fence ends what isn't global, as a lease that has passed does.
func (a *agent) fence() {
	maps.DeleteFunc(a.running, func(_ string, r runs) bool { return !r.global })
}

func (m *model) putAny(t *rapid.T) {
	p := &Put{Name: rapid.SampledFrom(modelNames).Draw(t, "name")}
	if u, ok := m.Unit(p.Name); !ok || rapid.IntRange(0, 3).Draw(t, "retext") == 0 || u.Hash == (unit.Hash{}) {
		p.Text = rapid.SampledFrom(modelTexts).Draw(t, "text")
	}
	if rapid.Bool().Draw(t, "desire") {
		p.Desired = ptr(min(Launched, Desired(rapid.IntRange(0, 4).Draw(t, "desired"))))
	}
	p.Restart = rapid.IntRange(0, 4).Draw(t, "restart") == 0
	before := m.Digest()
	out, err := m.try(Command{Put: p})
	if (err != nil || !out.Changed) && m.Digest() != before {
		t.Fatalf("put %+v without a change (%v) changes the state", p, err)
	}
	u, _ := m.Unit(p.Name)
	if err == nil && p.Desired != nil && u.Desired != *p.Desired {
		t.Fatalf("put %+v makes %+v", p, u)
	}
}

// activeNames are the names of units that are to have a place, and others.
func (m *model) activeNames() []string {
	names := []string{"none.service", modelNames[0]}
	for u := range m.UnitsFrom(0) {
		if u.Desired != Inactive {
			names = append(names, u.Name)
		}
	}
	return names
}

// placeAny moves some units as a leader might that sees the state as it is.
func (m *model) placeAny(t *rapid.T) {
	var moves []Move
	for range rapid.IntRange(1, 3).Draw(t, "moves") {
		name := rapid.SampledFrom(m.activeNames()).Draw(t, "name")
		u, ok := m.Unit(name)
		to := rapid.IntRange(0, modelMachines).Draw(t, "to")
		from := 0
		if ok && len(u.Places) > 0 && rapid.IntRange(0, 4).Draw(t, "blind") > 0 && (!u.Global || rapid.Bool().Draw(t, "away")) {
			from = slices.IndexFunc(m.agents[:], func(a *agent) bool { return a.session == u.Places[0].Session })
		}
		moves = append(moves, m.moveTo(name, from, to))
	}
	out := m.do(Command{Place: &Place{Term: 1, Moves: moves}})
	for _, r := range out.Refused {
		if r.Why == nil {
			t.Fatal("refused for no reason")
		}
	}
}

func (m *model) openAny(t *rapid.T, n int) {
	a := m.agents[n]
	told := Machine{ID: id(n), Name: fmt.Sprint("m", n), Metadata: map[string]string{"zone": rapid.SampledFrom([]string{"x", "y"}).Draw(t, "zone")}}
	o := &Open{Term: m.term, Machine: told, Was: a.session, Empty: rapid.Bool().Draw(t, "empty")}
	if o.Empty {
		a.running = nil // another boot
	}
	*a = agent{session: m.do(Command{Open: o}).Session, orders: make(map[string]Order), running: a.running}
	if a.running == nil {
		a.running = make(map[string]runs)
	}
}

// fetch has a machine take its orders: it ends what they don't have, and starts
// some of what they have.
func (m *model) fetch(t *rapid.T, n int) {
	a := m.agents[n]
	list, version := m.OrdersFor(id(n))
	if a.session == 0 || version <= a.version {
		return
	}
	a.version, a.orders = version, make(map[string]Order)
	for _, o := range list {
		a.orders[o.Unit] = o
	}
	lazy := rapid.Bool().Draw(t, "lazy")
	maps.DeleteFunc(a.running, func(name string, _ runs) bool { return !lazy && a.orders[name].Desired == Inactive })
	for _, o := range list {
		if o.Desired == Launched {
			a.running[o.Unit] = runs{o.Gen, o.Global}
		}
	}
}

// tell has a machine report all that it can.
func (m *model) tell(n int) {
	a := m.agents[n]
	if a.session == 0 {
		return
	}
	maps.DeleteFunc(a.running, func(name string, _ runs) bool { return a.orders[name].Desired == Inactive })
	a.seq++
	r := &Report{Machine: id(n), Session: a.session, Seq: a.seq}
	for _, name := range slices.Sorted(maps.Keys(a.orders)) {
		o := a.orders[name]
		_, on := a.running[name]
		if o.Desired == Inactive {
			r.Gone = append(r.Gone, Gone{name, o.Gen})
			continue
		}
		r.States = append(r.States, State{Unit: name, Gen: o.Gen, Hash: o.Hash, Load: "loaded", Launched: on})
	}
	m.do(Command{Report: r})
}

// userAny patches or drains a machine.
func (m *model) userAny(t *rapid.T, n int) {
	if rapid.Bool().Draw(t, "patch") {
		op := PatchOp{Machine: id(n), Key: "zone"}
		if rapid.Bool().Draw(t, "set") {
			op.Value = ptr("z")
		}
		m.do(Command{Patch: &Patch{[]PatchOp{op}}})
		return
	}
	_, _ = m.try(Command{Drain: &Drain{Machine: id(n), On: rapid.Bool().Draw(t, "on")}})
}

// staleAny applies what was decided on a state that is no more, which must do
// nothing.
func (m *model) staleAny(t *rapid.T, n int) {
	a := m.agents[n]
	name := rapid.SampledFrom(modelNames).Draw(t, "name")
	move := m.moveTo(name, 0, n)
	for _, c := range []Command{
		{Open: &Open{Term: 2, Machine: Machine{ID: id(n)}, Was: a.session}},
		{Open: &Open{Term: 1, Machine: Machine{ID: id(n)}, Was: a.session + 1, Empty: true}},
		{Close: &Close{Term: 2, Machine: id(n), Session: a.session}},
		{Close: &Close{Machine: id(n), Session: a.session - 1}},
		{Report: &Report{Machine: id(n), Session: a.session + 1, Seq: a.seq + 1, Gone: []Gone{{name, 1 << 40}}}},
		{Report: &Report{Machine: id(n), Session: a.session, Seq: a.seq, Gone: []Gone{{name, 1 << 40}}}},
		{Place: &Place{Term: 2, Moves: []Move{move}}},
		{Place: &Place{Term: 1, Moves: []Move{
			{Unit: name, Changed: move.Changed + 1, To: move.To, Session: move.Session},
			{Unit: name, Changed: move.Changed, To: move.To, Session: move.Session - 1},
			{Unit: name, Changed: move.Changed, From: id(9), To: move.To, Session: move.Session},
		}}},
	} {
		before := m.Digest()
		out, err := m.try(c)
		if m.Digest() != before || err == nil && (c.Place == nil || len(out.Refused) != len(c.Place.Moves)) {
			t.Fatalf("%+v has an effect: %+v, %v", c, out, err)
		}
	}
	m.staleState(t, n)
}

// staleState reports states of placements that aren't the present ones.
func (m *model) staleState(t *rapid.T, n int) {
	a := m.agents[n]
	if a.session == 0 {
		return
	}
	before := slices.Collect(m.StatesFrom(0))
	var states []State
	var gone []Gone
	for _, name := range modelNames {
		gen := uint64(0)
		if u, ok := m.Unit(name); ok {
			if i, ok := m.units[u.Name].place(id(n)); ok {
				gen = u.Places[i].Gen
			}
		}
		for _, l := range m.Leaving(name) {
			if l.Machine == id(n) {
				gen = l.Gen
			}
		}
		states = append(states, State{Unit: name, Gen: gen - 1, Why: "stale"}, State{Unit: name, Gen: gen + 1, Why: "stale"})
		if _, ok := m.State(name, id(n)); !ok && gen > 0 {
			gone = append(gone, Gone{name, gen - 1})
		}
	}
	a.seq++
	m.do(Command{Report: &Report{Machine: id(n), Session: a.session, Seq: a.seq, States: states, Gone: gone}})
	if d := cmp.Diff(before, slices.Collect(m.StatesFrom(0))); d != "" {
		t.Fatalf("stale states count: %s", d)
	}
}

// drainDirty takes what the next checkpoint would.
func (m *model) drainDirty() {
	for _, r := range m.DrainDirty() {
		key := r.Bucket + "/" + string(r.Key)
		if r.Value == nil {
			delete(m.disk, key)
			continue
		}
		m.disk[key] = r.Value
	}
}

// check holds the store against all that must be true.
func (m *model) check(t *rapid.T) {
	if m.Digest() != m.Recompute() {
		t.Fatalf("digest %x, from scratch %x", m.Digest(), m.Recompute())
	}
	m.checkUnits(t)
	m.checkTexts(t)
	m.checkOrders(t)
	m.checkNowhereTwice(t)
	m.checkMirror(t)
	for _, k := range m.kept {
		if got := fmt.Sprintf("%+v", k.got); got != k.want {
			t.Fatalf("a unit that was given away changes\nfrom %s\nto   %s", k.want, got)
		}
	}
}

func (m *model) checkUnits(t *rapid.T) {
	on := make(map[string]int)
	for name, e := range m.units {
		u := e.unit
		if name != u.Name || e.dead && (len(u.Places) > 0 || len(u.Leaving) == 0) {
			t.Fatalf("%s is dead %t: %+v", name, e.dead, u)
		}
		if !u.Global && len(u.Places) > 1 || u.Desired == Inactive && len(u.Places) > 0 {
			t.Fatalf("placed too often: %+v", u)
		}
		for i, p := range u.Places {
			h := m.machines[p.Machine]
			_, leaving := e.leave(p.Machine)
			if h.machine.Session != p.Session || p.Session == 0 || leaving || i > 0 && u.Places[i-1].Machine >= p.Machine || !slices.Contains(h.places, e) {
				t.Fatalf("wrongly placed: %+v", u)
			}
			if p.Gen > m.gens[name] {
				m.gens[name] = p.Gen
			} else if p.Gen < m.gens[name] && !u.Global {
				t.Fatalf("gen %d after %d: %+v", p.Gen, m.gens[name], u)
			}
			on[p.Machine]++
		}
		for _, l := range u.Leaving {
			h := m.machines[l.Machine]
			if h.machine.Session != l.Session || l.Session == 0 || !slices.Contains(h.leaves, e) || l.Gen > m.revision {
				t.Fatalf("wrongly leaving: %+v", u)
			}
			on[l.Machine]++
		}
		for _, st := range e.states {
			_, placed := e.place(st.Machine)
			if _, leaving := e.leave(st.Machine); !placed && !leaving {
				t.Fatalf("a state of nothing: %+v", st)
			}
		}
	}
	for name, h := range m.machines {
		if on[name] != len(h.places)+len(h.leaves) || h.machine.Session != 0 && h.machine.Orders < h.machine.Session {
			t.Fatalf("machine %+v has %d units, %d are there", h.machine, len(h.places)+len(h.leaves), on[name])
		}
	}
}

func (m *model) checkTexts(t *rapid.T) {
	refs := make(map[unit.Hash]int)
	for _, e := range m.units {
		if !e.dead {
			refs[e.unit.Hash]++
		}
		for _, p := range e.unit.Places {
			refs[p.Hash]++
		}
	}
	for h, x := range m.texts {
		if refs[h] != x.refs {
			t.Fatalf("text %q counts %d, used by %d", x.text, x.refs, refs[h])
		}
		delete(refs, h)
	}
	if len(refs) > 0 {
		t.Fatalf("texts are missing: %v", refs)
	}
}

// checkOrders sees that no machine is to start what another one may run, and that
// what changes has another version.
func (m *model) checkOrders(t *rapid.T) {
	for n := 1; n <= modelMachines; n++ {
		list, version := m.OrdersFor(id(n))
		for _, o := range list {
			for _, l := range m.Leaving(o.Unit) {
				if o.Desired != Inactive && !o.Global && l.Machine != id(n) {
					t.Fatalf("machine %d is to run %s, which %s may still run", n, o.Unit, l.Machine)
				}
			}
		}
		now, _ := m.Machine(id(n))
		if now.Session != 0 && now.Session == m.mirror.machines[id(n)].Session && version == m.mirror.machines[id(n)].Orders {
			was := slices.DeleteFunc(slices.Clone(m.orders[n]), func(o Order) bool {
				return o.Desired == Inactive && !slices.Contains(list, o)
			})
			if !slices.Equal(was, list) {
				t.Fatalf("version %d of machine %d changes from %+v to %+v", version, n, was, list)
			}
		}
		m.orders[n] = list
	}
}

// checkNowhereTwice sees that agents that do as they are told run no unit twice.
func (m *model) checkNowhereTwice(t *rapid.T) {
	where := make(map[string]int)
	for n, a := range m.agents {
		for name, r := range a.running {
			if r.global {
				continue
			}
			if other := where[name]; other != 0 {
				t.Fatalf("%s runs on machines %d and %d", name, other, n)
			}
			where[name] = n
		}
	}
}

// checkMirror follows the changes.
func (m *model) checkMirror(t *rapid.T) {
	c := m.Changes()
	for _, name := range c.Units {
		if u, ok := m.Unit(name); ok {
			m.mirror.units[name] = u
			m.kept = append(m.kept, keptUnit{u, fmt.Sprintf("%+v", u)})
			continue
		}
		delete(m.mirror.units, name)
	}
	for _, name := range c.Machines {
		h, _ := m.Machine(name)
		h.Reported = 0 // which report was the last is told to nobody
		m.mirror.machines[name] = h
	}
	for _, key := range c.States {
		if st, ok := m.State(key.Unit, key.Machine); ok {
			m.mirror.states[key] = st
			continue
		}
		delete(m.mirror.states, key)
	}
	now := mirror{make(map[string]Unit), make(map[string]Machine), make(map[Key]State)}
	for u := range m.UnitsFrom(0) {
		now.units[u.Name] = u
	}
	for h := range m.MachinesFrom(0) {
		h.Reported = 0
		now.machines[h.ID] = h
	}
	for st := range m.StatesFrom(0) {
		now.states[Key{st.Unit, st.Machine}] = st
	}
	if !reflect.DeepEqual(m.mirror, now) { // which costs much less than cmp.Diff
		if d := cmp.Diff(m.mirror, now, cmp.AllowUnexported(mirror{}), cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("changes weren't told: %s", d)
		}
	}
	if len(now.states) != m.States() || len(now.units) != m.Units() || len(now.machines) != m.Machines() {
		t.Fatalf("counted %d states, %d units, %d machines", m.States(), m.Units(), m.Machines())
	}
}

// settleAll has all machines do what they were told: then nothing is leaving.
func (m *model) settleAll(t *rapid.T) {
	for range 3 {
		for n := 1; n <= modelMachines; n++ {
			m.fetch(t, n)
			m.tell(n)
			m.check(t)
		}
	}
	for name, e := range m.units {
		if len(e.unit.Leaving) > 0 {
			t.Fatalf("%s is leaving for ever: %+v", name, e.unit)
		}
	}
}

// checkLoad stores the fleet and loads it again, in whole and from what checkpoints
// took; both go on as the first does.
func (m *model) checkLoad(t *rapid.T) {
	m.drainDirty()
	want := make(map[string][]byte)
	for _, r := range m.Records() {
		want[r.Bucket+"/"+string(r.Key)] = r.Value
	}
	if d := cmp.Diff(want, m.disk, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("checkpoints hold another state: %s", d)
	}
	l := NewLoader()
	for key, value := range m.disk {
		bucket, key, _ := strings.Cut(key, "/")
		if err := l.Take(Record{bucket, []byte(key), value}); err != nil {
			t.Fatal(err)
		}
	}
	twin, err := l.Done()
	if err != nil {
		t.Fatal(err)
	}
	if twin.Digest() != m.Digest() || len(twin.DrainDirty()) > 0 {
		t.Fatal("another state comes back")
	}
	for _, c := range []Command{
		{Put: &Put{Name: "a.service", Text: hello, Desired: ptr(Loaded)}},
		{Put: &Put{Name: "t@.service", Text: modelTexts[4], Desired: ptr(Launched)}},
		{Destroy: &Destroy{"b.service"}},
		{Open: &Open{Term: 1, Machine: Machine{ID: id(1)}, Was: m.agents[1].session}},
	} {
		m.revision++
		env := Env{Revision: m.revision, Term: 1, Now: m.now}
		out, err := m.Apply(env, &c)
		twinOut, twinErr := twin.Apply(env, &c)
		if d := cmp.Diff(out, twinOut); d != "" || (err == nil) != (twinErr == nil) || m.Digest() != twin.Digest() {
			t.Fatalf("they don't go on alike: %s, %v and %v", d, err, twinErr)
		}
	}
}
