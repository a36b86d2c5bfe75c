package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"drydock/vmlab/lab"
	"drydock/vmlab/wire/fabric"
)

// Wanted is what a lab is to be: its file, and the machines that follow from it with
// what they are told.
type Wanted struct {
	Spec     *lab.Spec     `json:"spec"`
	Machines []lab.Machine `json:"machines"`
}

// Plan says what makes the lab what is wanted.
func (k *Keeper) Plan(w Wanted) (*lab.Plan, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, err := lab.NewPlan(k.state, w.Spec, w.Machines)
	if err != nil {
		return nil, err
	}
	if _, can := k.ground.(lab.Changer); can {
		return p, nil
	}
	for _, s := range p.Steps {
		if s.Verb != lab.VerbPorts {
			return nil, &lab.MissingError{What: s.String(), Driver: k.driver.Name(), Why: "its labs keep the machines of their up: drydock lab down, and up again"}
		}
	}
	return p, nil
}

// Apply makes the lab what is wanted: new machines first, so that there are enough at
// all times, then one after another those that change, then those that go. Machines
// that are off are switched on. What is done when it fails stays, and another Apply goes
// on from there.
func (k *Keeper) Apply(ctx context.Context, w Wanted, tell func(Event)) error {
	k.changing.Lock()
	defer k.changing.Unlock()
	p, err := k.Plan(w)
	if err != nil {
		return err
	}
	t := k.teller(tell)
	a := &change{k: k, t: t, plan: p}
	for _, step := range []func(context.Context) error{a.add, a.others, a.remove, a.links} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	k.settle(p.Spec, a.inOrder())
	if err := k.save(); err != nil {
		return err
	}
	if names := k.notReady(); len(names) > 0 {
		return k.up(ctx, names, t)
	}
	return nil
}

// notReady are the machines that are off, or have not been healthy since they were
// switched on, or whose ports lead nowhere yet.
func (k *Keeper) notReady() (names []string) {
	for _, m := range k.site().Machines {
		off := k.ground.Vitals(m.Name).Power != lab.PowerOn
		k.mu.Lock()
		if off || !k.ready[m.Name] || len(k.ports[m.Name]) < len(m.Ports) {
			names = append(names, m.Name)
		}
		k.mu.Unlock()
	}
	return names
}

func (k *Keeper) save() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.store.Save(k.state)
}

// change is an Apply under way.
type change struct {
	k    *Keeper
	t    *teller
	plan *lab.Plan
}

// planned is a machine as the plan has it.
func (a *change) planned(name string) *lab.Machine {
	i := slices.IndexFunc(a.plan.Machines, func(m lab.Machine) bool { return m.Name == name })
	return &a.plan.Machines[i]
}

