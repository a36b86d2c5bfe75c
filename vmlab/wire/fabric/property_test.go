package fabric

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drydock/chaos"
)

// drawRule draws a rule about three machines.
func drawRule(t *rapid.T) Rule {
	end := rapid.SampledFrom([]string{"", "core-01", "core-02", "core-03", "core-03/b"})
	var r Rule
	for range rapid.IntRange(0, 2).Draw(t, "pairs") {
		p := Pair{From: end.Draw(t, "from"), To: end.Draw(t, "to")}
		if p.From != p.To {
			r.Pairs = append(r.Pairs, p)
		}
	}
	chance := rapid.SampledFrom([]chaos.Probability{0.1, 0.5, 1})
	e := &r.Effect
	switch rapid.IntRange(0, 7).Draw(t, "effect") {
	case 0:
		e.Cut = true
	case 1:
		e.Delay = time.Duration(rapid.IntRange(1, 1e7).Draw(t, "delay"))
	case 2:
		e.Jitter = time.Duration(rapid.IntRange(1, 1e7).Draw(t, "jitter"))
	case 3:
		e.Loss = chance.Draw(t, "loss")
	case 4:
		e.Duplicate = chance.Draw(t, "duplicate")
	case 5:
		e.Reorder = chance.Draw(t, "reorder")
	case 6:
		e.Corrupt, e.Rate = chance.Draw(t, "corrupt"), 1_000_000
	case 7:
		e.Up, e.Down = time.Millisecond, 2*time.Millisecond
	}
	return r
}

// history is a fabric with all that came out of it.
type story struct {
	f    *Fabric
	seen []string
}

func newStory(seed uint64) *story {
	s := new(story)
	s.f = New(Config{Seed: seed, QueueFrames: 8}, func(port int, frame []byte) {
		s.seen = append(s.seen, fmt.Sprintf("%v %d %x", s.f.queue.Now(), port, frame))
	})
	return s
}

// TestFramesAreCounted: whatever happens, every frame that was sent on a link is
// counted as what became of it, and the same calls lead to the same end.
func TestFramesAreCounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		twins := []*story{newStory(seed), newStory(seed)}
		do := func(fn func(f *Fabric)) {
			for _, s := range twins {
				fn(s.f)
			}
		}
		for i, name := range []string{"core-01", "core-02", "core-03/a", "core-03/b"} {
			do(func(f *Fabric) {
				n, err := f.AddPort(Port{Name: name, MAC: testMAC(fmt.Sprint(i))})
				if err != nil {
					t.Fatal(err)
				}
				f.SetUp(0, n, true)
			})
		}
		var now time.Duration
		for step := range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += time.Duration(rapid.IntRange(0, 5e6).Draw(t, "wait"))
			from, to := rapid.IntRange(0, 3).Draw(t, "from"), rapid.IntRange(0, 3).Draw(t, "to")
			switch rapid.IntRange(0, 9).Draw(t, "do") {
			case 0:
				r := drawRule(t)
				do(func(f *Fabric) {
					if _, err := f.Impair(now, r); err != nil {
						t.Fatal(err)
					}
				})
			case 1:
				id := RuleID(rapid.IntRange(1, 8).Draw(t, "heal"))
				do(func(f *Fabric) { f.Heal(now, id) })
			case 2:
				up := rapid.Bool().Draw(t, "up")
				do(func(f *Fabric) { f.SetUp(now, from, up) })
			default:
				frame := testFrame(testMAC(fmt.Sprint(from)), testMAC(fmt.Sprint(to)), 40, uint64(step))
				if rapid.IntRange(0, 3).Draw(t, "all") == 0 {
					copy(frame, []byte{255, 255, 255, 255, 255, 255})
				}
				do(func(f *Fabric) { f.Receive(now, from, frame) })
			}
			checkCounts(t, twins[0].f, now)
		}
		do(func(f *Fabric) { f.HealAll(now) })
		now += 10 * time.Minute
		for _, p := range twins[0].f.Report(now).Ports {
			if p.Waiting != 0 {
				t.Errorf("%s: %d frames wait for ever", p.Name, p.Waiting)
			}
		}
		twins[1].f.Advance(now)
		if diff := cmp.Diff(twins[0].seen, twins[1].seen); diff != "" {
			t.Errorf("the same calls led to another end:\n%s", diff)
		}
	})
}

func checkCounts(t *rapid.T, f *Fabric, now time.Duration) {
	report := f.Report(now)
	missing := make(map[string]uint64)
	for _, l := range report.Links {
		c := l.Counts
		missing[l.To] += c.Frames + c.Duplicated - c.Delivered - c.Cut - c.Lost - c.Throttled - c.Overload - c.Down
	}
	for _, p := range report.Ports {
		if uint64(p.Waiting) != missing[p.Name] {
			t.Fatalf("%s: %d frames are counted as nothing, %d wait:\n%v", p.Name, missing[p.Name], p.Waiting, report)
		}
		if p.Waiting > 8 {
			t.Fatalf("%s: %d frames wait, at most 8 may", p.Name, p.Waiting)
		}
	}
}

// TestLinksKeepOrder: without reordering, frames arrive in the order in which
// they were sent, whichever rules come and go.
func TestLinksKeepOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var last uint64
		f := New(Config{Seed: rapid.Uint64().Draw(t, "seed")}, func(_ int, frame []byte) {
			if n := uint64(frame[len(frame)-1]); n < last {
				t.Fatalf("frame %d arrives after %d", n, last)
			} else {
				last = n
			}
		})
		for i, name := range []string{"core-01", "core-02", "core-03", "core-03/b"} {
			n, err := f.AddPort(Port{Name: name, MAC: testMAC(fmt.Sprint(i))})
			if err != nil {
				t.Fatal(err)
			}
			f.SetUp(0, n, true)
		}
		var now time.Duration
		for step := range rapid.IntRange(1, 80).Draw(t, "steps") {
			now += time.Duration(rapid.IntRange(0, 3e6).Draw(t, "wait"))
			switch rapid.IntRange(0, 5).Draw(t, "do") {
			case 0:
				r := drawRule(t)
				if r.Effect.Reorder > 0 || r.Effect.Corrupt > 0 || r.Effect.Up > 0 {
					continue
				}
				if _, err := f.Impair(now, r); err != nil {
					t.Fatal(err)
				}
			case 1:
				f.HealAll(now)
			default:
				f.Receive(now, 0, testFrame(testMAC("0"), testMAC("1"), headerBytes+8, uint64(step)))
			}
		}
		f.Advance(now + time.Hour)
	})
}

// TestRatesAreKept: what a rule lets pass is what it says, as long as there is
// enough to send.
func TestRatesAreKept(t *testing.T) {
	var passed int
	f := New(Config{}, func(_ int, frame []byte) { passed += len(frame) })
	for i, name := range []string{"a", "b"} {
		n, err := f.AddPort(Port{Name: name, MAC: testMAC(fmt.Sprint(i))})
		if err != nil {
			t.Fatal(err)
		}
		f.SetUp(0, n, true)
	}
	const rate, span = 8_000_000, 2 * time.Second
	if _, err := f.Impair(0, Rule{Effect: Effect{Rate: rate}}); err != nil {
		t.Fatal(err)
	}
	for now := time.Duration(0); now < span; now += 500 * time.Microsecond { // 24 Mbit/s
		f.Receive(now, 0, testFrame(testMAC("0"), testMAC("1"), 1500, 1))
	}
	f.Advance(span)
	if want := rate / 8 * int(span/time.Second); passed < want*98/100 || passed > want {
		t.Errorf("%d bytes passed, want %d", passed, want)
	}
}
