package state

import (
	"fmt"
	"slices"
	"strings"

	"drydock/node/fleet"
	"drydock/node/keys"
)

// Fleet is the units and machines, for reads.
func (s *State) Fleet() *fleet.Store { return s.fleet }

// applyFleet applies a KindFleet. What it changed is in the fleet's own digest; the
// chain has whether it had an effect at all.
func (s *State) applyFleet(c *fleet.Command, res *Result) {
	if res.Refusal = s.Allows(KindFleet); res.Refusal == nil {
		var out fleet.Outcome
		out, res.Refusal = s.fleet.Apply(fleet.Env{Revision: s.revision, Term: s.term, Now: s.now.Cluster}, c)
		res.Fleet = &out
	}
	if res.Refusal != nil {
		res.Fleet = nil
		s.chain.word(0)
		return
	}
	s.chain.word(s.fleet.Revision())
}

// withFleet appends the fleet's records to those of the keyspace, so that a
// checkpoint writes bucket after bucket.
func withFleet(list []keys.Record, units []fleet.Record) []keys.Record {
	list = slices.Grow(list, len(units))
	for _, r := range units {
		list = append(list, keys.Record(r))
	}
	return list
}

// loadRecords builds keyspace and fleet of the records that next hands over.
func (s *State) loadRecords(next func() (keys.Record, bool, error)) (err error) {
	units := fleet.NewLoader()
	rest := func() (keys.Record, bool, error) {
		for {
			r, ok, err := next()
			if !ok || err != nil || !strings.HasPrefix(r.Bucket, fleet.BucketPrefix) {
				return r, ok, err
			}
			if s.release < Release3 {
				return r, false, fmt.Errorf("bucket %q in a state of release %d", r.Bucket, s.release)
			}
			if err := units.Take(fleet.Record(r)); err != nil {
				return r, false, err
			}
		}
	}
	if s.keys, err = keys.Load(rest); err != nil {
		return err
	}
	s.fleet, err = units.Done()
	return err
}
