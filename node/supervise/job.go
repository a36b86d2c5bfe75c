package supervise

import (
	"fmt"
	"slices"
	"strings"
)

type jobKind uint8

const (
	jobStart jobKind = iota
	jobStop
	jobRestart
	jobReload
)

func (k jobKind) String() string { return [...]string{"start", "stop", "restart", "reload"}[k] }

// stops says whether a job takes its unit down first.
func (k jobKind) stops() bool { return k == jobStop || k == jobRestart }

// job is what is to become of a unit. A unit has one at most: a later wish takes
// the place of an earlier one, or joins it.
type job struct {
	kind   jobKind
	tokens []Token
	// running says that the unit is on its way; until then the job waits for
	// others.
	running bool
	// required says that somebody can't do without it.
	required bool
}

// request makes the jobs that a wish comes to, or refuses it whole.
func (m *Machine) request(kind jobKind, name string, token Token) {
	e, ok := m.units[name]
	if !ok || e.gone && kind != jobStop {
		m.answer(token, name, JobInvalid, fmt.Sprintf("unit %s not found", name))
		return
	}
	t := &transaction{m: m, kinds: make(map[string]jobKind), required: make(map[string]bool)}
	reason := ""
	switch kind {
	case jobStart, jobRestart:
		reason = t.start(e, kind, true)
	case jobStop:
		t.stop(e)
	case jobReload:
		t.add(name, jobReload, true)
		if !e.sub.up() {
			reason = fmt.Sprintf("unit %s is not active, it can't be reloaded", name)
		}
	}
	if reason == "" {
		reason = t.verify(name)
	}
	if reason != "" {
		m.answer(token, name, JobInvalid, reason)
		return
	}
	for _, n := range t.order {
		own := Token(0)
		if n == name {
			own = token
		}
		m.install(m.units[n], t.kinds[n], own, t.required[n])
	}
}

func (m *Machine) answer(token Token, unit string, result JobResult, reason string) {
	if token != 0 {
		m.ends = append(m.ends, Done{Token: token, Unit: unit, Result: result, Reason: reason})
	}
}

// transaction gathers the jobs of one wish.
type transaction struct {
	m        *Machine
	order    []string
	kinds    map[string]jobKind
	required map[string]bool
	clash    string
}

// add enters a job and says whether it is new.
func (t *transaction) add(name string, kind jobKind, required bool) bool {
	have, ok := t.kinds[name]
	if ok {
		t.required[name] = t.required[name] || required
		switch {
		case have == kind, have == jobRestart && kind == jobStart:
			return false
		case have == jobStart && kind == jobRestart:
			t.kinds[name] = kind
			return true
		}
		t.clash = fmt.Sprintf("unit %s would have to start and to stop", name)
		return false
	}
	t.order = append(t.order, name)
	t.kinds[name], t.required[name] = kind, required
	return true
}

// start adds the start or restart of a unit and of what it needs. It returns why
// that can't be, or "".
func (t *transaction) start(e *entry, kind jobKind, required bool) string {
	d := e.def
	if !t.add(d.Name, kind, required) {
		return ""
	}
	for _, name := range e.links.needs {
		other, ok := t.m.units[name]
		switch {
		case ok && !other.gone:
			if reason := t.start(other, jobStart, required); reason != "" {
				return reason
			}
		case !t.m.provided[name]:
			return fmt.Sprintf("unit %s requires %s, which this machine doesn't have", d.Name, name)
		}
	}
	for _, name := range d.Requisite {
		if other, ok := t.m.units[name]; !t.m.provided[name] && (!ok || !other.sub.up()) {
			return fmt.Sprintf("unit %s needs %s to be active already", d.Name, name)
		}
	}
	for _, name := range e.links.enemies {
		if other, ok := t.m.units[name]; ok && !other.idle() {
			t.stop(other)
		}
	}
	for _, name := range d.Wants {
		if other, ok := t.m.units[name]; ok && !other.gone {
			t.want(other)
		}
	}
	if kind == jobRestart {
		for _, name := range slices.Concat(e.links.dependents, e.links.parts) {
			if other := t.m.units[name]; other.lives() {
				if reason := t.start(other, jobRestart, false); reason != "" {
					return reason
				}
			}
		}
	}
	return ""
}

// want adds the start of a unit that can be done without: if it can't be, the
// transaction is as before.
func (t *transaction) want(e *entry) {
	before, clash := len(t.order), t.contradiction()
	kinds, required := cloneMap(t.kinds, t.order), cloneMap(t.required, t.order)
	if t.start(e, jobStart, false) != "" || t.contradiction() != clash || t.cycle() != "" {
		t.order, t.kinds, t.required, t.clash = t.order[:before], kinds, required, clash
	}
}

func cloneMap[V any](in map[string]V, keys []string) map[string]V {
	out := make(map[string]V, len(keys))
	for _, k := range keys {
		out[k] = in[k]
	}
	return out
}

