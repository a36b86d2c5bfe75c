package sim

import (
	"fmt"
	"time"

	"drydock/sim/dist"
	"drydock/sim/history"
)

// lockState is where a client stands with its lock.
type lockState byte

const (
	lockIdle   lockState = iota // wants none, or will try again
	lockAsk                     // the answer to its try is unknown: look whose it is
	lockQueued                  // its key is in the queue
	lockHeld
)

// lockMind takes locks in turns, the way that clients of etcd v2 do: a key
// created if it is absent, or the lowest of the keys created in order under a
// directory; with a time to live that its holder renews; given back by
// compare-and-delete. A holder trusts its own clock from the moment it asked,
// and gives up a lock that it could not renew in time.
type lockMind struct {
	load        *LockLoad
	think, hold dist.Dist

	state lockState
	key   string // the lock: a key, or the queue's directory
	mine  string // its own key of the queue; the lock itself without a queue
	value string // what it wrote into it
	// until is when its key falls free, on its own clock, unless renewed.
	until   time.Duration
	release time.Duration // when it wants to give the lock back
	asked   int64         // when the write was asked that set until
	token   string        // the request that made its key
	held    *history.Hold
	probes  int
}

func newLockMind(l *LockLoad) (*lockMind, error) {
	m := &lockMind{load: l}
	var err error
	if m.think, err = gaps(l.Think); err != nil {
		return nil, err
	}
	m.hold, err = gaps(l.Hold)
	return m, err
}

// rest is short while a lock is held or waited for, so that it is renewed.
func (m *lockMind) rest(c *client) time.Duration {
	switch m.state {
	case lockHeld:
		return m.load.TTL / 6
	case lockAsk:
		return 10 * time.Millisecond
	}
	return m.think.Sample(c.rng)
}

func (m *lockMind) next(c *client) *history.Op {
	if m.state == lockHeld && c.w.now() >= m.until {
		m.end(c, m.until) // it could not be renewed in time
		m.held = nil
	}
	switch m.state {
	case lockAsk:
		return m.look()
	case lockQueued:
		if c.rng.IntN(3) == 0 {
			return m.renew()
		}
		return m.look()
	case lockHeld:
		if c.w.now() < m.release {
			return m.renew()
		}
		// From now on it may be gone.
		m.end(c, c.w.now())
		value := m.value
		return &history.Op{Kind: history.CAD, Key: m.mine, PrevValue: &value}
	}
	return m.try(c)
}

// try asks for a lock.
func (m *lockMind) try(c *client) *history.Op {
	m.value, m.probes = c.value(0), 0
	op := &history.Op{Kind: history.Create, Value: m.value, TTL: m.seconds()}
	m.key = fmt.Sprintf("/lock%d", c.rng.IntN(m.load.Locks))
	m.mine = m.key
	if m.load.Queue {
		m.key = fmt.Sprintf("/line%d", c.rng.IntN(m.load.Locks))
		m.mine, op.Kind = "", history.Append
	}
	op.Key = m.key
	return op
}

func (m *lockMind) renew() *history.Op {
	value := m.value
	return &history.Op{Kind: history.CAS, Key: m.mine, PrevValue: &value, Refresh: true, TTL: m.seconds()}
}

func (m *lockMind) look() *history.Op {
	if m.load.Queue {
		return &history.Op{Kind: history.List, Key: m.key}
	}
	return &history.Op{Kind: history.Get, Key: m.key}
}

func (m *lockMind) seconds() uint64 { return uint64(m.load.TTL / time.Second) }

func (m *lockMind) learn(c *client, op *history.Op) {
	done := op.Status == history.OK && op.Code == 0
	// The store's word counts against the belief only if it came in time.
	against := op.Status == history.OK && op.Code != 0 && time.Duration(op.Return) < m.until
	switch {
	case op.Kind == history.CAD:
		m.held.Released, m.held.Lost = done, against
		m.held = nil
	case op.Kind == history.Create || op.Kind == history.Append:
		m.tried(c, op, done)
	case op.Refresh && done:
		m.until, m.asked = time.Duration(op.Call)+m.load.TTL, op.Call
		if m.held != nil {
			m.held.Renewed = op.Call
		}
	case op.Refresh && op.Status == history.OK:
		if m.held != nil {
			m.held.Lost = against
			m.end(c, min(c.w.now(), m.until))
			m.held = nil
		}
		m.state = lockIdle
	case op.Status == history.OK:
		m.looked(c, op)
	}
}

// tried is told how a try ended.
func (m *lockMind) tried(c *client, op *history.Op, done bool) {
	m.until, m.asked, m.token = time.Duration(op.Call)+m.load.TTL, op.Call, op.Token
	switch {
	case op.Status == history.Unknown:
		m.state = lockAsk
	case !done:
		m.state = lockIdle
	case m.load.Queue:
		m.state, m.mine = lockQueued, c.made
	default:
		m.take(c, op.Created, op.Index)
	}
}

// looked judges what a read of the lock shows.
func (m *lockMind) looked(c *client, op *history.Op) {
	m.probes++
	fence := uint64(0)
	if op.Kind == history.Get && op.Out != nil && *op.Out == m.value {
		fence = op.Created
	}
	for i := range op.Items {
		if op.Items[i].Value != m.value {
			continue
		}
		m.state, m.mine = lockQueued, op.Items[i].Key
		if i > 0 {
			return // others come first
		}
		fence = op.Items[i].Created
	}
	switch {
	case fence != 0 && c.w.now() < m.until:
		m.take(c, fence, op.Index)
	case m.state == lockQueued || m.probes >= 3:
		m.state = lockIdle // its key is gone, or never was
	}
}

// take begins to hold.
func (m *lockMind) take(c *client, fence, index uint64) {
	m.state = lockHeld
	m.release = c.w.now() + m.hold.Sample(c.rng)
	m.held = &history.Hold{
		Client: c.name, Lock: m.key, Key: m.mine, Token: m.token, Fence: fence, Index: index,
		TTL: m.seconds(), Acquired: int64(c.w.now()), Renewed: m.asked,
	}
	c.w.holds = append(c.w.holds, m.held)
	c.w.observe(history.Observation{Hold: m.held})
}

// end stops believing in the lock, as of at.
func (m *lockMind) end(c *client, at time.Duration) {
	m.state, m.held.Ended = lockIdle, int64(at)
	c.w.observe(history.Observation{Hold: m.held})
}
