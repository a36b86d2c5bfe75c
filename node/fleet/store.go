package fleet

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"

	"drydock/node/unit"
)

// Store is the fleet as a member holds it. It is not safe for concurrent use. The
// values that it hands out don't change, and may be kept; they must not be
// changed either.
type Store struct {
	units map[string]*entry
	// live are the units in order of name, dead the destroyed ones that machines may
	// still run.
	live, dead index[*entry]
	machines   map[string]*host
	hosts      index[*host]
	texts      map[unit.Hash]*text
	read       readTexts
	// forgettable are machines without a session of which users have set nothing,
	// the one that ended first in front.
	forgettable []*host
	// states and placements count those of all units.
	states, placements int
	// changed is the revision of the last command that changed anything.
	changed uint64

	content sum
	dirty   dirty
	loading bool     // from a checkpoint, which has everything
	news    *Changes // nil while nobody wants it
	// env is that of the command that is applied; units and hosts are what it has
	// touched, mutated says that it changed anything at all.
	env          Env
	touchedUnits []*entry
	touchedHosts []*host
	mutated      bool
	scratch      []byte
}

// New returns a fleet of nothing.
func New() *Store {
	return &Store{
		units: make(map[string]*entry), machines: make(map[string]*host),
		texts: make(map[unit.Hash]*text), read: make(readTexts), dirty: newDirty(),
	}
}

// entry is a unit in the store, or what is left of one that was destroyed: then
// only Name and Leaving count.
type entry struct {
	unit Unit
	// states are sorted by machine. Each is of a machine in unit.Places or
	// unit.Leaving.
	states []*State
	needs  []need
	// sum is the record's part of Store.content, if it is stored.
	sum sum
	// unsaved is what of it is in Store.dirty; noted says that Store.news names it.
	unsaved                unsaved
	noted, stored, touched bool
	// owned says that Places and Leaving belong to the entry alone: they haven't been
	// handed out since they were made.
	owned bool
	dead  bool
	// only is where Places are while there was never more than one and nobody kept them:
	// most units have one, for as long as they are.
	only [1]Placement
}

func (e *entry) key() string { return e.unit.Name }

// host is a machine in the store, with what is placed on it and what is leaving
// it, both sorted by name and never with a unit in common.
type host struct {
	machine Machine
	places  []*entry
	leaves  []*entry
	// told is the encoding of what the machine tells of itself and of its Patch: the
	// rest changes with each order. It is nil when that isn't known.
	told []byte
	// listed says that it is in Store.forgettable.
	listed  bool
	sum     sum
	stored  bool
	touched bool
	// unsaved says that Store.dirty has it, noted that Store.news names it.
	unsaved, noted bool
}

func (h *host) key() string { return h.machine.ID }

// text is a text with the number of units and placements that have it.
type text struct {
	text string
	refs int
	// needs is what it asks for under any name; nil if that depends on the name, or
	// if nobody has asked yet.
	needs *unit.Requirements
}

// Empty says whether nothing was ever changed here.
func (s *Store) Empty() bool { return s.changed == 0 }

// Revision returns the revision of the last command that changed anything.
func (s *Store) Revision() uint64 { return s.changed }

// lookup returns the entry of a unit that isn't destroyed, or nil.
func (s *Store) lookup(name string) *entry { return s.units[name].living() }

// living returns e unless its unit was destroyed, then nil, as of nil.
func (e *entry) living() *entry {
	if e == nil || e.dead {
		return nil
	}
	return e
}

// entries yields all units, the destroyed ones that leave too, in order of name.
func (s *Store) entries() iter.Seq[*entry] {
	if s.dead.n == 0 {
		return s.live.from(0)
	}
	return func(yield func(*entry) bool) {
		dead := slices.Collect(s.dead.from(0))
		for e := range s.live.from(0) {
			for ; len(dead) > 0 && dead[0].unit.Name < e.unit.Name; dead = dead[1:] {
				if !yield(dead[0]) {
					return
				}
			}
			if !yield(e) {
				return
			}
		}
		for _, e := range dead {
			if !yield(e) {
				return
			}
		}
	}
}

// place returns the position of machine in e's places.
func (e *entry) place(machine string) (int, bool) {
	return slices.BinarySearchFunc(e.unit.Places, machine, func(p Placement, id string) int {
		return strings.Compare(p.Machine, id)
	})
}

