package shrink

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"drydock/chaos"
	"drydock/scenarios/scenario"
)

// enoughSteps is the number of steps that a person takes in at a glance; with
// more, the search tries harder.
const enoughSteps = 2

// passes are the parts of a search, in order.
func (k *Shrinker) passes() []func(context.Context) {
	return []func(context.Context){
		k.cut, k.nothing, k.halves, k.single, k.round, k.cut, k.earlier, k.others,
		k.load, k.fleet, k.members, k.world, k.others, k.single, k.plain, k.earlier, k.cut, k.round,
	}
}

// nothing tries whether faults are needed at all.
func (k *Shrinker) nothing(ctx context.Context) {
	if len(k.best.Scenario.Steps) > 0 {
		k.try(ctx, 2, func(s *scenario.Scenario) { s.Steps = nil })
	}
}

// halves is delta debugging: it leaves out ever smaller parts of the steps.
func (k *Shrinker) halves(ctx context.Context) {
	for parts := 2; ctx.Err() == nil; {
		n := len(k.best.Scenario.Steps)
		if n < 2 {
			return
		}
		parts = min(parts, n)
		var list []func(*scenario.Scenario)
		for i := range parts {
			from, to := i*n/parts, (i+1)*n/parts
			if parts > 2 || n == 2 {
				list = append(list, func(s *scenario.Scenario) { s.Steps = slices.Delete(s.Steps, from, to) })
			} else {
				list = append(list, func(s *scenario.Scenario) { s.Steps = s.Steps[from:to] })
			}
		}
		switch {
		case k.try(ctx, 0, list...):
			parts = max(2, parts-1)
		case parts == n:
			return
		default:
			parts *= 2
		}
	}
}

// single leaves out one step after the other, the last one first.
func (k *Shrinker) single(ctx context.Context) {
	for i := len(k.best.Scenario.Steps) - 1; i >= 0 && ctx.Err() == nil; i-- {
		if i < len(k.best.Scenario.Steps) {
			k.try(ctx, 0, func(s *scenario.Scenario) { s.Steps = slices.Delete(s.Steps, i, i+1) })
		}
	}
}

// others leaves out steps with other seeds: a fault that only moved the rest
// about is found by this.
func (k *Shrinker) others(ctx context.Context) {
	for ctx.Err() == nil {
		n := len(k.best.Scenario.Steps)
		if n == 0 {
			return
		}
		var list []func(*scenario.Scenario)
		if n > enoughSteps {
			for i := range n {
				list = append(list, func(s *scenario.Scenario) { s.Steps = s.Steps[i : i+1] })
			}
		}
		for i := n - 1; i >= 0; i-- {
			list = append(list, func(s *scenario.Scenario) { s.Steps = slices.Delete(s.Steps, i, i+1) })
		}
		if !k.try(ctx, otherSeeds, list...) {
			return
		}
	}
}

// load makes do with fewer kinds of clients, clients, keys and operations.
func (k *Shrinker) load(ctx context.Context) {
	for _, change := range []func(*scenario.Scenario){
		func(s *scenario.Scenario) { s.Load.TTL = scenario.Default().Load.TTL },
		func(s *scenario.Scenario) { s.Load.Lock = scenario.Default().Load.Lock },
		func(s *scenario.Scenario) { s.Load.Watch = scenario.Default().Load.Watch },
	} {
		if again := k.edit(change); again != nil && !reflect.DeepEqual(again.Load, k.best.Scenario.Load) {
			k.try(ctx, 1, change)
		}
	}
	clients := func(s *scenario.Scenario) *int { return &s.Load.KV.Clients }
	keys := func(s *scenario.Scenario) *int { return &s.Load.KV.Keys }
	k.fewer(ctx, keys, 1)
	k.fewer(ctx, clients, 2)
	k.operations(ctx)
}

// fewer makes a number as small as it can be.
func (k *Shrinker) fewer(ctx context.Context, number func(*scenario.Scenario) *int, least int) {
	for ctx.Err() == nil {
		now := *number(k.best.Scenario)
		var list []func(*scenario.Scenario)
		for _, n := range []int{least, now / 4, now / 2, now * 3 / 4} {
			if n >= least && n < now {
				list = append(list, func(s *scenario.Scenario) { *number(s) = n })
			}
		}
		if len(list) == 0 || !k.try(ctx, 2, list...) {
			return
		}
	}
}

// operations leaves out kinds of operations.
func (k *Shrinker) operations(ctx context.Context) {
	fields := reflect.TypeFor[scenario.Mix]().NumField()
	only := func(keep ...string) func(*scenario.Scenario) {
		return func(s *scenario.Scenario) {
			v := reflect.ValueOf(&s.Load.KV.Mix).Elem()
			for i := range fields {
				if !slices.Contains(keep, v.Type().Field(i).Name) {
					v.Field(i).SetInt(0)
				}
			}
		}
	}
	if k.try(ctx, 2, only("Get", "Put"), only("Get", "Put", "CAS"), only("List", "Append"), only("Get", "Put", "StaleGet")) {
		return
	}
	for i := range fields {
		if ctx.Err() != nil || reflect.ValueOf(k.best.Scenario.Load.KV.Mix).Field(i).Int() == 0 {
			continue
		}
		k.try(ctx, 1, func(s *scenario.Scenario) { reflect.ValueOf(&s.Load.KV.Mix).Elem().Field(i).SetInt(0) })
	}
}

