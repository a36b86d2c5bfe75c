package sim

import (
	"fmt"
	"strings"

	"drydock/chaos"
	"drydock/node/wire"
	"drydock/node/world"
	"drydock/sim/history"
)

// textHeads bounds how many messages of a frame its text names.
const textHeads = 4

// recorder writes down what people want to see of a run. It looks on: nothing
// of the run, its trace included, depends on whether it is there.
type recorder struct {
	w      *World
	window *history.Window
	quiet  bool
	last   []seenState
	states []history.State
	bands  []*history.Band
	msgs   ring[history.Message]
	jobs   ring[history.Job]
}

// seenState is what was last recorded of a machine, cheap to compare.
type seenState struct {
	status status
	life   int
	lead   uint64
	term   uint64
	leads  bool
}

func newRecorder(w *World) *recorder {
	r := &recorder{w: w, window: w.cfg.Record, quiet: w.cfg.Quiet, last: make([]seenState, len(w.machines))}
	if r.window != nil {
		r.msgs.limit, r.jobs.limit = r.window.Max, r.window.Max
	}
	return r
}

// look records the machines that have changed. It is called after every event,
// so that no change of a machine needs to know of it.
func (r *recorder) look() {
	if r.quiet {
		return
	}
	for i, m := range r.w.machines {
		now := seenState{m.status, m.life, uint64(m.role.Lead), m.role.Term, m.role.Leader}
		if now == r.last[i] {
			continue
		}
		r.last[i] = now
		s := history.State{
			Time: int64(r.w.now()), Node: m.name, Health: healthOf(m.status),
			Leads: m.role.Leader, Term: m.role.Term, Applied: m.lastApplied,
		}
		if lead := r.w.byID[m.role.Lead]; lead != nil {
			s.Lead = lead.name
		}
		r.states = append(r.states, s)
	}
}

func healthOf(s status) history.Health {
	switch s {
	case outside:
		return history.HealthOutside
	case booting:
		return history.HealthBooting
	case up:
		return history.HealthUp
	case paused:
		return history.HealthPaused
	}
	return history.HealthDown
}

// band records a fault; the answer is to be called when it is undone. What
// has no undo is over at once.
func (r *recorder) band(f chaos.Fault, lasts bool) (undone func()) {
	b := &history.Band{Time: int64(r.w.now()), Kind: string(f.Kind), Text: f.Text, Nodes: f.Nodes}
	if !lasts {
		b.End = b.Time
	}
	if !r.quiet {
		r.bands = append(r.bands, b)
	}
	return func() { b.End = int64(r.w.now()) }
}

func (r *recorder) open() bool {
	return r.window != nil && r.w.now() >= r.window.From && r.w.now() <= r.window.Until
}

// message records a frame that leaves; what it returns is to be told whether it
// arrives, and is nil when nothing is recorded.
func (r *recorder) message(from, to *machine, frame []byte) func(arrived bool) {
	if !r.open() {
		return nil
	}
	m := &history.Message{Sent: int64(r.w.now()), From: from.name, To: to.name, Text: frameText(frame)}
	r.msgs.add(m)
	return func(arrived bool) {
		m.Lost = !arrived
		if arrived {
			m.Arrived = int64(r.w.now())
		}
	}
}

// ended tells what became of a message, if anybody asked.
func ended(record func(arrived bool), arrived bool) {
	if record != nil {
		record(arrived)
	}
}

// job records disk work that begins; the answer is to be called at its end. It
// is nil when nothing is recorded.
func (r *recorder) job(m *machine, job world.Job) (ended func()) {
	if !r.open() {
		return nil
	}
	j := &history.Job{Begin: int64(r.w.now()), Node: m.name, Lane: laneName(job.Lane), Name: job.Name}
	r.jobs.add(j)
	return func() { j.End = int64(r.w.now()) }
}

func laneName(l world.Lane) string {
	switch l {
	case world.LaneLog:
		return "log"
	case world.LaneCheckpoint:
		return "checkpoint"
	case world.LaneSnapshot:
		return "snapshot"
	}
	return "disk"
}

// frameText says what a frame holds.
func frameText(b []byte) string {
	f, err := wire.Decode(b)
	if err != nil {
		return "a bad frame"
	}
	switch f.Kind {
	case wire.KindForward:
		return fmt.Sprintf("forward, %d bytes", len(f.Forward.Batch))
	case wire.KindRefuse:
		return fmt.Sprintf("refuse %d: %s", len(f.Refuse.Seqs), f.Refuse.Reason)
	case wire.KindSnapChunk:
		return fmt.Sprintf("snapshot %d, bytes %d-%d of %d", f.Chunk.Stream, f.Chunk.Offset, f.Chunk.Offset+uint64(len(f.Chunk.Data)), f.Chunk.Total)
	case wire.KindSnapAck:
		return "snapshot ack"
	case wire.KindHello:
		return fmt.Sprintf("hello, release %d, term %d", f.Hello.Release, f.Hello.Term)
	}
	var parts []string
	for i, m := range f.Raft {
		if i == textHeads {
			parts = append(parts, fmt.Sprintf("and %d more", len(f.Raft)-i))
			break
		}
		text := strings.TrimPrefix(m.GetType().String(), "Msg") + fmt.Sprintf(" term %d", m.GetTerm())
		if m.GetIndex() > 0 {
			text += fmt.Sprintf(" index %d", m.GetIndex())
		}
		if n := len(m.GetEntries()); n > 0 {
			text += fmt.Sprintf(" +%d", n)
		}
		if m.GetCommit() > 0 {
			text += fmt.Sprintf(" commit %d", m.GetCommit())
		}
		if m.GetReject() {
			text += " rejected"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// report hands the recording out.
func (r *recorder) report() history.Recording {
	out := history.Recording{States: r.states, Messages: r.msgs.list(), Jobs: r.jobs.list()}
	for _, b := range r.bands {
		out.Bands = append(out.Bands, *b)
	}
	return out
}

// ring keeps the latest of what is added.
type ring[T any] struct {
	limit, next int
	items       []*T
}

func (r *ring[T]) add(item *T) {
	if len(r.items) < r.limit {
		r.items = append(r.items, item)
		return
	}
	if r.limit > 0 {
		r.items[r.next] = item
		r.next = (r.next + 1) % r.limit
	}
}

// list returns what is kept, oldest first.
func (r *ring[T]) list() []T {
	var out []T
	for i := range r.items {
		out = append(out, *r.items[(r.next+i)%len(r.items)])
	}
	return out
}
