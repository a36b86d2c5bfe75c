package dist

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestTableSamplesArePinned: as those of the other kinds.
func TestTableSamplesArePinned(t *testing.T) {
	d, err := Table([]Point{{0, ms}, {500, 2 * ms}, {1000, 10 * ms}})
	if err != nil {
		t.Fatal(err)
	}
	r := stream(1)
	var got []time.Duration
	for range 3 {
		got = append(got, d.Sample(r))
	}
	if diff := cmp.Diff([]time.Duration{1218070, 1561113, 1409438}, got); diff != "" {
		t.Error("(-want +got):\n", diff)
	}
}

// TestATableGivesItsQuantilesBack: of many samples, the share that a point names is
// at most its delay.
func TestATableGivesItsQuantilesBack(t *testing.T) {
	points := []Point{{0, 10}, {100, 2000}, {250, 2000}, {500, 30_000}, {990, 1_000_000}, {1000, 50_000_000}}
	d, err := Table(points)
	if err != nil {
		t.Fatal(err)
	}
	const n = 200_000
	r, all := stream(7), make([]time.Duration, n)
	for i := range all {
		all[i] = d.Sample(r)
	}
	slices.Sort(all)
	for _, p := range points[2 : len(points)-1] {
		at, _ := slices.BinarySearch(all, p.Delay+1)
		if got, want := float64(at)/n, float64(p.Share)/1000; got < want-0.005 || got > want+0.005 {
			t.Errorf("%v: %.4f are no longer, want %.4f", p.Delay, got, want)
		}
	}
	if all[0] < 10 || all[n-1] > 50_000_000 {
		t.Errorf("from %d to %d", all[0], all[n-1])
	}
}

// TestATableStaysWithinItsEnds, whatever points it is made of, and takes one draw.
func TestATableStaysWithinItsEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		delays := rapid.SliceOfN(rapid.Int64Range(0, int64(MaxDelay)), 3, 3).Draw(t, "delays")
		slices.Sort(delays)
		share := Milli(rapid.IntRange(1, 999).Draw(t, "share"))
		d, err := Table([]Point{{0, time.Duration(delays[0])}, {share, time.Duration(delays[1])}, {1000, time.Duration(delays[2])}})
		if err != nil {
			t.Fatal(err)
		}
		seed := rapid.Uint64().Draw(t, "seed")
		one, other := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 1))
		got := d.Sample(one)
		other.Uint64()
		if got < time.Duration(delays[0]) || got > time.Duration(delays[2]) {
			t.Fatalf("%v is not from %v to %v", got, delays[0], delays[2])
		}
		if one.Uint64() != other.Uint64() {
			t.Fatal("not one draw")
		}
	})
}

func TestTablesThatAreNone(t *testing.T) {
	for name, points := range map[string][]Point{
		"none":          nil,
		"one point":     {{0, 1}},
		"no beginning":  {{1, 1}, {1000, 2}},
		"no end":        {{0, 1}, {999, 2}},
		"shares fall":   {{0, 1}, {500, 2}, {400, 3}, {1000, 4}},
		"a share twice": {{0, 1}, {500, 2}, {500, 3}, {1000, 4}},
		"delays fall":   {{0, 2}, {1000, 1}},
		"negative":      {{0, -1}, {1000, 1}},
		"too long":      {{0, 0}, {1000, MaxDelay + 1}},
	} {
		if _, err := Table(points); !errors.Is(err, ErrSpec) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
