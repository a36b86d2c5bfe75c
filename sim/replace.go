package sim

import (
	"fmt"
	"time"

	"drydock/chaos"
	"drydock/node"
	"drydock/node/state"
	"drydock/node/world"
	"drydock/sim/disk"
	"drydock/sim/history"
)

// operatorWalk is how long the operator takes to see to a member that stopped
// after all faults have ended.
const operatorWalk = time.Second

// newDisk gives the machine an empty disk.
func (m *machine) newDisk() {
	m.disk = disk.New()
	m.disk.SetFate(m.fate)
	m.setCapacity()
}

// newID draws the id under which the machine joins: never one that it had.
func (m *machine) newID() {
	m.id = world.MemberID(m.w.src.Stream("id/"+m.name).Uint64()>>1 | 1)
	m.w.byID[m.id] = m
}

// halted takes a node down that stopped itself, or did not start, for a reason
// that a fault explains. It comes back when it is restarted or healed; with a
// damaged disk, as a new member.
func (m *machine) halted(why string, err error) {
	m.w.trace.add(m.w.now(), traceHalt, uint64(m.index), 2, []byte(why))
	m.w.referee.leaderGone(m)
	switch {
	case m.outdated(err):
		m.w.result.Outdated = append(m.w.result.Outdated, history.Outdated{
			Time: int64(m.w.now()), Node: m.name, Release: uint64(m.release), Why: why,
		})
	case m.damage != "":
		m.noticed(why)
		m.lost = true
	}
	m.crash(disk.CrashOptions{})
	m.w.referee.note(m.name, why, MarkFault)
	if m.w.result.HealedAt > 0 {
		m.w.queue.After(operatorWalk, m.seeTo)
	}
}

// seeTo brings a member back that is down.
func (m *machine) seeTo() {
	switch {
	case m.status != down || m.replacing || m.w.over:
	case m.lost && m.leaving: // nobody waits for it
	case m.w.result.HealedAt > 0 && m.release != m.newest():
		m.release = m.newest()
		m.seeTo()
	case m.lost:
		m.w.replace(m)
	default:
		m.start()
	}
}

// replace makes a new member of a machine whose disk is lost: its old id leaves
// the cluster first, then it joins under a new one, empty, as a learner, and
// gets a vote.
func (w *World) replace(m *machine) {
	old := m.id
	m.replacing = true
	w.changing++
	w.audit.gone(m)
	// A disk whose memory file can't be closed has nobody left to tell.
	_ = m.disk.Close()
	m.damage, m.harmed = "", nil
	m.newDisk()
	m.newID()
	w.referee.note(m.name, fmt.Sprintf("%s has an empty disk: its old id leaves, a new one will join", m.name), MarkInfo)
	remove := &operation{w: w, changes: []state.MemberChange{{Kind: state.Remove, Member: state.Member{ID: old}}}}
	remove.achieved = func(s *state.State) bool { return !s.HasMember(old) }
	remove.once(func() { w.rejoin(m) })
	remove.run()
}

// rejoin prepares the empty disk and starts the machine as a learner. A disk
// that fails meanwhile is tried again.
func (w *World) rejoin(m *machine) {
	if w.over {
		return
	}
	err := node.Join(m.disk, m.config())
	switch {
	case err != nil && m.excused(err):
		_ = m.disk.Close()
		m.newDisk()
		w.queue.After(operatorRetry, func() { w.rejoin(m) })
	case err != nil:
		w.referee.broken(m, fmt.Sprintf("can't join with an empty disk: %v", err))
	default:
		m.lost, m.replacing = false, false
		w.replaced(m)
	}
}

// replaced starts the machine as a learner and makes a voter of it.
func (w *World) replaced(m *machine) {
	w.joining[m] = true
	m.start()
	member := state.Member{ID: m.id, Name: m.name}
	list := []*machine{m}
	learn := &operation{
		w: w, changes: []state.MemberChange{{Kind: state.AddLearner, Member: member}}, achieved: hasAll(list, true),
	}
	learn.once(func() {
		vote := &operation{
			w: w, changes: []state.MemberChange{{Kind: state.Promote, Member: member}}, achieved: hasAll(list, false),
		}
		vote.once(func() {
			w.changing--
			delete(w.joining, m)
			w.referee.note(m.name, m.name+" is replaced and votes", MarkInfo)
			w.announce(chaos.EventMemberAdded, m.name)
		})
		vote.run()
	})
	learn.run()
}
