package control_test

import (
	"fmt"
	"testing"
	"time"

	"drydock/node/control"
	"drydock/node/fleet"
	"drydock/node/link"
)

// full returns a world of machines with sessions, each with ten units that run.
func full(tb testing.TB, machines int) (*world, []uint64) {
	w := newWorld(tb, control.Config{})
	w.lead()
	ids := make([]uint64, machines)
	for i := range ids {
		w.receive(id(i), &link.Frame{Hello: &link.Hello{Nonce: 1, Machine: fleet.Machine{ID: id(i)}}})
	}
	w.turn()
	for i := range 10 * machines {
		w.put(fmt.Sprintf("u%d.service", i), text(), fleet.Launched)
	}
	w.turn()
	for i := range ids {
		m, _ := w.store.Machine(id(i))
		ids[i] = m.Session
	}
	return w, ids
}

// BenchmarkBeat is a beat with its acknowledgement, of a thousand machines that beat
// twice a second: all that there is to do at rest. Between them are the ticks.
func BenchmarkBeat(b *testing.B) {
	for _, machines := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(machines), func(b *testing.B) {
			w, sessions := full(b, machines)
			frames := make([][]byte, machines)
			for i := range frames {
				m, _ := w.store.Machine(id(i))
				f := &link.Frame{Cluster: 7, Machine: id(i), Beat: &link.Beat{Session: sessions[i], Seq: 1, Have: m.Orders}}
				frames[i] = f.Encode()
			}
			// A tick has the beats of 10 ms.
			share := machines / 50
			b.ReportAllocs()
			i, acks := 0, 0
			for b.Loop() {
				f, err := link.Decode(frames[i])
				if err != nil {
					b.Fatal(err)
				}
				w.ctl.Receive(w.now, f.Machine, f)
				if i = (i + 1) % machines; i%share != 0 {
					continue
				}
				w.now += 10 * time.Millisecond
				out := w.ctl.Run(w.now)
				if n := len(out.Proposals); n != 0 {
					b.Fatalf("%d proposals at rest: %s", n, words(out.Proposals[0].Command))
				}
				if out.Round != 0 {
					w.ctl.Confirmed(w.now, out.Round)
					acks += len(w.ctl.Gathered().Sends)
				}
			}
			b.ReportMetric(float64(acks)/float64(b.N), "acks/op")
		})
	}
}

// BenchmarkRunAtRest is a step in which there is nothing to do.
func BenchmarkRunAtRest(b *testing.B) {
	w, _ := full(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		w.ctl.Run(w.now)
	}
}

// BenchmarkTakeover is what a new leader reads, of ten units a machine.
func BenchmarkTakeover(b *testing.B) {
	w, _ := full(b, 1000)
	steps := 0
	for b.Loop() {
		w.ctl.Resign()
		w.ctl.Lead(w.now, w.term, w.store)
		for steps = 1; w.ctl.Run(w.now).More; steps++ {
		}
	}
	b.ReportMetric(float64(steps), "steps")
}
