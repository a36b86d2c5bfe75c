package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// mixed is a fake whose members have releases: the newest is 2.
func mixed(releases ...int) *fake {
	f := newFake(len(releases))
	for i, r := range releases {
		f.members[i].Release, f.members[i].Newest = r, 2
	}
	return f
}

func TestUpgradesLeaveOutWhoIsThere(t *testing.T) {
	f := mixed(2, 1, 1)
	f.members[2].Outside = true
	r := &resolver{members: f.members, rng: rand.New(rand.NewPCG(1, 1))}
	got, err := (&Upgrade{Node: Selectors{"n1", "n2", "n3"}, To: 2}).resolve(r)
	if err != nil || !slices.Equal(got.Nodes, []string{"n2"}) || got.Text != "upgrade n2 to release 2" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := (&Upgrade{Node: Selectors{"n1"}, To: 2}).resolve(r); !errors.Is(err, ErrNoEffect) {
		t.Errorf("an upgrade to where it is: %v", err)
	}
	if got, err := (&Upgrade{Node: Selectors{"n1"}, To: 1}).resolve(r); err != nil || !slices.Equal(got.Nodes, []string{"n1"}) {
		t.Errorf("back: %+v, %v", got, err)
	}
}

// TestHealingFinishesUpgrades: the dead at once, the others one after another.
func TestHealingFinishesUpgrades(t *testing.T) {
	f := mixed(1, 2, 1, 1, 1)
	f.members[3].Up, f.members[4].Outside = false, true
	c := NewConductor(Plan{}, f, f)
	c.Start()
	f.run(time.Second)
	c.Heal()
	f.run(3 * time.Second)
	want := []string{
		"1s heal: no more faults",
		"1s FAULT upgrade n4 to release 2",
		"1s FAULT restart n4", // the fake's upgrade starts nobody
		"1.3s FAULT upgrade n1 to release 2",
		"1.6s FAULT upgrade n3 to release 2",
	}
	if d := cmp.Diff(want, f.log); d != "" {
		t.Error(d)
	}
}

func TestNemesisUpgradesOnlyMixedClusters(t *testing.T) {
	for _, is := range []bool{true, false} {
		n := nemesisOf(Everything)
		n.Mixed = is
		count := map[string]int{}
		for seed := range uint64(100) {
			for _, s := range draw(n, seed).Steps {
				if u, ok := s.Fault.(*Upgrade); ok {
					count[fmt.Sprint(u.To)]++
					if u.Force {
						t.Errorf("seed %d forces %s", seed, s.Describe())
					}
				}
			}
		}
		if (count["3"] > 0) != is || (count["2"] > 0) != is || (count["1"] > 0) != is {
			t.Errorf("mixed %t: %v", is, count)
		}
	}
}
