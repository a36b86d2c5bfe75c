package fleetctl

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"drydock/node/fleetclient"
	"drydock/node/ui"
)

// Times of waiting.
const (
	// poll lies between two looks at a cluster that can't be waited at.
	poll = 250 * time.Millisecond
	// atOnce is how long a cluster that can is waited at in one go: the progress line
	// moves on in between.
	atOnce = time.Second
	// apart lies between two looks, however much happens.
	apart = 100 * time.Millisecond
	// patience is how long nothing is said of what is waited for.
	patience = 2 * time.Second
)

// verdict is what a look at a unit says.
type verdict struct {
	// done ends the waiting, with a line to print unless it is empty.
	done bool
	line string
	// err ends it badly.
	err error
	// why says what it waits for, if neither has come.
	why string
}

// waiting is what a command waits for.
type waiting struct {
	names []string
	// limit is how long; 0 is for ever.
	limit time.Duration
	// look reads the units; judge says what is to be said of one, nil if it isn't
	// there.
	look  func(names []string, o fleetclient.Reading) (map[string]*fleetclient.Unit, uint64, error)
	judge func(name string, u *fleetclient.Unit) verdict
	// unmet completes "timed out waiting for unit X to".
	unmet string
	// what they are, "unit" unless set, and label what one is called where it waits.
	what  string
	label func(name string) string
}

// awaitState waits until units are in a state, says so of each, and returns those that
// are.
func (s *session) awaitState(limit time.Duration, names []string, state string) (reached []string) {
	return s.await(waiting{
		names: names, limit: limit, look: s.look, unmet: "report state " + state,
		judge: func(name string, u *fleetclient.Unit) verdict { return s.inState(name, u, state) },
	})
}

// errVanished is of a unit that somebody else destroys meanwhile.
var errVanished = errors.New("it is no longer in the cluster")

// awaitText is awaitState for units some of which have a new text: those are waited for
// until their machines have it, too.
func (s *session) awaitText(limit time.Duration, names []string, state string, replaced map[string]string) (reached []string) {
	if len(replaced) == 0 {
		return s.awaitState(limit, names, state)
	}
	return s.await(waiting{
		names: names, limit: limit, look: s.lookPlaces, unmet: "report state " + state,
		judge: func(name string, u *fleetclient.Unit) verdict {
			v := s.inState(name, u, state)
			hash := replaced[name]
			if !v.done || hash == "" || u.MachineID == "" {
				return v
			}
			if len(u.Places) == 0 || u.Places[0].Hash != hash || u.Places[0].Active == "" {
				return verdict{why: cmp.Or(s.withLegends(u.Why), "its machine doesn't have the new text yet")}
			}
			return v
		},
	})
}

// awaitStopped waits until units run nowhere: one that has no machine is stopped well
// enough.
func (s *session) awaitStopped(limit time.Duration, names []string) (reached []string) {
	return s.await(waiting{
		names: names, limit: limit, look: s.look, unmet: "report state " + fleetclient.Loaded,
		judge: func(name string, u *fleetclient.Unit) verdict {
			if u != nil && (current(u) == fleetclient.Loaded || u.MachineID == "" && len(u.Leaving) == 0 && current(u) == fleetclient.Inactive) {
				return s.arrived(u)
			}
			return s.inState(name, u, fleetclient.Loaded)
		},
	})
}

// current is the state that a unit is in, as far as anybody has said.
func current(u *fleetclient.Unit) string { return cmp.Or(u.CurrentState, fleetclient.Inactive) }

// inState tells whether a unit is in a state.
func (s *session) inState(name string, u *fleetclient.Unit, state string) verdict {
	if u == nil {
		return verdict{err: fmt.Errorf("unit %s: %w", name, errVanished)}
	}
	if len(u.Places) > 0 && state != fleetclient.Inactive && u.Places[0].Load == "error" {
		p := u.Places[0]
		why := fmt.Sprintf("%s can't load it: %s", s.legend(p.MachineID, false), s.reason(&p, u))
		return s.failing(name, messagef("unit %s: %s", name, why), why)
	}
	if current(u) != state {
		return verdict{why: s.waitsFor(u, state)}
	}
	return s.arrived(u)
}

// arrived says which state a unit has come to.
func (s *session) arrived(u *fleetclient.Unit) verdict {
	line := fmt.Sprintf("%s %s %s", s.words.unit, u.Name, current(u))
	if u.MachineID != "" && current(u) != fleetclient.Inactive {
		line += " on " + s.legend(u.MachineID, false)
	}
	if s.words.silent {
		line = ""
	}
	return verdict{done: true, line: line}
}

