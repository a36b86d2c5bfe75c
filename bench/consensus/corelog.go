package consensus

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"drydock/node/consensus"
	"drydock/node/host"
	"drydock/node/wal"
)

// coreLogs are the logs of cores on the disk, each with a goroutine that writes
// and syncs, as a host has it.
type coreLogs struct {
	dir     string
	list    []*coreLog
	done    chan coreJob
	pending int // jobs whose end has not been taken from done
	syncs   atomic.Uint64
	writing sync.WaitGroup
}

type coreLog struct {
	disk *host.Disk
	log  *wal.Log
	jobs chan coreJob
}

// coreJob is an append of a core, or else a marker up to which its log may be let
// go.
type coreJob struct {
	member int
	append *consensus.Append
	marker *wal.Marker
	err    error
}

// maxCoreJobs is more than a core ever has under way.
const maxCoreJobs = 64

// openCoreLogs makes a log for each of n members under dir; segment is the size of
// its files in bytes, 0 for the default.
func openCoreLogs(dir string, n int, segment int64) (l *coreLogs, err error) {
	l = &coreLogs{done: make(chan coreJob, n*maxCoreJobs)}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	if l.dir, err = os.MkdirTemp(dir, "drydock-bench-"); err != nil {
		return l, fmt.Errorf("directory for the members: %w", err)
	}
	for i := range n {
		disk, err := host.OpenDisk(filepath.Join(l.dir, fmt.Sprintf("m%d", i+1)))
		if err != nil {
			return l, err
		}
		c := &coreLog{disk: disk, jobs: make(chan coreJob, maxCoreJobs)}
		l.list = append(l.list, c)
		fs := countedDisk{disk, &l.syncs}
		o := wal.Options{Identity: wal.Identity{Cluster: clusterID, Member: uint64(i + 1)}, SegmentBytes: segment}
		if c.log, err = wal.Create(fs, o); err != nil {
			return l, err
		}
		// The checkpoint that the members begin with.
		if err = c.log.Append(&wal.Batch{Marker: &wal.Marker{Index: 1, Term: 1}, Reset: true}); err != nil {
			return l, err
		}
		l.writing.Go(func() { c.run(l.done) })
	}
	return l, nil
}

// submit queues a job.
func (l *coreLogs) submit(j coreJob) {
	l.pending++
	l.list[j.member].jobs <- j
}

// wait returns the next job that is done.
func (l *coreLogs) wait() (coreJob, error) {
	j := <-l.done
	l.pending--
	return j, j.err
}

// run writes what is queued and syncs once for all of it.
func (c *coreLog) run(done chan<- coreJob) {
	for j := range c.jobs {
		group := []coreJob{j}
		for more := true; more; {
			select {
			case j, ok := <-c.jobs:
				if more = ok; ok {
					group = append(group, j)
				}
			default:
				more = false
			}
		}
		err := c.write(group)
		for _, j := range group {
			j.err = err
			done <- j
		}
	}
}

func (c *coreLog) write(group []coreJob) error {
	mustSync := false
	for _, j := range group {
		b := &wal.Batch{Marker: j.marker}
		if j.append != nil {
			b = appendBatch(j.append)
			mustSync = mustSync || j.append.MustSync
		}
		if err := c.log.Append(b); err != nil {
			return err
		}
		if j.marker != nil {
			if err := c.log.Release(j.marker.Index); err != nil {
				return err
			}
		}
	}
	if mustSync {
		return c.log.Sync()
	}
	return nil
}

// appendBatch is a core's append as the log takes it.
func appendBatch(a *consensus.Append) *wal.Batch {
	b := &wal.Batch{Hard: (*wal.HardState)(a.Hard), Entries: make([]wal.Entry, 0, len(a.Entries))}
	for _, e := range a.Entries {
		b.Entries = append(b.Entries, wal.Entry{Index: e.GetIndex(), Term: e.GetTerm(), Type: uint8(e.GetType()), Data: e.GetData()})
	}
	return b
}

// close ends the goroutines and removes the files.
func (l *coreLogs) close() error {
	var errs []error
	for _, c := range l.list {
		close(c.jobs)
	}
	l.writing.Wait()
	for _, c := range l.list {
		if c.log != nil {
			errs = append(errs, c.log.Close())
		}
		errs = append(errs, c.disk.Close())
	}
	if l.dir != "" {
		errs = append(errs, os.RemoveAll(l.dir))
	}
	return errors.Join(errs...)
}
