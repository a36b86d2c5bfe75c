package inject

import (
	"context"
	"fmt"

	"drydock/chaos"
	"drydock/vmlab/lab"
	"drydock/vmlab/wire/fabric"
)

// bootContext bounds nothing: a ground bounds its machines' boot by itself.
func bootContext() context.Context { return context.Background() }

// impair has the wire do what a fault of links says.
func (i *Injector) impair(f chaos.Fault) (Undo, string, error) {
	f.Text = i.Names(f.Text)
	f.Nodes = i.machines(f.Nodes)
	between := make([]chaos.Link, 0, len(f.Links))
	for _, l := range f.Links {
		from, to := i.Site.Machine(l.From), i.Site.Machine(l.To)
		if from != nil && to != nil {
			between = append(between, chaos.Link{From: from.Name, To: to.Name})
		}
	}
	f.Links = between
	rules, err := fabric.RulesOf(f)
	if err != nil {
		return nil, "", err
	}
	for k := range rules {
		rules[k].Pairs = i.among(rules[k].Pairs)
	}
	links := lab.LinksOf(i.Ground)
	ids, err := links.ImpairAll(rules)
	if err != nil {
		return nil, "", err
	}
	return func() error {
		n, err := links.Heal(ids...)
		if err == nil && n < len(ids) {
			err = fmt.Errorf("%s: it held no more", f.Text)
		}
		return err
	}, "", nil
}

// machines are the names of nodes' machines.
func (i *Injector) machines(nodes []string) []string {
	var list []string
	for _, node := range nodes {
		if m := i.Site.Machine(node); m != nil {
			list = append(list, m.Name)
		}
	}
	return list
}

// among writes a rule's ends out where they are left open: faults are between
// machines, and clients' way in is none of them.
func (i *Injector) among(pairs []fabric.Pair) []fabric.Pair {
	var list []fabric.Pair
	for _, p := range pairs {
		for k := range i.Site.Machines {
			for n := range i.Site.Machines {
				a, b := i.Site.Machines[k].Name, i.Site.Machines[n].Name
				if a != b && (p.From == "" || p.From == a) && (p.To == "" || p.To == b) {
					list = append(list, fabric.Pair{From: a, To: b})
				}
			}
		}
	}
	return list
}
