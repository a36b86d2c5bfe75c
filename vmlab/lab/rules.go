package lab

import (
	"fmt"

	"drydock/vmlab/wire/fabric"
)

// Rules are what the lab file says of links, as rules of the wire. Clients' way in
// is not among them.
func (s *Site) Rules() []fabric.Rule {
	var list []fabric.Rule
	for i, l := range s.Spec.Links {
		e := fabric.Effect{
			Delay: l.Delay, Jitter: l.Jitter, Loss: l.Loss, Duplicate: l.Duplicate, Reorder: l.Reorder, Corrupt: l.Corrupt,
			Rate: int64(l.Rate * 1e6),
		}
		if e == (fabric.Effect{}) {
			continue
		}
		list = append(list, fabric.Rule{Name: fmt.Sprintf("links[%d] of the lab file", i), Pairs: s.pairs(l.From, l.To), Effect: e, Base: true})
	}
	return list
}

// pairs are all links from some machines to others; none are all.
func (s *Site) pairs(from, to []string) []fabric.Pair {
	var all []string
	for i := range s.Machines {
		all = append(all, s.Machines[i].Name)
	}
	if len(from) == 0 {
		from = all
	}
	if len(to) == 0 {
		to = all
	}
	var list []fabric.Pair
	for _, a := range from {
		for _, b := range to {
			if a != b {
				list = append(list, fabric.Pair{From: a, To: b})
			}
		}
	}
	return list
}
