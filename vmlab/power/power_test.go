package power

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"drydock/vmlab/lab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lamp is what a test switches: one life at a time, which ends when it is told to.
type lamp struct {
	Machine[bulb]
	t testing.TB

	lives      int // begun and not ended
	held       bool
	fail, deaf error // of the next Begin, and of AskToHalt
	stubborn   bool  // it doesn't halt
}

type bulb struct {
	lit  bool
	out  chan string // how it ends by itself
	cut  chan struct{}
	dead bool
}

func newLamp(t testing.TB) *lamp {
	p := &lamp{t: t}
	p.Engine = p
	return p
}

var errBegin, errDeaf = errors.New("no current"), errors.New("deaf")

func (p *lamp) Begin(_ context.Context, l *Life[bulb]) error {
	if p.lives++; p.lives > 1 {
		p.t.Fatal("two lives at a time")
	}
	p.held = false
	l.Part.out, l.Part.cut = make(chan string, 1), make(chan struct{})
	if p.fail != nil {
		return p.fail
	}
	l.Part.lit = true
	defer p.during()
	p.Begun(l, false, func() string {
		select {
		case how := <-l.Part.out:
			return how
		case <-l.Part.cut:
			return "cut"
		}
	})
	return nil
}

func (p *lamp) End(l *Life[bulb]) error {
	if l.Part.dead {
		p.t.Fatal("ended twice")
	}
	l.Part.dead = true
	p.lives--
	close(l.Part.cut)
	if l.Part.lit {
		<-l.Gone()
	}
	return nil
}

func (p *lamp) AskToHalt(_ context.Context, l *Life[bulb]) error {
	if p.held {
		p.t.Fatal("a machine that is held was asked to halt")
	}
	if p.deaf == nil && !p.stubborn {
		l.Part.out <- "halted"
	}
	return p.deaf
}

func (p *lamp) Hold(_ *Life[bulb], stop bool) error {
	p.held = stop
	return nil
}

// during looks while the lamp's life begins.
func (p *lamp) during() {
	if v := p.vitals(); v.Power != lab.PowerOff {
		p.t.Errorf("a machine whose life begins is %s", v.Power)
	}
	if _, err := p.Running(); !errors.Is(err, ErrOff) {
		p.t.Errorf("a machine whose life begins: %v", err)
	}
}

// die has the lamp end by itself.
func (p *lamp) die(how string) {
	l := p.Life()
	l.Part.out <- how
	<-l.Gone()
}

func (p *lamp) vitals() lab.Vitals {
	return p.Look(func(l *Life[bulb], v *lab.Vitals) { v.NodeUp = l.Part.lit })
}

