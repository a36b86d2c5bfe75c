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

// Failover is how long writes were not acknowledged when leaders went, in
// milliseconds, by system and trial.
type Failover struct {
	// Kind is kill (SIGKILL: from the kill to the first acknowledgment of a write
	// that was sent after the process was gone) or stop (SIGTERM: the longest time
	// without an acknowledgment).
	Kind string `json:"kind"`
	// Timers were the same for all systems.
	Timers Timers               `json:"timers"`
	Trials map[string][]float64 `json:"trials"`
	// Before is the longest time without an acknowledgment before the leader was
	// stopped: what the trial can't resolve.
	Before map[string][]float64 `json:"before,omitempty"`
	Ratio  *pairs.Ratio         `json:"ratio,omitempty"`
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
		f := Failover{Kind: kind, Timers: t, Trials: make(map[string][]float64)}
		trials := b.Kills
		if kind == stopped {
			trials, f.Before = b.Stops, make(map[string][]float64)
		}
		for i := range trials {
			for _, k := range b.rng.Perm(len(clusters)) {
				c := clusters[k]
				b.Progress(fmt.Sprintf("trial %d of %d: %s the leader of %s", i+1, trials, kind, c.sys.Name))
				if err := b.trial(ctx, c, &f); err != nil {
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

// judge compares two systems' trials.
func (f *Failover) judge(systems []SystemInfo, seed uint64) error {
	if len(systems) < 2 {
		return nil
	}
	r, err := pairs.Compare(f.Trials[systems[0].Name], f.Trials[systems[1].Name], seed)
	f.Ratio = &r
	return err
}

// trial makes a cluster lose its leader, and has it whole again afterwards.
func (b *bench) trial(ctx context.Context, c *cluster, f *Failover) error {
	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	if err := pause(ctx, time.Duration(b.rng.Int64N(int64(b.settling)))); err != nil {
		return err
	}
	lead, err := c.leader(ctx)
	if err != nil {
		return err
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
		return err
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	name := c.sys.Name
	at := p.now()
	if f.Kind == killed {
		c.procs[lead].kill()
		acked, err := p.firstSentAfter(ctx, p.now())
		if err != nil {
			return fmt.Errorf("%s, after its leader was killed: %w", name, err)
		}
		f.Trials[name] = append(f.Trials[name], ms(acked-at))
	} else {
		if err := c.procs[lead].stop(); err != nil {
			return err
		}
		if _, err := p.firstSentAfter(ctx, p.now()); err != nil {
			return fmt.Errorf("%s, after its leader was stopped: %w", name, err)
		}
		if err := pause(ctx, b.probing); err != nil {
			return err
		}
		f.Trials[name] = append(f.Trials[name], ms(p.longestGap(at, p.now())))
		f.Before[name] = append(f.Before[name], ms(p.longestGap(0, at)))
	}
	p.stop()
	return c.start(ctx)
}
