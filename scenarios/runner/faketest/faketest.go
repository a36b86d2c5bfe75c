package faketest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"drydock/chaos"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/sim/history"
	"drydock/sim/tape"
)

// DriftEnv is the environment variable that makes drifts drift.
const DriftEnv = "DRYDOCK_FAKE_DRIFT"

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
	work(r, rounds, isWrong(spec))
	strike(r, s)
	trace(r, spec)
	return r, nil
}

// isWrong tells whether a run reads what was overwritten.
func isWrong(spec runner.Spec) bool {
	s := spec.Scenario
	has := func(k chaos.Kind) bool {
		return slices.ContainsFunc(s.Steps, func(step scenario.Step) bool { return step.Fault.Kind() == k })
	}
	switch strings.TrimSuffix(s.Name, "-small") {
	case "wrong":
		return spec.Seed%3 == 0
	case "drifts":
		return true
	case "fragile":
		return has(chaos.KindCrash) && has(chaos.KindPause) && s.Load.KV.Clients >= 2
	}
	return false
}

// strike makes up the faults that struck: every step with a time, at n2.
func strike(r *runner.Result, s *scenario.Scenario) {
	for _, step := range s.Steps {
		f := chaos.Fault{
			Kind: step.Fault.Kind(), Nodes: []string{"n2"}, Params: step.Fault,
			Text: string(step.Fault.Kind()) + " n2",
		}
		r.Strikes = append(r.Strikes, chaos.Strike{At: step.At, Fault: f})
	}
}

// events is the number of events of a trace; that of driftAt may differ.
const (
	events  = 600
	driftAt = 300
)

// trace makes up a trace and tells of it.
func trace(r *runner.Result, spec runner.Spec) {
	h, rec := sha256.New(), tape.NewRecorder([]string{"", "send", "job"})
	for i := 1; i <= events; i++ {
		at := r.Simulated * time.Duration(i) / events
		if spec.Until > 0 && at > spec.Until {
			r.Simulated = spec.Until
			break
		}
		text, kind := fmt.Sprintf("%s %d %d", spec.Scenario.Name, spec.Seed, i), byte(1)
		switch {
		case i == driftAt && spec.Scenario.Name == "drifts" && os.Getenv(DriftEnv) != "":
			text, kind = "drift", 2
		case spec.Scenario.Name == "moody":
			text += rand.Text()
		}
		h.Write([]byte(text))
		rec.Add(at, kind, byte(i%3), nil, []byte(text), func() []byte { return h.Sum(nil) })
		node := fmt.Sprintf("n%d", i%3+1)
		if l := spec.Listen; l != nil && l.Wants(at, uint64(i), node) {
			l.Tell(tape.Moment{Event: uint64(i), At: at, Node: node, What: []string{"", "send", "job"}[kind], Text: text})
		}
	}
	sum := h.Sum(nil)
	r.Trace = fmt.Sprintf("%x", sum)
	if spec.Tape {
		r.Tape = rec.Tape(sum)
	}
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
