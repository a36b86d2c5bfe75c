package kv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"drydock/bench/pairs"
)

// failoverMembers is the size of the cluster whose leader goes; trialTime is when a
// trial is given up.
const (
	failoverMembers = 3
	trialTime       = time.Minute
)

// Kinds of failover.
const (
	killed  = "kill"
	stopped = "stop"
)

// errNoWrite says that a cluster did not come back.
var errNoWrite = errors.New("kv: no write was acknowledged")

// Failover is how long writes were not acknowledged when leaders went, by system.
type Failover struct {
	// Kind is kill (SIGKILL: from the kill to the first acknowledgment of a write
	// that was sent after the process was gone) or stop (SIGTERM: the longest time
	// without an acknowledgment).
	Kind string `json:"kind"`
	// Timers were the same for all systems.
	Timers Timers             `json:"timers"`
	Trials map[string][]Trial `json:"trials"`
	// Failures are trials after which no write was acknowledged for a minute, or
	// the leader did not stop.
	Failures []Failure    `json:"failures,omitempty"`
	Ratio    *pairs.Ratio `json:"ratio,omitempty"`
}

// Trial is one leader that went. Times are in milliseconds.
type Trial struct {
	// Pair is which of the trials, from 0.
	Pair int `json:"pair"`
	// Gap is how long writes were not acknowledged.
	Gap float64 `json:"gap"`
	// Before is the longest time without an acknowledgment before a leader was
	// stopped: what the trial can't resolve.
	Before float64 `json:"before,omitempty"`
}

func (f *Failover) gaps(system string, of func(Trial) float64) []float64 {
	var list []float64
	for _, t := range f.Trials[system] {
		list = append(list, of(t))
	}
	return list
}

// failovers kills and stops leaders of each system in turns, with the same timers.
func (b *bench) failovers(ctx context.Context, dir string, t Timers) error {
	clusters, err := b.clusters(ctx, dir, failoverMembers, t)
	for _, c := range clusters {
		defer c.close()
	}
	if err != nil {
		return err
	}
	for _, kind := range []string{killed, stopped} {
		f := Failover{Kind: kind, Timers: t, Trials: make(map[string][]Trial)}
		trials := b.Kills
		if kind == stopped {
			trials = b.Stops
		}
		for i := range trials {
			for _, k := range b.rng.Perm(len(clusters)) {
				c := clusters[k]
				b.Progress(fmt.Sprintf("trial %d of %d: %s the leader of %s", i+1, trials, kind, c.sys.Name))
				if err := b.once(ctx, c, &f, i); err != nil {
					return err
				}
			}
		}
		if trials > 0 {
			if err := f.judge(b.report.Systems, b.Seed); err != nil {
				return err
			}
			b.report.Failovers = append(b.report.Failovers, f)
		}
	}
	return nil
}

// judge compares two systems' trials, those that came off with both.
func (f *Failover) judge(systems []SystemInfo, seed uint64) error {
	if len(systems) < 2 {
		return nil
	}
	var one, other []float64
	for _, a := range f.Trials[systems[0].Name] {
		for _, b := range f.Trials[systems[1].Name] {
			if a.Pair == b.Pair {
				one, other = append(one, a.Gap), append(other, b.Gap)
			}
		}
	}
	r, err := pairs.Compare(one, other, seed)
	f.Ratio = &r
	return err
}

// once makes a trial and has the cluster whole again afterwards. A trial that fails
// is a result as well; its error is one that ends all.
func (b *bench) once(ctx context.Context, c *cluster, f *Failover, pair int) error {
	t, err := b.trial(ctx, c, f.Kind)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		f.Failures = append(f.Failures, Failure{System: c.sys.Name, Reason: err.Error()})
		c.close() // whatever state it is in
	default:
		t.Pair = pair
		f.Trials[c.sys.Name] = append(f.Trials[c.sys.Name], t)
	}
	return c.start(ctx)
}

// trial makes a cluster lose its leader.
func (b *bench) trial(ctx context.Context, c *cluster, kind string) (Trial, error) {
	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	if err := pause(ctx, time.Duration(b.rng.Int64N(int64(b.settling)))); err != nil {
		return Trial{}, err
	}
	lead, err := c.leader(ctx)
	if err != nil {
		return Trial{}, err
	}
	var rest []string
	for i, addr := range c.addrs {
		if i != lead {
			rest = append(rest, addr)
		}
	}
	p := startProbe(ctx, rest)
	defer p.stop()
	if err := pause(ctx, b.probing); err != nil {
		return Trial{}, err
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	at := p.now()
	if kind == killed {
		c.procs[lead].kill()
		acked, err := p.firstSentAfter(ctx, p.now())
		return Trial{Gap: ms(acked - at)}, err
	}
	if err := c.procs[lead].stop(); err != nil {
		return Trial{}, err
	}
	if _, err := p.firstSentAfter(ctx, p.now()); err != nil {
		return Trial{}, err
	}
	err = pause(ctx, b.probing)
	return Trial{Gap: ms(p.longestGap(at, p.now())), Before: ms(p.longestGap(0, at))}, err
}
