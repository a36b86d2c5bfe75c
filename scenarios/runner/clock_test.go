package runner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"drydock/chaos"
	"drydock/scenarios/checker/keyspace"
	"drydock/sim/history"
)

func TestClockBound(t *testing.T) {
	const s = time.Second
	strike := func(at, end time.Duration, p chaos.Params) chaos.Strike {
		return chaos.Strike{At: at, End: end, Fault: chaos.Fault{Params: p}}
	}
	restarts := []history.Restart{{Time: int64(5 * s), Node: "n1"}, {Time: int64(20 * s), Node: "n2"}}
	for _, tc := range []struct {
		name   string
		strike chaos.Strike
		want   []keyspace.Skew
	}{
		{"no clock", strike(s, 2*s, &chaos.Pause{}), nil},
		{"a rate", strike(s, 3*s, &chaos.ClockRate{Rate: 1.5, Clock: chaos.ClockMono}), []keyspace.Skew{{From: s, To: 3 * s, Fast: 0.5}}},
		{"a slow rate", strike(s, 3*s, &chaos.ClockRate{Rate: 0.5, Clock: chaos.ClockMono}), []keyspace.Skew{{From: s, To: 3 * s, Fast: 0.5}}},
		{"a rate to the end", strike(s, 0, &chaos.ClockRate{Rate: 2, Clock: chaos.ClockMono}), []keyspace.Skew{{From: s, To: 30 * s, Fast: 1}}},
		{"a calendar's rate", strike(10*s, 12*s, &chaos.ClockRate{Rate: 1.5, Clock: chaos.ClockWall}), []keyspace.Skew{{From: 20 * s, To: 25 * s, Jump: s}}},
		{"both rates", strike(10*s, 12*s, &chaos.ClockRate{Rate: 1.5, Clock: chaos.ClockBoth}), []keyspace.Skew{
			{From: 10 * s, To: 12 * s, Fast: 0.5}, {From: 20 * s, To: 25 * s, Jump: s},
		}},
		{"a jump", strike(s, 0, &chaos.ClockJump{By: 2 * s, Clock: chaos.ClockMono}), []keyspace.Skew{{From: s, To: s, Jump: 2 * s}}},
		{"a calendar's jump", strike(4*s, 6*s, &chaos.ClockJump{By: 2 * s, Clock: chaos.ClockWall}), []keyspace.Skew{
			{From: 5 * s, To: 10 * s, Jump: 2 * s}, {From: 20 * s, To: 25 * s, Jump: 2 * s},
		}},
		{"a calendar's jump and no start", strike(21*s, 22*s, &chaos.ClockJump{By: 2 * s, Clock: chaos.ClockWall}), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := clockBound([]chaos.Strike{tc.strike}, restarts, 30*s)
			if diff := cmp.Diff(tc.want, got.Skews, cmpopts.IgnoreUnexported(keyspace.Skew{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}