// each does something for each machine of a verb, in the plan's order.
func (a *change) each(v lab.Verb, do func(lab.Step) error) error {
	for _, s := range a.plan.Steps {
		if s.Verb != v {
			continue
		}
		if err := do(s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// put has the keeper and the ground know a machine as it is from now on.
func (a *change) put(ctx context.Context, m *lab.Machine) error {
	site := a.k.site()
	list := slices.Clone(site.Machines)
	if i := slices.IndexFunc(list, func(o lab.Machine) bool { return o.Name == m.Name }); i >= 0 {
		list[i] = *m
	} else {
		list = append(list, *m)
	}
	a.k.settle(site.Spec, list)
	site = a.k.site()
	if err := os.MkdirAll(site.MachineDir(m.Name), 0o755); err != nil {
		return err
	}
	if err := a.k.ground.(lab.Changer).Admit(ctx, site, m); err != nil {
		return err
	}
	return a.k.save()
}

// add takes new machines in: members one after another, as the cluster takes them, and
// then all workers at once.
func (a *change) add(ctx context.Context) error {
	var workers []string
	err := a.each(lab.VerbAdd, func(s lab.Step) error {
		m := a.planned(s.Machine)
		if m.Role == lab.RoleWorker {
			workers = append(workers, m.Name)
			return nil
		}
		a.t.say(m.Name, WhatAdding, "to the cluster")
		if err := a.k.addMember(ctx, m); err != nil {
			return err
		}
		if err := a.put(ctx, m); err != nil {
			return err
		}
		return a.k.up(ctx, []string{m.Name}, a.t)
	})
	if err != nil || len(workers) == 0 {
		return err
	}
	for _, name := range workers {
		a.t.say(name, WhatAdding, "")
		if err := a.put(ctx, a.planned(name)); err != nil {
			return fmt.Errorf("add %s: %w", name, err)
		}
	}
	return a.k.up(ctx, workers, a.t)
}

// others changes machines that stay.
func (a *change) others(ctx context.Context) error {
	err := a.each(lab.VerbReboot, func(s lab.Step) error {
		if err := a.k.halt(ctx, s.Machine, false, a.t); err != nil {
			return err
		}
		if slices.Contains(s.Keys, "ports") {
			if err := a.k.unforward(s.Machine); err != nil {
				return err
			}
		}
		a.t.say(s.Machine, WhatChanged, strings.Join(s.Keys, ", "))
		if err := a.put(ctx, a.planned(s.Machine)); err != nil {
			return err
		}
		return a.k.up(ctx, []string{s.Machine}, a.t)
	})
	if err != nil {
		return err
	}
	return a.each(lab.VerbPorts, func(s lab.Step) error {
		if err := a.k.unforward(s.Machine); err != nil {
			return err
		}
		site := a.k.site()
		for i := range site.Machines {
			if site.Machines[i].Name == s.Machine {
				site.Machines[i].Ports = a.planned(s.Machine).Ports
			}
		}
		a.k.settle(site.Spec, site.Machines)
		a.t.say(s.Machine, WhatChanged, "ports")
		return nil // whoever brings it up forwards them
	})
}

// remove gives machines up, after the cluster has.
func (a *change) remove(ctx context.Context) error {
	return a.each(lab.VerbRemove, func(s lab.Step) error {
		site := a.k.site()
		m := site.Machine(s.Machine)
		if m.Role == lab.RoleMember {
			if err := a.k.removeMember(ctx, m); err != nil {
				return err
			}
		}
		if err := errors.Join(a.k.halt(ctx, m.Name, false, a.t), a.k.unforward(m.Name)); err != nil {
			return err
		}
		list := slices.DeleteFunc(slices.Clone(site.Machines), func(o lab.Machine) bool { return o.Name == m.Name })
		a.k.settle(site.Spec, list)
		if err := a.k.ground.(lab.Changer).Dismiss(a.k.site(), m.Name); err != nil {
			return err
		}
		if err := errors.Join(a.k.save(), lab.RemoveTree(site.MachineDir(m.Name))); err != nil {
			return err
		}
		a.t.say(m.Name, WhatRemoved, "")
		return nil
	})
}

// links has the lab file's rules hold, those of the links of new machines among them.
func (a *change) links(context.Context) error {
	links := lab.LinksOf(a.k.ground)
	if links == nil || a.plan.Empty() {
		return nil
	}
	held, err := links.Report()
	if err != nil {
		return err
	}
	var old []fabric.RuleID
	for _, r := range held {
		if r.Base {
			old = append(old, r.ID)
		}
	}
	site := a.k.site()
	site.Spec = a.plan.Spec
	if _, err := links.ImpairAll(site.Rules()); err != nil {
		return err
	}
	if _, err := links.Heal(old...); err != nil {
		return err
	}
	if a.plan.Links {
		a.t.say("", WhatChanged, "what links are like")
	}
	return nil
}

// inOrder are the lab's machines in the file's order, with the ports that were found.
func (a *change) inOrder() []lab.Machine {
	site := a.k.site()
	var list []lab.Machine
	for _, m := range a.plan.Machines {
		list = append(list, *site.Machine(m.Name))
	}
	return list
}
