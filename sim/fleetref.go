package sim

import (
	"fmt"
	"time"

	"drydock/node/agent"
	frames "drydock/node/link"
	"drydock/sim/history"
	"drydock/sim/units"
)

// unheard is for how long a machine may be without word from the leader before it
// has a reason to end its units: a little less than two thirds of the lease.
const unheard = 1900 * time.Millisecond

// wakeful is how long an agent must have lived, neither stopped nor slowed, to be
// expected to end units by itself before the guard does.
const wakeful = 4 * time.Second

// fleetReferee writes down what machines really ran, what users asked for and what
// was said between machines and members, as far as that explains what happened.
type fleetReferee struct {
	w *World
	r *history.Fleet
	// runs are the places in the record of those that last, by machine and unit.
	runs map[runKey]int
}

type runKey struct {
	box  int
	unit string
}

// heard is what a machine has heard of the leader, by what was delivered to it.
type heard struct {
	beats  map[uint64]time.Duration // when those without an answer were sent, by number
	hellos map[uint64]time.Duration
	// last is when the newest beat was sent that was acknowledged, or the first
	// hello that was; lost when the machine last had reason to believe that its lease
	// might end; dead since when no agent lives, reborn when the last one began.
	last, lost, reborn time.Duration
	// awake is since when the agent has lived, neither stopped nor slowed.
	awake time.Duration
	dead  int // place of the open loss, from 1
}

func newFleetReferee(w *World) *fleetReferee {
	f := &fleetReferee{w: w, r: new(history.Fleet), runs: make(map[runKey]int)}
	f.r.RestFrom = int64(w.cfg.Fleet.RestFrom)
	w.result.Fleet = f.r
	return f
}

func (f *fleetReferee) now() int64 { return int64(f.w.now()) }

// joins records a machine.
func (f *fleetReferee) joins(b *box, m *FleetMachine) {
	f.r.Machines = append(f.r.Machines, history.FleetMachine{
		Name: b.name, ID: b.id, Metadata: metadataPairs(m.Metadata),
		CPU: m.Resources["cpu"], Memory: m.Resources["memory"] >> 20,
	})
}

func (f *fleetReferee) units(list []history.FleetUnit) { f.r.Units = append(f.r.Units, list...) }

// few says whether a run is small enough for its units to be in the timeline.
func (f *fleetReferee) few() bool { return len(f.r.Units) <= 24 && len(f.r.Machines) <= 12 }

// began records that a unit has its first process on a machine.
func (f *fleetReferee) began(b *box, r units.Run) {
	f.w.trace.add(f.w.now(), traceRun, uint64(b.index), uint64(r.Number), []byte(r.Unit))
	f.r.Runs = append(f.r.Runs, history.Ran{Machine: b.name, Unit: r.Unit, Hash: r.Hash.String(), Begin: f.now()})
	f.runs[runKey{b.index, r.Unit}] = len(f.r.Runs) - 1
	if f.few() {
		f.w.referee.note(b.name, fmt.Sprintf("%s runs %s", b.name, r.Unit), MarkInfo)
	}
	f.w.observe(history.Observation{Ran: &f.r.Runs[len(f.r.Runs)-1]})
}

// ended records that nothing of a unit is left on a machine.
func (f *fleetReferee) ended(b *box, r units.Run, why units.Cause) {
	f.w.trace.add(f.w.now(), traceRun, uint64(b.index), uint64(r.Number), []byte(why))
	k := runKey{b.index, r.Unit}
	at := f.runs[k]
	delete(f.runs, k)
	ran := &f.r.Runs[at]
	ran.End, ran.Why, ran.Told = f.now(), string(why), int64(r.Told)
	begin := time.Duration(ran.Begin)
	ran.Cut = f.w.now()-b.heard.last >= unheard || b.heard.lost >= begin
	ran.Reborn = b.agent == nil || b.heard.reborn >= begin
	ran.Awake = b.status == up && b.slow == 0 && f.w.now()-b.heard.awake >= wakeful
	if f.few() {
		f.w.referee.note(b.name, fmt.Sprintf("%s on %s has ended: %s", r.Unit, b.name, why), MarkInfo)
	}
	f.w.observe(history.Observation{Ran: ran})
}

// asked records that a user begins to ask for something; acknowledged, that it was
// granted or refused.
func (f *fleetReferee) asked(w history.FleetWish) int {
	w.Asked = f.now()
	f.r.Wishes = append(f.r.Wishes, w)
	f.w.observe(history.Observation{Wish: &w})
	return len(f.r.Wishes) - 1
}

