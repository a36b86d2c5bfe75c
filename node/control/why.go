package control

import (
	"fmt"
	"time"

	"drydock/node/fleet"
	"drydock/node/unit"
)

// Why says in words what keeps a unit from running as it is wanted: why it has no
// place, what it waits for, or what went wrong. It is empty if nothing does, and
// while this member doesn't lead.
func (c *Control) Why(name string) string {
	if c.store == nil {
		return ""
	}
	u, ok := c.store.Unit(name)
	switch {
	case !ok:
		return "no unit of this name is known"
	case u.Desired == fleet.Inactive:
		return ""
	case !schedulable(&u):
		return c.whyTemplate(&u)
	case c.taking != nil:
		return "the new leader still reads what there is"
	case len(u.Places) == 0 && u.Global:
		return c.sched.Why(name)
	case len(u.Places) == 0:
		if to := c.sched.Where(name); to != "" {
			return "it is about to be placed on machine " + to
		}
		return c.sched.Why(name)
	}
	for i := range u.Places {
		if why := c.whyThere(&u, &u.Places[i]); why != "" {
			return why
		}
	}
	return ""
}

// whyTemplate says which of a template's replicas has the first reason.
func (c *Control) whyTemplate(u *fleet.Unit) string {
	name, err := unit.ParseName(u.Name)
	if err != nil {
		return err.Error()
	}
	n := c.store.Requirements(u.Name, u.Hash).Replicas
	for k := 1; k <= n; k++ {
		one, err := name.With(fmt.Sprint(k))
		if err != nil {
			return err.Error()
		}
		if why := c.Why(one.String()); why != "" {
			return one.String() + ": " + why
		}
	}
	return ""
}

// whyThere says what keeps a unit from running where it is placed.
func (c *Control) whyThere(u *fleet.Unit, p *fleet.Placement) string {
	if !u.Global {
		for _, l := range u.Leaving {
			if l.Machine != p.Machine {
				return "machine " + l.Machine + " may still run it" + c.whyLeaving(l.Machine)
			}
		}
	}
	if s := c.table.byID[p.Machine]; s != nil && c.now-s.heard > 2*c.cfg.Beat+c.cfg.Gather {
		return fmt.Sprintf("machine %s was heard %s; it is given up after %v", p.Machine, ago(c.now-s.heard), c.cfg.Lease)
	}
	st, ok := c.store.State(u.Name, p.Machine)
	switch {
	case !ok || st.Gen != p.Gen:
		if s := c.table.byID[p.Machine]; s != nil && s.have < s.version {
			return "machine " + p.Machine + " has yet to take its orders"
		}
		if p.Hash != u.Hash {
			return "its new text waits for its turn"
		}
		return "machine " + p.Machine + " hasn't said yet what has come of it"
	case failed(&st):
		return c.whyFailed(u.Name, &st)
	case st.Why != "":
		return st.Why
	case p.Hash != u.Hash:
		return "its new text waits for its turn"
	case u.Desired == fleet.Launched && !st.Launched:
		return "machine " + p.Machine + " has yet to start it"
	}
	return c.whyStays(u, p)
}

// whyStays says why a unit is still on a machine that is to be emptied.
func (c *Control) whyStays(u *fleet.Unit, p *fleet.Placement) string {
	if m, _ := c.store.Machine(p.Machine); !m.Drained || u.Global {
		return ""
	}
	if why := c.sched.Elsewhere(u.Name); why != "" {
		return "its machine is to be emptied, but no other can run it: " + why
	}
	return "its machine is to be emptied; it waits until its group may spare it"
}

// whyLeaving says what has to happen on a machine that a unit leaves.
func (c *Control) whyLeaving(machine string) string {
	s := c.table.byID[machine]
	if s == nil || c.now-s.heard <= 2*c.cfg.Beat+c.cfg.Gather {
		return " and is stopping it"
	}
	left := max(s.heard+c.lease-c.now, 0).Round(100 * time.Millisecond)
	return fmt.Sprintf("; it was heard %s and is given up in %v", ago(c.now-s.heard), left)
}

// whyFailed says what went wrong, and what comes next.
func (c *Control) whyFailed(name string, st *fleet.State) string {
	why := "it has failed"
	if st.Result != "" && st.Result != "success" {
		why += " (" + st.Result + ")"
	}
	if st.Why != "" {
		why += ": " + st.Why
	}
	if r := c.records[name]; r != nil && r.retryAt > 0 {
		why += fmt.Sprintf("; it is started again in %v", max(r.retryAt-c.now, 0).Round(100*time.Millisecond))
	}
	return why
}