// leave returns the position of machine in e's leaving.
func (e *entry) leave(machine string) (int, bool) {
	return slices.BinarySearchFunc(e.unit.Leaving, machine, func(l Leaving, id string) int {
		return strings.Compare(l.Machine, id)
	})
}

// state returns the position of machine in e's states.
func (e *entry) state(machine string) (int, bool) {
	return slices.BinarySearchFunc(e.states, machine, func(st *State, id string) int {
		return strings.Compare(st.Machine, id)
	})
}

// blocked says whether the unit must not start on machine yet, since another one
// may still run it.
func (e *entry) blocked(machine string) bool {
	if len(e.unit.Leaving) == 0 || e.unit.Global {
		return false
	}
	for i := range e.unit.Leaving {
		if e.unit.Leaving[i].Machine != machine {
			return true
		}
	}
	return false
}

// own makes Places and Leaving the entry's own, to be changed in place.
func (e *entry) own() {
	if e.owned {
		return
	}
	e.owned = true
	e.unit.Places = slices.Clone(e.unit.Places)
	e.unit.Leaving = slices.Clone(e.unit.Leaving)
}

// touchUnit notes that a unit's own record changes with this command.
func (s *Store) touchUnit(e *entry) {
	s.mutated = true
	if !e.touched {
		e.touched = true
		s.touchedUnits = append(s.touchedUnits, e)
	}
	s.tellUnit(e)
}

// touchHost notes that a machine's record changes with this command.
func (s *Store) touchHost(h *host) {
	s.mutated = true
	if !h.touched {
		h.touched = true
		s.touchedHosts = append(s.touchedHosts, h)
	}
}

// order notes that what a machine is to have changes with this command.
func (s *Store) order(h *host) {
	if h.machine.Orders != s.env.Revision {
		h.machine.Orders = s.env.Revision
		s.touchHost(h)
	}
	s.tellMachine(h)
}

// orderAll is order for every machine that a unit is placed on.
func (s *Store) orderAll(e *entry) {
	for i := range e.unit.Places {
		s.order(s.machines[e.unit.Places[i].Machine])
	}
}

// insertPlace makes p the placement at position i; the entry owns its Places.
func (e *entry) insertPlace(i int, p Placement) {
	// What is in only though Places are elsewhere may be read by somebody yet.
	if e.unit.Places == nil && e.only[0].Machine == "" {
		e.unit.Places = e.only[:0]
	}
	e.unit.Places = slices.Insert(e.unit.Places, i, p)
}

// addPlace places a unit on a machine, which has a session.
func (s *Store) addPlace(e *entry, h *host) {
	e.own()
	if i, ok := e.leave(h.machine.ID); ok {
		s.cutLeaving(e, i)
	}
	i, _ := e.place(h.machine.ID)
	p := Placement{Machine: h.machine.ID, Session: h.machine.Session, Gen: s.env.Revision, Hash: e.unit.Hash}
	e.insertPlace(i, p)
	h.places = insertInto(h.places, e)
	s.ref(p.Hash, "")
	s.putPlace(e, &p, +1)
	s.order(h)
}

// renewPlace has a machine take the unit's present text, or start it again.
func (s *Store) renewPlace(e *entry, h *host) {
	e.own()
	i, _ := e.place(h.machine.ID)
	p := &e.unit.Places[i]
	s.putPlace(e, p, -1)
	s.ref(e.unit.Hash, "")
	s.unref(p.Hash)
	*p = Placement{Machine: h.machine.ID, Session: h.machine.Session, Gen: s.env.Revision, Hash: e.unit.Hash}
	s.putPlace(e, p, +1)
	s.order(h)
}

// endPlace ends the placement at position i. The machine may still run the unit
// until it says otherwise.
func (s *Store) endPlace(e *entry, i int) {
	p := s.cutPlace(e, i)
	h := s.machines[p.Machine]
	l := Leaving{Machine: p.Machine, Session: p.Session, Gen: p.Gen}
	k, _ := e.leave(p.Machine)
	e.unit.Leaving = slices.Insert(e.unit.Leaving, k, l)
	h.leaves = insertInto(h.leaves, e)
	s.putLeaving(e, &l, +1)
	s.order(h)
}

// endPlaces ends all placements of a unit.
func (s *Store) endPlaces(e *entry) {
	for i := len(e.unit.Places) - 1; i >= 0; i-- {
		s.endPlace(e, i)
	}
}

