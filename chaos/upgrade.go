package chaos

import (
	"fmt"
	"time"
)

// KindUpgrade brings members back as another release.
const KindUpgrade Kind = "upgrade"

// Upgrade ends a node's process and starts another release on its disk.
type Upgrade struct {
	Node  Selectors `json:"node,omitempty" doc:"who comes back as another release" default:"any" scalar:"true"`
	To    int       `json:"to,omitempty" doc:"the release" default:"3" min:"1" max:"3"`
	Force bool      `json:"force,omitempty" doc:"also as a release below the cluster's, which must stop and say so; else such a fault has no effect" default:"false"`
}

// Kind implements Params.
func (*Upgrade) Kind() Kind { return KindUpgrade }

func (p *Upgrade) resolve(r *resolver) (Fault, error) {
	f, err := r.onNodes(p, p.Node, "upgrade", func(m Member) string {
		return when(m.Outside, "outside the cluster") + when(!m.Outside && m.Release == p.To, fmt.Sprintf("at release %d already", p.To))
	})
	f.Text += fmt.Sprintf(" to release %d", p.To)
	return f, err
}

// upgradeGap is the time from one member's upgrade to the next when healing
// finishes what faults began.
const upgradeGap = 300 * time.Millisecond

// upgradeRest brings the members that are behind to the newest release, those
// that are dead at once and the others one after another.
func (c *Conductor) upgradeRest() {
	gap := time.Duration(0)
	for _, m := range c.target.Members() {
		if m.Outside || m.Newest == m.Release {
			continue
		}
		name, to := m.Name, m.Newest
		if !m.Up {
			c.upgrade(name, to)
			continue
		}
		gap += upgradeGap
		c.host.After(gap, func() { c.upgrade(name, to) })
	}
}

// upgrade brings one member to a release, if it is not there by now.
func (c *Conductor) upgrade(name string, to int) {
	p := &Upgrade{Node: Selectors{Selector(name)}, To: to}
	f, err := p.resolve(&resolver{members: c.target.Members()})
	if err == nil {
		_, err = c.apply(f)
	}
	if err != nil {
		c.host.Note(name, fmt.Sprintf("no effect: upgrade %s: %s", name, err))
	}
}

// upgradeCards are the faults of runs whose members start with releases of
// their own.
func upgradeCards() []card {
	return []card{{KindUpgrade, 5, func(d *dealer) (Params, time.Duration) {
		return &Upgrade{Node: d.node(), To: pick(d.rng, 3, 3, 2, 1)}, 0
	}}}
}
