package runner

import (
	"fmt"

	"drydock/scenarios/checker"
	"drydock/scenarios/checker/cluster"
	"drydock/scenarios/checker/fleet"
	"drydock/scenarios/checker/keyspace"
	"drydock/scenarios/checker/linear"
	"drydock/scenarios/scenario"
	"drydock/sim/history"
)

// online is the part of the checkers that can follow a run: at the first
// violation the run stops, and what led to it is all there is to read.
type online struct {
	leaders *cluster.Leaders
	digests *cluster.Digests
	indexes *keyspace.Indexes
	order   *linear.Order
	holders *keyspace.Holders
	watches bool
	runs    []runFollower
	placed  *fleet.Placed
}

// runFollower is a check that takes what machines run as it begins and ends.
type runFollower struct {
	expect string
	ran    func(*history.Ran) *checker.Violation
}

// newOnline follows what the scenario expects.
func newOnline(s *scenario.Scenario) *online {
	o := &online{}
	facts := fleet.Facts{Units: s.FleetUnits(), Machines: s.FleetMachines(), Keep: s.Cluster.Knobs.KeepRunning}
	for _, x := range s.Expect {
		switch x.Kind {
		case scenario.ExpectOneLeader:
			o.leaders = cluster.NewLeaders()
		case scenario.ExpectDigests:
			o.digests = cluster.NewDigests()
		case scenario.ExpectIndexes:
			o.indexes = keyspace.NewIndexes()
		case scenario.ExpectLinearizable:
			o.order = linear.NewOrder()
		case scenario.ExpectWatches:
			o.watches = true
		case scenario.ExpectOnce:
			o.runs = append(o.runs, runFollower{x.Kind, fleet.NewOnce(&facts).Ran})
		case scenario.ExpectApart:
			o.runs = append(o.runs, runFollower{x.Kind, fleet.NewApart(&facts).Ran})
		case scenario.ExpectPlaced:
			o.placed = fleet.NewPlaced(&facts)
			o.runs = append(o.runs, runFollower{x.Kind, o.placed.Ran})
		case scenario.ExpectCapacity:
			o.runs = append(o.runs, runFollower{x.Kind, fleet.NewCapacity(&facts).Ran})
		case scenario.ExpectLocks:
			o.holders = keyspace.NewHolders()
		}
	}
	return o
}

// stopError is the violation that ended a run.
type stopError struct {
	expect    string
	violation *checker.Violation
}

func (e *stopError) Error() string { return fmt.Sprintf("%s: %s", e.expect, e.violation.Why) }

// observe takes in one thing; the error is a *stopError.
func (o *online) observe(x *history.Observation) error {
	expect, bad := o.judge(x)
	if bad == nil {
		return nil
	}
	return &stopError{expect: expect, violation: bad}
}

func (o *online) judge(x *history.Observation) (expect string, bad *checker.Violation) {
	switch {
	case x.Led != nil && o.leaders != nil:
		return scenario.ExpectOneLeader, o.leaders.Led(*x.Led)
	case x.Vote != nil && o.leaders != nil:
		return scenario.ExpectOneLeader, o.leaders.Vote(*x.Vote)
	case x.Said != nil && o.leaders != nil:
		return scenario.ExpectOneLeader, o.leaders.Said(*x.Said)
	case x.Digest != nil && o.digests != nil:
		return scenario.ExpectDigests, o.digests.Digest(*x.Digest)
	case x.Hold != nil && o.holders != nil:
		return scenario.ExpectLocks, o.holders.Hold(x.Hold)
	case x.Watch != nil && o.watches:
		return scenario.ExpectWatches, keyspace.InOrder(x.Watch)
	case x.Wish != nil && o.placed != nil:
		o.placed.Wish(x.Wish)
	case x.Ran != nil:
		for _, f := range o.runs {
			if bad = f.ran(x.Ran); bad != nil {
				return f.expect, bad
			}
		}
	case x.Op != nil:
		if o.order != nil {
			if bad = o.order.Op(x.Op); bad != nil {
				return scenario.ExpectLinearizable, bad
			}
		}
		if o.indexes != nil {
			return scenario.ExpectIndexes, o.indexes.Op(x.Op)
		}
	}
	return "", nil
}