func (f *fleetReferee) acknowledged(at int, refusal string) {
	w := &f.r.Wishes[at]
	w.Done = f.now()
	f.w.trace.add(f.w.now(), traceWish, uint64(at), 0, []byte(w.Unit+w.Machine+w.Do))
	if refusal != "" {
		f.w.referee.note("", fmt.Sprintf("%s %s%s was refused: %s", w.Do, w.Unit, w.Machine, refusal), MarkInfo)
	} else if f.few() {
		f.w.referee.note("", fmt.Sprintf("a user has done: %s %s%s", w.Do, w.Unit, w.Machine), MarkInfo)
	}
}

// news takes what an agent has to say of itself.
func (f *fleetReferee) news(b *box, n agent.News) {
	if !f.few() {
		return
	}
	text := n.Text
	if n.Unit != "" {
		text = n.Unit + ": " + text
	}
	f.w.referee.note(b.name, b.name+": "+text, MarkInfo)
}

// agentBegan and agentDied record the lives of agents.
func (f *fleetReferee) agentBegan(b *box) {
	h := &b.heard
	h.beats, h.hellos = make(map[uint64]time.Duration), make(map[uint64]time.Duration)
	if h.dead > 0 {
		f.r.Losses[h.dead-1].End = f.now()
	}
	h.dead, h.reborn, h.awake = 0, f.w.now(), f.w.now()
}

func (f *fleetReferee) agentDied(b *box) {
	f.r.Losses = append(f.r.Losses, history.FleetLoss{Machine: b.name, Begin: f.now(), Dead: true})
	b.heard.dead = len(f.r.Losses)
}

// sent looks at a frame that leaves a machine.
func (f *fleetReferee) sent(b *box, frame []byte) {
	fr, err := frames.Decode(frame)
	switch {
	case err != nil:
		f.w.referee.brokenBox(b, fmt.Sprintf("sent a bad frame: %v", err))
	case fr.Beat != nil:
		if _, again := b.heard.beats[fr.Beat.Seq]; !again {
			b.heard.beats[fr.Beat.Seq] = f.w.now()
		}
	case fr.Hello != nil:
		if _, again := b.heard.hellos[fr.Hello.Nonce]; !again {
			b.heard.hellos[fr.Hello.Nonce] = f.w.now()
		}
	}
}

// received looks at a frame that reaches a living agent.
func (f *fleetReferee) received(b *box, frame []byte) {
	fr, err := frames.Decode(frame)
	if err != nil {
		f.w.referee.brokenBox(b, fmt.Sprintf("was sent a bad frame: %v", err))
		return
	}
	h := &b.heard
	switch {
	case fr.Ack != nil:
		if at, ok := h.beats[fr.Ack.Seq]; ok {
			h.hear(f, b, at)
			// any order: each only goes by itself
			for seq := range h.beats {
				if seq <= fr.Ack.Seq {
					delete(h.beats, seq)
				}
			}
		}
	case fr.Welcome != nil:
		if at, ok := h.hellos[fr.Welcome.Nonce]; ok {
			h.hear(f, b, at)
			if f.w.now()-at >= unheard {
				// It had asked for long: the lease that it gets is nearly over, or is.
				h.lost, h.awake = f.w.now(), f.w.now()
			}
			clear(h.hellos)
		}
	}
}

// hear takes the leader's word for what was sent at a time.
func (h *heard) hear(f *fleetReferee, b *box, at time.Duration) {
	if at <= h.last {
		return
	}
	if gap := f.w.now() - h.last; gap >= unheard {
		h.lost = f.w.now()
		f.r.Losses = append(f.r.Losses, history.FleetLoss{
			Machine: b.name, Begin: int64(h.last), End: f.now(), Dead: h.reborn > h.last || h.awake > h.last,
		})
	}
	h.last = at
}

// finish collects what is so at the end.
func (f *fleetReferee) finish() {
	for _, b := range f.w.fleet.boxes {
		if f.w.now()-b.heard.last >= unheard {
			f.r.Losses = append(f.r.Losses, history.FleetLoss{
				Machine: b.name, Begin: int64(b.heard.last), Dead: b.status != up || b.heard.awake > b.heard.last,
			})
		}
		for _, name := range b.units.Names() {
			s, _ := b.units.State(name)
			f.r.Actual = append(f.r.Actual, history.FleetActual{Unit: name, Machine: b.name, Active: s.Active, Sub: s.Sub})
		}
	}
	if l := f.w.leader(); l != nil && l.node != nil {
		f.believed(l)
	}
}

// brokenBox records that an agent broke a promise on its own evidence; the run
// ends.
func (f *referee) brokenBox(b *box, why string) {
	f.r.Broken = append(f.r.Broken, b.name+" "+why)
	f.note(b.name, why, MarkBad)
	f.w.over = true
}
