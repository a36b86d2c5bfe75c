package fleet

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"drydock/node/unit"
)

// wish is what a unit is to become.
type wish struct {
	name string
	// at is what the store has by that name, a destroyed unit too, or nil.
	at    *entry
	hash  unit.Hash
	text  string
	needs *unit.Requirements
	// plain says that needs are the same under any name.
	plain   bool
	desired Desired
	restart bool
}

// put applies a Put.
func (s *Store) put(p *Put) (Outcome, error) {
	name, err := unit.ParseName(p.Name)
	if err != nil {
		return Outcome{}, err
	}
	w := wish{name: p.Name, at: s.units[p.Name], restart: p.Restart}
	e := w.at.living()
	if e != nil {
		w.hash, w.desired, w.needs = e.unit.Hash, e.unit.Desired, s.Requirements(p.Name, e.unit.Hash)
		w.plain = s.texts[w.hash].needs != nil
	}
	if p.Text == "" && e == nil {
		return Outcome{}, ErrNotFound
	}
	if p.Text != "" {
		if err := s.wishText(&w, p.Text); err != nil {
			return Outcome{}, err
		}
	}
	if p.Desired != nil {
		w.desired = *p.Desired
	}
	if err := s.checkWish(e, name, &w, p.Create); err != nil {
		return Outcome{}, err
	}
	replicas, extra, err := s.replicas(e, name, &w)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Created: e == nil, NewText: e != nil && w.hash != e.unit.Hash}
	s.grant(&w)
	for _, e := range extra {
		s.destroy(e)
	}
	for i := range replicas {
		s.grant(&replicas[i])
	}
	return out, nil
}

// wishText reads the text that a unit is to have.
func (s *Store) wishText(w *wish, content string) error {
	r, known := s.read[content]
	if !known {
		var err error
		if r, err = readText(w.name, content); err != nil {
			return err
		}
		s.read.keep(content, r)
	}
	w.hash, w.text, w.needs, w.plain = r.hash, r.text, r.needs, r.plain
	if t := s.texts[w.hash]; t != nil && t.needs != nil {
		w.needs = t.needs
	}
	return nil
}

// readyText is a text that was read and that units may have.
type readyText struct {
	hash  unit.Hash
	text  string
	needs *unit.Requirements
	plain bool // needs are the same under any name
}

// readText reads a text under a unit's name.
func readText(name, content string) (readyText, error) {
	u, err := unit.Parse(name, []byte(content))
	if err != nil {
		return readyText{}, err
	}
	needs := u.Fleet()
	if err := needs.Validate(); err != nil {
		return readyText{}, err
	}
	r := readyText{hash: u.Hash(), text: u.Text(), needs: &needs, plain: isPlain(u)}
	switch {
	case len(r.text) > MaxTextBytes:
		return readyText{}, fmt.Errorf("%w: the text takes %d bytes, at most %d", ErrTooLarge, len(r.text), MaxTextBytes)
	case len(u.Options()) == 0:
		return readyText{}, fmt.Errorf("%w: its text has no options", ErrNotFound)
	}
	return r, nil
}

// readTexts are plain texts that were read of late, by how they came: a template's
// instances come with the same one, and reading it costs more than all else of a Put.
// What is in it decides nothing: a text that isn't is read again.
type readTexts map[string]readyText

// maxRead and maxReadBytes bound readTexts, and which texts are worth a place.
const maxRead, maxReadBytes = 64, 4 << 10

func (r readTexts) keep(content string, t readyText) {
	if !t.plain || len(content) > maxReadBytes {
		return
	}
	if len(r) >= maxRead {
		clear(r)
	}
	r[content] = t
}

// checkWish says why w can't be granted; e is the unit as it is, or nil.
func (s *Store) checkWish(e *entry, name unit.Name, w *wish, create bool) error {
	switch {
	case create && e != nil && e.unit.Hash != w.hash:
		return ErrExists
	case name.IsTemplate() && w.desired != Inactive && replicasOf(w.needs) == 0:
		return &TemplateError{Name: w.name}
	case w.needs.Replicas > MaxReplicas:
		return fmt.Errorf("%w: %d replicas, at most %d", ErrTooLarge, w.needs.Replicas, MaxReplicas)
	case w.restart && w.desired != Launched:
		return ErrNotLaunched
	case e == nil && s.live.n >= MaxUnits:
		return fmt.Errorf("%w: %d units", ErrFull, s.live.n)
	}
	return nil
}

// grant makes a unit what w says.
func (s *Store) grant(w *wish) {
	e := w.at
	fresh := e == nil || e.dead
	if e == nil {
		e = &entry{unit: Unit{Name: w.name}}
		s.units[w.name] = e
	}
	u := &e.unit
	newText := fresh || u.Hash != w.hash
	if !newText && u.Desired == w.desired && !w.restart {
		return
	}
	if newText {
		t := s.ref(w.hash, w.text)
		if t.needs == nil && w.plain {
			t.needs = w.needs
		}
		if !fresh {
			s.unref(u.Hash)
		}
		u.Hash = w.hash
		if t.needs == nil {
			e.remember(w.hash, w.needs)
		}
		if u.Global != w.needs.Global {
			// What it is now has nothing to do with where it was.
			s.endPlaces(e)
			u.Global = w.needs.Global
		}
	}
	if fresh {
		if e.dead {
			s.dead.remove(w.name)
		}
		e.dead = false
		u.Created = s.env.Revision
		s.live.insert(e)
	}
	if newText || u.Desired != w.desired {
		u.Changed = s.env.Revision
	}
	s.desire(e, w)
	s.touchUnit(e)
}

