package fleetload

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"drydock/node/control"
	"drydock/node/fleet"
)

// decider is the leader's side alone, on the replicated state of a member that has
// stopped: nothing is logged, and what it proposes is applied at once.
type decider struct {
	store    *fleet.Store
	control  *control.Control
	term     uint64
	revision uint64
}

// decide measures how long the leader's side takes to find places for the units of lost
// machines, and how long a new leader takes to know the state before it decides.
func (b *bench) decide(store *fleet.Store, term uint64) error {
	c, err := control.New(control.Config{})
	if err != nil {
		return err
	}
	runtime.GC() // what is measured is not what went before
	d := &decider{store: store, control: c, term: term, revision: store.Revision() + 1<<32}
	began := time.Now()
	c.Lead(0, term, store)
	longest := time.Since(began)
	for more := true; more; {
		step := time.Now()
		more = c.Run(0).More
		longest = max(longest, time.Since(step))
	}
	b.result.Takeover = Takeover{Seconds: time.Since(began).Seconds(), LongestStep: micros(longest) / 1e3}
	all := newTimes()
	for i := range b.Losses {
		took, err := d.lose(machineID((i*7919 + 2) % b.Machines))
		if err != nil {
			return err
		}
		all.add(took)
	}
	b.result.Loss.Decide = all.latency()
	return nil
}

// lose ends a machine's session, and returns how long it took to decide where its units
// go.
func (d *decider) lose(id string) (took time.Duration, err error) {
	m, _ := d.store.Machine(id)
	units := uint64(len(d.store.PlacedOn(id)))
	if _, err := d.apply(&fleet.Command{Close: &fleet.Close{Machine: id, Session: m.Session}}); err != nil {
		return 0, fmt.Errorf("end of machine %s: %w", id, err)
	}
	want := d.control.Counters().Moves + units
	var due []control.Proposal
	began := time.Now()
	for d.control.Counters().Moves < want {
		out := d.control.Run(0)
		for _, p := range out.Proposals {
			if p.Command.Place != nil {
				due = append(due, p)
			}
		}
		if !out.More && d.control.Counters().Moves < want {
			return 0, errors.New("units of a lost machine were decided on nowhere")
		}
	}
	took = time.Since(began)
	for more := true; more || len(due) > 0; {
		for _, p := range due {
			out, err := d.apply(p.Command)
			d.control.Settled(0, p.Seq, out, err)
		}
		out := d.control.Run(0)
		due, more = append(due[:0], out.Proposals...), out.More
	}
	return took, nil
}

func (d *decider) apply(c *fleet.Command) (fleet.Outcome, error) {
	d.revision++
	return d.store.Apply(fleet.Env{Revision: d.revision, Term: d.term}, c)
}
