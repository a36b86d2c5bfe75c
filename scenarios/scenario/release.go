package scenario

import (
	"fmt"
	"slices"

	"drydock/chaos"
	"drydock/sim/stream"
)

// oldest is the lowest release of members that a nemesis draws to be older.
const oldest = 1

// Older returns the release that each of the members starts with which do not
// start with the newest: those that the file names, and those that the seed
// draws, with a release for all of them, if the nemesis is to mix releases.
func (s *Scenario) Older(seed uint64) map[string]int {
	out := make(map[string]int)
	first := append(s.Voters(), s.Learners()...)
	if usual := Default().Cluster.Release; s.Cluster.Release != usual {
		for _, name := range s.Nodes() {
			if !slices.Contains(s.Cluster.Newer, name) {
				out[name] = s.Cluster.Release
			}
		}
	}
	if !s.Nemesis.Mixed || s.Nemesis.Profile == "" {
		return out
	}
	// A third of the runs has one release, a third begins before the upgrade, a
	// third in the midst of it.
	rng := stream.New(seed).Stream("releases")
	how := rng.IntN(3)
	old := oldest + stream.New(seed).Stream("older release").IntN(Default().Cluster.Release-oldest)
	for _, name := range first {
		if older := rng.IntN(2) == 0; how == 1 || how == 2 && older {
			out[name] = old
		}
	}
	return out
}

// Upgrades says whether releases are the run's matter, so that healing brings
// all members to the newest.
func (s *Scenario) Upgrades(seed uint64) bool {
	step := slices.ContainsFunc(s.Steps, func(step Step) bool { return step.Fault.Kind() == chaos.KindUpgrade })
	return step || len(s.Cluster.Newer) > 0 || s.Nemesis.Mixed && len(s.Older(seed)) > 0
}

// FixReleases writes the releases that the seed draws into the file, so that
// nothing of them is left to draw.
func (s *Scenario) FixReleases(seed uint64) {
	older := s.Older(seed)
	if !s.Nemesis.Mixed || len(older) == 0 {
		s.Nemesis.Mixed = false
		return
	}
	s.Nemesis.Mixed, s.Cluster.Newer = false, nil
	for _, name := range s.Nodes() {
		if release, is := older[name]; is {
			s.Cluster.Release = release // all older ones have the same
		} else {
			s.Cluster.Newer = append(s.Cluster.Newer, name)
		}
	}
}

// releases checks the names of nodes that start newer than the others.
func (d *decoder) releases(s *Scenario) {
	if len(s.Cluster.Newer) > 0 && s.Cluster.Release == Default().Cluster.Release {
		d.fail(d.at["cluster.newer"], "`release: 1` beside it", "newer: all members start with the newest release")
	}
	for i, name := range s.Cluster.Newer {
		if known := s.Nodes(); !slices.Contains(known, name) {
			d.fail(d.at[fmt.Sprintf("cluster.newer[%d]", i)], "", "newer: %q is not in this cluster (%s - %s)", name, known[0], known[len(known)-1])
		}
	}
}
