package load

import (
	"fmt"
	"strings"
	"time"

	"drydock/sim/history"
)

// keysMind draws operations on the keyspace by their weights, each by itself.
type keysMind struct{}

func (keysMind) rest(c *Client) time.Duration { return c.gap(c.o.Think) }

func (keysMind) learn(*Client, *history.Op) {}

func (keysMind) next(c *Client) *history.Op {
	op := c.draw()
	if op.Kind == history.Append || op.Kind == history.List {
		op.Key = fmt.Sprintf("/q%d", c.rng.IntN(max(1, c.o.Keys/3)))
	} else {
		op.Key = fmt.Sprintf("/k%d", c.rng.IntN(c.o.Keys))
	}
	switch op.Kind {
	case history.Put, history.Create, history.Update, history.Append, history.CAS:
		op.Value = c.value()
	}
	if op.Kind == history.CAS || op.Kind == history.CAD {
		known, ok := c.seen[op.Key]
		if !ok {
			known = seen{value: "never-written", modified: 1}
		}
		if c.rng.IntN(2) == 0 {
			op.PrevValue = &known.value
		} else {
			op.PrevIndex = known.modified
		}
	}
	return op
}

// value makes a value that no other write of the run makes.
func (c *Client) value() string {
	v := fmt.Sprintf("%s.%d", c.name, c.count+1)
	if pad := c.o.ValueBytes - len(v) - 1; pad > 0 {
		v += "." + strings.Repeat("x", pad)
	}
	return v
}

func (c *Client) draw() *history.Op {
	total := 0
	for _, m := range c.o.Mix {
		total += m.Weight
	}
	at := c.rng.IntN(total)
	for _, m := range c.o.Mix {
		if at -= m.Weight; at < 0 {
			return &history.Op{Kind: m.Kind, Stale: m.Stale}
		}
	}
	panic("load: the weights of the mix don't add up")
}
