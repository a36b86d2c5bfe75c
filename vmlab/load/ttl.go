package load

import (
	"fmt"
	"time"

	"drydock/sim/history"
)

// TTL is the load of clients whose keys expire.
type TTL struct {
	// Keys is how many keys they share; a key lives from Shortest to Longest, in whole
	// seconds, and is refreshed a few times by this chance.
	Keys              int
	Shortest, Longest time.Duration
	Refresh           float64
	// Think is the mean rest between operations.
	Think time.Duration

	_ struct{}
}

// maxRefreshes is how often a key's time to live is renewed at most.
const maxRefreshes = 4

// NewTTLClient returns a client that writes keys which expire, and reads each until it
// is gone.
func NewTTLClient(name string, c Cluster, rec *Recorder, o Options, l TTL) *Client {
	return newClient(name, c, rec, o, &ttlMind{load: l})
}

type ttlMind struct {
	load TTL
	key  string // the key that it follows; "" for none
	// refreshes are still to come; giveUp is when it stops following a key that just
	// doesn't go.
	refreshes int
	giveUp    time.Duration
}

func (m *ttlMind) rest(c *Client) time.Duration { return c.gap(m.load.Think) }

func (m *ttlMind) next(c *Client) *history.Op {
	if m.key != "" && c.now() > m.giveUp {
		m.key = ""
	}
	if m.key == "" {
		return m.write(c)
	}
	if m.refreshes > 0 && c.rng.IntN(3) == 0 {
		m.refreshes--
		return &history.Op{Kind: history.Update, Key: m.key, Refresh: true, TTL: m.seconds(c)}
	}
	// Some reads are of a member's own copy: late, maybe, but never untrue.
	return &history.Op{Kind: history.Get, Key: m.key, Stale: c.rng.IntN(8) == 0}
}

// write begins with a key. Most expire; some take away the time to live of one that did.
func (m *ttlMind) write(c *Client) *history.Op {
	op := &history.Op{Kind: history.Put, Key: fmt.Sprintf("/t%d", c.rng.IntN(m.load.Keys)), Value: c.value()}
	switch c.rng.IntN(8) {
	case 0:
		return op
	case 1, 2:
		op.Kind = history.Create
	}
	op.TTL = m.seconds(c)
	return op
}

func (m *ttlMind) seconds(c *Client) uint64 {
	least, most := uint64(m.load.Shortest/time.Second), uint64(m.load.Longest/time.Second)
	return least + c.rng.Uint64N(most-least+1)
}

func (m *ttlMind) learn(c *Client, op *history.Op) {
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
		// A write whose end is not known is followed, too: it may yet come to be.
		m.giveUp = c.now() + time.Duration(2*op.TTL)*time.Second + 2*time.Second
		if m.key == "" {
			m.key, m.refreshes = op.Key, 0
			if c.rng.Float64() < m.load.Refresh {
				m.refreshes = 1 + c.rng.IntN(maxRefreshes)
			}
		}
	}
}

// now is the run's time.
func (c *Client) now() time.Duration { return time.Duration(c.rec.Now()) }
