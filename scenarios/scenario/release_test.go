package scenario_test

import (
	"maps"
	"testing"

	"drydock/chaos"
	"drydock/node/state"
	"drydock/scenarios/scenario"
)

func parse(t *testing.T, text string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse("f", []byte("scenario: f\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestNewestReleaseOfTheFormat: what files may say goes with what nodes speak.
func TestNewestReleaseOfTheFormat(t *testing.T) {
	if got := scenario.Default().Cluster.Release; state.Release(got) != state.Newest {
		t.Errorf("release: %d by default, the newest is %d", got, state.Newest)
	}
	s := parse(t, "steps: [{at: 1s, upgrade: n1}]\n")
	if u, ok := s.Steps[0].Fault.(*chaos.Upgrade); !ok || state.Release(u.To) != state.Newest {
		t.Errorf("upgrade: to %d by default, the newest is %d", u.To, state.Newest)
	}
}

func TestOlderMembersOfFiles(t *testing.T) {
	for text, want := range map[string]map[string]int{
		"cluster: {members: 3}\n":                                                         {},
		"cluster: {members: 2, release: 1}\n":                                             {"n1": 1, "n2": 1},
		"cluster: {members: 3, learners: 1, release: 1, newer: [n2, n4]}\n":               {"n1": 1, "n3": 1},
		"cluster: {members: 1, release: 1}\nsteps: [{at: 1s, membership: {add: [n2]}}]\n": {"n1": 1, "n2": 1},
	} {
		if got := parse(t, text).Older(7); !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestReleasesThatTheSeedDraws(t *testing.T) {
	s := parse(t, "cluster: {members: 3}\nnemesis: {profile: swarm, mixed: true}\n")
	plain := parse(t, "cluster: {members: 3}\nnemesis: swarm\n")
	sizes := map[int]bool{}
	for seed := range uint64(60) {
		older := s.Older(seed)
		if !maps.Equal(older, s.Older(seed)) {
			t.Fatalf("seed %d draws twice", seed)
		}
		sizes[len(older)] = true
		upgrades := false
		for _, step := range s.Plan(seed, nil).Steps {
			upgrades = upgrades || step.Fault.Kind() == chaos.KindUpgrade
		}
		if s.Upgrades(seed) != (len(older) > 0) || upgrades && len(older) == 0 {
			t.Errorf("seed %d: %v older, upgrades %t", seed, older, s.Upgrades(seed))
		}
		if _, spare := older["n4"]; spare || len(plain.Older(seed)) > 0 {
			t.Errorf("seed %d: %v, without mixing %v", seed, older, plain.Older(seed))
		}
	}
	for seed := range uint64(60) {
		fixed := parse(t, "cluster: {members: 3}\nnemesis: {profile: swarm, mixed: true}\n")
		fixed.FixReleases(seed)
		again, err := scenario.Parse("f", scenario.Encode(fixed))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := again.Older(seed+1), s.Older(seed); !maps.Equal(got, want) || again.Nemesis.Mixed {
			t.Errorf("seed %d: fixed to %v, drawn were %v", seed, got, want)
		}
	}
	if len(sizes) != 4 {
		t.Errorf("numbers of older members: %v", sizes)
	}
}
