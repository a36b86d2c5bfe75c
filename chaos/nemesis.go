package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// The profiles of a nemesis.
const (
	// Everything draws from all faults that the world can inject, at moderate
	// rates, so that they overlap.
	Everything = "everything"
	// Swarm draws first which faults there are, how often they strike and how
	// strong they are: runs differ more from one another than those of one
	// fixed mixture do.
	Swarm = "swarm"
)

// DrawnPrefix begins the names of steps that a nemesis has drawn.
const DrawnPrefix = "drawn-"

// Nemesis draws plans of faults. The plan is data like one that was written:
// it can be recorded, cut down and run again.
//
// A drawn plan never asks a world to destroy what it cannot spare, and strikes
// fewer disks for good than would take a majority away; what is safe at a
// moment is for the world to say, which refuses the rest.
type Nemesis struct {
	Profile string
	// From and Until bound the times at which faults strike.
	From, Until time.Duration
	// PerMinute is the mean number of faults in a minute; a swarm has between a
	// third and three times as many.
	PerMinute int
	// Voters are the members at the start, Spares machines that may join.
	Voters, Spares []string
	// Workers says that there are machines that run units.
	Workers bool
	// Supports says which faults the world can inject; nil: all.
	Supports func(Kind) error
	// Mixed says that members start with releases of their own, which faults
	// then change.
	Mixed bool
	// Only, if not empty, are the faults to draw from; Without are left out.
	Only, Without []Kind
	_             struct{}
}

// dealer draws the steps of one plan.
type dealer struct {
	rng *rand.Rand
	n   *Nemesis
	// force is how strong faults are and long how long they last, in percent.
	force, long int
	// whom biases who is struck: the leader, followers, or any.
	whom []Selector
	// spoiled counts disks struck for good, joined the spares used up.
	spoiled, joined int
	// inside are spares that have joined and not left.
	inside []string
}

// Draw makes the plan of one run.
func (n *Nemesis) Draw(rng *rand.Rand) Plan {
	d := &dealer{rng: rng, n: n, force: 100, long: 100, whom: []Selector{Leader, Leader, Follower, Any}}
	cards, perMinute := n.cards(), max(1, n.PerMinute)
	if n.Profile == Swarm {
		cards = d.swarm(cards)
		perMinute = max(1, perMinute*pick(rng, 33, 50, 100, 100, 200, 300)/100)
	}
	total := 0
	for _, c := range cards {
		total += c.weight
	}
	if total == 0 {
		return Plan{}
	}
	var plan Plan
	gap := int64(time.Minute) / int64(perMinute)
	for at := n.From + time.Duration(rng.Int64N(gap)); at < n.Until; at += time.Duration(gap/5 + rng.Int64N(gap*8/5)) {
		draw := rng.IntN(total)
		i := slices.IndexFunc(cards, func(c card) bool { draw -= c.weight; return draw < 0 })
		params, length := cards[i].deal(d)
		if params == nil {
			continue // there is none left of these
		}
		// Milliseconds are what people write.
		plan.Steps = append(plan.Steps, Step{
			Name: fmt.Sprintf(DrawnPrefix+"%d-%s", len(plan.Steps)+1, params.Kind()),
			At:   at.Truncate(time.Millisecond), AtSet: true, For: length, Fault: params, Drawn: true,
		})
	}
	return plan
}

// cards are the faults that may be drawn.
func (n *Nemesis) cards() []card {
	cards := deck()
	if n.Mixed {
		cards = append(cards, upgradeCards()...)
	}
	if n.Workers {
		cards = append(withinLeases(cards), workerCards()...)
	}
	return slices.DeleteFunc(cards, func(c card) bool {
		return slices.Contains(n.Without, c.kind) || (len(n.Only) > 0 && !slices.Contains(n.Only, c.kind)) ||
			(n.Supports != nil && n.Supports(c.kind) != nil)
	})
}

// swarm draws which of the cards there are, and the character of the run.
func (d *dealer) swarm(cards []card) []card {
	d.force, d.long = pick(d.rng, 50, 100, 100, 200), pick(d.rng, 30, 100, 100, 200)
	switch d.rng.IntN(4) {
	case 0:
		d.whom = []Selector{Leader}
	case 1:
		d.whom = []Selector{Follower, Any}
	}
	chance := pick(d.rng, 15, 30, 50, 80)
	var kept []card
	for _, c := range cards {
		in := d.rng.IntN(100) < chance
		if weight := c.weight * pick(d.rng, 1, 2, 4, 8); in {
			c.weight = weight
			kept = append(kept, c)
		}
	}
	if len(kept) == 0 && len(cards) > 0 {
		kept = append(kept, cards[d.rng.IntN(len(cards))])
	}
	return kept
}

// pick draws one of the values.
func pick[T any](rng *rand.Rand, values ...T) T { return values[rng.IntN(len(values))] }

// node draws whom a fault strikes.
func (d *dealer) node() Selectors { return Selectors{pick(d.rng, d.whom...)} }

// time draws a length from least to most, stretched by the run's character, in
// whole milliseconds.
func (d *dealer) time(least, most time.Duration) time.Duration {
	t := least + time.Duration(d.rng.Int64N(int64(most-least)+1))
	return max((t * time.Duration(d.long) / 100).Truncate(time.Millisecond), time.Millisecond)
}

// latency draws how much slower something gets.
func (d *dealer) latency(least, most time.Duration) time.Duration {
	t := least + time.Duration(d.rng.Int64N(int64(most-least)+1))
	return max((t * time.Duration(d.force) / 100).Truncate(time.Millisecond), time.Millisecond)
}

// chance draws a probability of so many percent.
func (d *dealer) chance(least, most int) Probability {
	percent := (least + d.rng.IntN(most-least+1)) * d.force / 100
	return Probability(min(max(percent, 1), 90)) / 100
}

// spoil says whether one more disk may be struck for good: a minority at most.
func (d *dealer) spoil() bool {
	if d.spoiled >= (len(d.n.Voters)-1)/2 {
		return false
	}
	d.spoiled++
	return true
}

// back draws how long a dead process stays away: now and then, hardly at all.
func (d *dealer) back() time.Duration {
	if d.rng.IntN(4) == 0 {
		return d.time(1*time.Millisecond, 30*time.Millisecond)
	}
	return d.time(100*time.Millisecond, 2500*time.Millisecond)
}