// desire sets what is wanted of a unit, and asks for a restart.
func (s *Store) desire(e *entry, w *wish) {
	u := &e.unit
	was := u.Desired
	u.Desired = w.desired
	if w.restart {
		u.Kick = s.env.Revision
	}
	switch {
	case was == Inactive && w.desired != Inactive:
		u.Asked = s.env.Revision
	case w.desired == Inactive:
		s.endPlaces(e)
	}
	if was != w.desired || w.restart {
		s.orderAll(e)
	}
}

// replicasOf is how many replicas a template makes: of a global unit there is one
// on every machine, and so none.
func replicasOf(needs *unit.Requirements) int {
	if needs.Global {
		return 0
	}
	return needs.Replicas
}

// kept says whether a template keeps its instances at a number. One that was
// never active doesn't: it may have instances that users have made.
func (s *Store) kept(e *entry) bool {
	return e != nil && e.unit.Asked > 0 && replicasOf(s.Requirements(e.unit.Name, e.unit.Hash)) > 0
}

// replicas says what has to become of a template's instances if the template
// becomes what w says: what they are to be, and which are to go.
func (s *Store) replicas(e *entry, name unit.Name, w *wish) (are []wish, extra []*entry, err error) {
	active := w.desired != Inactive || e != nil && e.unit.Asked > 0
	if !name.IsTemplate() || !active || replicasOf(w.needs) == 0 && !s.kept(e) {
		return nil, nil, nil
	}
	content := w.text
	if content == "" {
		content = s.texts[w.hash].text
	}
	fresh := 0
	for k := 1; k <= replicasOf(w.needs); k++ {
		instance, err := name.With(strconv.Itoa(k))
		if err != nil {
			return nil, nil, err
		}
		r := wish{name: instance.String(), hash: w.hash, text: content, desired: w.desired, restart: w.restart}
		if r.at = s.units[r.name]; r.at.living() == nil {
			fresh++
		}
		if r.plain = w.plain; r.plain {
			r.needs = w.needs
		} else if err := s.wishText(&r, content); err != nil {
			return nil, nil, err
		}
		are = append(are, r)
	}
	if s.live.n+fresh+1 > MaxUnits {
		return nil, nil, fmt.Errorf("%w: %d units", ErrFull, s.live.n)
	}
	return are, s.counted(name, replicasOf(w.needs)), nil
}

// counted returns the instances of a template whose names are numbers above n.
// Instances with other names are a user's.
func (s *Store) counted(template unit.Name, n int) []*entry {
	var list []*entry
	prefix := template.Prefix() + "@"
	for e := range s.live.after(prefix) {
		if len(e.unit.Name) < len(prefix) || e.unit.Name[:len(prefix)] != prefix {
			break
		}
		if of, k, ok := replica(e.unit.Name); ok && of == template.String() && k > n {
			list = append(list, e)
		}
	}
	return list
}

// replica says which replica of which template has the name, if one could.
func replica(name string) (template string, k int, ok bool) {
	n, err := unit.ParseName(name)
	if err != nil || !n.IsInstance() {
		return "", 0, false
	}
	of, _ := n.Template()
	k, err = strconv.Atoi(n.Instance())
	return of.String(), k, err == nil && k > 0 && strconv.Itoa(k) == n.Instance()
}

// destroyUnit applies a Destroy.
func (s *Store) destroyUnit(name string) error {
	e := s.lookup(name)
	if e == nil {
		return ErrNotFound
	}
	if of, k, ok := replica(name); ok {
		t := s.lookup(of)
		if s.kept(t) && t.unit.Desired != Inactive && k <= replicasOf(s.Requirements(of, t.unit.Hash)) {
			return fmt.Errorf("%w %s, which has Replicas=%d; destroy that, or unload it first",
				ErrReplica, of, replicasOf(s.Requirements(of, t.unit.Hash)))
		}
	}
	var all []*entry
	if n, err := unit.ParseName(name); err == nil && n.IsTemplate() && s.kept(e) {
		all = s.counted(n, 0)
	}
	for _, e := range append(all, e) {
		s.destroy(e)
	}
	return nil
}

// destroy drops a unit; machines that have it keep the store aware of it.
func (s *Store) destroy(e *entry) {
	s.endPlaces(e)
	s.touchUnit(e)
	s.unref(e.unit.Hash)
	s.live.remove(e.unit.Name)
	e.dead, e.needs = true, nil
	e.unit = Unit{Name: e.unit.Name, Leaving: e.unit.Leaving}
	if len(e.unit.Leaving) == 0 {
		s.forgetUnit(e)
		return
	}
	s.dead.insert(e)
}

// isPlain says whether a unit's requirements are the same under any name.
func isPlain(u *unit.Unit) bool {
	return !slices.ContainsFunc(u.Section(unit.FleetSection), func(o unit.Option) bool {
		return strings.Contains(o.Value, "%")
	})
}
