package sim

import (
	"math/rand/v2"
	"time"

	"drydock/node"
	"drydock/node/world"
	"drydock/sim/disk"
	"drydock/sim/event"
	"drydock/sim/impair"
)

// Times of disk work that isn't a sync.
const (
	writeTime     = 30 * time.Microsecond
	bytesPerMicro = 400 // about 400 MB/s
	// checkpointSyncs is how many syncs a checkpoint's commit costs.
	checkpointSyncs = 2
)

// lane is one queue of a machine's disk.
type lane struct {
	id      world.Lane
	queue   []node.Submit
	running bool
	done    event.Handle
}

// diskTimes draws how long work on a machine's disk takes.
type diskTimes struct {
	rng  *rand.Rand
	sync impair.Sampler
	// measured syncs have the write in them.
	measured bool
	extra    []*time.Duration // faults
}

func (t *diskTimes) syncTime() time.Duration {
	d := t.sync.Sample(t.rng)
	for _, e := range t.extra {
		d += *e
	}
	return d
}

// submit queues a job.
func (m *machine) submit(s node.Submit) {
	l := &m.lanes[s.Job.Lane]
	l.queue = append(l.queue, s)
	if !l.running {
		m.startLane(l)
	}
}

// startLane runs what is queued. The log lane takes all of it at once and syncs
// once, as production's group commit does. The work is done now, as far as the
// node's own reads can tell, and counts as durable only when its time is over;
// a crash before that cuts it short somewhere.
func (m *machine) startLane(l *lane) {
	if len(l.queue) == 0 {
		return
	}
	group := l.queue[:1:1]
	if l.id == world.LaneLog {
		group = l.queue
	}
	l.queue = l.queue[len(group):]
	if len(l.queue) == 0 {
		l.queue = nil
	}
	longer, dies, fails := m.passing(l.id, group)
	token := m.disk.Begin(l.id, group[0].Job.Name)
	m.failing = fails
	errs := m.runGroup(group)
	m.failing = nil
	m.disk.End(token)
	took := m.groupTime(l.id, group) + longer
	life, ended := m.life, m.w.recorder.job(m, group[0].Job)
	l.running = true
	if dies != nil {
		m.w.queue.After(took/2, func() {
			if m.life == life {
				m.spring(dies, "power lost during "+group[0].Job.Name, true)
				m.w.referee.leaderGone(m)
				m.crash(disk.CrashOptions{LoseUnsynced: true, Torn: true})
			}
		})
	}
	l.done = m.w.queue.After(took, func() {
		m.unstalled(func() {
			if m.life != life {
				return
			}
			if ended != nil {
				ended()
			}
			m.completeGroup(l, token, group, errs)
		})
	})
}

func (m *machine) runGroup(group []node.Submit) []error {
	errs := make([]error, len(group))
	lastSync := -1
	for i := range group {
		if group[i].Job.Name == node.JobRelease {
			m.w.audit.scan(m) // segments are about to go
		}
		errs[i] = group[i].Job.Run(m.disk)
		if group[i].Job.Sync != nil && errs[i] == nil {
			lastSync = i
		}
	}
	if lastSync >= 0 {
		if err := group[lastSync].Job.Sync(m.disk); err != nil {
			for i := range group[:lastSync+1] {
				errs[i] = err
			}
		}
	}
	return errs
}

func (m *machine) groupTime(id world.Lane, group []node.Submit) time.Duration {
	took, syncs := time.Duration(0), 0
	for i := range group {
		took += time.Duration(group[i].Job.Bytes/bytesPerMicro) * time.Microsecond
		if group[i].Job.Sync != nil {
			syncs = 1
		}
		if group[i].Job.Sync == nil || !m.times.measured {
			took += writeTime
		}
	}
	if id == world.LaneCheckpoint {
		syncs = checkpointSyncs
	}
	for range syncs {
		took += m.times.syncTime()
	}
	return took
}

func (m *machine) completeGroup(l *lane, token disk.Token, group []node.Submit, errs []error) {
	l.running = false
	m.disk.Complete(token)
	m.w.trace.add(m.w.now(), traceJob, uint64(m.index), m.disk.Fingerprint(), []byte(group[0].Job.Name))
	for i := range group {
		m.deliver(node.JobDone{ID: group[i].ID, Err: errs[i]})
	}
	m.startLane(l)
}

// dropLanes forgets all jobs: the machine is down.
func (m *machine) dropLanes() {
	for i := range m.lanes {
		l := &m.lanes[i]
		m.w.queue.Cancel(l.done)
		l.queue, l.running = nil, false
	}
}
