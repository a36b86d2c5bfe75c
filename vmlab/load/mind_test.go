package load

import (
	"testing"
	"time"

	"drydock/sim/history"
)

// asker is a client that asks nobody: its mind is told how operations end.
func asker(t *testing.T, m mind) *Client {
	t.Helper()
	c := newClient("l1", members{"http://127.0.0.1:1"}, NewRecorder(time.Now(), nil), Options{Seed: 1}, m)
	t.Cleanup(c.Close)
	return c
}

// answered tells the mind that an operation was done.
func answered(c *Client, op *history.Op, set func(op *history.Op)) {
	op.Client, op.Token = c.name, "l1-1"
	op.Call, op.Return, op.Status = c.rec.Now(), c.rec.Now(), history.OK
	if set != nil {
		set(op)
	}
	c.mind.learn(c, op)
}

func TestALockByItsKey(t *testing.T) {
	m := &lockMind{load: Lock{Locks: 1, TTL: 2 * time.Second, Hold: time.Nanosecond, Think: time.Millisecond}}
	c := asker(t, m)
	op := m.next(c)
	if op.Kind != history.Create || op.Key != "/lock0" || op.TTL != 2 {
		t.Fatalf("a try: %+v", op)
	}
	answered(c, op, func(op *history.Op) { op.Code = 105 })
	if m.state != lockIdle || len(c.rec.Holds()) != 0 {
		t.Fatal("somebody else's lock is held")
	}
	op = m.next(c)
	answered(c, op, func(op *history.Op) { op.Created, op.Index = 7, 7 })
	held := c.rec.Holds()
	if m.state != lockHeld || len(held) != 1 || held[0].Fence != 7 || held[0].Lock != "/lock0" || held[0].Renewed != op.Call {
		t.Fatalf("a lock that was made: %+v", held)
	}
	op = m.next(c)
	if op.Kind != history.CAD || *op.PrevValue != m.value {
		t.Fatalf("after its time: %+v", op)
	}
	answered(c, op, nil)
	if held = c.rec.Holds(); !held[0].Released || held[0].Ended == 0 || m.state != lockIdle {
		t.Errorf("given back: %+v", held)
	}
}

func TestALockThatIsNotRenewedInTime(t *testing.T) {
	m := &lockMind{load: Lock{Locks: 1, TTL: time.Second, Hold: time.Hour, Think: time.Millisecond}}
	c := asker(t, m)
	answered(c, m.next(c), func(op *history.Op) { op.Created = 3 })
	if op := m.next(c); !op.Refresh || op.Kind != history.CAS || op.TTL != 1 {
		t.Fatalf("while it is held: %+v", op)
	}
	c.rec.began = c.rec.began.Add(-time.Minute) // a minute passes
	if op := m.next(c); op.Kind != history.Create {
		t.Fatalf("a minute later: %+v", op)
	}
	if h := c.rec.Holds()[0]; h.Ended > h.Acquired+int64(time.Second) {
		t.Errorf("it is believed in for %s", time.Duration(h.Ended-h.Acquired))
	}
	// A creation whose answer comes when its time to live is over is worth nothing.
	op := m.next(c)
	op.Call = c.rec.Now() - int64(2*time.Second)
	op.Status, op.Created = history.OK, 9
	m.learn(c, op)
	if m.state != lockIdle || len(c.rec.Holds()) != 1 {
		t.Error("a lock that has fallen free is held")
	}
}

func TestALockByAQueue(t *testing.T) {
	m := &lockMind{load: Lock{Locks: 1, Queue: true, TTL: 2 * time.Second, Hold: time.Hour, Think: time.Millisecond}}
	c := asker(t, m)
	op := m.next(c)
	if op.Kind != history.Append || op.Key != "/line0" {
		t.Fatalf("a try: %+v", op)
	}
	op.Call, op.Status, op.Token = c.rec.Now(), history.Unknown, "l1-1"
	m.learn(c, op)
	if op = m.next(c); op.Kind != history.List || m.state != lockUnsure {
		t.Fatalf("when nobody knows what became of it: %+v", op)
	}
	first, own := history.Item{Key: "/line0/5", Value: "other", Created: 5}, history.Item{Key: "/line0/6", Value: m.value, Created: 6}
	answered(c, op, func(op *history.Op) { op.Items = []history.Item{first, own} })
	if m.state != lockQueued || m.mine != own.Key || len(c.rec.Holds()) != 0 {
		t.Fatalf("behind another: %+v", m)
	}
	answered(c, m.look(), func(op *history.Op) { op.Items = []history.Item{own} })
	if h := c.rec.Holds(); m.state != lockHeld || len(h) != 1 || h[0].Fence != 6 || h[0].Key != own.Key {
		t.Fatalf("at the head: %+v", h)
	}
	answered(c, m.renew(), func(op *history.Op) { op.Code = 100 })
	if h := c.rec.Holds()[0]; !h.Lost || h.Ended == 0 || m.state != lockIdle {
		t.Errorf("the store says that it is gone, and the holder: %+v", h)
	}
}

func TestKeysThatExpire(t *testing.T) {
	m := &ttlMind{load: TTL{Keys: 2, Shortest: time.Second, Longest: 3 * time.Second, Refresh: 1, Think: time.Millisecond}}
	c := asker(t, m)
	op := m.next(c)
	for op.TTL == 0 { // one in eight has none
		answered(c, op, nil)
		op = m.next(c)
	}
	if op.TTL > 3 || op.Kind != history.Put && op.Kind != history.Create {
		t.Fatalf("a key: %+v", op)
	}
	key := op.Key
	answered(c, op, nil)
	if m.refreshes == 0 {
		t.Error("it is never refreshed")
	}
	reads := 0
	for range 50 {
		op = m.next(c)
		if op.Key != key || op.Refresh != (op.Kind == history.Update) {
			t.Fatalf("while it lives: %+v", op)
		}
		if op.Kind == history.Get {
			reads++
		}
		answered(c, op, nil)
	}
	if reads < 40 || m.refreshes != 0 {
		t.Errorf("%d reads, %d refreshes to come", reads, m.refreshes)
	}
	answered(c, &history.Op{Kind: history.Get, Key: key}, func(op *history.Op) { op.Code = 100 })
	if m.key != "" {
		t.Error("a key that is gone is followed")
	}
	answered(c, &history.Op{Kind: history.Put, Key: key, TTL: 1}, nil)
	c.rec.began = c.rec.began.Add(-time.Minute)
	if m.next(c); m.key != "" && m.giveUp < c.now() {
		t.Error("a key that just doesn't go is followed for ever")
	}
}
