package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"drydock/chaos"
	"drydock/node"
	"drydock/node/consensus"
	"drydock/node/state"
)

// Times of the operator who changes the membership.
const (
	operatorRetry = 150 * time.Millisecond
	// operatorGrace is how long a removed member may still run.
	operatorGrace = 500 * time.Millisecond
)

// operation is a change of membership as a patient operator makes it: asked of
// whoever leads, again and again, until the cluster's members show it.
type operation struct {
	w       *World
	changes []state.MemberChange
	// achieved says whether the state shows the change; then what follows.
	achieved func(*state.State) bool
	then     func()
	// asking says that a request has no answer yet. Another one meanwhile would
	// be another command, which may take effect long after all was done.
	asking bool
}

// run asks once and comes back until it is done.
func (o *operation) run() {
	if o.w.over || o.then == nil {
		return // it is done; what it achieved may have been undone since
	}
	if m := o.w.newest(); m != nil && o.achieved(m.node.State()) {
		o.then()
		return
	}
	if m := o.w.leader(); m != nil && m.node != nil && !o.asking {
		o.asking = true
		m.front.operate(func(token uint64) node.Input {
			return node.ChangeMembers{Token: token, Changes: o.changes}
		}, func(a *node.Answer) {
			o.asking = false
			if a != nil && a.Status == consensus.Done && a.Refusal == nil {
				o.w.queue.After(0, o.run)
			}
		})
	}
	o.w.queue.After(operatorRetry, func() {
		if !o.finished() {
			o.run()
		}
	})
}

func (o *operation) finished() bool {
	m := o.w.newest()
	return m != nil && o.achieved(m.node.State()) && o.then == nil
}

// once wraps what follows so that it happens once.
func (o *operation) once(then func()) {
	o.then = func() {
		o.then = nil
		then()
	}
}

// addMembers brings new machines into the cluster: as learners, which get the
// log, and then, all at once, as voters.
func (w *World) addMembers(list []*machine) {
	var add, promote []state.MemberChange
	for _, m := range list {
		member := state.Member{ID: m.id, Name: m.name}
		add = append(add, state.MemberChange{Kind: state.AddLearner, Member: member})
		promote = append(promote, state.MemberChange{Kind: state.Promote, Member: member})
		w.joining[m] = true
	}
	learn := &operation{w: w, changes: add, achieved: hasAll(list, true)}
	learn.once(func() {
		w.referee.note("", names(list)+" learn", MarkInfo)
		vote := &operation{w: w, changes: promote, achieved: hasAll(list, false)}
		vote.once(func() {
			w.referee.note("", names(list)+" vote", MarkInfo)
			for _, m := range list {
				delete(w.joining, m)
				w.announce(chaos.EventMemberAdded, m.name)
			}
		})
		vote.run()
	})
	learn.run()
}

// removeMembers takes machines out of the cluster and then stops them.
func (w *World) removeMembers(list []*machine) {
	var remove []state.MemberChange
	for _, m := range list {
		m.leaving = true
		remove = append(remove, state.MemberChange{Kind: state.Remove, Member: state.Member{ID: m.id}})
	}
	o := &operation{w: w, changes: remove, achieved: func(s *state.State) bool {
		return !slices.ContainsFunc(list, func(m *machine) bool { return s.HasMember(m.id) })
	}}
	o.once(func() {
		w.referee.note("", names(list)+" are no members any more", MarkInfo)
		w.queue.After(operatorGrace, func() {
			for _, m := range list {
				m.stop()
				m.status = outside
			}
		})
	})
	o.run()
}

// hasAll says whether all are members; as learners or more, or as voters.
func hasAll(list []*machine, learnerWillDo bool) func(*state.State) bool {
	return func(s *state.State) bool {
		for _, m := range list {
			if member, ok := s.Member(m.id); !ok || (member.Learner && !learnerWillDo) {
				return false
			}
		}
		return true
	}
}

func names(list []*machine) string {
	var out []string
	for _, m := range list {
		out = append(out, m.name)
	}
	return fmt.Sprint(strings.Join(out, ", "))
}
