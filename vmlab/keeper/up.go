package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"drydock/vmlab/lab"
	"drydock/vmlab/power"
)

// What is told of machines that come up, and of those that go down.
const (
	WhatBooting = "booting"
	WhatBooted  = "booted"
	WhatReady   = "ready"
	WhatFailed  = "failed"
	WhatHalted  = "halted"
	WhatPort    = "port"
	WhatDown    = "down"
	// Of lab apply: a machine is added to the cluster, or taken out of it, and the lab
	// has changed otherwise.
	WhatAdding  = "adding"
	WhatRemoved = "removed"
	WhatChanged = "changed"
	// WhatRestored is a machine that is as it was in a snapshot; how, where it doesn't
	// become ready.
	WhatRestored = "restored"
)

// Event is something that has happened, as a line of JSON.
type Event struct {
	Time    time.Time `json:"time"`
	Lab     string    `json:"lab"`
	Machine string    `json:"machine,omitempty"`
	What    string    `json:"event"`
	// Elapsed is the time since the command began, in nanoseconds.
	Elapsed time.Duration `json:"elapsed"`
	Text    string        `json:"text,omitempty"`
	// Console are the last lines of the machine's console, of a failure; ConsoleFile
	// has all.
	Console     []string `json:"console,omitempty"`
	ConsoleFile string   `json:"consoleFile,omitempty"`
}

// consoleLines is how many lines of a console a failure shows.
const consoleLines = 20

// teller makes events of one command, for one goroutine at a time.
type teller struct {
	mu    sync.Mutex
	lab   string
	began time.Time
	tell  func(Event)
}

func (k *Keeper) teller(tell func(Event)) *teller {
	return &teller{lab: k.store.Name(), began: time.Now(), tell: tell}
}

func (t *teller) say(machine, what, text string) {
	t.event(Event{Machine: machine, What: what, Text: text})
}

func (t *teller) event(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.Time, e.Lab, e.Elapsed = time.Now(), t.lab, time.Since(t.began)
	t.tell(e)
}

// errNotReady is matched when machines did not come up.
var errNotReady = errors.New("not all machines are ready")

// Up switches on, all at once, the machines that are off, and returns when all are
// ready. Names chooses some of them.
func (k *Keeper) Up(ctx context.Context, names []string, tell func(Event)) error {
	return k.up(ctx, names, k.teller(tell))
}

func (k *Keeper) up(ctx context.Context, names []string, t *teller) error {
	return k.together(ctx, names, t, func(ctx context.Context, m *lab.Machine) error { return k.bring(ctx, m, t) })
}

// together does something to some machines at once, all if none are named, each within
// the time that the lab file gives a machine to be ready. It says of which it failed.
func (k *Keeper) together(ctx context.Context, names []string, t *teller, do func(context.Context, *lab.Machine) error) error {
	site := k.site()
	ctx, cancel := context.WithTimeout(ctx, k.readyWithin(site.Spec))
	defer cancel()
	var wait sync.WaitGroup
	var mu sync.Mutex
	var failed []string
	for i := range site.Machines {
		m := &site.Machines[i]
		if len(names) > 0 && !slices.Contains(names, m.Name) {
			continue
		}
		wait.Go(func() {
			if err := do(ctx, m); err != nil {
				mu.Lock()
				failed = append(failed, m.Name)
				mu.Unlock()
				t.event(Event{
					Machine: m.Name, What: WhatFailed, Text: err.Error(),
					Console: tail(site.Console(m.Name), consoleLines), ConsoleFile: site.Console(m.Name),
				})
			}
		})
	}
	wait.Wait()
	if len(failed) > 0 {
		slices.Sort(failed)
		return fmt.Errorf("%w: %s", errNotReady, strings.Join(failed, " "))
	}
	return nil
}

// bring brings one machine up.
func (k *Keeper) bring(ctx context.Context, m *lab.Machine, t *teller) error {
	moved, err := k.forwardAll(m.Name)
	if err != nil {
		return err
	}
	for _, text := range moved {
		t.say(m.Name, WhatPort, text)
	}
	if k.ground.Vitals(m.Name).Power == lab.PowerOff {
		t.say(m.Name, WhatBooting, "")
		k.setReady(m.Name, false)
		// Who was killed while they waited for it may have had it switched on meanwhile.
		if err := k.boot(ctx, m); err != nil && !errors.Is(err, power.ErrOn) {
			return err
		}
		t.say(m.Name, WhatBooted, "")
	}
	if err := k.untilReady(ctx, m); err != nil {
		return err
	}
	k.setReady(m.Name, true)
	t.say(m.Name, WhatReady, "")
	return nil
}

// Restart halts machines, all if none are named, and brings them up again. Now cuts
// their power instead.
func (k *Keeper) Restart(ctx context.Context, names []string, now bool, tell func(Event)) error {
	t := k.teller(tell)
	return k.together(ctx, names, t, func(ctx context.Context, m *lab.Machine) error {
		if err := k.halt(ctx, m.Name, now, t); err != nil {
			return err
		}
		return k.bring(ctx, m, t)
	})
}

