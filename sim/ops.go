package sim

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"drydock/node/api"
	"drydock/sim/history"
)

// staleGet is the load's name for a plain read, which is a get with Stale set.
const staleGet = "stale-get"

// choose draws the next operation.
func (c *client) choose() *history.Op {
	op := &history.Op{Kind: c.kind()}
	if op.Kind == staleGet {
		op.Kind, op.Stale = history.Get, true
	}
	keys := c.w.cfg.Load.Keys
	if op.Kind == history.Append || op.Kind == history.List {
		op.Key = fmt.Sprintf("/q%d", c.rng.IntN(max(1, keys/2)))
	} else {
		op.Key = fmt.Sprintf("/k%d", c.rng.IntN(keys))
	}
	switch op.Kind {
	case history.Put, history.Create, history.Update, history.Append:
		op.Value = c.value()
	case history.CAS:
		op.Value = c.value()
		c.condition(op)
	case history.CAD:
		c.condition(op)
	}
	return op
}

func (c *client) kind() history.Kind {
	total := 0
	for _, w := range c.w.cfg.Load.Mix {
		total += w.Weight
	}
	draw := c.rng.IntN(total)
	for _, w := range c.w.cfg.Load.Mix {
		if draw -= w.Weight; draw < 0 {
			return history.Kind(w.Kind)
		}
	}
	panic("sim: weights of the mix don't add up")
}

// value makes a value that no other write of the run makes.
func (c *client) value() string {
	v := fmt.Sprintf("%s.%d.", c.name, c.count+1)
	if pad := c.w.cfg.Load.ValueBytes - len(v); pad > 0 {
		v += strings.Repeat("x", pad)
	}
	return v
}

// condition makes a compare out of what the client last saw of the key; one
// that has seen nothing guesses, and is refused.
func (c *client) condition(op *history.Op) {
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

// encode writes the operation as an etcd v2 request.
func (c *client) encode(op *history.Op) *api.Request {
	r := &api.Request{Method: "PUT", Target: "/v2/keys" + op.Key, Token: op.Token}
	query := url.Values{}
	switch op.Kind {
	case history.Get, history.List:
		r.Method = "GET"
		if !op.Stale {
			query.Set("quorum", "true")
		}
		if op.Kind == history.List {
			query.Set("sorted", "true")
		}
	case history.Create:
		query.Set("prevExist", "false")
	case history.Update:
		query.Set("prevExist", "true")
	case history.Delete, history.CAD:
		r.Method = "DELETE"
	case history.Append:
		r.Method = "POST"
	}
	if op.PrevValue != nil {
		query.Set("prevValue", *op.PrevValue)
	}
	if op.PrevIndex != 0 {
		query.Set("prevIndex", strconv.FormatUint(op.PrevIndex, 10))
	}
	if len(query) > 0 {
		r.Target += "?" + query.Encode()
	}
	if op.Value != "" {
		r.ContentType = "application/x-www-form-urlencoded"
		r.Body = []byte(url.Values{"value": {op.Value}}.Encode())
	}
	return r
}
