package impair

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/sim/dist"
)

func newLine(faults ...*Fault) *Line {
	l := &Line{Rng: rand.New(rand.NewPCG(1, 2))}
	for _, f := range faults {
		l.Impair(f)
	}
	return l
}

func sampler(t *testing.T, d Delays) Sampler {
	t.Helper()
	s, err := NewSampler(d)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestALineWithoutFaultsDrawsNothingAndKeepsOrder(t *testing.T) {
	l, untouched := newLine(), newLine()
	var usual Fault
	var last time.Duration
	for range 100 {
		if l.Lost(&usual) || l.Duplicated(&usual) {
			t.Fatal("a line without faults loses or duplicates")
		}
		at, held := l.Arrival(5, &usual)
		if held || at <= last || at < 5 {
			t.Fatalf("arrives at %v, held %v, after one at %v", at, held, last)
		}
		last = at
	}
	if l.Rng.Uint64() != untouched.Rng.Uint64() {
		t.Error("it took draws")
	}
	if l.Clear(last) || !l.Clear(last+1) {
		t.Errorf("clear at %v: %v, later: %v; want false, true", last, l.Clear(last), l.Clear(last+1))
	}
}

func TestFaultsAddUp(t *testing.T) {
	ten := sampler(t, Delays{Least: 10 * time.Millisecond})
	fixed, err := dist.New(dist.Spec{Kind: dist.Constant, Mean: 3 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	a, b := &Fault{Delay: ten}, &Fault{Delay: SamplerOf(time.Millisecond, fixed)}
	l := newLine(a, b)
	if at, _ := l.Arrival(0, &Fault{Delay: ten}); at != 24*time.Millisecond {
		t.Errorf("arrives after %v, want 24ms", at)
	}
	l.Repair(a)
	if at, _ := l.Arrival(time.Second, &Fault{}); at != time.Second+4*time.Millisecond {
		t.Errorf("with one repaired it arrives at %v, want 1.004s", at)
	}
}

func TestHealedDelaysDoNotReorder(t *testing.T) {
	slow := &Fault{Delay: sampler(t, Delays{Least: time.Second})}
	l := newLine(slow)
	first, _ := l.Arrival(0, &Fault{})
	l.Repair(slow)
	if second, _ := l.Arrival(1, &Fault{}); second <= first {
		t.Errorf("sent later, it arrives at %v, before %v", second, first)
	}
}

func TestChancesHitAsOftenAsTheySay(t *testing.T) {
	const n = 20000
	loss, dup := &Fault{Loss: ChanceOf(0.3)}, &Fault{Duplicate: ChanceOf(0.1)}
	held := &Fault{Reorder: ChanceOf(0.2), Window: time.Millisecond}
	l := newLine(loss, dup, held)
	var got Hits
	for i := range n {
		if l.Lost(&Fault{}) {
			got.Lost++
		}
		if l.Duplicated(&Fault{}) {
			got.Duplicated++
		}
		now := time.Duration(i) * time.Second
		at, late := l.Arrival(now, &Fault{})
		if late {
			got.Held++
		}
		if at < now || at > now+time.Millisecond {
			t.Fatalf("arrives after %v, window 1ms", at-now)
		}
	}
	sum := Hits{Lost: loss.Hits.Lost, Duplicated: dup.Hits.Duplicated, Held: held.Hits.Held}
	if diff := cmp.Diff(got, sum); diff != "" {
		t.Errorf("counted otherwise than seen (-seen +counted):\n%s", diff)
	}
	for _, c := range []struct {
		what string
		got  uint64
		want float64
	}{{"lost", got.Lost, 0.3}, {"duplicated", got.Duplicated, 0.1}, {"held", got.Held, 0.2}} {
		if share := float64(c.got) / n; share < c.want*0.9 || share > c.want*1.1 {
			t.Errorf("%s: %.3f of all, want about %.1f", c.what, share, c.want)
		}
	}
}

func TestACutTakesNoDraw(t *testing.T) {
	cut := &Fault{Cut: true}
	l, untouched := newLine(cut, &Fault{Loss: ChanceOf(0.5)}), newLine()
	if !l.Lost(&Fault{}) || !l.Cut() || cut.Hits.Cut != 2 {
		t.Errorf("a cut line passes messages, or counts %d", cut.Hits.Cut)
	}
	if l.Rng.Uint64() != untouched.Rng.Uint64() {
		t.Error("a cut took a draw")
	}
	l.Repair(cut)
	if l.Cut() {
		t.Error("still cut after the repair")
	}
}

func TestChanceOfEdges(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		if ChanceOf(-1).Hit(r) || ChanceOf(0).Hit(r) {
			t.Fatal("no chance, and yet a hit")
		}
		if !ChanceOf(1).Hit(r) || !ChanceOf(7).Hit(r) {
			t.Fatal("certain, and yet no hit")
		}
	}
}

func TestBadDelays(t *testing.T) {
	if _, err := NewSampler(Delays{Jitter: 2 * dist.MaxDelay}); err == nil {
		t.Error("a jitter beyond every bound is taken")
	}
}