// await waits until everything has been judged, and tells meanwhile what it waits for.
// It returns what was done.
func (s *session) await(w waiting) (reached []string) {
	pending := slices.Clone(w.names)
	w.what = cmp.Or(w.what, "unit")
	if w.label == nil {
		w.label = func(name string) string { return s.words.unit + " " + name }
	}
	show := newNarrator(s, len(pending), w.label)
	defer show.clear()
	began := s.sys.now()
	why := make(map[string]string)
	var o fleetclient.Reading
	for len(pending) > 0 {
		looked := s.sys.now()
		found, revision, err := w.look(pending, o)
		pending = slices.DeleteFunc(pending, func(name string) bool {
			switch {
			case s.ctx.Err() != nil:
				return false
			case err != nil:
				why[name] = fmt.Sprintf("the cluster doesn't answer: %v", err)
				return false
			}
			v := w.judge(name, found[name])
			switch {
			case v.err != nil:
				show.clear()
				s.failure = v.err.Error()
				s.errf("Error waiting for %ss: %s", w.what, s.failure)
			case v.done:
				reached = append(reached, name)
				if v.line != "" {
					show.clear()
					s.outf("%s", v.line)
				}
			}
			why[name] = v.why
			return v.done || v.err != nil
		})
		if len(pending) == 0 {
			break
		}
		left := w.limit - s.sys.now().Sub(began)
		if s.ctx.Err() != nil || w.limit > 0 && left <= 0 {
			show.clear()
			s.giveUp(w, pending, why, show.said)
			return reached
		}
		show.update(pending, why)
		o = fleetclient.Reading{}
		rest := poll
		if err == nil && revision > 0 && s.client.Extended() {
			o.After, o.Wait = revision, atOnce
			rest = apart - s.sys.now().Sub(looked)
		}
		if w.limit > 0 {
			rest = min(rest, left)
		}
		s.sleep(rest)
	}
	return reached
}

// giveUp says what wasn't reached, and why, unless that has been said.
func (s *session) giveUp(w waiting, pending []string, why, said map[string]string) {
	for _, name := range pending {
		if s.ctx.Err() == nil {
			s.failure = fmt.Sprintf("timed out waiting for %s %s to %s", w.what, name, w.unmet)
			s.errf("Error waiting for %ss: %s", w.what, s.failure)
		}
		if said[name] != why[name] {
			s.errf("%s waits: %s", w.label(name), why[name])
		}
	}
}

// sleep passes time, unless the session ends.
func (s *session) sleep(d time.Duration) {
	select {
	case <-s.ctx.Done():
	case <-time.After(d):
	}
}

// awaitActive waits until units that were launched are active, as fleet 1.0 does: one
// that doesn't run, and isn't about to, for as long as a window, has failed. One
// that takes its time to start is waited for.
func (s *session) awaitActive(limit time.Duration, names []string) (reached []string) {
	return s.await(waiting{names: names, limit: limit, look: s.lookPlaces, judge: s.isActive, unmet: "be active"})
}

// lookPlaces is look with what machines say of the units, which a server without
// extensions has elsewhere.
func (s *session) lookPlaces(names []string, o fleetclient.Reading) (map[string]*fleetclient.Unit, uint64, error) {
	found, revision, err := s.look(names, o)
	if err != nil || s.client.Extended() {
		return found, revision, err
	}
	states, err := s.statesOf(names)
	for _, st := range states {
		if u := found[st.Name]; u != nil && u.MachineID == st.MachineID {
			u.Places = append(u.Places, placeOf(st))
		}
	}
	return found, revision, err
}

// statesOf reads what machines say of units: one by one if they are few, for a cluster
// may have many.
func (s *session) statesOf(names []string) (states []fleetclient.State, err error) {
	const few = 10
	if len(names) > few {
		states, _, err = s.client.States(s.ctx, fleetclient.Reading{})
		return states, err
	}
	for _, name := range names {
		list, _, err := s.client.States(s.ctx, fleetclient.Reading{Unit: name})
		if err != nil {
			return nil, err
		}
		states = append(states, list...)
	}
	return states, nil
}

func placeOf(st fleetclient.State) fleetclient.Place {
	return fleetclient.Place{
		MachineID: st.MachineID, Hash: st.Hash, Load: st.LoadState, Active: st.ActiveState, Sub: st.SubState,
		Result: st.Result, Why: st.Why, Launched: true,
	}
}

