package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"drydock/chaos"
	"drydock/node/state"
)

// older is a run of three members that start as the given releases.
func older(seed uint64, releases map[string]state.Release, steps ...chaos.Step) Config {
	cfg := testConfig(seed, 3)
	cfg.Releases, cfg.Upgrades = releases, true
	cfg.Plan.Steps = steps
	return cfg
}

// raisedAt is the time of the entry that raised the cluster to the newest release.
func raisedAt(t *testing.T, r *Result) time.Duration {
	t.Helper()
	for _, c := range r.Truth {
		if c.Release == uint64(state.Newest) {
			return time.Duration(c.Time)
		}
	}
	t.Fatal("the cluster was never raised")
	return 0
}

func TestClusterIsRaisedWithTheLastUpgrade(t *testing.T) {
	all := map[string]state.Release{"n1": 1, "n2": 1, "n3": 1}
	up := func(at time.Duration, name chaos.Selector) chaos.Step {
		return step(at, &chaos.Upgrade{Node: sel(name), To: int(state.Newest)})
	}
	r := run(t, older(3, all, up(2*second, "n1"), up(4*second, "n2"), up(6*second, "n3")))
	wantEffect(t, r)
	if at := raisedAt(t, r); at < 6*second || at > 7*second {
		t.Errorf("raised at %v", at)
	}
	if len(r.Raises) == 0 || len(r.Outdated) > 0 || !said(r, fmt.Sprint("the cluster is at release ", state.Newest)) {
		t.Errorf("raises %+v, stops %+v", r.Raises, r.Outdated)
	}
	published := 0
	for _, c := range r.Truth {
		if c.Member != "" {
			published++
		}
	}
	if published != 3 {
		t.Errorf("%d members are published", published)
	}
}

func TestHealingUpgradesTheRest(t *testing.T) {
	r := run(t, older(3, map[string]state.Release{"n2": 1, "n3": 1}))
	if at := raisedAt(t, r); at < 10*second || at > 12*second {
		t.Errorf("raised at %v", at)
	}
	same := older(3, map[string]state.Release{"n1": 1, "n2": 1, "n3": 1})
	same.Upgrades = false
	for _, c := range run(t, same).Truth {
		if c.Needs > 0 {
			t.Fatalf("entry %d is of release %d, no member is", c.Entry, c.Needs)
		}
	}
}

func TestOlderMembersStop(t *testing.T) {
	back := func(force bool) chaos.Step {
		return step(4*second, &chaos.Upgrade{Node: sel("n3"), To: 1, Force: force})
	}
	r := run(t, older(5, nil, back(true), step(6*second, &chaos.Restart{Node: sel("n3")})))
	if len(r.Outdated) != 2 || r.Outdated[0].Node != "n3" || !strings.Contains(r.Outdated[0].Why, "too old") {
		t.Errorf("stops: %+v", r.Outdated)
	}
	if len(r.Running) != 3 {
		t.Errorf("at the end %v run", r.Running)
	}
	r = run(t, older(5, nil, back(false)))
	if len(r.Outdated) > 0 || r.Outcomes[0].Effective > 0 || !strings.Contains(r.Outcomes[0].Why, fmt.Sprint("the cluster is at release ", state.Newest)) {
		t.Errorf("stops %+v, outcome %+v", r.Outdated, r.Outcomes[0])
	}
}

func TestLivesAreToldApart(t *testing.T) {
	r := run(t, older(7, nil, step(3*second, &chaos.Crash{Node: sel("n2"), RestartAfter: second})))
	var of []int64
	for _, l := range r.Lives {
		if l.Node == "n2" {
			of = append(of, l.Time, l.End)
		}
	}
	if len(of) != 4 || of[1] != int64(3*second) || of[2] < int64(4*second) || of[3] != 0 {
		t.Errorf("lives of n2: %v", of)
	}
}
