package load

import (
	"fmt"
	"time"

	"drydock/sim/history"
)

// Lock is the load of clients that take locks in turns.
type Lock struct {
	// Locks is how many they share. With Queue, keys are created in order under a
	// directory, and the first one holds the lock; else whoever creates the key does.
	Locks int
	Queue bool
	// TTL is after what time a lock that nobody renews falls free, in whole seconds; Hold
	// the mean time that one is kept, Think the mean rest between tries.
	TTL, Hold, Think time.Duration

	_ struct{}
}

// NewLockClient returns a client that takes locks as users of etcd v2 do: a key that is
// created if it is absent, or the lowest of the keys created in order, with a time to
// live that its holder renews, given back by compare-and-delete. A holder trusts its own
// clock from the moment it asked.
func NewLockClient(name string, c Cluster, rec *Recorder, o Options, l Lock) *Client {
	return newClient(name, c, rec, o, &lockMind{load: l})
}

// standing is where a client is with its lock.
type standing byte

const (
	lockIdle   standing = iota // wants none, or will try again
	lockUnsure                 // it is not known what became of its try: look whose it is
	lockQueued                 // its key is in the queue
	lockHeld
)

// looksMost is how often a try of unknown end is looked after.
const looksMost = 3

type lockMind struct {
	load  Lock
	state standing
	key   string // the lock: a key, or the queue's directory
	mine  string // its own key
	value string // what it wrote there
	// until is when its key falls free, unless renewed; free when it wants to give the
	// lock back; asked when the write was asked for that until is counted from.
	until, free time.Duration
	asked       int64
	token       string // of the request that made its key
	held        *history.Hold
	looks       int
}

// rest is short while a lock is held or waited for, so that it is renewed.
func (m *lockMind) rest(c *Client) time.Duration {
	switch m.state {
	case lockHeld:
		return m.load.TTL / 6
	case lockUnsure:
		return 10 * time.Millisecond
	}
	return c.gap(m.load.Think)
}

func (m *lockMind) next(c *Client) *history.Op {
	if m.state == lockHeld && c.now() >= m.until {
		m.end(c, m.until) // it could not be renewed in time
		m.held = nil
	}
	switch m.state {
	case lockUnsure:
		return m.look()
	case lockQueued:
		if c.rng.IntN(3) == 0 {
			return m.renew()
		}
		return m.look()
	case lockHeld:
		now := c.now()
		if now < m.free {
			return m.renew()
		}
		m.end(c, now) // from now on it may be gone
		value := m.value
		return &history.Op{Kind: history.CAD, Key: m.mine, PrevValue: &value}
	}
	return m.try(c)
}

// try asks for a lock.
func (m *lockMind) try(c *Client) *history.Op {
	m.value, m.looks = c.value(), 0
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

func (m *lockMind) learn(c *Client, op *history.Op) {
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
			m.end(c, min(c.now(), m.until))
			m.held = nil
		}
		m.state = lockIdle
	case op.Status == history.OK:
		m.looked(c, op)
	}
}

// tried is told how a try has ended.
func (m *lockMind) tried(c *Client, op *history.Op, done bool) {
	m.until, m.asked, m.token = time.Duration(op.Call)+m.load.TTL, op.Call, op.Token
	switch {
	case op.Status == history.Unknown:
		m.state = lockUnsure
	case !done:
		m.state = lockIdle
	case m.load.Queue:
		m.state, m.mine = lockQueued, c.made
	case c.now() < m.until:
		m.take(c, op.Created, op.Index)
	default:
		m.state = lockIdle // the answer has come too late
	}
}

// looked judges what a read of the lock shows.
func (m *lockMind) looked(c *Client, op *history.Op) {
	m.looks++
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
	case fence != 0 && c.now() < m.until:
		m.take(c, fence, op.Index)
	case m.state == lockQueued || m.looks >= looksMost:
		m.state = lockIdle // its key is gone, or never was
	}
}

// take begins to hold. The belief begins when the answer came, which is before now.
func (m *lockMind) take(c *Client, fence, index uint64) {
	now := c.now()
	m.state, m.free = lockHeld, now+c.gap(m.load.Hold)
	m.held = &history.Hold{
		Client: c.name, Lock: m.key, Key: m.mine, Token: m.token, Fence: fence, Index: index,
		TTL: m.seconds(), Acquired: int64(now), Renewed: m.asked,
	}
	c.rec.holds(m.held)
}

// end stops believing in the lock, as of at.
func (m *lockMind) end(_ *Client, at time.Duration) {
	m.state, m.held.Ended = lockIdle, int64(at)
}