// Halt switches machines off, all if none are named; up brings them back.
func (k *Keeper) Halt(ctx context.Context, names []string, now bool, tell func(Event)) error {
	t := k.teller(tell)
	return k.together(ctx, names, t, func(ctx context.Context, m *lab.Machine) error { return k.halt(ctx, m.Name, now, t) })
}

// halt switches a machine off, if it is on.
func (k *Keeper) halt(ctx context.Context, name string, now bool, t *teller) error {
	if k.ground.Vitals(name).Power == lab.PowerOff {
		return k.ground.Cut(name) // it may be about to be on, for somebody else
	}
	text := ""
	if now {
		if err := k.ground.Cut(name); err != nil {
			return err
		}
		text = "its power was cut"
	} else {
		ctx, cancel := context.WithTimeout(ctx, haltPatience)
		defer cancel()
		if err := k.ground.Halt(ctx, name); err != nil {
			text = err.Error() // it is off in any case
		}
	}
	k.setReady(name, false)
	t.say(name, WhatHalted, text)
	return nil
}

func (k *Keeper) setReady(name string, ready bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ready[name] = ready
}

// readyEvery is the rest between two looks at a machine that comes up.
const readyEvery = 15 * time.Millisecond

// untilReady returns when the machine's node says that it is healthy, and the
// cluster lists the machine.
func (k *Keeper) untilReady(ctx context.Context, m *lab.Machine) error {
	for {
		v := k.ground.Vitals(m.Name)
		switch {
		case v.Power == lab.PowerOff:
			return errors.New("it has switched itself off")
		case v.Power == lab.PowerOn && !v.NodeUp && v.Ended != "":
			return fmt.Errorf("its node has ended: %s", v.Ended)
		}
		why := k.look(ctx, m)
		if why == nil {
			return nil
		}
		select {
		case <-time.After(readyEvery):
		case <-ctx.Done():
			return fmt.Errorf("not ready in time: %w", why)
		}
	}
}

// look says why a machine isn't ready, nil if it is.
func (k *Keeper) look(ctx context.Context, m *lab.Machine) error {
	var health struct {
		Health string `json:"health"`
	}
	if err := k.get(ctx, m, "/health", &health); err != nil {
		return err
	}
	if health.Health != "true" {
		return errors.New("its node is not healthy")
	}
	var fleet struct {
		Machines []struct {
			ID string `json:"id"`
		} `json:"machines"`
	}
	if err := k.get(ctx, m, "/fleet/v1/machines", &fleet); err != nil {
		return err
	}
	for _, one := range fleet.Machines {
		if one.ID == m.ID {
			return nil
		}
	}
	return errors.New("the cluster has not heard of it yet")
}

// get reads a JSON answer of a machine's node.
func (k *Keeper) get(ctx context.Context, m *lab.Machine, path string, into any) error {
	return k.getAt(ctx, m.ClientURL()+path, into)
}

func (k *Keeper) getAt(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := k.http.Do(req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.Join(fmt.Errorf("%s: %s", req.URL.Path, resp.Status), resp.Body.Close())
	}
	err = json.NewDecoder(resp.Body).Decode(into)
	return errors.Join(err, resp.Body.Close())
}

// tailMost is how much of a file's end is looked at for its last lines, in bytes.
const tailMost = 64 << 10

// tail returns the last lines of a file, which may be long.
func tail(path string, n int) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.Size() > tailMost {
		_, _ = f.Seek(-tailMost, io.SeekEnd) // else it is read from its beginning
	}
	text, err := io.ReadAll(io.LimitReader(f, tailMost))
	if err != nil || len(text) == 0 {
		return nil
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return lines[max(0, len(lines)-n):]
}

// haltPatience is how long machines may take to switch themselves off when the lab
// goes down.
const haltPatience = 15 * time.Second

// Down halts all machines, in good order unless now is set, and ends the keeper.
func (k *Keeper) Down(ctx context.Context, now bool, tell func(Event)) error {
	t := k.teller(tell)
	_ = k.together(ctx, nil, t, func(ctx context.Context, m *lab.Machine) error {
		return k.halt(ctx, m.Name, now, t)
	}) // what does not halt ends with the ground
	k.end()
	<-k.done
	t.say("", WhatDown, "")
	return nil
}

// readyWithin is how long machines may take: what the lab file says, or what is
// generous for the driver's.
func (k *Keeper) readyWithin(s *lab.Spec) time.Duration {
	switch {
	case s.Ready > 0:
		return s.Ready
	case k.driver.Capabilities().Has(lab.HasKernel):
		return 5 * time.Minute // without help from the hardware, and others at work
	}
	return time.Minute
}
