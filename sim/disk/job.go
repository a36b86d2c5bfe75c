package disk

import (
	"fmt"

	"drydock/node/world"
)

// Token names a job in flight.
type Token uint64

// job is a job whose simulated time is not over.
type job struct {
	token Token
	lane  world.Lane
	name  string
	// ops are the operations that the job issued, in order.
	ops []*op
}

// Begin starts a job: the operations until End are recorded as its own.
func (d *Disk) Begin(lane world.Lane, name string) Token {
	if d.current != nil {
		panic(fmt.Sprintf("disk: job %q begins inside of job %q", name, d.current.name))
	}
	d.lastJob++
	d.current = &job{token: d.lastJob, lane: lane, name: name}
	d.jobs = append(d.jobs, d.current)
	d.note(Event{Kind: OpBegin, Name: name, Off: int64(d.lastJob), Len: int64(lane)})
	return d.lastJob
}

// End says that the job has issued all its operations. They are in flight
// until Complete.
func (d *Disk) End(t Token) {
	if d.current == nil || d.current.token != t {
		panic(fmt.Sprintf("disk: end of job %d, which is not the one that runs", t))
	}
	d.note(Event{Kind: OpEnd, Name: d.current.name, Off: int64(t)})
	d.current = nil
}

// Complete is the simulated end of the job: its syncs count from here on. Jobs
// of one lane complete in the order in which they began. A token from before a
// crash is ignored: that job's end never came.
func (d *Disk) Complete(t Token) {
	at := -1
	for i, j := range d.jobs {
		if j.token == t {
			at = i
			break
		}
	}
	if at < 0 {
		return
	}
	done := d.jobs[at]
	if done == d.current {
		panic(fmt.Sprintf("disk: job %q completes before it has ended", done.name))
	}
	for _, j := range d.jobs[:at] {
		if j.lane == done.lane {
			panic(fmt.Sprintf("disk: job %q completes before job %q of lane %v", done.name, j.name, j.lane))
		}
	}
	d.jobs = append(d.jobs[:at], d.jobs[at+1:]...)
	d.note(Event{Kind: OpComplete, Name: done.name, Off: int64(t)})
	d.settle(done.ops)
}

// settle lets the syncs among ops take effect.
func (d *Disk) settle(ops []*op) {
	swept := false
	for _, o := range ops {
		switch o.kind {
		case OpSync:
			o.file.flush(o.seq)
		case OpBolt:
			o.file.flush(o.seq + 1)
		case OpSyncDir:
			o.dir.flush(o.seq)
			swept = true
		}
	}
	if swept {
		d.sweep()
	}
}
