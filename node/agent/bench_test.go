package agent_test

import (
	"fmt"
	"testing"
	"time"

	"drydock/node/agent"
	"drydock/node/fleet"
	"drydock/node/link"
	"drydock/node/unit"
	"drydock/node/world"
)

// settledAgent is an agent in session 5 that runs n units.
func settledAgent(b *testing.B, n int) (*agent.Agent, func(link.Frame)) {
	cfg := agent.Config{Cluster: cluster, Machine: machineFacts(scriptMachine, "boot", nil), Peers: []string{"http://a"}, Life: 1}
	a := agent.New(cfg, world.Instant{}, agent.Remains{})
	a.Step(world.Instant{})
	var do func(e *agent.Effects)
	do = func(e *agent.Effects) {
		for _, op := range e.Ops {
			st := agent.Status{Unit: op.Unit, Load: "loaded", Active: "inactive", Sub: "dead"}
			if op.Kind == agent.Start {
				st.Active, st.Sub = "active", "running"
			}
			do(a.Step(world.Instant{}, agent.Ended{Op: op.ID, Result: "done", Status: st}))
		}
	}
	receive := func(f link.Frame) {
		f.Cluster, f.Machine = cluster, scriptMachine
		do(a.Step(world.Instant{}, agent.Received{Frame: f.Encode()}))
	}
	receive(link.Frame{Welcome: &link.Welcome{Nonce: 1, Session: 5, Beat: 500 * time.Millisecond, Lease: lease}})
	orders := &link.Orders{Session: 5, Version: 7, Parts: 1, Total: n}
	for i := range n {
		name := fmt.Sprintf("web@%d.service", i)
		u, err := unit.Parse(name, []byte(text("web", i, "Memory=1")))
		if err != nil {
			b.Fatal(err)
		}
		orders.Units = append(orders.Units, link.Order{Unit: name, Gen: 7, Hash: u.Hash(), Desired: fleet.Launched})
		orders.Texts = append(orders.Texts, u.Text())
	}
	receive(link.Frame{Orders: orders})
	return a, receive
}

// BenchmarkRest is a beat and its acknowledgement, which is all that a machine at rest
// does.
func BenchmarkRest(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("units=%d", n), func(b *testing.B) {
			a, receive := settledAgent(b, n)
			var now time.Duration
			var seq uint64
			b.ReportAllocs()
			for b.Loop() {
				now += 500 * time.Millisecond
				e := a.Step(world.Instant{Mono: now}, agent.Tick{})
				for _, s := range e.Sends {
					f, err := link.Decode(s)
					if err != nil {
						b.Fatal(err)
					}
					if f.Beat != nil {
						seq = f.Beat.Seq
					} else {
						receive(link.Frame{Noted: &link.Noted{Session: 5, Seq: f.Report.Report.Seq}})
					}
				}
				ack := link.Frame{Cluster: cluster, Machine: scriptMachine, Ack: &link.Ack{Session: 5, Seq: seq}}
				a.Step(world.Instant{Mono: now}, agent.Received{Frame: ack.Encode()})
			}
		})
	}
}

// BenchmarkLaunch is the way of units from orders to running.
func BenchmarkLaunch(b *testing.B) {
	for _, n := range []int{10, 300} {
		b.Run(fmt.Sprintf("units=%d", n), func(b *testing.B) {
			for b.Loop() {
				settledAgent(b, n)
			}
		})
	}
}