// isActive tells whether a unit that was launched runs.
func (s *session) isActive(name string, u *fleetclient.Unit) verdict {
	const failed = "Failed to find an active unit %s within %v, err: %s"
	if u == nil {
		return verdict{err: fmt.Errorf("unit %s: %w", name, errVanished)}
	}
	if len(u.Places) == 0 || u.Places[0].Active == "" {
		const silence = "no machine says anything of it"
		return s.failing(name, messagef(failed, name, window, "Failed to fetch states within "+window.String()), silence)
	}
	p := u.Places[0]
	state := fmt.Sprintf("%s (%s)", orDash(p.Active), orDash(p.Sub))
	on := " on " + s.legend(p.MachineID, false)
	switch {
	case p.Active == "active", p.Active == "reloading":
		return verdict{done: true}
	case p.Active == "inactive" && p.Result == "success" && p.Launched:
		// It has done what it was started for.
		return verdict{done: true}
	case p.Active == "activating" && p.Sub != "auto-restart", p.Active == "deactivating":
		delete(s.since, name)
		return verdict{why: state + on}
	}
	text := state + on
	if reason := s.reason(&p, u); reason != "" {
		text += ": " + reason
	}
	return s.failing(name, messagef(failed, name, window, text), text)
}

// reason says in words what is wrong with a unit where it is, on one line.
func (s *session) reason(p *fleetclient.Place, u *fleetclient.Unit) string {
	for _, why := range []string{p.Why, strings.TrimPrefix(p.Result, "success"), u.Why} {
		if why != "" {
			return s.withLegends(why)
		}
	}
	return ""
}

// failing ends the waiting for a unit that has been in trouble for a window.
func (s *session) failing(name string, err error, why string) verdict {
	now := s.sys.now()
	since, seen := s.since[name]
	if !seen {
		s.since[name], since = now, now
	}
	if now.Sub(since) < window {
		return verdict{why: why}
	}
	delete(s.since, name)
	return verdict{err: err}
}

// awaitGone waits until the cluster doesn't know units any more and no machine has
// anything of them.
func (s *session) awaitGone(limit time.Duration, names []string) (reached []string) {
	left := make(map[string][]string)
	look := func(names []string, o fleetclient.Reading) (map[string]*fleetclient.Unit, uint64, error) {
		found, revision, err := s.look(names, o)
		if err != nil {
			return nil, 0, err
		}
		states, err := s.statesOf(names)
		clear(left)
		for _, st := range states {
			left[st.Name] = append(left[st.Name], s.legend(st.MachineID, false))
		}
		return found, revision, err
	}
	return s.await(waiting{
		names: names, limit: limit, look: look, unmet: "be destroyed",
		judge: func(name string, u *fleetclient.Unit) verdict {
			switch {
			case u != nil:
				return verdict{why: "the cluster still has it"}
			case len(left[name]) > 0:
				return verdict{why: "it ends on " + strings.Join(left[name], ", ")}
			}
			return verdict{done: true}
		},
	})
}

// narrator tells on stderr what is waited for: on a terminal in one line that is
// drawn again, elsewhere a line for each new reason.
type narrator struct {
	s     *session
	label func(name string) string
	total int
	began time.Time
	line  *ui.Progress
	// said and at are the last line of each unit.
	said map[string]string
	at   map[string]time.Time
}

func newNarrator(s *session, total int, label func(string) string) *narrator {
	return &narrator{
		s: s, label: label, total: total, began: s.sys.now(), line: ui.NewProgress(s.env, !s.env.Redraw(), s.sys.now),
		said: make(map[string]string), at: make(map[string]time.Time),
	}
}

func (n *narrator) clear() { n.line.Clear() }

func (n *narrator) update(pending []string, why map[string]string) {
	now := n.s.sys.now()
	took := now.Sub(n.began)
	if took < patience {
		return
	}
	if n.s.env.Redraw() {
		text := fmt.Sprintf("%3.0fs  ", took.Seconds())
		if n.total > 1 {
			text += fmt.Sprintf("%d of %d done; ", n.total-len(pending), n.total)
		}
		n.line.Update(text + n.label(pending[0]) + " waits: " + why[pending[0]])
		return
	}
	const most = 10
	for _, name := range pending[:min(len(pending), most)] {
		n.say(now, name, fmt.Sprintf("%s waits: ", n.label(name)), why[name])
	}
	if more := len(pending) - most; more > 0 {
		n.say(now, "", "", fmt.Sprintf("%d more wait", more))
	}
}

// say writes a line about something, unless it is the one before or comes too soon
// after it.
func (n *narrator) say(now time.Time, about, prefix, text string) {
	if n.said[about] != text && now.Sub(n.at[about]) >= patience {
		n.s.errf("%s%s", prefix, text)
		n.said[about], n.at[about] = text, now
	}
}
