package sim

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"drydock/node/api"
	"drydock/sim/dist"
	"drydock/sim/history"
)

// staleGet is the load's name for a plain read, which is a get with Stale set.
const staleGet = "stale-get"

// kvMind draws operations on the keyspace by their weights, each by itself.
type kvMind struct {
	load  *Load
	think dist.Dist
}

func newKVMind(l *Load) (*kvMind, error) {
	mean := l.Think
	if l.Rate > 0 {
		mean = time.Duration(float64(time.Second) / l.Rate)
	}
	think, err := gaps(mean)
	return &kvMind{load: l, think: think}, err
}

// gaps are exponentially distributed times; a mean of 0 is no time at all.
func gaps(mean time.Duration) (dist.Dist, error) {
	if mean <= 0 {
		return dist.Dist{}, nil
	}
	return dist.New(dist.Spec{Kind: dist.Exponential, Mean: mean, Max: 20 * mean})
}

func (m *kvMind) rest(c *client) time.Duration { return m.think.Sample(c.rng) }

func (m *kvMind) learn(*client, *history.Op) {}

func (m *kvMind) next(c *client) *history.Op {
	op := &history.Op{Kind: m.kind(c)}
	if op.Kind == staleGet {
		op.Kind, op.Stale = history.Get, true
	}
	keys := m.load.Keys
	if op.Kind == history.Append || op.Kind == history.List {
		op.Key = fmt.Sprintf("/q%d", c.rng.IntN(max(1, keys/2)))
	} else {
		op.Key = fmt.Sprintf("/k%d", c.rng.IntN(keys))
	}
	switch op.Kind {
	case history.Put, history.Create, history.Update, history.Append:
		op.Value = c.value(m.load.ValueBytes)
	case history.CAS:
		op.Value = c.value(m.load.ValueBytes)
		c.condition(op)
	case history.CAD:
		c.condition(op)
	}
	return op
}

func (m *kvMind) kind(c *client) history.Kind {
	total := 0
	for _, w := range m.load.Mix {
		total += w.Weight
	}
	draw := c.rng.IntN(total)
	for _, w := range m.load.Mix {
		if draw -= w.Weight; draw < 0 {
			return history.Kind(w.Kind)
		}
	}
	panic("sim: weights of the mix don't add up")
}

// value makes a value that no other write of the run makes.
func (c *client) value(length int) string {
	v := fmt.Sprintf("%s.%d.", c.name, c.count+1)
	if pad := length - len(v); pad > 0 {
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
	if op.Refresh {
		query.Set("refresh", "true")
	}
	if op.TTL > 0 {
		query.Set("ttl", strconv.FormatUint(op.TTL, 10))
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
