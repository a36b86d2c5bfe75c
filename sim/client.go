package sim

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"drydock/node/api"
	"drydock/sim/event"
	"drydock/sim/history"
	"drydock/sim/impair"
)

// ending says how an attempt ended on the wire.
type ending byte

const (
	answered        ending = iota // there is a response
	refusedByHost                 // nobody listened: the request was never read
	connectionReset               // the process died with the request in its hands
)

// client is one simulated client: it does one operation at a time, over an
// etcd v2 request and response, and writes down what it saw.
type client struct {
	w      *World
	index  int
	name   string
	rng    *rand.Rand
	delay  impair.Sampler
	mind   mind
	target int // index of the machine it talks to

	op      *history.Op // open operation
	attempt uint64
	tries   int
	timer   event.Handle
	count   int
	seen    map[string]seen // what it last saw of each key
	made    string          // the key that its last answer was about
	stopped bool
}

// mind decides what a client does; see ops.go, ttl.go and lock.go.
type mind interface {
	// rest is how long to wait before next is asked.
	rest(c *client) time.Duration
	// next returns the next operation, nil for none now.
	next(c *client) *history.Op
	// learn is told how an operation ended.
	learn(c *client, op *history.Op)
}

// seen is what a client knows of a key.
type seen struct {
	value    string
	modified uint64
}

// newClient makes the index-th client of the run; its name says what it does.
func newClient(w *World, index int, name string, m mind) (*client, error) {
	c := &client{w: w, index: index, name: name, mind: m, seen: make(map[string]seen)}
	c.rng = w.src.Stream("client/" + c.name)
	c.target = index % len(w.cfg.Voters)
	var err error
	c.delay, err = w.cfg.requestTimes()
	return c, err
}

// pause waits before the next operation.
func (c *client) pause() {
	c.w.queue.After(c.mind.rest(c), c.begin)
}

// begin starts the next operation.
func (c *client) begin() {
	if c.stopped {
		return
	}
	op := c.mind.next(c)
	if op == nil {
		c.pause()
		return
	}
	c.count++
	op.ID, op.Client, op.Call = len(c.w.ops)+1, c.name, int64(c.w.now())
	op.Token = fmt.Sprintf("%s-%d", c.name, c.count)
	c.w.ops = append(c.w.ops, op)
	c.op, c.tries = op, 0
	c.timer = c.w.queue.After(c.w.cfg.Load.Timeout, c.timeout)
	c.ask()
}

// ask sends the open operation to the client's member.
func (c *client) ask() {
	c.attempt++
	attempt, m, r := c.attempt, c.endpoint(), c.encode(c.op)
	c.op.Node = m.name
	c.w.queue.After(c.delay.Sample(c.rng), func() { m.front.request(c, attempt, r) })
}

// endpoint returns the machine to talk to; one that is not of the cluster is
// passed over.
func (c *client) endpoint() *machine {
	for range c.w.machines {
		if m := c.w.machines[c.target]; m.status != outside {
			return m
		}
		c.target = (c.target + 1) % len(c.w.machines)
	}
	return c.w.machines[0]
}

// roam moves on to another member after trouble.
func (c *client) roam() {
	if c.w.cfg.Load.Roam {
		c.target = c.rng.IntN(len(c.w.machines))
	}
}

// number implements caller.
func (c *client) number() uint64 { return uint64(c.index) }

// reply implements caller.
func (c *client) reply(attempt uint64, resp *api.Response, how ending) {
	c.w.queue.After(c.delay.Sample(c.rng), func() {
		if resp != nil {
			c.w.trace.add(c.w.now(), traceResponse, uint64(c.index), uint64(resp.Status), resp.Body)
		}
		if c.op == nil || attempt != c.attempt {
			return // too late: it has given up
		}
		c.take(resp, how)
	})
}

// take judges the end of an attempt.
func (c *client) take(resp *api.Response, how ending) {
	outcome := ""
	if resp != nil {
		outcome = resp.Get(api.HeaderOutcome)
	}
	switch {
	case how == connectionReset:
		c.finish(history.Unknown, "connection reset")
		c.roam()
	case how == refusedByHost || outcome == api.Refused.String():
		c.retry()
	case outcome != "":
		c.finish(history.Unknown, "outcome unknown")
		c.roam()
	default:
		if err := c.read(resp); err != nil {
			c.w.referee.nonsense(c.name, err)
			c.finish(history.Unknown, err.Error())
			return
		}
		c.finish(history.OK, "")
	}
}

