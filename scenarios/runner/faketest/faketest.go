// Package faketest is a world for tests of the runner and of its commands: a
// store of one client that is right or wrong in the way that the scenario's
// name asks for, so that worker processes need no other channel.
//
//	wrong      every third seed reads a value that was overwritten
//	moody      the trace differs from run to run
//	panics     panics
//	dies       panics where nobody can recover it
//	fails      the world fails
//	hangs      ends only when it is cancelled
//	short      does next to nothing
//	idle       no fault takes effect
//
// Any other name gives a run in which everything holds.
package faketest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"drydock/chaos"
	"drydock/scenarios/runner"
	"drydock/sim/history"
)

// World is the fake world.
type World struct{}

// Name implements runner.World.
func (World) Name() string { return "sim" }

// Supports implements runner.World: all but the slow disk.
func (World) Supports(k chaos.Kind) error {
	if k == chaos.KindSlowDisk {
		return errors.New("it has no disks")
	}
	return nil
}

// Run implements runner.World.
func (World) Run(ctx context.Context, spec runner.Spec) (*runner.Result, error) {
	s := spec.Scenario
	switch s.Name {
	case "panics":
		panic("raft: committed 5 after 7")
	case "dies":
		done := make(chan bool)
		go func() {
			defer close(done)
			panic("nobody catches this")
		}()
		<-done
		select {}
	case "fails":
		return nil, errors.New("no space left")
	case "hangs":
		select {
		case <-ctx.Done():
		case <-time.After(time.Hour):
		}
		return nil, ctx.Err()
	}
	r := &runner.Result{
		Nodes: s.Nodes(), Simulated: s.Duration, HealedAt: s.HealAt,
		Running: s.Voters(), Voters: s.Voters(), SnapshotsInstalled: 1,
	}
	states := "L" + strings.Repeat(".", len(r.Nodes)-1)
	r.Timeline = []runner.Event{
		{Text: "boot", States: strings.Repeat(".", len(r.Nodes))},
		{At: 300 * time.Millisecond, Node: "n1", Text: "n1 leads, term 2", Mark: runner.MarkLeader, States: states},
		{At: s.Duration, Text: "end", States: states},
	}
	for i, step := range s.Steps {
		o := chaos.Outcome{Step: i, Name: string(step.Fault.Kind()), Kind: step.Fault.Kind(), Fired: 1, Effective: 1}
		if s.Name == "idle" {
			o.Effective, o.Why = 0, "n3 is down already"
		}
		r.Outcomes = append(r.Outcomes, o)
	}
	rounds := 30
	if s.Name == "short" {
		rounds = 1
	}
	work(r, rounds, s.Name == "wrong" && spec.Seed%3 == 0)
	text := fmt.Sprintf("%s %d", s.Name, spec.Seed)
	if s.Name == "moody" {
		text += rand.Text()
	}
	r.Trace = fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
	return r, nil
}

// work writes and reads one key in turns; wrong makes one read see the past.
func work(r *runner.Result, rounds int, wrong bool) {
	call := int64(time.Second)
	for i := 1; i <= rounds; i++ {
		rev := uint64(i)
		value, token := fmt.Sprint("v", i), fmt.Sprint("t", i)
		write := history.Op{
			ID: 2*i - 1, Client: "c1", Node: "n1", Kind: history.Put, Key: "/a", Value: value, Token: token,
			Call: call, Return: call + 1000, Status: history.OK, Revision: rev, Index: rev, Modified: rev, Created: rev,
		}
		if i > 1 {
			old := fmt.Sprint("v", i-1)
			write.Out = &old
		}
		out := value
		read := history.Op{
			ID: 2 * i, Client: "c1", Node: "n1", Kind: history.Get, Key: "/a",
			Call: call + 2000, Return: call + 3000, Status: history.OK, Revision: rev, Index: rev, Modified: rev, Created: rev,
		}
		if wrong && i == rounds/2 {
			out = fmt.Sprint("v", i-1)
			read.Revision, read.Index, read.Modified, read.Created = rev-1, rev-1, rev-1, rev-1
		}
		read.Out = &out
		r.Ops = append(r.Ops, write, read)
		r.Truth = append(r.Truth, history.Committed{Revision: rev, Token: token, Kind: history.Put, Key: "/a", Value: value})
		call += int64(100 * time.Millisecond)
	}
}