// cutPlace takes the placement at position i away.
func (s *Store) cutPlace(e *entry, i int) Placement {
	e.own()
	p := e.unit.Places[i]
	h := s.machines[p.Machine]
	s.putPlace(e, &p, -1)
	e.unit.Places = slices.Delete(e.unit.Places, i, i+1)
	h.places = removeFrom(h.places, e.unit.Name)
	s.unref(p.Hash)
	return p
}

// cutLeaving takes away what stands at position i of Leaving: the machine has
// nothing of the unit any more, or is to have it again. Where the unit is placed,
// it may then be due.
func (s *Store) cutLeaving(e *entry, i int) {
	e.own()
	l := e.unit.Leaving[i]
	h := s.machines[l.Machine]
	s.putLeaving(e, &l, -1)
	e.unit.Leaving = slices.Delete(e.unit.Leaving, i, i+1)
	h.leaves = removeFrom(h.leaves, e.unit.Name)
	s.orderAll(e)
	if e.dead && len(e.unit.Leaving) == 0 {
		s.forgetUnit(e)
	}
}

// setState takes what a machine says of a unit, if it is news.
func (s *Store) setState(e *entry, st *State) {
	i, ok := e.state(st.Machine)
	if ok {
		if e.states[i].equal(st) {
			return
		}
		s.putState(e, e.states[i], -1)
		e.states[i] = st
	} else {
		e.states = slices.Insert(e.states, i, st)
		s.states++
	}
	s.putState(e, st, +1)
	s.tellState(st.Unit, st.Machine)
}

// cutState forgets the state at position i.
func (s *Store) cutState(e *entry, i int) {
	st := e.states[i]
	s.putState(e, st, -1)
	e.states = slices.Delete(e.states, i, i+1)
	s.states--
	s.tellState(st.Unit, st.Machine)
}

// equal says whether two states say the same, whenever they did.
func (st State) equal(o *State) bool {
	st.Since = o.Since
	return st == *o
}

// forgetUnit drops a destroyed unit that no machine runs any more.
func (s *Store) forgetUnit(e *entry) {
	delete(s.units, e.unit.Name)
	s.dead.remove(e.unit.Name)
}

// ref counts one more use of a text; content is needed only for a new one.
func (s *Store) ref(h unit.Hash, content string) *text {
	t := s.texts[h]
	if t == nil {
		t = &text{text: content}
		s.texts[h] = t
		s.markText(h)
	}
	t.refs++
	return t
}

// unref counts one use less.
func (s *Store) unref(h unit.Hash) {
	t := s.texts[h]
	if t.refs--; t.refs == 0 {
		delete(s.texts, h)
		s.markText(h)
	}
}

// settle brings sums and records up to date with what the command has touched.
func (s *Store) settle() {
	for _, e := range s.touchedUnits {
		e.touched = false
		s.resumUnit(e)
	}
	for _, h := range s.touchedHosts {
		h.touched = false
		s.resumHost(h)
	}
	clear(s.touchedUnits)
	clear(s.touchedHosts)
	s.touchedUnits, s.touchedHosts = s.touchedUnits[:0], s.touchedHosts[:0]
	s.drainSome(maxUnsaved)
	if s.mutated {
		s.changed, s.mutated = s.env.Revision, false
	}
}

// list keeps Store.forgettable right after a change of a machine.
func (s *Store) list(h *host) {
	m := &h.machine
	want := m.Session == 0 && !m.Drained && len(m.Patch) == 0
	if want == h.listed {
		return
	}
	i, _ := slices.BinarySearchFunc(s.forgettable, h, byEnd)
	if h.listed = want; !want {
		s.forgettable = slices.Delete(s.forgettable, i, i+1)
		return
	}
	s.forgettable = slices.Insert(s.forgettable, i, h)
	if len(s.forgettable) > maxForgettable {
		s.forgetMachine(s.forgettable[0])
	}
}

// byEnd orders machines by when their sessions ended.
func byEnd(a, b *host) int {
	return cmp.Or(cmp.Compare(a.machine.Since, b.machine.Since), strings.Compare(a.machine.ID, b.machine.ID))
}

// forgetMachine drops the first of the forgettable machines.
func (s *Store) forgetMachine(h *host) {
	s.forgettable = slices.Delete(s.forgettable, 0, 1)
	h.listed = false
	delete(s.machines, h.machine.ID)
	s.hosts.remove(h.machine.ID)
	s.touchHost(h)
	s.tellMachine(h)
}

// Env is what a command is applied in: its revision, the term of its entry and
// the cluster time of it.
type Env struct {
	Revision, Term uint64
	Now            time.Duration
}
