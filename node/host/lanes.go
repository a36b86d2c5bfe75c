package host

import (
	"sync"
	"time"

	"drydock/node"
	"drydock/node/world"
)

// maxGroup bounds how many jobs of the log share one sync.
const maxGroup = 64

// lanes run disk jobs: one goroutine for each lane, in order of submission.
type lanes struct {
	fs   world.FS
	done func(node.JobDone)
	sync *histogram // of the log
	wait sync.WaitGroup
	lane [world.NumLanes]laneQueue
}

// laneQueue is an unbounded list: the node bounds what it submits.
type laneQueue struct {
	mu     sync.Mutex
	ready  *sync.Cond
	jobs   []node.Submit
	closed bool
}

func startLanes(fs world.FS, done func(node.JobDone), syncs *histogram) *lanes {
	l := &lanes{fs: fs, done: done, sync: syncs}
	for i := range l.lane {
		q := &l.lane[i]
		q.ready = sync.NewCond(&q.mu)
		most := 1
		if world.Lane(i) == world.LaneLog {
			most = maxGroup
		}
		l.wait.Go(func() { l.run(q, most) })
	}
	return l
}

func (l *lanes) submit(s node.Submit) {
	q := &l.lane[s.Job.Lane]
	q.mu.Lock()
	q.jobs = append(q.jobs, s)
	q.mu.Unlock()
	q.ready.Signal()
}

// stop lets what is queued finish and ends the goroutines.
func (l *lanes) stop() {
	for i := range l.lane {
		q := &l.lane[i]
		q.mu.Lock()
		q.closed = true
		q.mu.Unlock()
		q.ready.Broadcast()
	}
	l.wait.Wait()
}

func (l *lanes) run(q *laneQueue, most int) {
	for {
		group := q.take(most)
		if group == nil {
			return
		}
		for i, err := range l.runGroup(group) {
			l.done(node.JobDone{ID: group[i].ID, Err: err})
		}
	}
}

func (q *laneQueue) take(most int) []node.Submit {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.jobs) == 0 {
		if q.closed {
			return nil
		}
		q.ready.Wait()
	}
	n := min(most, len(q.jobs))
	group := append([]node.Submit(nil), q.jobs[:n]...)
	q.jobs = append(q.jobs[:0], q.jobs[n:]...)
	return group
}

// runGroup runs jobs in order and then the last one's Sync for all (group
// commit). A sync that fails fails all that it was for.
func (l *lanes) runGroup(group []node.Submit) []error {
	errs := make([]error, len(group))
	last := -1
	for i := range group {
		errs[i] = group[i].Job.Run(l.fs)
		if errs[i] == nil && group[i].Job.Sync != nil {
			last = i
		}
	}
	if last < 0 {
		return errs
	}
	began := time.Now()
	err := group[last].Job.Sync(l.fs)
	if group[last].Job.Lane == world.LaneLog {
		l.sync.observe(time.Since(began))
	}
	if err != nil {
		for i := range errs[:last+1] {
			errs[i] = err
		}
	}
	return errs
}
