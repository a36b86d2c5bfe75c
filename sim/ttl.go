package sim

import (
	"fmt"
	"time"

	"drydock/sim/dist"
	"drydock/sim/history"
	"drydock/sim/impair"
)

// maxRefreshes is how often a key's time to live is renewed at most.
const maxRefreshes = 4

// ttlMind writes keys that expire and reads each until it is gone.
type ttlMind struct {
	load  *TTLLoad
	bytes int
	think dist.Dist

	key string // the key that it follows; "" for none
	// refreshes are still to come; ttl is that of the key, in seconds, and
	// giveUp when it stops following a key that just doesn't go.
	refreshes int
	ttl       uint64
	giveUp    time.Duration
}

func newTTLMind(l *TTLLoad, valueBytes int) (*ttlMind, error) {
	think, err := gaps(l.Think)
	return &ttlMind{load: l, bytes: valueBytes, think: think}, err
}

func (m *ttlMind) rest(c *client) time.Duration { return m.think.Sample(c.rng) }

func (m *ttlMind) next(c *client) *history.Op {
	if m.key != "" && c.w.now() > m.giveUp {
		m.key = ""
	}
	if m.key == "" {
		return m.write(c)
	}
	if m.refreshes > 0 && c.rng.IntN(3) == 0 {
		m.refreshes--
		return &history.Op{Kind: history.Update, Key: m.key, Refresh: true, TTL: m.seconds(c)}
	}
	// One read in eight is of the member's own copy: it may be late, but what
	// it shows was once so.
	return &history.Op{Kind: history.Get, Key: m.key, Stale: c.rng.IntN(8) == 0}
}

// write begins with a key: mostly one that expires, now and then one that
// takes an earlier time to live away.
func (m *ttlMind) write(c *client) *history.Op {
	op := &history.Op{Kind: history.Put, Key: fmt.Sprintf("/t%d", c.rng.IntN(m.load.Keys)), Value: c.value(m.bytes)}
	switch c.rng.IntN(8) {
	case 0:
		return op // it stays until the next write
	case 1, 2:
		op.Kind = history.Create
	}
	op.TTL = m.seconds(c)
	return op
}

func (m *ttlMind) seconds(c *client) uint64 {
	least, most := uint64(m.load.Least/time.Second), uint64(m.load.Most/time.Second)
	return least + c.rng.Uint64N(most-least+1)
}

func (m *ttlMind) learn(c *client, op *history.Op) {
	switch {
	case op.Kind == history.Get:
		if op.Status == history.OK && op.Code != 0 && !op.Stale {
			m.key = "" // it is gone
		}
	case op.Status == history.Refused || op.Code != 0:
		if op.Refresh {
			m.refreshes = 0
		}
	case op.TTL > 0:
		// An unknown write is followed, too: it may yet come to be.
		m.ttl = op.TTL
		m.giveUp = c.w.now() + time.Duration(2*m.ttl)*time.Second + 2*time.Second
		if m.key == "" {
			m.key = op.Key
			m.refreshes = 0
			if impair.ChanceOf(m.load.Refresh).Hit(c.rng) {
				m.refreshes = 1 + c.rng.IntN(maxRefreshes)
			}
		}
	}
}
