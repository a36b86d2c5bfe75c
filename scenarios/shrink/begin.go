package shrink

import (
	"context"
	"slices"
	"strings"
	"time"

	"drydock/chaos"
	"drydock/scenarios/scenario"
)

// begin turns the run into one whose faults are single steps, and makes sure
// that it fails. The best form is that in which nothing is drawn; where that
// doesn't fail, the drawn steps as they were; else the scenario as written.
func (k *Shrinker) begin(ctx context.Context, strikes []chaos.Strike, drawn []chaos.Step) bool {
	s := k.best.Scenario
	written := chaos.Schedule(strikes, s.HealAt)
	later := slices.Clone(written)
	for i := range later {
		later[i].At++ // after all that happened at the instant
	}
	forms := []func(*scenario.Scenario){
		func(s *scenario.Scenario) { s.FixReleases(k.best.Seed); setSteps(s, written) },
		func(s *scenario.Scenario) { s.FixReleases(k.best.Seed); setSteps(s, later) },
		func(s *scenario.Scenario) { setSteps(s, drawn) },
		func(*scenario.Scenario) {},
	}
	var list []*scenario.Scenario
	for _, form := range forms {
		one := k.edit(func(s *scenario.Scenario) {
			form(s)
			k.expect(s)
		})
		list = append(list, one)
	}
	return k.accept(ctx, k.same(list...))
}

func setSteps(s *scenario.Scenario, steps []chaos.Step) {
	s.Steps = scenario.StepsOf(chaos.Plan{Steps: steps})
	quietNemesis(s)
}

// nothingDrawn is what a nemesis draws from that is to draw nothing.
var nothingDrawn = []string{string(chaos.KindHeal)}

// quietNemesis leaves the nemesis, and with it the machines that it might have
// brought in, but nothing for it to draw.
func quietNemesis(s *scenario.Scenario) {
	if s.Nemesis.Profile != "" {
		s.Nemesis.Only, s.Nemesis.Without = nothingDrawn, nil
		s.Nemesis.Until = 0
		s.Nemesis.From = min(s.Nemesis.From, s.HealAt/2)
	}
}

// always are the expectations that mean something in every run, however small.
var always = []string{
	scenario.ExpectLinearizable, scenario.ExpectAcked, scenario.ExpectOneLeader, scenario.ExpectDigests, scenario.ExpectLogs,
}

// expect keeps the expectation that fails, first, and those that always mean
// something: a bound on numbers, or a promise about clients that may be left
// out, says nothing about a smaller run.
func (k *Shrinker) expect(s *scenario.Scenario) {
	var first, rest []scenario.Expectation
	for _, e := range s.Expect {
		switch {
		case e.Kind == k.way:
			first = append(first, e)
		case slices.Contains(always, e.Kind):
			rest = append(rest, e)
		}
	}
	s.Expect = append(first, rest...)
	if len(s.Expect) == 0 {
		s.Expect = []scenario.Expectation{{Kind: scenario.ExpectLinearizable, Text: scenario.ExpectLinearizable}}
	}
}

// waits is how long a client takes to give up: the run must go on that long
// after the failure, so that its end doesn't come before.
func waits(s *scenario.Scenario) time.Duration {
	return s.Load.KV.Timeout + 300*time.Millisecond
}

// cut ends the run soon after the failure.
func (k *Shrinker) cut(ctx context.Context) {
	at, ok := k.best.Report.FailedAt()
	s := k.best.Scenario
	var ends []time.Duration
	if ok {
		for _, more := range []time.Duration{0, 500 * time.Millisecond, 2 * time.Second} {
			ends = append(ends, roundUp(at+waits(s)+more, 100*time.Millisecond))
		}
	}
	for _, part := range []time.Duration{2, 4, 6} {
		ends = append(ends, roundUp(s.Duration*part/8, 100*time.Millisecond))
	}
	settle := s.Duration - s.HealAt
	slices.Sort(ends)
	var changes []func(*scenario.Scenario)
	for _, end := range ends {
		if end >= s.Duration || end < time.Second {
			continue
		}
		changes = append(changes, func(s *scenario.Scenario) { s.Duration = end })
		if strings.Contains(k.way, "live") || strings.Contains(k.way, "heal") {
			changes = append(changes, func(s *scenario.Scenario) {
				s.Duration, s.HealAt = end, max(end-settle, 100*time.Millisecond)
			})
		}
	}
	k.try(ctx, 0, changes...)
}

func roundUp(d, to time.Duration) time.Duration { return (d + to - 1) / to * to }