// stop adds the stop of a unit and of what can't do without it.
func (t *transaction) stop(e *entry) {
	if !t.add(e.def.Name, jobStop, true) {
		return
	}
	for _, name := range slices.Concat(e.links.dependents, e.links.parts) {
		if other := t.m.units[name]; !other.idle() {
			t.stop(other)
		}
	}
}

// idle says that a unit neither runs nor will.
func (e *entry) idle() bool { return e.sub.ended() && (e.job == nil || e.job.kind == jobStop) }

// lives says that a unit runs, or is about to, and nobody wants it down: a restart
// of what it needs takes it along.
func (e *entry) lives() bool {
	a := e.sub.Active()
	return a != ActiveDeactivating && !e.sub.ended() && (e.job == nil || e.job.kind != jobStop)
}

// verify returns why the transaction can't be, or "".
func (t *transaction) verify(name string) string {
	if clash := t.contradiction(); clash != "" {
		return "what " + name + " asks for contradicts itself: " + clash
	}
	if cycle := t.cycle(); cycle != "" {
		return "the order of units goes in a circle: " + cycle
	}
	return ""
}

// contradiction returns why not all of the jobs can be, or "".
func (t *transaction) contradiction() string {
	for _, name := range t.order {
		if t.kinds[name] != jobStart && t.kinds[name] != jobRestart {
			continue
		}
		for _, enemy := range t.m.units[name].links.enemies {
			if kind, ok := t.kinds[enemy]; ok && kind != jobStop {
				return fmt.Sprintf("%s and %s are in conflict", name, enemy)
			}
		}
	}
	return t.clash
}

// cycle looks for units with jobs that wait for each other in a circle, and
// returns it in words.
func (t *transaction) cycle() string {
	const (
		entered = 1
		left    = 2
	)
	marks := make(map[string]int)
	var path []string
	var visit func(name string) string
	visit = func(name string) string {
		e, ok := t.m.units[name]
		if _, planned := t.kinds[name]; !ok || !planned && e.job == nil || marks[name] == left {
			return ""
		}
		if marks[name] == entered {
			return strings.Join(append(path[slices.Index(path, name):], name), " after ")
		}
		marks[name] = entered
		path = append(path, name)
		for _, before := range e.links.earlier {
			if found := visit(before); found != "" {
				return found
			}
		}
		path = path[:len(path)-1]
		marks[name] = left
		return ""
	}
	for _, name := range t.order {
		if found := visit(name); found != "" {
			return found
		}
	}
	return ""
}

// install gives a unit a job, in place of the one that it has.
func (m *Machine) install(e *entry, kind jobKind, token Token, required bool) {
	m.touch(e)
	if old := e.job; old != nil {
		if old.kind == kind || old.kind == jobRestart && kind == jobStart {
			old.required = old.required || required
			if token != 0 {
				old.tokens = append(old.tokens, token)
			}
			return
		}
		m.finish(e, JobCanceled, fmt.Sprintf("a later %s of %s took its place", kind, e.def.Name))
	}
	if kind == jobStart && e.sub.up() {
		m.answer(token, e.def.Name, JobDone, "")
		return
	}
	e.job = &job{kind: kind, required: required}
	if token != 0 {
		e.job.tokens = []Token{token}
	}
}

// finish ends a unit's job.
func (m *Machine) finish(e *entry, result JobResult, reason string) {
	j := e.job
	if j == nil {
		return
	}
	e.job = nil
	m.touch(e)
	for _, token := range j.tokens {
		m.answer(token, e.def.Name, result, reason)
	}
	if (result == JobFailed || result == JobTimeout || result == JobDependency) && j.kind != jobStop {
		m.disappoint(e)
	}
}

// disappoint ends the jobs that wait for a unit to start, which won't.
func (m *Machine) disappoint(e *entry) {
	for _, name := range e.links.dependents {
		if other := m.units[name]; other.job != nil && !other.job.running && other.job.kind == jobStart {
			m.finish(other, JobDependency, fmt.Sprintf("%s, which it requires, could not be started", e.def.Name))
		}
	}
}

// dispatch runs jobs whose turn it is, and says whether anything came of it.
func (m *Machine) dispatch() bool {
	moved := false
	for _, name := range slices.Clone(m.names) {
		e := m.units[name]
		if e != nil && e.job != nil && !m.blocked(e) && m.run(e) {
			moved = true
		}
	}
	return moved
}

// blocked says whether a unit's job must wait for another's. Of two units, what
// stops goes first; else starts go in order, and stops the other way round.
func (m *Machine) blocked(e *entry) bool {
	j := e.job
	if j.running {
		return false
	}
	for _, name := range e.links.earlier {
		other := m.units[name]
		if other == nil || other.job == nil {
			continue
		}
		if !j.kind.stops() {
			return true
		}
	}
	for _, name := range e.links.later {
		other := m.units[name]
		if other != nil && other.job != nil && other.job.kind.stops() {
			return true
		}
	}
	if j.kind == jobStart {
		for _, name := range e.links.enemies {
			if other := m.units[name]; other != nil && (other.job != nil && other.job.kind.stops() || !other.sub.ended()) {
				return true
			}
		}
	}
	return false
}
