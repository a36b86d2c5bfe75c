package chaos

import (
	"fmt"
	"time"
)

// The kinds of faults of clocks, processes and cables.
const (
	KindFlap      Kind = "flap"
	KindClockRate Kind = "clock-rate"
	KindClockJump Kind = "clock-jump"
	KindSlowNode  Kind = "slow-node"
	KindReplace   Kind = "replace"
)

// The clocks of a machine, as parameters name them.
const (
	ClockWall = "wall"
	ClockMono = "mono"
	ClockBoth = "both"
)

// Flap cuts all links of a node and mends them, again and again.
type Flap struct {
	Node      Selectors     `json:"node,omitempty" doc:"whose links" default:"any" scalar:"true"`
	Direction string        `json:"direction,omitempty" doc:"in = only what it is sent, out = only what it sends" enum:"both|in|out" default:"both"`
	Up        time.Duration `json:"up,omitempty" doc:"the links work for about this long: half to one and a half, drawn each time" default:"400ms"`
	Down      time.Duration `json:"down,omitempty" doc:"the links are cut for about this long, drawn likewise" default:"300ms"`
}

// ClockRate makes a machine's clocks run fast or slow.
type ClockRate struct {
	Node  Selectors `json:"node,omitempty" doc:"whose clocks" default:"any"`
	Rate  float64   `json:"rate" doc:"seconds that its clocks count in one second of the world's" min:"0.5" max:"2" scalar:"true"`
	Clock string    `json:"clock,omitempty" doc:"mono: the clock that timers go by; wall: the calendar" enum:"both|mono|wall" default:"both"`
}

// ClockJump moves a machine's clocks at one instant.
type ClockJump struct {
	Node      Selectors     `json:"node,omitempty" doc:"whose clocks" default:"any"`
	By        time.Duration `json:"by" doc:"how far" scalar:"true"`
	Direction string        `json:"direction,omitempty" doc:"a monotonic clock never goes back" enum:"forward|back" default:"forward"`
	Clock     string        `json:"clock,omitempty" doc:"mono: the clock that timers go by; wall: the calendar" enum:"wall|mono|both" default:"wall"`
}

// SlowNode makes every turn of a process take longer: it lives, and lags.
type SlowNode struct {
	Node    Selectors     `json:"node,omitempty" doc:"who is slow" default:"any" scalar:"true"`
	Latency time.Duration `json:"latency,omitempty" doc:"time added to each turn, from what arrives to what is done about it" default:"20ms"`
}

// Replace puts an empty machine into a member's place, under a new id.
type Replace struct {
	Node    Selectors `json:"node,omitempty" doc:"whose machine is replaced" default:"any" scalar:"true"`
	Destroy bool      `json:"destroy,omitempty" doc:"do it even where no majority of the others holds all that is committed" default:"false"`
}

// Kind implements Params.
func (*Flap) Kind() Kind { return KindFlap }

// Kind implements Params.
func (*ClockRate) Kind() Kind { return KindClockRate }

// Kind implements Params.
func (*ClockJump) Kind() Kind { return KindClockJump }

// Kind implements Params.
func (*SlowNode) Kind() Kind { return KindSlowNode }

// Kind implements Params.
func (*Replace) Kind() Kind { return KindReplace }

func (p *Flap) resolve(r *resolver) (Fault, error) {
	f, err := r.onNodes(p, p.Node, "flap the links of", always)
	f.Text += fmt.Sprintf(", about %s up and %s down", p.Up, p.Down)
	if p.Direction == "in" || p.Direction == "out" {
		f.Text += ", " + p.Direction
	}
	return f, err
}

// always is for faults that no state of a member makes idle.
func always(Member) string { return "" }

func (p *ClockRate) resolve(r *resolver) (Fault, error) {
	f, err := r.onNodes(p, p.Node, "clock rate", always)
	f.Text += fmt.Sprintf(", %s at %.4g", clockWords(p.Clock), p.Rate)
	return f, err
}

func (p *ClockJump) resolve(r *resolver) (Fault, error) {
	f, err := r.onNodes(p, p.Node, "clock jump", always)
	f.Text += fmt.Sprintf(", %s %s by %s", clockWords(p.Clock), p.Direction, p.By)
	return f, err
}

func clockWords(clock string) string {
	if clock == ClockBoth {
		return "both clocks"
	}
	return clock
}

func (p *SlowNode) resolve(r *resolver) (Fault, error) {
	f, err := r.onNodes(p, p.Node, "slow node", always)
	f.Text += fmt.Sprintf(", turns take %s more", p.Latency)
	return f, err
}

func (p *Replace) resolve(r *resolver) (Fault, error) {
	return r.onNodes(p, p.Node, "replace the machine of", func(m Member) string {
		return when(m.Outside, "outside the cluster")
	})
}

// check says what no single parameter shows.
func (p *ClockJump) check() error {
	if p.Direction == "back" && p.Clock != ClockWall {
		return &ParamError{"direction", "a monotonic clock never goes back", "`clock: wall`, or forward"}
	}
	return nil
}

func (p *ClockRate) check() error {
	if p.Rate == 1 {
		return &ParamError{"rate", "1 is what clocks do anyway", "`rate: 0.5` or `rate: 2`"}
	}
	return nil
}