// members makes do with three members where there were more; nodes that the
// steps name are renamed, so that as many of them as can be are left.
func (k *Shrinker) members(ctx context.Context) {
	s := k.best.Scenario
	if s.Nemesis.Profile != "" {
		k.try(ctx, otherSeeds, func(s *scenario.Scenario) { s.Nemesis = scenario.Default().Nemesis })
	}
	if s.Cluster.Release != scenario.Default().Cluster.Release {
		k.try(ctx, 2, oneRelease)
	}
	if s.Cluster.Learners > 0 {
		k.try(ctx, 2, func(s *scenario.Scenario) { s.Cluster.Learners = 0 })
	}
	for _, n := range []int{1, 3, 5} {
		if ctx.Err() == nil && n < k.best.Scenario.Cluster.Members && k.try(ctx, otherSeeds,
			func(s *scenario.Scenario) { s.Cluster.Members = n; newer(s) },
			func(s *scenario.Scenario) { fewerMembers(s, n) }) {
			return
		}
	}
}

// oneRelease lets all start with the newest release, and leaves the steps out
// that change it.
func oneRelease(s *scenario.Scenario) {
	s.Cluster.Release, s.Cluster.Newer = scenario.Default().Cluster.Release, nil
	s.Steps = slices.DeleteFunc(s.Steps, func(step scenario.Step) bool { return step.Fault.Kind() == chaos.KindUpgrade })
}

// newer leaves nodes out of those that start newer which are none any more.
func newer(s *scenario.Scenario) {
	known := s.Nodes()
	s.Cluster.Newer = slices.DeleteFunc(s.Cluster.Newer, func(name string) bool { return !slices.Contains(known, name) })
}

// fewerMembers renames the nodes that the steps name to n1 and so on, in order.
func fewerMembers(s *scenario.Scenario, n int) {
	names := map[chaos.Selector]chaos.Selector{}
	for i := range s.Steps {
		chaos.Rename(s.Steps[i].Fault, func(sel chaos.Selector) chaos.Selector {
			if !sel.IsName() || sel[0] == 'w' { // a worker stays
				return sel
			}
			if names[sel] == "" {
				names[sel] = chaos.Selector(fmt.Sprintf("n%d", len(names)%n+1))
			}
			return names[sel]
		})
	}
	s.Cluster.Members = n
	newer(s)
}

// world puts links, disks and settings back to their defaults.
func (k *Shrinker) world(ctx context.Context) {
	usual := scenario.Default()
	for _, change := range []func(*scenario.Scenario){
		func(s *scenario.Scenario) { s.Network = usual.Network },
		func(s *scenario.Scenario) { s.Disk = usual.Disk },
		func(s *scenario.Scenario) { s.Cluster.Knobs = usual.Cluster.Knobs },
		func(s *scenario.Scenario) { s.Load.KV.ValueBytes = usual.Load.KV.ValueBytes },
	} {
		if again := k.edit(change); again != nil && !slices.Equal(again.Text, k.best.Scenario.Text) {
			k.try(ctx, 1, change)
		}
	}
}

// plain takes what is left of the steps' parameters away, one by one: jitter,
// names, and when their faults end.
func (k *Shrinker) plain(ctx context.Context) {
	for i := range k.best.Scenario.Steps {
		for _, change := range []func(*scenario.Step){
			func(step *scenario.Step) { step.Jitter = 0 },
			func(step *scenario.Step) { step.Name = "" },
			func(step *scenario.Step) { step.For = 0 },
			func(step *scenario.Step) {
				if crash, ok := step.Fault.(*chaos.Crash); ok {
					crash.RestartAfter = 0
				}
			},
		} {
			edited := k.edit(func(s *scenario.Scenario) { change(&s.Steps[i]) })
			if ctx.Err() == nil && edited != nil && !slices.Equal(edited.Text, reread(k.best.Scenario).Text) {
				k.accept(ctx, k.seeded(1, []*scenario.Scenario{edited}))
			}
		}
	}
}

// earlier moves all steps towards the start, and the end with them; without
// steps, only the end.
func (k *Shrinker) earlier(ctx context.Context) {
	s := k.best.Scenario
	first := s.Duration
	for i := range s.Steps {
		if s.Steps[i].After != nil || s.Steps[i].Every != nil {
			return
		}
		first = min(first, s.Steps[i].At)
	}
	var changes []func(*scenario.Scenario)
	for _, to := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		by := (first - to).Truncate(100 * time.Millisecond)
		if len(s.Steps) == 0 {
			by = s.Duration - 2*to
		}
		if by <= 0 {
			continue
		}
		changes = append(changes, func(s *scenario.Scenario) {
			for i := range s.Steps {
				s.Steps[i].At -= by
			}
			s.Duration, s.HealAt = s.Duration-by, max(s.HealAt-by, 100*time.Millisecond)
		})
	}
	k.try(ctx, otherSeeds, changes...)
}

// round makes the times of the steps ones that people write: all at once, then
// each by itself.
func (k *Shrinker) round(ctx context.Context) {
	for _, to := range []time.Duration{time.Second, 100 * time.Millisecond, 10 * time.Millisecond, time.Millisecond} {
		if k.try(ctx, 2, func(s *scenario.Scenario) {
			for i := range s.Steps {
				roundStep(&s.Steps[i], to)
			}
		}) {
			return
		}
		for i := range k.best.Scenario.Steps {
			if ctx.Err() == nil && i < len(k.best.Scenario.Steps) {
				k.try(ctx, 0, func(s *scenario.Scenario) { roundStep(&s.Steps[i], to) })
			}
		}
	}
}

func roundStep(step *scenario.Step, to time.Duration) {
	step.At = step.At.Round(to)
	if step.For > 0 {
		step.For = max(step.For.Round(to), to)
	}
	if crash, ok := step.Fault.(*chaos.Crash); ok && crash.RestartAfter > 0 {
		crash.RestartAfter = max(crash.RestartAfter.Round(to), to)
	}
}
