package shrink

import (
	"context"
	"slices"

	"drydock/scenarios/scenario"
)

// fleet makes do with fewer groups of units, units and machines. What the steps or
// other units name has to stay: such a scenario can't be read, and isn't tried.
func (k *Shrinker) fleet(ctx context.Context) {
	for i := len(k.best.Scenario.Load.Units) - 1; i >= 0 && ctx.Err() == nil; i-- {
		if i < len(k.best.Scenario.Load.Units) && len(k.best.Scenario.Load.Units) > 1 {
			k.try(ctx, 2, func(s *scenario.Scenario) { s.Load.Units = slices.Delete(slices.Clone(s.Load.Units), i, i+1) })
		}
	}
	for i := range k.best.Scenario.Load.Units {
		k.fewer(ctx, func(s *scenario.Scenario) *int { return &s.Load.Units[i].Count }, 1)
	}
	if k.best.Scenario.Cluster.Workers > 1 {
		k.fewer(ctx, func(s *scenario.Scenario) *int { return &s.Cluster.Workers }, 1)
	}
	if len(k.best.Scenario.Cluster.Machines) > 0 {
		k.try(ctx, 2, func(s *scenario.Scenario) { s.Cluster.Machines = nil })
	}
}
