package cmd

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"drydock/node/ui"
	"drydock/vmlab/keeper"
	"drydock/vmlab/lab"
)

// board shows what becomes of machines: for programs all events, for people one line
// for each machine that is where it should be, all of a failure, and meanwhile a line
// with those that are under way.
type board struct {
	l     *labs
	store lab.Store
	began time.Time

	mu       sync.Mutex
	progress *ui.Progress
	// under are the machines under way, with where they are.
	under map[string]string
	done  int
}

// boardEvery is how often the line of those under way is offered.
const boardEvery = 100 * time.Millisecond

// watched does something to a lab whose events a board shows.
func (l *labs) watched(store lab.Store, do func(tell func(keeper.Event)) error) error {
	b := &board{l: l, store: store, began: time.Now(), under: map[string]string{}, progress: ui.NewProgress(l.env, l.json, time.Now)}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		b.tick(stop)
	}()
	err := do(b.tell)
	close(stop)
	<-stopped
	b.progress.Clear()
	return err
}

// tick offers the line of those under way until stop.
func (b *board) tick(stop <-chan struct{}) {
	t := time.NewTicker(boardEvery)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-t.C:
			b.mu.Lock()
			if len(b.under) > 0 {
				b.progress.Update(b.line())
			}
			b.mu.Unlock()
		}
	}
}

// line is the line of those under way.
func (b *board) line() string {
	var words []string
	for name, where := range b.under { // any order: sorted below
		words = append(words, name+" "+where)
	}
	slices.Sort(words)
	return fmt.Sprintf("  %5.1fs  %d done; %s", time.Since(b.began).Seconds(), b.done, strings.Join(words, ", "))
}

// tell shows an event.
func (b *board) tell(e keeper.Event) {
	if b.l.json {
		_ = b.l.line(e)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e.What {
	case keeper.WhatBooting, keeper.WhatBooted, keeper.WhatAdding:
		b.under[e.Machine] = e.What
		return
	case keeper.WhatRestored:
		if e.Text == "" {
			b.under[e.Machine] = e.What
			return
		}
		b.done++
	case keeper.WhatReady, keeper.WhatFailed:
		delete(b.under, e.Machine)
		b.done++
	}
	b.progress.Clear()
	b.say(e)
}

// say writes an event that stays.
func (b *board) say(e keeper.Event) {
	l, elapsed := b.l, seconds(e.Elapsed)
	switch e.What {
	case keeper.WhatReady:
		l.printf("  %-10s %-15s %s   %6s   %s\n", e.Machine, address(b.store, e.Machine), l.env.Paint("ready ", ui.Green), elapsed, ports(b.store, e.Machine))
	case keeper.WhatHalted:
		l.printf("  %-10s halted   %6s   %s\n", e.Machine, elapsed, e.Text)
	case keeper.WhatRestored:
		l.printf("  %-10s %s   %6s\n", e.Machine, e.Text, elapsed)
	case keeper.WhatRemoved:
		l.printf("  %-10s removed  %6s\n", e.Machine, elapsed)
	case keeper.WhatChanged:
		name := e.Machine
		if name == "" {
			name = "links"
		}
		l.printf("  %-10s changed  %6s   %s\n", name, elapsed, e.Text)
	case keeper.WhatPort:
		l.printf("  %-10s %s\n", e.Machine, e.Text)
	case keeper.WhatFailed:
		l.printf("  %-10s %s   %6s   %s\n", e.Machine, l.env.Paint("failed", ui.Red), elapsed, e.Text)
		if len(e.Console) == 0 {
			l.printf("    nothing on its console, %s\n", e.ConsoleFile)
			return
		}
		l.printf("    the end of its console, %s:\n", e.ConsoleFile)
		for _, line := range e.Console {
			l.printf("    | %s\n", line)
		}
	}
}

// header says which lab it is.
func (l *labs) header(store lab.Store) {
	st, err := store.Load()
	if l.json || err != nil {
		return
	}
	l.printf("lab %s   %s   %s   in %s\n", l.env.Paint(st.Lab, ui.Bold), st.Driver, count(len(st.Machines), "machine"), store.Dir)
}

// count writes a number of things.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
