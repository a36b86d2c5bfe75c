package labworld

import (
	"context"
	"fmt"
	"sync"

	"drydock/scenarios/scenario"
	"drydock/sim/history"
	"drydock/vmlab/load"
)

// asker is one client of any sort.
type asker interface{ Run(ctx context.Context) }

// clients starts the scenario's load.
func (r *run) clients(ctx context.Context, group *sync.WaitGroup) {
	kv, all := r.s.Load.KV, r.s.Load
	o := load.Options{
		Seed: r.spec.Seed, Mix: weights(kv.Mix), Keys: kv.Keys, ValueBytes: kv.ValueBytes, Think: kv.Think, Rate: kv.Rate,
		Timeout: kv.Timeout, Retries: kv.Retry, Pinned: kv.Endpoints == "one", Dial: r.dial, Watching: r.watching(),
	}
	ttl := load.TTL{
		Keys: all.TTL.Keys, Shortest: all.TTL.Shortest, Longest: all.TTL.Longest, Refresh: float64(all.TTL.Refresh), Think: all.TTL.Think,
	}
	lock := load.Lock{
		Locks: all.Lock.Locks, Queue: all.Lock.Style == "in-order", TTL: all.Lock.TTL, Hold: all.Lock.Hold, Think: all.Lock.Think,
	}
	c := members{r}
	begin := func(letter string, count int, make func(name string) asker) {
		for i := range count {
			one := make(fmt.Sprintf("%s%d", letter, i+1))
			group.Go(func() { one.Run(ctx) })
		}
	}
	begin("c", kv.Clients, func(name string) asker { return load.NewClient(name, c, r.rec, o) })
	begin("t", all.TTL.Clients, func(name string) asker { return load.NewTTLClient(name, c, r.rec, o, ttl) })
	begin("l", all.Lock.Clients, func(name string) asker { return load.NewLockClient(name, c, r.rec, o, lock) })
	begin("w", all.Watch.Clients, func(name string) asker { return load.NewWatcher(name, c, r.rec, o) })
}

// watching is how the scenario's watchers watch.
func (r *run) watching() load.Watching {
	all := r.s.Load
	w := load.Watching{
		Starts: all.Watch.Start, Modes: all.Watch.Mode, Back: all.Watch.Back, Session: all.Watch.Session, Slow: float64(all.Watch.Slow),
	}
	if all.TTL.Clients > 0 {
		for i := range all.TTL.Keys {
			w.More = append(w.More, fmt.Sprintf("/t%d", i))
		}
	}
	if all.Lock.Clients > 0 {
		kind := "lock"
		if all.Lock.Style == "in-order" {
			kind = "line"
		}
		for i := range all.Lock.Locks {
			w.More = append(w.More, fmt.Sprintf("/%s%d", kind, i))
		}
	}
	return w
}

// weights lists the kinds that have a weight, in a fixed order.
func weights(m scenario.Mix) []load.Weight {
	all := []load.Weight{
		{Kind: history.Get, Weight: m.Get},
		{Kind: history.List, Weight: m.List},
		{Kind: history.Put, Weight: m.Put},
		{Kind: history.Create, Weight: m.Create},
		{Kind: history.Update, Weight: m.Update},
		{Kind: history.CAS, Weight: m.CAS},
		{Kind: history.Delete, Weight: m.Delete},
		{Kind: history.CAD, Weight: m.CAD},
		{Kind: history.Append, Weight: m.Append},
		{Kind: history.Get, Stale: true, Weight: m.StaleGet},
	}
	var out []load.Weight
	for _, w := range all {
		if w.Weight > 0 {
			out = append(out, w)
		}
	}
	return out
}
