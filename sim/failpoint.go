package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"drydock/chaos"
	"drydock/node"
	"drydock/node/checkpoint"
	"drydock/node/state"
	"drydock/node/wal"
	"drydock/node/world"
	"drydock/sim/disk"
)

// pointOf names the node's disk jobs as failpoints do.
var pointOf = map[string]string{
	"append": "wal.append", "mark": "wal.mark", "reset": "wal.reset", node.JobRelease: "wal.release",
	"checkpoint": "checkpoint.write", "export": "snapshot.export", "read chunk": "snapshot.read",
	"write chunk": "snapshot.chunk", "verify snapshot": "snapshot.verify", "install": "snapshot.install",
}

// pointSync is the one point that is counted by syncs, not by jobs.
const pointSync = "wal.sync"

// trap is a fault that lies in wait on a machine.
type trap struct {
	// struck tells the world and the conductor; dead says that the node dies.
	struck func(detail string, dead bool)
	// point, count and do are of a failpoint: what it waits for, how many times
	// it still lets it pass, and what happens then.
	point string
	count int
	do    string
	stall time.Duration
	// kinds and files are of a disk error, times how many fail; skip lets so
	// many pass.
	kinds       []disk.Kind
	files       string
	skip, times int
	// astray makes one write to the log land elsewhere; destroy, anywhere.
	astray, destroy bool
}

// lay puts a trap on a machine and returns how to take it away.
func (m *machine) lay(tr *trap) (disarm func()) {
	m.traps = append(m.traps, tr)
	return func() { m.traps = slices.DeleteFunc(m.traps, func(other *trap) bool { return other == tr }) }
}

// lieInWait lays a trap on each node.
func (t target) lieInWait(f chaos.Fault, makeTrap func() *trap) (func(), string, error) {
	var undo []func()
	for _, name := range f.Nodes {
		m, tr := t.w.byName[name], makeTrap()
		tr.struck = func(detail string, dead bool) { t.struck(f, m, detail, dead) }
		undo = append(undo, m.lay(tr))
	}
	return func() {
		for _, fn := range undo {
			fn()
		}
	}, "", nil
}

// diskKinds are the operations that a disk error strikes.
func diskKinds(on string) []disk.Kind {
	if on == "write" {
		return []disk.Kind{disk.OpWrite, disk.OpBolt, disk.OpCreate, disk.OpRename, disk.OpTruncate}
	}
	// bbolt writes and syncs in one.
	return []disk.Kind{disk.OpSync, disk.OpSyncDir, disk.OpBolt}
}

// fileOf says whose files a name belongs to, as faults name them.
func fileOf(name string) string {
	dir, _, _ := strings.Cut(name, "/")
	switch dir {
	case wal.Dir:
		return chaos.FilesLog
	case checkpoint.Dir:
		return chaos.FilesCheckpoint
	}
	return chaos.FilesSnapshot
}

// passing is told of disk work that is about to begin. It counts down the
// failpoints there and returns how much longer the work takes, whether the
// machine loses power in its midst, and which failpoint makes it fail.
func (m *machine) passing(lane world.Lane, group []node.Submit) (longer time.Duration, dies, fails *trap) {
	for _, tr := range slices.Clone(m.traps) {
		if tr.point == "" {
			continue
		}
		hits := 0
		for i := range group {
			if pointOf[group[i].Job.Name] == tr.point {
				hits++
			}
		}
		if tr.point == pointSync && lane == world.LaneLog && slices.ContainsFunc(group, func(s node.Submit) bool { return s.Job.Sync != nil }) {
			hits = 1
		}
		if hits == 0 {
			continue
		}
		if tr.count -= hits; tr.count > 0 {
			continue
		}
		switch tr.do {
		case chaos.DoStall:
			longer += tr.stall
			m.spring(tr, fmt.Sprintf("takes %s more", tr.stall), false)
		case chaos.DoError:
			fails = tr
		default:
			dies = tr
		}
	}
	return longer, dies, fails
}

// spring takes a trap away that has struck, and says so.
func (m *machine) spring(tr *trap, detail string, dead bool) {
	m.traps = slices.DeleteFunc(m.traps, func(other *trap) bool { return other == tr })
	tr.struck(detail, dead)
}

// fate decides over each operation of the machine's disk.
func (m *machine) fate(e disk.Event) disk.Fate {
	if m.looking {
		return disk.Fate{} // it is the world that reads
	}
	if tr := m.failing; tr != nil && tr.strikes(e) {
		m.failing = nil
		m.later(tr, e.Kind.String()+" "+e.Name+" fails")
		return disk.Fate{Err: disk.ErrIO}
	}
	for _, tr := range m.traps {
		switch {
		case tr.astray && m.node != nil && e.Kind == disk.OpWrite && fileOf(e.Name) == chaos.FilesLog:
			off, ok := m.elsewhere(tr, e)
			if !ok {
				continue
			}
			m.audited()
			m.harm("a misdirected write", e.Name)
			m.later(tr, fmt.Sprintf("%d bytes of %s went to %d, not %d", e.Len, e.Name, off, e.Off))
			return disk.Fate{Elsewhere: true, Off: off}
		case slices.Contains(tr.kinds, e.Kind) && (tr.files == chaos.FilesAny || tr.files == fileOf(e.Name)):
			if tr.skip > 0 {
				tr.skip--
				continue
			}
			if tr.times--; tr.times <= 0 {
				m.later(tr, e.Kind.String()+" "+e.Name+" fails")
			} else {
				tr.tell(m, e.Kind.String()+" "+e.Name+" fails")
			}
			return disk.Fate{Err: disk.ErrIO}
		}
	}
	return disk.Fate{}
}

// strikes says whether a failpoint that makes work fail does so at an operation.
func (tr *trap) strikes(e disk.Event) bool {
	if tr.point == pointSync {
		return e.Kind == disk.OpSync || e.Kind == disk.OpSyncDir
	}
	return true
}

// later takes a trap away and has its strike told after what is going on now,
// which is in the midst of the node's work.
func (m *machine) later(tr *trap, detail string) {
	m.traps = slices.DeleteFunc(m.traps, func(other *trap) bool { return other == tr })
	tr.tell(m, detail)
}

func (tr *trap) tell(m *machine, detail string) {
	m.w.queue.After(0, func() { tr.struck(detail, false) })
}

// bootTrap counts down the failpoints at boot and returns the one that is due.
func (m *machine) bootTrap() *trap {
	for _, tr := range slices.Clone(m.traps) {
		if tr.point != chaos.PointBoot {
			continue
		}
		if tr.count--; tr.count <= 0 {
			return tr
		}
	}
	return nil
}

// excused says whether an injected fault explains why a node stopped: then it
// did what it should.
func (m *machine) excused(err error) bool {
	return errors.Is(err, disk.ErrIO) || errors.Is(err, disk.ErrFull) || m.damage != "" || m.outdated(err)
}

// refuses is excused for a node that does not start: with a damaged disk it must
// say that it is that.
func (m *machine) refuses(err error) bool {
	typed := slices.ContainsFunc([]error{wal.ErrCorrupt, checkpoint.ErrCorrupt, state.ErrCorrupt, node.ErrDamaged, disk.ErrIO, disk.ErrFull, state.ErrRelease},
		func(target error) bool { return errors.Is(err, target) })
	return typed && m.excused(err)
}
