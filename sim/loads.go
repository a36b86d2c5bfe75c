package sim

import "fmt"

// makeClients makes all that put load on the cluster. Each has its own stream
// of randomness, so that more of one kind moves none of another.
func (w *World) makeClients() error {
	cfg := &w.cfg
	add := func(count int, letter string, make func() (mind, error)) error {
		for i := range count {
			m, err := make()
			if err != nil {
				return err
			}
			c, err := newClient(w, len(w.clients), fmt.Sprintf("%s%d", letter, i+1), m)
			if err != nil {
				return err
			}
			w.clients = append(w.clients, c)
		}
		return nil
	}
	if err := add(cfg.Load.Clients, "c", func() (mind, error) { return newKVMind(&cfg.Load) }); err != nil {
		return fmt.Errorf("sim: clients: %w", err)
	}
	if err := add(cfg.TTL.Clients, "t", func() (mind, error) { return newTTLMind(&cfg.TTL, cfg.Load.ValueBytes) }); err != nil {
		return fmt.Errorf("sim: clients of keys that expire: %w", err)
	}
	if err := add(cfg.Lock.Clients, "l", func() (mind, error) { return newLockMind(&cfg.Lock) }); err != nil {
		return fmt.Errorf("sim: clients of locks: %w", err)
	}
	for i := range cfg.Watch.Clients {
		a, err := newWatcher(w, len(w.clients)+i, fmt.Sprintf("w%d", i+1))
		if err != nil {
			return fmt.Errorf("sim: watchers: %w", err)
		}
		w.watchers = append(w.watchers, a)
	}
	return nil
}

// startClients lets the load begin.
func (w *World) startClients() {
	for _, c := range w.clients {
		c.pause()
	}
	for _, a := range w.watchers {
		a.again(false, a.start)
	}
}

// stopClients ends the load a little before the run's end, so that what is
// open can be answered. Watches stay, to see the last of the writes.
func (w *World) stopClients() {
	for _, c := range w.clients {
		c.stopped = true
	}
	for _, a := range w.watchers {
		a.settle()
	}
}

// showPlan puts the faults that a nemesis has drawn into the timeline.
func (w *World) showPlan() {
	for _, s := range w.cfg.Plan.Steps {
		if s.Drawn {
			w.referee.note("", fmt.Sprintf("drawn for %.3fs: %s", s.At.Seconds(), s.Describe()), MarkInfo)
		}
	}
}