// retry asks again, elsewhere, for what was certainly not done.
func (c *client) retry() {
	c.roam()
	if c.tries >= c.w.cfg.Load.Retry {
		c.finish(history.Refused, "refused")
		return
	}
	c.tries++
	op := c.op
	c.w.queue.After(c.w.cfg.retryRest(c.tries), func() {
		if c.op == op {
			c.ask()
		}
	})
}

func (c *client) timeout() {
	if c.op == nil {
		return
	}
	attempt, m := c.attempt, c.w.byName[c.op.Node]
	c.w.queue.After(c.delay.Sample(c.rng), func() { m.front.cancel(c, attempt) })
	c.attempt++
	c.finish(history.Unknown, "timed out")
	c.roam()
}

// finish writes down how the operation ended and goes on.
func (c *client) finish(s history.Status, why string) {
	c.w.queue.Cancel(c.timer)
	c.op.Status, c.op.Error = s, why
	if s != history.Unknown {
		c.op.Return = int64(c.w.now())
	}
	op := c.op
	c.op = nil
	c.w.observe(history.Observation{Op: op})
	c.mind.learn(c, op)
	c.pause()
}

// body is what clients read of an answer.
type body struct {
	Action    string   `json:"action"`
	Node      *keyNode `json:"node"`
	PrevNode  *keyNode `json:"prevNode"`
	ErrorCode int      `json:"errorCode"`
}

type keyNode struct {
	Key      string    `json:"key"`
	Value    *string   `json:"value"`
	Dir      bool      `json:"dir"`
	Nodes    []keyNode `json:"nodes"`
	Modified uint64    `json:"modifiedIndex"`
	Created  uint64    `json:"createdIndex"`
	TTL      uint64    `json:"ttl"`
}

// read fills the open operation from an answer.
func (c *client) read(resp *api.Response) error {
	var b body
	if err := json.Unmarshal(resp.Body, &b); err != nil {
		return fmt.Errorf("answer %q: %w", resp.Body, err)
	}
	op := c.op
	var err error
	if op.Revision, err = number(resp, api.HeaderRevision); err != nil {
		return err
	}
	if op.Index, err = number(resp, "X-Etcd-Index"); err != nil {
		return err
	}
	if b.ErrorCode != 0 {
		op.Code = b.ErrorCode
		if b.ErrorCode >= 200 {
			return fmt.Errorf("request %s %s answered %s", op.Kind, op.Key, resp.Body)
		}
		if op.Code == 100 {
			delete(c.seen, op.Key)
		}
		return nil
	}
	if b.Node == nil {
		return fmt.Errorf("answer without a node: %s", resp.Body)
	}
	c.fill(op, &b)
	return nil
}

func (c *client) fill(op *history.Op, b *body) {
	op.Modified, op.Created, op.Left = b.Node.Modified, b.Node.Created, b.Node.TTL
	c.made = b.Node.Key
	switch op.Kind {
	case history.Get:
		op.Out = b.Node.Value
		if b.Node.Value != nil && !op.Stale {
			c.seen[op.Key] = seen{*b.Node.Value, b.Node.Modified}
		}
	case history.List:
		op.Items = make([]history.Item, 0, len(b.Node.Nodes))
		for _, n := range b.Node.Nodes {
			item := history.Item{Key: n.Key, Created: n.Created}
			if n.Value != nil {
				item.Value = *n.Value
			}
			op.Items = append(op.Items, item)
		}
	case history.Delete, history.CAD:
		delete(c.seen, op.Key)
		c.previous(op, b)
	case history.Append:
		c.previous(op, b)
	default:
		value := op.Value
		if op.Refresh && b.Node.Value != nil {
			value = *b.Node.Value
		}
		c.seen[op.Key] = seen{value, op.Modified}
		c.previous(op, b)
	}
}

func (c *client) previous(op *history.Op, b *body) {
	op.Fresh = b.PrevNode == nil
	if b.PrevNode != nil {
		op.Out = b.PrevNode.Value
	}
}

func number(resp *api.Response, header string) (uint64, error) {
	v, err := strconv.ParseUint(resp.Get(header), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("header %s of %q: %w", header, resp.Body, err)
	}
	return v, nil
}