// TestWhatFails: what was begun is ended, and its error told.
func TestWhatFails(t *testing.T) {
	p := newLamp(t)
	p.fail = errBegin
	if err := p.Boot(t.Context()); !errors.Is(err, errBegin) || p.lives != 0 || p.Life() != nil {
		t.Fatalf("a boot that fails: %v, %d lives", err, p.lives)
	}
	p.fail = nil
	for what, set := range map[string]func(){
		"deaf":     func() { p.deaf, p.stubborn = errDeaf, false },
		"stubborn": func() { p.deaf, p.stubborn = nil, true },
	} {
		set()
		if err := p.Boot(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		want := error(context.DeadlineExceeded)
		if p.deaf != nil {
			want = p.deaf
		}
		if err := p.Halt(ctx); !errors.Is(err, want) || p.lives != 0 {
			t.Errorf("a %s machine asked to halt: %v, %d lives", what, err, p.lives)
		}
		cancel()
		if v := p.vitals(); v.Power != lab.PowerOff || v.Ended != "cut" {
			t.Errorf("a %s machine asked to halt: %+v", what, v)
		}
	}
}

// TestEndsByItself: it is off at once, says how, and what is left of it is put away
// before it is on again.
func TestEndsByItself(t *testing.T) {
	p := newLamp(t)
	if err := p.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v := p.vitals(); v.Power != lab.PowerOn || !v.NodeUp || v.Ended != "" {
		t.Errorf("on: %+v", v)
	}
	p.die("burnt out")
	if v := p.vitals(); v.Power != lab.PowerOff || v.NodeUp || v.Ended != "burnt out" {
		t.Errorf("ended: %+v", v)
	}
	if p.lives != 1 {
		t.Errorf("%d lives are left to be put away", p.lives)
	}
	for what, do := range map[string]func() error{
		"halt": func() error { return p.Halt(t.Context()) }, "freeze": p.Freeze, "thaw": p.Thaw,
	} {
		if err := do(); !errors.Is(err, ErrOff) {
			t.Errorf("%s: %v", what, err)
		}
	}
	p.fail = errBegin
	if err := p.Boot(t.Context()); !errors.Is(err, errBegin) {
		t.Errorf("boot: %v", err)
	}
	if v := p.vitals(); v.Ended != "" {
		t.Errorf("after a boot that failed: %+v", v)
	}
	p.fail = nil
	if err := p.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Cut(); err != nil || p.lives != 0 {
		t.Errorf("cut: %v, %d lives", err, p.lives)
	}
}

// TestWhoHasGone: who gave up waiting for the turn does not switch anything on.
func TestWhoHasGone(t *testing.T) {
	p := newLamp(t)
	ctx, cancel := context.WithCancel(t.Context())
	p.Turn.Lock()
	ended := make(chan error, 1)
	go func() { ended <- p.Boot(ctx) }()
	cancel()
	p.Turn.Unlock()
	if err := <-ended; !errors.Is(err, context.Canceled) || p.lives != 0 {
		t.Errorf("%v, %d lives", err, p.lives)
	}
}

// TestRetired: a machine that was given up is off, and nobody switches it on again.
func TestRetired(t *testing.T) {
	p := newLamp(t)
	if err := p.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.Retire(); err != nil || p.lives != 0 {
			t.Errorf("%v, %d lives", err, p.lives)
		}
		if err := p.Boot(t.Context()); !errors.Is(err, ErrRetired) || p.lives != 0 {
			t.Errorf("%v, %d lives", err, p.lives)
		}
	}
}

// TestAnyOrder switches a machine in any order, and compares it with what a machine is.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := newLamp(t)
		want := lab.PowerOff
		judge := func(what string, err, wanted error) {
			if !errors.Is(err, wanted) {
				rt.Fatalf("%s while it is %s: %v, want %v", what, want, err, wanted)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"boot": func(*rapid.T) {
				if want != lab.PowerOff {
					judge("boot", p.Boot(t.Context()), ErrOn)
					return
				}
				judge("boot", p.Boot(t.Context()), nil)
				want = lab.PowerOn
			},
			"cut": func(*rapid.T) { judge("cut", p.Cut(), nil); want = lab.PowerOff },
			"halt": func(*rapid.T) {
				if want == lab.PowerOff {
					judge("halt", p.Halt(t.Context()), ErrOff)
					return
				}
				judge("halt", p.Halt(t.Context()), nil)
				want = lab.PowerOff
			},
			"freeze": func(*rapid.T) {
				judge("freeze", p.Freeze(), map[lab.Power]error{lab.PowerOff: ErrOff, lab.PowerPaused: ErrPaused}[want])
				if want == lab.PowerOn {
					want = lab.PowerPaused
				}
			},
			"thaw": func(*rapid.T) {
				judge("thaw", p.Thaw(), map[lab.Power]error{lab.PowerOff: ErrOff}[want])
				if want == lab.PowerPaused {
					want = lab.PowerOn
				}
			},
			"die": func(*rapid.T) {
				if want != lab.PowerOff {
					p.die("by itself")
					want = lab.PowerOff
				}
			},
			"": func(rt *rapid.T) {
				if v := p.vitals(); v.Power != want {
					rt.Fatalf("it is %s, want %s", v.Power, want)
				}
				if p.held != (want == lab.PowerPaused) && want != lab.PowerOff {
					rt.Fatalf("it is held %v while it is %s", p.held, want)
				}
			},
		})
		if err := p.Cut(); err != nil || p.lives != 0 {
			rt.Fatalf("%v, %d lives are left", err, p.lives)
		}
	})
}
