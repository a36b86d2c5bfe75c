package procs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"drydock/vmlab/evidence"
	"drydock/vmlab/load"
)

// strike is a fault that was carried out.
type strike struct {
	at   time.Duration
	text string
}

// nemesis strikes processes, one fault after the other.
type nemesis struct {
	c     *Cluster
	rec   *load.Recorder
	disks *evidence.Disks
	rng   *rand.Rand

	strikes []strike
	// kinds counts the strikes.
	kinds map[string]int
}

// The faults, by weight.
const (
	killOne    = "kill"
	killLeader = "kill-leader"
	killMost   = "kill-majority"
	killAll    = "kill-all"
	pauseOne   = "pause"
	pauseLead  = "pause-leader"
	stopOne    = "stop"
)

var faults = []struct {
	kind   string
	weight int
}{
	{killOne, 5}, {killLeader, 6}, {killMost, 2}, {killAll, 3}, {pauseOne, 3}, {pauseLead, 4}, {stopOne, 2},
}

func newNemesis(c *Cluster, rec *load.Recorder, d *evidence.Disks, seed uint64) *nemesis {
	return &nemesis{c: c, rec: rec, disks: d, rng: rand.New(rand.NewPCG(seed, load.Hash("nemesis"))), kinds: map[string]int{}}
}

// run strikes until the context ends, then heals: everything runs again. Some
// faults of each run are of every kind, however short it is: they are drawn
// without putting them back.
func (n *nemesis) run(ctx context.Context) error {
	var deck []string
	for ctx.Err() == nil {
		if pause(ctx, n.between(400*time.Millisecond, 1800*time.Millisecond)) != nil {
			break
		}
		if len(deck) == 0 {
			deck = n.shuffled()
		}
		if err := n.strike(ctx, deck[0]); err != nil {
			return err
		}
		deck = deck[1:]
	}
	return n.heal()
}

// shuffled is a deck of faults: first one of each kind, then by weight.
func (n *nemesis) shuffled() []string {
	var once, more []string
	for _, f := range faults {
		once = append(once, f.kind)
		for range f.weight - 1 {
			more = append(more, f.kind)
		}
	}
	n.rng.Shuffle(len(once), func(i, j int) { once[i], once[j] = once[j], once[i] })
	n.rng.Shuffle(len(more), func(i, j int) { more[i], more[j] = more[j], more[i] })
	return append(once, more...)
}

func (n *nemesis) between(least, most time.Duration) time.Duration {
	return least + time.Duration(n.rng.Int64N(int64(most-least)))
}

// strike carries a fault out and undoes it after a while.
func (n *nemesis) strike(ctx context.Context, kind string) error {
	one := n.rng.IntN(n.c.Size())
	if kind == killLeader || kind == pauseLead {
		if lead := n.c.Leader(ctx); lead >= 0 {
			one = lead
		}
	}
	n.kinds[kind]++
	down := n.between(50*time.Millisecond, 1500*time.Millisecond)
	switch kind {
	case pauseOne, pauseLead:
		n.note("%s %s for %v", kind, n.c.Name(one), down.Round(time.Millisecond))
		if err := n.c.Pause(one); err != nil {
			return fmt.Errorf("pause %s: %w", n.c.Name(one), err)
		}
		_ = pause(ctx, down)
		return n.c.Resume(one)
	case killMost:
		other := (one + 1) % n.c.Size()
		n.note("%s %s %s for %v", kind, n.c.Name(one), n.c.Name(other), down.Round(time.Millisecond))
		n.c.Kill(one)
		n.c.Kill(other)
	case killAll:
		n.note("%s for %v", kind, down.Round(time.Millisecond))
		n.c.KillAll()
	case stopOne:
		n.note("%s %s for %v", kind, n.c.Name(one), down.Round(time.Millisecond))
		if err := n.c.Stop(one); err != nil {
			return err
		}
	default:
		n.note("%s %s for %v", kind, n.c.Name(one), down.Round(time.Millisecond))
		n.c.Kill(one)
	}
	_ = pause(ctx, down)
	return n.raise()
}

func (n *nemesis) note(format string, args ...any) {
	n.strikes = append(n.strikes, strike{at: time.Duration(n.rec.Now()), text: fmt.Sprintf(format, args...)})
}

// raise starts what does not run, in an order that the seed decides. Its log is
// read before: a long run recycles what is old.
func (n *nemesis) raise() error {
	var errs []error
	for _, i := range n.rng.Perm(n.c.Size()) {
		if up, _ := n.c.Running(i); up {
			continue
		}
		n.rec.Restarted(n.c.Name(i))
		errs = append(errs, n.disks.Read(i), n.c.Start(i))
	}
	return errors.Join(errs...)
}

// heal lets everything run.
func (n *nemesis) heal() error {
	for i := range n.c.Size() {
		if _, paused := n.c.Running(i); paused {
			if err := n.c.Resume(i); err != nil {
				return err
			}
		}
	}
	n.note("heal")
	return n.raise()
}
