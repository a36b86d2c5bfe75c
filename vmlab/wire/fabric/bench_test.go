package fabric

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkReceive is the cost of a frame's decisions alone: passing at once, and
// under rules of several kinds.
func BenchmarkReceive(b *testing.B) {
	for _, c := range []struct {
		name   string
		effect Effect
	}{
		{"clear", Effect{}},
		{"loss", Effect{Loss: 0.01}},
		{"delay", Effect{Delay: 10 * time.Millisecond, Jitter: time.Millisecond}},
		{"rate", Effect{Rate: mostRate}},
	} {
		b.Run(c.name, func(b *testing.B) {
			delivered := 0
			f := New(Config{}, func(int, []byte) { delivered++ })
			for i := range 5 {
				n, err := f.AddPort(Port{Name: fmt.Sprint(i), MAC: testMAC(fmt.Sprint(i))})
				if err != nil {
					b.Fatal(err)
				}
				f.SetUp(0, n, true)
			}
			if c.effect != (Effect{}) {
				if _, err := f.Impair(0, Rule{Effect: c.effect}); err != nil {
					b.Fatal(err)
				}
			}
			frame := testFrame(testMAC("0"), testMAC("1"), 1514, 1)
			var now time.Duration
			b.ReportAllocs()
			for b.Loop() {
				now += 10 * time.Microsecond
				f.Receive(now, 0, frame)
			}
			f.Advance(now + time.Hour)
			if delivered == 0 {
				b.Fatal("nothing was delivered")
			}
		})
	}
}
